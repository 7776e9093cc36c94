"""The invariants of section 10 from what one block changed, in time proportional to it (T-E4).

Where `node.chain.invariants` recounts a whole state, this compares what the touched objects held
before and after: if a sum was right before the block and both sides changed alike, it is right
after it. Tests run both on random histories.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from operator import attrgetter, itemgetter
from typing import TypeVar, cast

from msgspec.structs import astuple

from node.chain.invariants import (
    check_custom_authority,
    check_deal,
    check_debt_pool,
    check_figures,
    check_fund,
    check_htlc,
    check_link,
    check_market,
    check_offer,
    check_order_is_not_dust,
    check_pool,
    check_share,
    check_ticket,
)
from node.chain.special_invariants import check_buyback_account, check_special_account
from node.chain.violations import too_wide, violated
from node.state.database import ALL, State
from node.state.errors import InvariantViolated
from node.state.objects.accounts import (
    NO_TICKETS,
    Account,
    AccountBalance,
    AccountStatistics,
    SpecialAuthority,
    TicketFigures,
)
from node.state.objects.assets import Asset, AssetDynamicData, BitassetData, Buyback
from node.state.objects.base import StateObject
from node.state.objects.credit import CreditDeal, CreditDealSummary, CreditOffer
from node.state.objects.custom_authorities import CustomAuthority
from node.state.objects.governance import DynamicGlobalProperties
from node.state.objects.htlc import Htlc
from node.state.objects.liquidity import LiquidityPool, SametFund
from node.state.objects.market import CallOrder, CollateralBid, ForceSettlement, LimitOrder
from node.state.objects.tickets import NEVER, Ticket
from node.state.objects.vesting import GenesisBalance, VestingBalance
from node.state.undo import CREATE, EDIT, REMOVE, Revision, Values
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.errors import EncodeError
from protocol.ids import (
    AccountId,
    AssetBitassetDataId,
    AssetId,
    CreditOfferId,
    LimitOrderId,
    LiquidityPoolId,
    account_text,
    asset_text,
    balance_text,
    credit_offer_text,
    custom_authority_text,
    htlc_text,
    position_text,
    ticket_text,
    vesting_text,
)

K = TypeVar("K")


class Changes:
    """How the sums that invariants compare have changed; each must come to zero."""

    __slots__ = (
        "bitassets",
        "bought_back",
        "core_in_orders",
        "debts",
        "holdings",
        "lent",
        "locked",
        "markets",
        "owed",
        "pools",
        "settled_before",
        "shares",
        "special",
        "state",
        "tickets",
    )

    def __init__(self, state: State) -> None:
        self.state = state
        self.holdings: dict[AssetId, int] = defaultdict(int)
        """By asset: units found in all places, minus supply (I1, I2)."""
        self.debts: dict[AssetId, int] = {}
        """By asset: debt of positions and pool, minus supply (I3)."""
        self.core_in_orders: dict[AccountId, int] = {}
        """By account: CORE in orders and positions, minus its statistic (I5)."""
        self.lent: dict[CreditOfferId, int] = {}
        """By credit offer: what it has lent, minus the debt of its deals (J4)."""
        self.owed: dict[tuple[CreditOfferId, AccountId], int] = {}
        """By credit offer and borrower: the summary, minus the debt of the deals (J4)."""
        self.tickets: dict[AccountId, list[int]] = {}
        """By account: what its tickets hold and are worth, minus its figures (K6.1)."""
        self.special: dict[AccountId, int] = {}
        """By account: whether it has special authorities, minus the notes of it (Y1.1)."""
        self.bought_back: dict[AssetId, int] = {}
        """By asset: whether an account buys it back, minus the notes of it (Y2.1)."""
        self.locked = [0, 0]
        """CORE locked for ever, of value and of none: of all accounts, minus the chain's (K6.1)."""
        self.markets: dict[tuple[AssetId, AssetId], None] = {}
        """Markets in which an order changed (I7)."""
        self.bitassets: dict[AssetBitassetDataId, None] = {}
        """Data of BitAssets that changed, or whose positions did (J5)."""
        self.settled_before: dict[AssetId, None] = {}
        """BitAssets that were globally settled before the block."""
        self.pools: dict[LiquidityPoolId, None] = {}
        """Pools that changed, or whose shares did (J2)."""
        self.shares: dict[AssetId, None] = {}
        """Shares of pools that changed (J2)."""


