"""How much of each asset lies in positions, added up as positions change."""

from __future__ import annotations

from collections import Counter

from node.state.database import State
from node.state.touched import Touched
from protocol.ids import AssetId


class CollateralSums:
    """Sums over all positions; pending transactions count."""

    def __init__(self, state: State) -> None:
        self._rows = state.call_orders.rows
        self._touched = Touched(state.call_orders)
        self._touched.note(state.call_orders.rows)
        self._counted: dict[int, tuple[AssetId, AssetId, int]] = {}
        """Of each position its collateral asset, its debt asset and its collateral."""
        self._held: Counter[AssetId] = Counter()
        self._backing: Counter[AssetId] = Counter()

    def held(self, asset: AssetId) -> int:
        """How much of an asset is collateral of positions, as of the last `catch_up`."""
        return self._held[asset]

    def backing(self, debt: AssetId) -> int:
        """The collateral of all positions of a BitAsset, as of the last `catch_up`."""
        return self._backing[debt]

    def catch_up(self) -> None:
        """Count what was touched anew."""
        for instance in self._touched.take():
            if instance in self._counted:
                self._count(instance, -1)
                del self._counted[instance]
            position = self._rows.get(instance)
            if position is not None:
                self._counted[instance] = (
                    position.collateral_asset,
                    position.debt_asset,
                    position.collateral,
                )
                self._count(instance, 1)

    def _count(self, instance: int, times: int) -> None:
        collateral_asset, debt_asset, collateral = self._counted[instance]
        self._held[collateral_asset] += times * collateral
        self._backing[debt_asset] += times * collateral
