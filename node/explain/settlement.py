"""What forced settlements would take from a position, played on a copy (R5.4, R5.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from node.explain.cut import REQUESTS_MAX, Cut, Ranks, outcome_of
from node.explain.records import Outcome, SettlementOutcome
from node.market.matching import SettlementMatch, match_settlement
from node.market.pricing import affordable_price, forced_settlement_price
from node.state.database import State
from node.state.objects.assets import BitassetData
from node.state.objects.market import CallOrder
from protocol.asset import AssetAmount, Price
from protocol.constants import HUNDRED_PERCENT
from protocol.schema import Record


class SettlementCut(Record):
    """What settlements depend on beside the positions, at one moment."""

    price: Price
    requests: tuple[int, ...]
    """What each asks for, the earliest first."""
    volume_left: int
    """Debt that may still be settled in this maintenance interval."""


def settlement_cut(state: State, bitasset: BitassetData) -> SettlementCut | None:
    """A copy for a BitAsset that has a feed; None where its offset is 100 % (R5.4)."""
    offset = bitasset.options.force_settlement_offset_percent
    if offset == HUNDRED_PERCENT:
        return None
    supply = state.figures_of(bitasset.asset_id).current_supply
    left = bitasset.max_settlement_volume(supply) - bitasset.force_settled_volume
    waiting = islice(state.settlements.items(bitasset.asset_id), REQUESTS_MAX)
    return SettlementCut(
        price=forced_settlement_price(bitasset.current_feed.settlement_price, offset),
        requests=tuple(request.balance.amount for request in waiting),
        volume_left=max(left, 0),
    )


def settlement_outcome(cut: Cut, settlements: SettlementCut) -> SettlementOutcome:
    """What settlements take from the position of a cut."""
    position = cut.subject
    ahead = sum(one.debt for one in cut.positions[: cut.rank])
    paid_price = affordable_price(position, settlements.price)
    whole = match_settlement(
        position.debt, position.debt, position.debt, position.collateral, paid_price
    )

    def owed(amount: int) -> AssetAmount:
        return AssetAmount(amount, position.debt_asset)

    return SettlementOutcome(
        price=paid_price,
        whole=outcome_of(position, whole.debt_settled, whole.position_pays, 0),
        debt_ahead=owed(ahead),
        requests=len(settlements.requests),
        requested=owed(sum(settlements.requests)),
        volume_left=owed(settlements.volume_left),
        by_requests=_by_requests(cut.positions, position, settlements),
    )


class SettlementFill(Record):
    """A due request meets a position."""

    place: int
    """Which request, by its place among those that are due."""
    position: CallOrder
    """As it was before."""
    settled: int
    pays: int


def played(
    ranks: Ranks, requests: Sequence[int], volume_left: int, price: Price
) -> Iterator[SettlementFill]:
    """What due requests take from positions, which are left as that leaves them (R5.4, R5.5)."""
    for place, amount in enumerate(requests):
        requested = amount
        while requested and volume_left and (first := ranks.first()) is not None:
            settled, pays, is_dust = _match(first, requested, volume_left, price)
            if settled == 0:
                if is_dust:
                    break
                return
            yield SettlementFill(place, first, settled, pays)
            ranks.reduce(settled, pays)
            requested = 0 if is_dust else requested - settled
            volume_left -= settled


def _by_requests(
    positions: Sequence[CallOrder], subject: CallOrder, settlements: SettlementCut
) -> Outcome:
    fills = played(
        Ranks(positions), settlements.requests, settlements.volume_left, settlements.price
    )
    own = [fill for fill in fills if fill.position.id == subject.id]
    covered, paid = sum(fill.settled for fill in own), sum(fill.pays for fill in own)
    return outcome_of(subject, covered, paid, 0)


def _match(position: CallOrder, requested: int, allowance: int, price: Price) -> SettlementMatch:
    return match_settlement(
        requested,
        allowance,
        position.debt,
        position.collateral,
        affordable_price(position, price),
    )
