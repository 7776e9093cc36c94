"""What anybody may use for a fee: liquidity pools (L), and SameT funds (U)."""

from __future__ import annotations

from node.state.objects.base import StateObject
from protocol.ids import AccountId, AssetId, LiquidityPoolId, SametFundId
from protocol.schema import Int64, UInt16, UInt32, UInt128


class LiquidityPool(StateObject):
    """A pool of two assets; whoever issues its share asset owns it (1.19.n, L1)."""

    id: LiquidityPoolId
    asset_a: AssetId
    asset_b: AssetId
    """The asset with the higher id."""
    balance_a: Int64
    balance_b: Int64
    """Both are 0, or neither is; so is the supply of the share asset (J2)."""
    share_asset: AssetId
    """Its units are the shares of those who deposited."""
    taker_fee_percent: UInt16
    """What the pool keeps of an exchange, over 10,000."""
    withdrawal_fee_percent: UInt16
    """What the pool keeps of a withdrawal, over 10,000."""
    virtual_value: UInt128
    """Product of the balances; an exchange never makes it less (L8)."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return self.balance_a == 0

    def holds(self, asset_id: AssetId) -> int:
        """What the pool has of one of its two assets."""
        assert asset_id in (self.asset_a, self.asset_b), asset_id
        return self.balance_a if asset_id == self.asset_a else self.balance_b

    def change(self, delta_a: int, delta_b: int) -> None:
        """Add to both balances, and keep their product; after `Table.edit`."""
        self.balance_a += delta_a
        self.balance_b += delta_b
        self.virtual_value = self.balance_a * self.balance_b


class SametFund(StateObject):
    """An amount that is lent for as long as one transaction lasts (1.20.n, U1)."""

    id: SametFundId
    owner_account: AccountId
    asset_type: AssetId
    balance: Int64
    """What can be lent, what is lent included."""
    fee_rate: UInt32
    """What borrowers pay of a loan, over 1,000,000."""
    unpaid_amount: Int64
    """What is lent now; 0 between transactions (U7)."""
