"""Market fees and who shares in them; the deferred creation fee of orders (R2.12-R2.16)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.market.fees import add_pending_fee, market_fee, pay_market_fee
from node.market.holders import is_authorized
from node.market.order_book import cancel_order
from node.state.context import Context
from node.state.database import State
from node.state.objects.market import LimitOrder
from protocol.asset import AssetAmount
from protocol.chain_parameters import ChainParameters, ChainParametersExtensions
from protocol.constants import COMMITTEE_ACCOUNT, TEMP_ACCOUNT
from protocol.fee_schedule import FlatFee
from protocol.fees import ZERO_FEE_SCHEDULE, with_parameters
from protocol.ids import AccountId, AssetId
from protocol.operations.asset_options import CHARGE_MARKET_FEE, WHITE_LIST
from protocol.operations.limit_order import LimitOrderCancel
from tests.support.market import CORE, emitted, place
from tests.support.slow_market import check_supplies
from tests.support.state import add_asset, issue, make_context, make_state

GOLD, SILVER = AssetId(1), AssetId(2)
ALICE, BOB, REGISTRAR, REFERRER = (AccountId(6 + index) for index in range(4))
LIMIT_ORDER_CANCEL = 2


def make_book(
    *, network: int | None = None, discount: int | None = None, cancel_fee: int = 0
) -> State:
    """Alice holds CORE and SILVER, Bob GOLD; GOLD charges 10 % to makers and takers."""
    schedule = with_parameters(
        replace(ZERO_FEE_SCHEDULE, scale=10_000), LIMIT_ORDER_CANCEL, FlatFee(cancel_fee)
    )
    extensions = ChainParametersExtensions(
        market_fee_network_percent=network, maker_fee_discount_percent=discount
    )
    parameters = ChainParameters(schedule, extensions=extensions)
    state = make_state("alice", "bob", "registrar", "referrer", core=10**9, parameters=parameters)
    assert (add_asset(state, "GOLD"), add_asset(state, "SILVER")) == (GOLD, SILVER)
    issue(state, BOB, AssetAmount(10**9, GOLD))
    issue(state, ALICE, AssetAmount(10**6, SILVER))
    state.log.begin()
    set_gold(state, flags=CHARGE_MARKET_FEE, market_fee_percent=1_000)
    return state


def set_gold(state: State, **options: int | tuple[int, ...]) -> None:
    """Change options of GOLD, of the extensions too."""
    gold = state.assets.edit(state.assets.get(GOLD))
    later = {k: v for k, v in options.items() if not hasattr(gold.options, k)}
    plain = {k: v for k, v in options.items() if k not in later}
    extensions = replace(gold.options.extensions, **later)
    gold.options = replace(gold.options, extensions=extensions, **plain)


def shares(state: State) -> dict[AccountId, int]:
    """GOLD in vesting balances, by owner."""
    balances = state.vesting_balances.in_order()
    return {item.owner: item.balance.amount for item in balances}


def pay(state: State, amount: int, *, is_maker: bool = True) -> int:
    """Have Alice receive GOLD out of Bob's balance, less fee."""
    fee = pay_market_fee(make_context(state), ALICE, AssetAmount(amount, GOLD), is_maker=is_maker)
    bob = state.balances_of_account.find(BOB, GOLD)
    assert bob is not None
    state.balances.edit(bob).balance -= fee
    check_supplies(state)
    return fee


@pytest.mark.parametrize(
    ("taker_percent", "cap", "as_maker", "as_taker"),
    [(None, 10**9, 99, 99), (0, 10**9, 99, 0), (2_000, 10**9, 99, 199), (None, 50, 50, 50)],
)
def test_the_market_fee(taker_percent: int | None, cap: int, as_maker: int, as_taker: int) -> None:
    """R2.14: 10 % of 999, floored; takers may have their own; capped."""
    state = make_book()
    set_gold(state, max_market_fee=cap)
    if taker_percent is not None:
        set_gold(state, taker_fee_percent=taker_percent)
    gold = state.assets.get(GOLD)
    assert market_fee(gold, 999, is_maker=True) == as_maker
    assert market_fee(gold, 999, is_maker=False) == as_taker
    set_gold(state, flags=0)
    assert market_fee(gold, 999, is_maker=True) == 0