def check_block(state: State, revision: Revision) -> None:
    """Check the invariants after a block; raises `InvariantViolated`."""
    changes = Changes(state)
    holdings = changes.holdings
    for kind, table, item, old_values in revision.net_records():
        if kind == EDIT and isinstance(item, AccountBalance):
            # At once what `_count_balance` does before and after: most changes are of this kind.
            balance = item.balance
            if not 0 <= balance <= MAX_SUPPLY:
                raise _bad_balance(item)
            holdings[item.asset_type] += balance - _balance_before(old_values)
            continue
        if kind != REMOVE:
            check_width = table.check_width
            try:
                check_width(item, old_values)
            except EncodeError as error:
                raise too_wide(table.id_of(item), error) from error
        count = _COUNTERS.get(type(item))
        if count is None:
            continue
        if kind == EDIT and isinstance(item, AccountStatistics):
            _count_moved_statistics(changes, item, old_values)
            continue
        if kind != CREATE:
            count(changes, _object_of(item, old_values), -1)
        if kind != REMOVE:
            count(changes, item, 1)
    _check_sums(changes)
    for bitasset_id in changes.bitassets:
        check_debt_pool(state, state.bitassets.get(bitasset_id))
    for sold, wanted in changes.markets:
        check_market(state, sold, wanted)
    _check_pools(changes)
    _check_head(state)


def _object_of(item: StateObject, values: Values) -> StateObject:
    """The object as it was, from its fields."""
    build = cast("Callable[..., StateObject]", type(item))
    return build(*values)


def _check_sums(changes: Changes) -> None:
    for asset_id, difference in changes.holdings.items():
        if difference:
            rule = "I2" if asset_id == CORE_ASSET else "I1"
            raise violated(
                rule, f"units of {asset_text(asset_id)} beyond its supply", difference, 0
            )
    for asset_id, difference in changes.debts.items():
        _check_debt(changes, asset_id, difference)
    if changes.core_in_orders:
        _check_even(
            "I5", changes.core_in_orders, lambda one: f"CORE in orders of {account_text(one)}"
        )
    if changes.lent or changes.owed:
        _check_credit(changes)
    for account, differences in changes.tickets.items():
        if any(differences):
            raise violated("K6.1", f"tickets of {account_text(account)}", differences, 0)
    if any(changes.locked):
        raise violated("K6.1", "CORE locked for ever", changes.locked, 0)
    if changes.special:
        _check_even("Y1.1", changes.special, lambda one: f"notes of {account_text(one)}")
    if changes.bought_back:
        _check_even("Y2.1", changes.bought_back, lambda one: f"notes of {asset_text(one)}")


def _check_credit(changes: Changes) -> None:
    _check_even("J4", changes.lent, lambda one: f"lent by {credit_offer_text(one)}")
    _check_even(
        "J4",
        changes.owed,
        lambda one: f"summary of {account_text(one[1])} at {credit_offer_text(one[0])}",
    )


def _check_even(rule: str, differences: Mapping[K, int], what: Callable[[K], str]) -> None:
    for key, difference in differences.items():
        if difference:
            raise violated(rule, what(key), difference, 0)


def _check_debt(changes: Changes, asset_id: AssetId, difference: int) -> None:
    """I3 and I4. The debt of a revived BitAsset is counted anew: all of it is of this block."""
    state = changes.state
    bitasset = state.bitasset_of(asset_id)
    if bitasset is None:
        return
    if bitasset.is_globally_settled():
        if state.positions.first(asset_id) is not None:
            raise violated("I4", f"position of settled {asset_text(asset_id)}", 1, 0)
        return
    if bitasset.settlement_fund:
        raise violated("I4", f"fund of live {asset_text(asset_id)}", bitasset.settlement_fund, 0)
    if asset_id in changes.settled_before:
        debt = sum(position.debt for position in state.positions.items(asset_id))
        difference = debt - state.figures_of(asset_id).current_supply
    if difference:
        raise violated("I3", f"debt of {asset_text(asset_id)} beyond its supply", difference, 0)


def _check_pools(changes: Changes) -> None:
    """J2 for the pools that changed."""
    state = changes.state
    for pool_id in changes.pools:
        pool = state.liquidity_pools.find(pool_id)
        if pool is not None:
            check_pool(state, pool)
    for share in changes.shares:
        check_share(state, state.assets.get(share))


