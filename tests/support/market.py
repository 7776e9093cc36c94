"""A market of one BitAsset, USD backed by CORE, for tests of the engine.

Built on the chainless state of `tests.support.state`; an undo session is open, as in a block.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from node.market.boundary import run_boundary
from node.market.feeds import update_median
from node.market.order_book import place_order
from node.state.balances import adjust_balance, adjust_core_in_orders
from node.state.context import Context
from node.state.database import State
from node.state.objects.assets import BitassetData
from node.state.objects.governance import TRIGGER_BID
from node.state.objects.market import CallOrder, ForceSettlement, LimitOrder
from protocol.asset import AssetAmount, Price
from protocol.chain_parameters import ChainParameters
from protocol.constants import CORE_ASSET
from protocol.ids import AccountId, AssetId
from protocol.operations.asset_options import AssetOptions
from protocol.operations.base import Operation
from protocol.operations.bitasset_options import BitassetOptions, BitassetOptionsExtensions
from protocol.operations.limit_order import FillOrder
from protocol.schema import MAX_TIMESTAMP
from tests.support.state import (
    add_bitasset,
    add_position,
    bitasset,
    make_context,
    make_state,
    set_feed,
)
from tests.support.world import GENESIS_TIME

CORE = CORE_ASSET
WHALE_DEBT = 10**11


@dataclass
class Market:
    """The state, USD, and the accounts: a whale that holds plenty of USD, and some others."""

    state: State
    usd: AssetId
    whale: AccountId
    accounts: tuple[AccountId, ...]

    @property
    def data(self) -> BitassetData:
        """The BitAsset data of USD."""
        return bitasset(self.state, self.usd)

    def context(self, now: int = GENESIS_TIME) -> Context:
        """A fresh context at a time."""
        return make_context(self.state, now)

    def set_options(self, **options: int) -> None:
        """Change fields of the BitAsset's options, of the extensions too."""
        data = self.state.bitassets.edit(self.data)
        plain = {k: v for k, v in options.items() if k in BitassetOptions.__struct_fields__}
        later = {k: v for k, v in options.items() if k not in plain}
        extensions: BitassetOptionsExtensions = replace(data.options.extensions, **later)
        data.options = replace(data.options, extensions=extensions)
        data.options = replace(data.options, **plain)

    def feed(
        self, debt: int, backing: int, *, mcr: int = 1750, mssr: int = 1500, icr: int | None = None
    ) -> None:
        """Set the median feed at once, without a boundary; the MCR is the ICR unless given."""
        set_feed(self.state, self.usd, debt, backing, mcr=mcr, mssr=mssr, icr=icr)

    def position(
        self, who: int, debt: int, collateral: int, *, tcr: int | None = None
    ) -> CallOrder:
        """A position of the account with this index."""
        borrower = self.accounts[who]
        return add_position(
            self.state, borrower, self.usd, debt, collateral, target_collateral_ratio=tcr
        )

    def bid(self, usd: int, core: int, *, ctx: Context | None = None) -> LimitOrder | None:
        """The whale sells USD for CORE: a bid of usd / core; None when it was filled."""
        return place(ctx or self.context(), self.whale, (usd, self.usd), (core, CORE))

    def publish(
        self, debt: int, backing: int, *, icr: int | None = None, ctx: Context | None = None
    ) -> Context:
        """Have the only producer publish a feed, as its operation does; returns the context."""
        ctx = ctx or self.context()
        before = self.data.median_feed
        set_feed(self.state, self.usd, debt, backing, icr=icr, now=ctx.now)
        data = self.state.bitassets.edit(self.data)
        data.median_feed = data.current_feed = before
        update_median(ctx, self.state.assets.get(self.usd), data)
        return ctx

    def request(self, who: AccountId, usd: int, due: int = GENESIS_TIME) -> ForceSettlement:
        """A settlement request, paid for from the balance."""
        adjust_balance(self.state, who, self.usd, -usd)
        table = self.state.force_settlements
        return table.create(
            ForceSettlement(
                id=table.next_id,
                owner=who,
                balance=AssetAmount(usd, self.usd),
                settlement_date=due,
            )
        )

    def balance(self, account: AccountId, asset: AssetId) -> int:
        """What an account holds."""
        return self.state.balance_of(account, asset)

    def supply(self) -> int:
        """The current supply of USD."""
        return self.state.figures_of(self.usd).current_supply

    def settle_boundary(self, now: int = GENESIS_TIME) -> Context:
        """Run the boundary over all BitAssets; returns its context."""
        ctx = self.context(now)
        run_boundary(ctx, all_assets=True)
        return ctx


def make_market(
    accounts: int = 3,
    *,
    core: int = 10**9,
    trigger: int = TRIGGER_BID,
    parameters: ChainParameters | None = None,
    options: AssetOptions | None = None,
    whale_debt: int = WHALE_DEBT,
) -> Market:
    """USD with a feed of 1 USD per 10 CORE, MCR 1.75, MSSR 1.5: SQP is 1 USD per 15 CORE.

    The whale's position, CR 100 CORE per USD, is far from any call.
    """
    names = ("whale", *(f"account-{index}" for index in range(accounts)))
    state = make_state(*names, core=core, margin_call_trigger=trigger, parameters=parameters)
    usd = add_bitasset(state, "USD", options=options)
    state.log.begin()
    whale, *others = (state.account_named(name).id for name in names)
    market = Market(state, usd, whale, tuple(others))
    market.feed(1, 10)
    add_position(state, whale, usd, whale_debt, 100 * whale_debt)
    return market


Amount = tuple[int, AssetId]


def place(
    ctx: Context,
    seller: AccountId,
    sells: Amount,
    wants: Amount,
    *,
    expiration: int = MAX_TIMESTAMP,
    deferred_fee: int = 0,
    deferred_paid_fee: Amount = (0, CORE),
) -> LimitOrder | None:
    """Pay for an order, put it in the book and match it; None when it was filled at once."""
    state = ctx.state
    adjust_balance(state, seller, sells[1], -sells[0])
    adjust_core_in_orders(state, seller, sells[1], sells[0])
    table = state.limit_orders
    order = table.create(
        LimitOrder(
            id=table.next_id,
            expiration=expiration,
            seller=seller,
            for_sale=sells[0],
            sell_price=Price(AssetAmount(*sells), AssetAmount(*wants)),
            filled_amount=0,
            deferred_fee=deferred_fee,
            deferred_paid_fee=AssetAmount(*deferred_paid_fee),
        )
    )
    return None if place_order(ctx, order) else order


def kinds_emitted(ctx: Context) -> list[type]:
    """The classes of the virtual operations so far."""
    return [type(op) for op in emitted(ctx)]


def emitted(ctx: Context) -> list[Operation]:
    """The virtual operations of a context, in order."""
    return [entry.op for entry in ctx.applied if entry.is_virtual]


def fills(ctx: Context) -> list[FillOrder]:
    """The fills among them."""
    return [op for op in emitted(ctx) if isinstance(op, FillOrder)]


def trade(op: FillOrder) -> tuple[int, int, int, bool]:
    """Paid, received, fee, maker: the numbers of a fill."""
    return op.pays.amount, op.receives.amount, op.fee.amount, op.is_maker