def test_the_issuer_gets_the_fee() -> None:
    """R2.15: without shares, all of it accumulates."""
    state = make_book()
    assert pay(state, 1_000) == 100
    assert state.figures_of(GOLD).accumulated_fees == 100
    assert shares(state) == {}


def test_the_network_gets_its_share_first() -> None:
    """R2.15: 30 % of 99 is 29, in an instant balance of the committee account."""
    state = make_book(network=3_000)
    assert pay(state, 999) == 99
    assert shares(state) == {COMMITTEE_ACCOUNT: 29}
    assert state.figures_of(GOLD).accumulated_fees == 70


def refer(state: State, registrar: AccountId, referrer: AccountId, percent: int) -> None:
    alice = state.accounts.edit(state.accounts.get(ALICE))
    alice.registrar, alice.referrer = registrar, referrer
    alice.referrer_rewards_percentage = percent


def test_registrar_and_referrer_share_a_reward() -> None:
    """R2.15: of 100, 20 are the network's; half of 80 is reward; 30 % of 40 are the referrer's."""
    state = make_book(network=2_000)
    refer(state, REGISTRAR, REFERRER, 3_000)
    set_gold(state, reward_percent=5_000)
    assert pay(state, 1_000) == 100
    assert shares(state) == {COMMITTEE_ACCOUNT: 20, REFERRER: 12, REGISTRAR: 28}
    assert state.figures_of(GOLD).accumulated_fees == 40


def test_a_registrar_who_is_the_referrer_gets_the_reward_in_one() -> None:
    """R2.15: no split."""
    state = make_book()
    refer(state, REGISTRAR, REGISTRAR, 3_000)
    set_gold(state, reward_percent=10_000)
    pay(state, 1_000)
    assert shares(state) == {REGISTRAR: 100}
    assert state.figures_of(GOLD).accumulated_fees == 0


def test_shares_of_the_temp_account_go_to_the_committee() -> None:
    """R2.15: nobody owns the temp account."""
    state = make_book()
    refer(state, TEMP_ACCOUNT, REFERRER, 1_000)
    set_gold(state, reward_percent=10_000)
    pay(state, 1_000)
    assert shares(state) == {COMMITTEE_ACCOUNT: 90, REFERRER: 10}


@pytest.mark.parametrize(
    ("sharers", "expected"), [((), {REGISTRAR: 100}), ((8,), {REGISTRAR: 100}), ((9,), {})]
)
def test_only_listed_registrars_share(
    sharers: tuple[int, ...], expected: dict[AccountId, int]
) -> None:
    """R2.15: an empty list admits all."""
    state = make_book()
    refer(state, REGISTRAR, REGISTRAR, 0)
    set_gold(state, reward_percent=10_000, whitelist_market_fee_sharing=sharers)
    pay(state, 1_000)
    assert shares(state) == expected


def test_who_may_not_hold_the_asset_gets_no_share() -> None:
    """R2.15, R2.20: no registrar, no reward; no referrer, the registrar gets all."""
    state = make_book()
    refer(state, REGISTRAR, REFERRER, 3_000)
    set_gold(state, reward_percent=10_000, flags=CHARGE_MARKET_FEE | WHITE_LIST)
    set_gold(state, blacklist_authorities=(BOB,))
    referrer = state.accounts.edit(state.accounts.get(REFERRER))
    referrer.blacklisting_accounts = (BOB,)
    pay(state, 1_000)
    assert shares(state) == {REGISTRAR: 100}
    registrar = state.accounts.edit(state.accounts.get(REGISTRAR))
    registrar.blacklisting_accounts = (BOB,)
    pay(state, 1_000)
    assert state.figures_of(GOLD).accumulated_fees == 100