def _check_head(state: State) -> None:
    """I14, I17, H8.1, J4 and K6.1 by the earliest entries of the indexes by time."""
    dynamic = state.dynamic
    last, head = dynamic.last_irreversible_block_num, dynamic.head_block_number
    if last >= head:
        raise violated("I14", "last irreversible block", last, head - 1)
    oldest = state.transaction_expirations.earliest()
    if oldest is not None and oldest < dynamic.time:
        raise violated("I14", "stale transaction", oldest, dynamic.time)
    for what, earliest in (
        ("order", state.order_expirations.earliest()),
        ("proposal", state.proposal_expirations.earliest()),
    ):
        if earliest is not None and earliest <= dynamic.time:
            raise violated("I17", f"expired {what}", earliest, dynamic.time)
    htlc = state.htlc_expirations.first(ALL)
    if htlc is not None and htlc.expiration <= dynamic.time:
        what = f"expired contract {htlc_text(htlc.id)}"
        raise violated("H8.1", what, htlc.expiration, dynamic.time)
    due, open_offer = state.credit_deals_by_end.earliest(), state.credit_offers_by_end.first(True)
    if due is not None and due <= dynamic.time:
        raise violated("J4", "deal due", due, dynamic.time)
    if open_offer is not None and open_offer.auto_disable_time <= dynamic.time:
        raise violated("J4", "offer enabled", open_offer.auto_disable_time, dynamic.time)
    custom = state.custom_authority_ends.first(ALL)
    if custom is not None and custom.valid_to < dynamic.last_vote_tally_time:
        what = f"end of {custom_authority_text(custom.id)}"
        raise violated("C7.1", what, custom.valid_to, dynamic.last_vote_tally_time)
    ticket = state.ticket_updates.first(ALL)
    if ticket is not None and ticket.next_auto_update_time <= min(dynamic.time, NEVER - 1):
        due = ticket.next_auto_update_time
        raise violated("K6.1", f"overdue ticket {ticket_text(ticket.id)}", due, dynamic.time)


def _add(sums: dict[K, int], key: K, amount: int) -> None:
    sums[key] = sums.get(key, 0) + amount


def _bad_balance(item: AccountBalance) -> InvariantViolated:
    return violated("I6", f"balance {balance_text(item.id)}", item.balance, MAX_SUPPLY)


def _count_balance(changes: Changes, item: AccountBalance, sign: int) -> None:
    if sign > 0 and not 0 <= item.balance <= MAX_SUPPLY:
        raise _bad_balance(item)
    changes.holdings[item.asset_type] += sign * item.balance


def _count_vesting(changes: Changes, item: VestingBalance, sign: int) -> None:
    if sign > 0 and not 0 <= item.balance.amount <= MAX_SUPPLY:
        raise violated("I6", f"vesting balance {vesting_text(item.id)}", item.balance, MAX_SUPPLY)
    changes.holdings[item.balance.asset_id] += sign * item.balance.amount


def _count_genesis_balance(changes: Changes, item: GenesisBalance, sign: int) -> None:
    changes.holdings[item.balance.asset_id] += sign * item.balance.amount


def _count_htlc(changes: Changes, item: Htlc, sign: int) -> None:
    if sign > 0:
        check_htlc(item)
    changes.holdings[item.amount.asset_id] += sign * item.amount.amount


def _count_custom_authority(_changes: Changes, item: CustomAuthority, sign: int) -> None:
    if sign > 0:
        check_custom_authority(item)


def _count_account(changes: Changes, item: Account, sign: int) -> None:
    if item.special is not None:
        if sign > 0:
            check_special_account(item)
        _add(changes.special, item.id, sign)


def _count_special_authority(changes: Changes, item: SpecialAuthority, sign: int) -> None:
    _add(changes.special, item.account, -sign)


def _count_buyback(changes: Changes, item: Buyback, sign: int) -> None:
    _add(changes.bought_back, item.asset_to_buy, -sign)


def _count_ticket(changes: Changes, item: Ticket, sign: int) -> None:
    if sign > 0:
        check_ticket(item)
    changes.holdings[item.amount.asset_id] += sign * item.amount.amount
    _add_figures(changes, item.account, item.figures(), sign)