def test_the_whitelist_test() -> None:
    """R2.20: black before white; the committee account always passes."""
    state = make_book()
    gold, alice = state.assets.get(GOLD), state.accounts.get(ALICE)
    assert is_authorized(alice, gold)
    set_gold(state, whitelist_authorities=(BOB,))
    assert not is_authorized(alice, gold)
    assert is_authorized(state.accounts.get(COMMITTEE_ACCOUNT), gold)
    alice = state.accounts.edit(alice)
    alice.whitelisting_accounts = (BOB,)
    assert is_authorized(alice, gold)
    set_gold(state, blacklist_authorities=(REFERRER,))
    alice.blacklisting_accounts = (REFERRER,)
    assert not is_authorized(alice, gold)


@pytest.mark.parametrize(("amount", "vests"), [(10_000_000, False), (10_000_001, True)])
def test_small_fees_need_not_vest(amount: int, *, vests: bool) -> None:
    """R8.20: above the threshold of 100 CORE, strictly."""
    state = make_book()
    add_pending_fee(state, ALICE, amount)
    statistics = state.statistics_of(ALICE)
    assert (statistics.pending_fees, statistics.pending_vested_fees) == (
        (amount, 0) if vests else (0, amount)
    )


def order_of(state: State, *, core_fee: int, silver_fee: int = 0) -> LimitOrder:
    """An order of Alice's, 100 CORE for 100 GOLD, whose fee was paid in CORE or in SILVER.

    As at its creation: the fee left the balance, and its worth in CORE the pool of SILVER.
    """
    balance = state.balances_of_account.find(ALICE, SILVER if silver_fee else CORE)
    assert balance is not None
    state.balances.edit(balance).balance -= silver_fee or core_fee
    if silver_fee:
        issue(state, ALICE, AssetAmount(1_000, CORE))
        whole = state.balances_of_account.find(ALICE, CORE)
        assert whole is not None
        state.balances.edit(whole).balance -= 1_000
        pool = state.asset_dynamic_data.edit(state.figures_of(SILVER))
        pool.fee_pool += 1_000 - core_fee
    order = place(
        make_context(state),
        ALICE,
        (100, CORE),
        (100, GOLD),
        deferred_fee=core_fee,
        deferred_paid_fee=(silver_fee, SILVER if silver_fee else CORE),
    )
    assert order is not None
    check_supplies(state)
    return order


def take(state: State, gold: int) -> None:
    place(make_context(state), BOB, (gold, GOLD), (gold, CORE))
    check_supplies(state)


def pending(state: State) -> int:
    return state.statistics_of(ALICE).pending_vested_fees


def test_the_creation_fee_is_distributed_at_the_first_fill() -> None:
    """R2.12: once, whole; the order keeps nothing of it."""
    state = make_book()
    order = order_of(state, core_fee=50)
    assert pending(state) == 0
    take(state, 10)
    assert pending(state) == 50
    assert (order.deferred_fee, order.deferred_paid_fee.amount) == (0, 0)
    take(state, 10)
    assert pending(state) == 50


def test_a_maker_gets_a_discount() -> None:
    """R2.12: 20 % of 52, floored."""
    state = make_book(discount=2_000)
    order_of(state, core_fee=52)
    before = state.balance_of(ALICE, CORE)
    take(state, 100)
    assert pending(state) == 42
    assert state.balance_of(ALICE, CORE) == before + 10


def test_a_taker_gets_no_discount() -> None:
    """R2.12: the whole fee is distributed."""
    state = make_book(discount=2_000)
    place(make_context(state), BOB, (100, GOLD), (100, CORE))
    alice = state.balances_of_account.find(ALICE, CORE)
    assert alice is not None
    state.balances.edit(alice).balance -= 52
    assert place(make_context(state), ALICE, (100, CORE), (1, GOLD), deferred_fee=52) is None
    assert pending(state) == 52
    check_supplies(state)