def _add_figures(changes: Changes, account: AccountId, figures: TicketFigures, sign: int) -> None:
    found = changes.tickets.setdefault(account, [0] * len(NO_LOCKS))
    for place, amount in enumerate(astuple(figures)):
        found[place] += sign * amount


def _count_order(changes: Changes, item: LimitOrder, sign: int) -> None:
    if sign > 0:
        check_order_is_not_dust(item)
    if item.take_profit_order_id is not None:
        _check_links_of(changes.state, item, item.take_profit_order_id, sign)
    price, paid = item.sell_price, item.deferred_paid_fee
    sold, wanted = price.base.asset_id, price.quote.asset_id
    holdings, for_sale = changes.holdings, sign * item.for_sale
    if paid.amount:
        holdings[paid.asset_id] += sign * paid.amount
    if item.deferred_fee:
        holdings[CORE_ASSET] += sign * item.deferred_fee
    if item.is_settled_debt:
        _note_bitasset(changes, wanted)
    else:
        holdings[sold] += for_sale
        if sold == CORE_ASSET:
            _add(changes.core_in_orders, item.seller, for_sale)
    changes.markets[(sold, wanted) if sold < wanted else (wanted, sold)] = None


def _check_links_of(state: State, item: LimitOrder, linked: LimitOrderId, sign: int) -> None:
    """J7 for an order as it is, or for the one that it was linked with."""
    other = item if sign > 0 else state.limit_orders.find(linked)
    if other is not None:
        check_link(state, other)


def _note_bitasset(changes: Changes, asset_id: AssetId) -> None:
    bitasset = changes.state.bitasset_of(asset_id)
    assert bitasset is not None, asset_id
    changes.bitassets[bitasset.id] = None


def _count_settlement(changes: Changes, item: ForceSettlement, sign: int) -> None:
    changes.holdings[item.balance.asset_id] += sign * item.balance.amount


def _count_position(changes: Changes, item: CallOrder, sign: int) -> None:
    if sign > 0 and (item.collateral <= 0 or item.debt <= 0):
        raise violated("I6", f"position {position_text(item.id)}", item, "positive")
    changes.holdings[item.collateral_asset] += sign * item.collateral
    _add(changes.debts, item.debt_asset, sign * item.debt)
    _note_bitasset(changes, item.debt_asset)
    if item.collateral_asset == CORE_ASSET:
        _add(changes.core_in_orders, item.borrower, sign * item.collateral)


def _count_bid(changes: Changes, item: CollateralBid, sign: int) -> None:
    bid = item.additional_collateral
    changes.holdings[bid.asset_id] += sign * bid.amount


def _count_offer(changes: Changes, item: CreditOffer, sign: int) -> None:
    if sign > 0:
        check_offer(item)
    changes.holdings[item.asset_type] += sign * item.current_balance
    _add(changes.lent, item.id, sign * item.lent)


def _count_deal(changes: Changes, item: CreditDeal, sign: int) -> None:
    if sign > 0:
        check_deal(item)
    changes.holdings[item.collateral_asset] += sign * item.collateral_amount
    _add(changes.lent, item.offer_id, -sign * item.debt_amount)
    _add(changes.owed, (item.offer_id, item.borrower), -sign * item.debt_amount)


def _count_summary(changes: Changes, item: CreditDealSummary, sign: int) -> None:
    if sign > 0 and item.total_debt_amount <= 0:
        what = f"summary of {account_text(item.borrower)} at {credit_offer_text(item.offer_id)}"
        raise violated("J4", what, item.total_debt_amount, 1)
    _add(changes.owed, (item.offer_id, item.borrower), sign * item.total_debt_amount)


def _count_bitasset(changes: Changes, item: BitassetData, sign: int) -> None:
    changes.bitassets[item.id] = None
    if sign < 0 and item.is_globally_settled():
        changes.settled_before[item.asset_id] = None
    funds = item.settlement_fund + item.individual_settlement_fund
    changes.holdings[item.options.short_backing_asset] += sign * funds
    _add(changes.debts, item.asset_id, sign * item.individual_settlement_debt)


def _count_pool(changes: Changes, item: LiquidityPool, sign: int) -> None:
    changes.holdings[item.asset_a] += sign * item.balance_a
    changes.holdings[item.asset_b] += sign * item.balance_b
    changes.pools[item.id] = changes.shares[item.share_asset] = None