def test_a_creation_fee_in_another_asset() -> None:
    """R2.12: of 7 SILVER worth 35 CORE, 20 % are 1 SILVER to the owner, 7 CORE to the pool."""
    state = make_book(discount=2_000)
    order_of(state, core_fee=35, silver_fee=7)
    silver, pool = state.balance_of(ALICE, SILVER), state.figures_of(SILVER).fee_pool
    take(state, 10)
    assert state.balance_of(ALICE, SILVER) == silver + 1
    assert state.figures_of(SILVER).fee_pool == pool + 7
    assert state.figures_of(SILVER).accumulated_fees == 6
    assert pending(state) == 28


def test_a_discount_of_nothing_leaves_the_pool_alone() -> None:
    """R2.12: 20 % of 4 SILVER is nothing, so the pool gets nothing either."""
    state = make_book(discount=2_000)
    order_of(state, core_fee=35, silver_fee=4)
    pool = state.figures_of(SILVER).fee_pool
    take(state, 10)
    assert state.figures_of(SILVER).fee_pool == pool
    assert state.figures_of(SILVER).accumulated_fees == 4
    assert pending(state) == 35


def cancel(state: State, order: LimitOrder, *, virtual: bool) -> Context:
    ctx = make_context(state)
    cancel_order(ctx, order, virtual=virtual)
    check_supplies(state)
    return ctx


def test_the_owner_s_cancel_refunds_the_whole_creation_fee() -> None:
    """R2.11: the operation pays its own fee; CORE to the owner, or both assets back."""
    state = make_book(cancel_fee=30)
    balances = state.balance_of(ALICE, CORE), state.balance_of(ALICE, SILVER)
    cancel(state, order_of(state, core_fee=50), virtual=False)
    assert (state.balance_of(ALICE, CORE), state.balance_of(ALICE, SILVER)) == balances
    cancel(state, order_of(state, core_fee=50, silver_fee=9), virtual=False)
    assert (state.balance_of(ALICE, CORE), state.balance_of(ALICE, SILVER)) == balances
    assert state.figures_of(SILVER).fee_pool == 1_000
    assert pending(state) == 0


@pytest.mark.parametrize(("fee", "charged"), [(50, 30), (20, 20), (0, 0)])
def test_expiry_and_cull_charge_the_cancel_fee(fee: int, charged: int) -> None:
    """R2.13: 30, but no more than the deferred fee."""
    state = make_book(cancel_fee=30)
    before = state.balance_of(ALICE, CORE)
    ctx = cancel(state, order_of(state, core_fee=fee), virtual=True)
    assert state.balance_of(ALICE, CORE) == before - charged
    assert pending(state) == charged
    (record,) = emitted(ctx)
    assert isinstance(record, LimitOrderCancel)
    assert record.fee == AssetAmount(charged, CORE)


def test_the_cancel_fee_in_another_asset_is_rounded_up() -> None:
    """R2.13: 30 of 50 CORE are 5.4 of 9 SILVER, so 6; 3 come back, and 20 CORE to the pool."""
    state = make_book(cancel_fee=30)
    order = order_of(state, core_fee=50, silver_fee=9)
    silver, pool = state.balance_of(ALICE, SILVER), state.figures_of(SILVER).fee_pool
    (record,) = emitted(cancel(state, order, virtual=True))
    assert isinstance(record, LimitOrderCancel)
    assert record.fee == AssetAmount(6, SILVER)
    assert state.balance_of(ALICE, SILVER) == silver + 3
    assert state.figures_of(SILVER).fee_pool == pool + 20
    assert state.figures_of(SILVER).accumulated_fees == 6
    assert pending(state) == 30