def _count_fund(changes: Changes, item: SametFund, sign: int) -> None:
    if sign > 0:
        check_fund(item)
    changes.holdings[item.asset_type] += sign * (item.balance - item.unpaid_amount)


def _count_asset(changes: Changes, item: Asset, sign: int) -> None:
    if item.buyback_account is not None:
        if sign > 0:
            check_buyback_account(changes.state, item)
        _add(changes.bought_back, item.id, sign)
    if item.for_liquidity_pool is not None:
        changes.pools[item.for_liquidity_pool] = changes.shares[item.id] = None


def _count_figures(changes: Changes, item: AssetDynamicData, sign: int) -> None:
    state = changes.state
    asset = state.assets.get(AssetId(item.id))
    assert asset.dynamic_asset_data_id == item.id, "assets and their figures are numbered alike"
    if sign > 0:
        check_figures(state, asset)
    changes.holdings[asset.id] += sign * (item.accumulated_fees - item.current_supply)
    changes.holdings[CORE_ASSET] += sign * item.fee_pool
    if asset.for_liquidity_pool is not None:
        changes.pools[asset.for_liquidity_pool] = None
    if asset.bitasset_data_id is not None:
        backing = state.bitassets.get(asset.bitasset_data_id).options.short_backing_asset
        changes.holdings[backing] += sign * item.accumulated_collateral_fees
        _add(changes.debts, asset.id, -sign * item.current_supply)


_balance_before: Callable[[Values], int] = itemgetter(
    AccountBalance.__struct_fields__.index("balance")
)

NO_LOCKS = astuple(NO_TICKETS)
_COUNTED = ("total_core_in_orders", "pending_fees", "pending_vested_fees", "tickets")
_counted_of = attrgetter(*_COUNTED)
_counted_before = itemgetter(*map(AccountStatistics.__struct_fields__.index, _COUNTED))


def _count_statistics(changes: Changes, item: AccountStatistics, sign: int) -> None:
    pending = item.pending_fees + item.pending_vested_fees
    changes.holdings[CORE_ASSET] += sign * pending
    _add(changes.core_in_orders, item.owner, -sign * item.total_core_in_orders)
    if item.tickets is not None:
        _add_figures(changes, item.owner, item.tickets, -sign)
        changes.locked[0] += sign * item.tickets.total_core_pob
        changes.locked[1] += sign * item.tickets.total_core_inactive


def _count_moved_statistics(changes: Changes, item: AccountStatistics, values: Values) -> None:
    """What `_count_statistics` does before and after: a block of orders edits those of all traders,
    a maintenance block those of all voters, but not what is counted of them."""
    now, before = _counted_of(item), _counted_before(values)
    if now == before:
        return
    if now[1:] == before[1:]:
        _add(changes.core_in_orders, item.owner, -(now[0] - before[0]))
        return
    _count_statistics(changes, cast(AccountStatistics, _object_of(item, values)), -1)
    _count_statistics(changes, item, 1)


def _count_budget(changes: Changes, item: DynamicGlobalProperties, sign: int) -> None:
    changes.holdings[CORE_ASSET] += sign * item.witness_budget
    changes.locked[0] -= sign * item.total_pob
    changes.locked[1] -= sign * item.total_inactive


_COUNTERS: dict[type, Callable[[Changes, StateObject, int], None]] = {
    cls: cast("Callable[[Changes, StateObject, int], None]", count)
    for cls, count in (
        (AccountBalance, _count_balance),
        (Account, _count_account),
        (SpecialAuthority, _count_special_authority),
        (Buyback, _count_buyback),
        (VestingBalance, _count_vesting),
        (GenesisBalance, _count_genesis_balance),
        (Htlc, _count_htlc),
        (LiquidityPool, _count_pool),
        (CustomAuthority, _count_custom_authority),
        (Ticket, _count_ticket),
        (SametFund, _count_fund),
        (LimitOrder, _count_order),
        (ForceSettlement, _count_settlement),
        (CallOrder, _count_position),
        (CollateralBid, _count_bid),
        (Asset, _count_asset),
        (CreditOffer, _count_offer),
        (CreditDeal, _count_deal),
        (CreditDealSummary, _count_summary),
        (BitassetData, _count_bitasset),
        (AssetDynamicData, _count_figures),
        (AccountStatistics, _count_statistics),
        (DynamicGlobalProperties, _count_budget),
    )
}
"""What each type of object adds to the sums."""
