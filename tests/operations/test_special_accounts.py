"""Accounts that holders of an asset decide for, and accounts that buy an asset back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from node.api.impacted import accounts_of_object
from node.chain.buyback import buy_back
from node.chain.invariants import check_all
from node.chain.invariants_incremental import check_block
from node.chain.top_holders import make_authorities_of_holders
from node.explain.effects import Turns, rule_of
from node.state.context import AppliedOperation, Context
from node.state.database import State
from node.state.errors import (
    BuybackAccountExists,
    InvariantViolated,
    LimitExceeded,
    MissingActiveAuthority,
    NoSuchObject,
    NotAuthorized,
    WrongAccount,
)
from node.state.objects.accounts import NO_HOLDERS, Account, SpecialAuthorities
from node.state.objects.assets import Asset
from node.state.undo import Revision
from protocol.asset import NO_FEE, AssetAmount
from protocol.authority import NULL_AUTHORITY, Authority, key_authority
from protocol.constants import CORE_ASSET
from protocol.errors import ValidationError
from protocol.ids import AccountId, AssetId, BuybackId, SpecialAuthorityId
from protocol.operations.account import (
    AccountCreate,
    AccountCreateExtensions,
    AccountOptions,
    AccountUpdate,
    AccountUpdateExtensions,
    BuybackAccountOptions,
    TopHoldersSpecialAuthority,
)
from protocol.operations.account import SpecialAuthority as SpecialAuthorityChoice
from protocol.operations.asset import AssetIssue
from protocol.operations.authorities import required_authorities
from protocol.operations.base import Operation, Void
from protocol.operations.limit_order import FillOrder, LimitOrderCancel, LimitOrderCreate
from protocol.operations.transfer import Transfer
from tests.support.api import ChainBackend, Client
from tests.support.chain import TestChain
from tests.support.pools import share_asset
from tests.support.remedies import explained
from tests.support.state import (
    add_asset,
    apply,
    created,
    expect,
    issue,
    make_context,
    make_state,
)
from tests.support.world import ALICE, BLOCK_INTERVAL_S, BOB, CAROL, GENESIS_TIME, key_of

NOTHING = AssetId(99)
NO_TURNS = Turns(frozenset(), frozenset())


@pytest.fixture
def ctx() -> Context:
    """Alice has issued COIN, GOLD, IRON and TIN; she and bob have some of each."""
    state = make_state("alice", "bob", "carol", core=1_000)
    state.log.begin()
    for symbol in ("COIN", "GOLD", "IRON", "TIN"):
        asset = add_asset(state, symbol, issuer=ALICE)
        for account in (ALICE, BOB):
            issue(state, account, AssetAmount(1_000, asset))
    state.log.finish()
    return make_context(state)


COIN, GOLD, IRON, TIN = map(AssetId, range(1, 5))


def holders(count: int = 2, asset: AssetId = COIN) -> TopHoldersSpecialAuthority:
    return TopHoldersSpecialAuthority(asset, count)


def create(name: str = "dave", **extensions: Any) -> AccountCreate:
    rule = key_authority(key_of(name))
    options = AccountOptions(key_of(name))
    special = AccountCreateExtensions(**extensions)
    return AccountCreate(NO_FEE, BOB, BOB, 0, name, rule, rule, options, special)


def update(account: AccountId = CAROL, **extensions: Any) -> AccountUpdate:
    special = AccountUpdateExtensions(**extensions)
    return AccountUpdate(NO_FEE, account, extensions=special)


def account(ctx: Context, number: int) -> Account:
    return ctx.state.accounts.get(AccountId(number))


def special_of(ctx: Context, number: int) -> SpecialAuthorities | None:
    return account(ctx, number).special


def kinds(applied: Iterable[AppliedOperation]) -> list[type]:
    return [type(one.op) for one in applied]


def maintain(ctx: Context, step: Callable[[], None]) -> None:
    """A step of maintenance alone, then both checks of the invariants."""
    log = ctx.state.log
    log.begin()
    step()
    revision = log.finish()
    dynamic = ctx.state.dynamic
    dynamic.head_block_number = dynamic.head_block_number or 1
    check_block(ctx.state, revision)
    check_all(ctx.state)
    assert State.restore(ctx.state.dump()).state_hash() == ctx.state.state_hash()


def elect(ctx: Context) -> None:
    maintain(ctx, lambda: make_authorities_of_holders(ctx.state))


def test_what_is_special_is_kept_and_noted(ctx: Context) -> None:
    """Y1.1: 2.14.n is there while either is; ids are never used again."""
    state = ctx.state
    new = account(ctx, created(apply(ctx, create(owner_special_authority=holders()))))
    assert new.special == replace(NO_HOLDERS, owner=holders())
    note = state.special_authorities.get(SpecialAuthorityId(0))
    assert (note.account, accounts_of_object(note)) == (new.id, (new.id,))
    apply(ctx, update(new.id, active_special_authority=holders(255, GOLD)))
    assert new.special == replace(NO_HOLDERS, owner=holders(), active=holders(255, GOLD))
    apply(ctx, update(new.id, owner_special_authority=Void()))
    assert [one.id for one in state.special_authorities.in_order()] == [0]
    apply(ctx, update(new.id, active_special_authority=Void()))
    assert special_of(ctx, new.id) is None
    assert len(state.special_authorities) == 0
    apply(ctx, update(new.id, active_special_authority=Void()))
    apply(ctx, update(new.id, active_special_authority=holders(1)))
    assert [one.id for one in state.special_authorities.in_order()] == [1]
    plain = account(ctx, created(apply(ctx, create("erin", owner_special_authority=Void()))))
    assert plain.special is None
    check_all(state)


@pytest.mark.parametrize("side", ["owner_special_authority", "active_special_authority"])
def test_its_asset_exists_and_somebody_is_asked_for(ctx: Context, side: str) -> None:
    """Y1.1: on registration and later; from 1 holder to 255."""

    def both(authority: SpecialAuthorityChoice) -> tuple[Operation, Operation]:
        given: Any = {side: authority}
        return create(**given), update(**given)

    for op in both(holders(2, NOTHING)):
        expect(ctx, NoSuchObject, op)
    for op in both(holders(0)):
        with pytest.raises(ValidationError):
            op.validate()
    for op in (*both(holders(1)), *both(holders(255))):
        op.validate()
    required = required_authorities(both(Void())[1])
    assert bool(required.owner) == (side == "owner_special_authority")


@pytest.mark.parametrize(
    ("op", "clears"),
    [
        (AccountUpdate(NO_FEE, CAROL, owner=key_authority(key_of("x"))), True),
        (AccountUpdate(NO_FEE, CAROL, active=key_authority(key_of("x"))), True),
        (update(owner_special_authority=holders(1)), True),
        (update(active_special_authority=holders(1)), True),
        (update(active_special_authority=Void()), True),
        (AccountUpdate(NO_FEE, CAROL, new_options=AccountOptions(key_of("x"))), False),
    ],
)
def test_what_an_account_writes_down_clears_both_flags(
    ctx: Context, op: AccountUpdate, clears: bool
) -> None:
    """Y1.1, Y1.2: 1 owner, 2 active; votes and memo key leave them."""
    both = update(owner_special_authority=holders(), active_special_authority=holders(1, GOLD))
    apply(ctx, both)
    elect(ctx)
    carol = account(ctx, CAROL)
    assert carol.special is not None
    assert carol.special.top_n_control_flags == 3
    apply(ctx, op)
    assert carol.special is not None
    assert carol.special.top_n_control_flags == (0 if clears else 3)
    elect(ctx)
    assert carol.special.top_n_control_flags == 3 - 2 * (carol.special.active is None)


def test_holders_weigh_what_they_hold(ctx: Context) -> None:
    """Y1.2, R8.13: the most first, of equals the older account; more than half decides."""
    state = ctx.state
    apply(ctx, update(ALICE, active_special_authority=holders(2)))
    state.log.begin()
    issue(state, CAROL, AssetAmount(1_000, COIN))
    issue(state, BOB, AssetAmount(500, COIN))
    state.log.finish()
    keys = account(ctx, ALICE).owner
    elect(ctx)
    alice = account(ctx, ALICE)
    assert alice.active == Authority(1_251, ((BOB, 1_500), (CAROL, 1_000)))
    assert alice.owner == keys
    apply(ctx, Transfer(NO_FEE, BOB, ALICE, AssetAmount(500, COIN), None))
    apply(ctx, update(ALICE, active_special_authority=holders(1)))
    elect(ctx)
    assert alice.active == Authority(501, ((BOB, 1_000),)), "her own 1,500 do not count"
    before = state.state_hash()
    elect(ctx)
    assert state.state_hash() == before, "nothing is written where nothing changes"


def test_great_balances_are_scaled(ctx: Context) -> None:
    """Y1.2, R8.13: to 16 bits, and whoever is in it weighs 1 at least."""
    state = ctx.state
    state.log.begin()
    silver = add_asset(state, "SILVER", issuer=ALICE)
    for holder, amount in ((ALICE, 1 << 20), (BOB, 31)):
        issue(state, holder, AssetAmount(amount, silver))
    state.log.finish()
    apply(ctx, update(owner_special_authority=holders(3, silver)))
    elect(ctx)
    assert account(ctx, CAROL).owner == Authority(16_385, ((ALICE, 32_768), (BOB, 1)))
    special = account(ctx, CAROL).special
    assert special is not None
    assert special.top_n_control_flags == 1


def test_where_nobody_holds_it_authorities_stay(ctx: Context) -> None:
    """Y1.2: without a flag; and once given up, whoever decided last still does."""
    ctx.state.log.begin()
    empty = add_asset(ctx.state, "EMPTY", issuer=ALICE)
    ctx.state.log.finish()
    carol = account(ctx, CAROL)
    keys = carol.active
    apply(ctx, update(active_special_authority=holders(2, empty)))
    elect(ctx)
    assert carol.active == keys
    assert carol.special == replace(NO_HOLDERS, active=holders(2, empty))
    apply(ctx, update(active_special_authority=holders(1)))
    elect(ctx)
    apply(ctx, update(active_special_authority=Void()))
    elect(ctx)
    assert special_of(ctx, CAROL) is None
    assert carol.active == Authority(501, ((ALICE, 1_000),))


def test_holders_decide_from_the_maintenance_on() -> None:
    """Y1.2, R8.10: in a chain, where the account's own key is out; a fork takes it all back."""
    chain = TestChain("alice", "bob", "carol")
    other = chain.twin()
    chain.block(share_asset(chain, "alice", "COIN"))
    alice, bob = chain.account("alice"), chain.account("bob")
    nine = holders(9, chain.asset("COIN"))
    chain.block(
        AssetIssue(NO_FEE, alice, chain.amount(3, "COIN"), bob),
        update(alice, owner_special_authority=nine, active_special_authority=nine),
    )
    mine = chain.transaction(chain.transfer("alice", "carol", 1), signers=["alice"])
    before = chain.chain.head_num
    chain.block_at(chain.state.dynamic.next_maintenance_time)
    with pytest.raises(MissingActiveAuthority):
        chain.chain.push_transaction(mine)
    chain.block(chain.transaction(chain.transfer("alice", "carol", 2), signers=["bob"]))
    assert chain.state.accounts.get(alice).owner == Authority(2, ((bob, 3),))
    shown = Client(ChainBackend(chain)).call("get_objects", ["1.2.9", "2.14.0"])
    assert shown[0]["owner_special_authority"] == [1, {"asset": "1.3.2", "num_top_holders": 9}]
    assert shown[0]["active_special_authority"] == shown[0]["owner_special_authority"]
    assert shown[0]["top_n_control_flags"] == 3
    assert "special" not in shown[0]
    assert Client(ChainBackend(chain)).call("get_accounts", ["bob"])[0][
        "active_special_authority"
    ] == [0, {}]
    assert shown[1] == {"id": "2.14.0", "account": "1.2.9"}
    other.follow(chain)
    assert other.chain.state_hash() == chain.chain.state_hash()
    with chain.chain.head_state():
        while chain.chain.head_num > before:
            chain.chain._pop_block()
    assert chain.state.accounts.get(alice).active == key_authority(key_of("alice"))


# Buyback accounts.


def buyback(
    *markets: AssetId, name: str = "dave", bought: AssetId = COIN, issuer: AccountId = ALICE
) -> AccountCreate:
    options = BuybackAccountOptions(bought, issuer, tuple(sorted(markets or (CORE_ASSET,))))
    op = create(name, buyback_options=options)
    return replace(op, owner=NULL_AUTHORITY, active=NULL_AUTHORITY)


def test_a_buyback_account_is_bound_to_its_asset(ctx: Context) -> None:
    """Y2.1, Y2.2: both name each other, and 2.15.n notes it; one for an asset."""
    dave = account(ctx, created(apply(ctx, buyback(CORE_ASSET, GOLD, IRON))))
    assert dave.allowed_assets == (CORE_ASSET, COIN, GOLD, IRON)
    assert ctx.state.assets.get(COIN).buyback_account == dave.id
    assert ctx.state.buybacks.get(BuybackId(0)).asset_to_buy == COIN
    error = expect(ctx, BuybackAccountExists, buyback(name="erin"))
    assert (error.rule, error.value, error.limit) == ("Y2.1", "COIN", "1.2.9")
    apply(ctx, buyback(name="erin", bought=GOLD))
    check_all(ctx.state)


def test_who_may_make_one(ctx: Context) -> None:
    """Y2.1: the issuer's consent, 1 to 3 markets that exist, nobody's authority."""
    error = expect(ctx, WrongAccount, buyback(issuer=BOB))
    assert (error.rule, error.value, error.limit) == ("Y2.1", "1.2.7", "1.2.6")
    expect(ctx, NoSuchObject, buyback(bought=NOTHING))
    expect(ctx, NoSuchObject, buyback(CORE_ASSET, NOTHING))
    error_of_markets = expect(ctx, LimitExceeded, buyback(CORE_ASSET, GOLD, IRON, TIN))
    assert (error_of_markets.value, error_of_markets.limit) == (4, 3)
    for op, refusal, text in (
        (buyback(issuer=BOB), error, "make extensions.buyback_options.asset_to_buy_issuer alice"),
        (
            buyback(CORE_ASSET, GOLD, IRON, TIN),
            error_of_markets,
            "name 3 in extensions.buyback_options.markets at most",
        ),
    ):
        assert text in [remedy.text for remedy in explained(ctx, op, refusal).remedies]
    assert required_authorities(buyback()).active == (ALICE, BOB)
    good = buyback()
    options = good.extensions.buyback_options
    assert options is not None
    alone = AccountCreateExtensions(buyback_options=options)
    for wrong in (
        replace(good, owner=key_authority(key_of("dave"))),
        replace(good, active=Authority(1, ((AccountId(3), 2),))),
        create(buyback_options=options),
        replace(good, extensions=replace(alone, owner_special_authority=Void())),
        replace(good, extensions=replace(alone, active_special_authority=holders())),
        replace(good, extensions=replace(alone, buyback_options=replace(options, markets=()))),
        buyback(CORE_ASSET, COIN),
    ):  # fmt: skip
        with pytest.raises(ValidationError):
            wrong.validate()


def test_it_holds_its_own_assets_only(ctx: Context) -> None:
    """Y2.2: before any list, which the asset need not have."""
    dave = AccountId(created(apply(ctx, buyback(GOLD))))
    error = expect(ctx, NotAuthorized, Transfer(NO_FEE, BOB, dave, AssetAmount(1, IRON), None))
    assert (error.rule, error.value, error.limit) == ("Y2.2", "1.2.9", "IRON")
    expect(ctx, NotAuthorized, AssetIssue(NO_FEE, ALICE, AssetAmount(1, IRON), dave))
    for asset in (COIN, GOLD):
        apply(ctx, Transfer(NO_FEE, BOB, dave, AssetAmount(1, asset), None))


def sell(seller: AccountId, sold: AssetAmount, wanted: AssetAmount) -> LimitOrderCreate:
    return LimitOrderCreate(NO_FEE, seller, sold, wanted, GENESIS_TIME + 9_999, False)


def test_all_it_holds_is_sold_at_once(ctx: Context) -> None:
    """Y2.3: 60 CORE for 10 COIN, 40 more for 5 at the second offer; GOLD returns."""
    state = ctx.state
    dave = AccountId(created(apply(ctx, buyback(CORE_ASSET, GOLD))))
    for amount, asset in ((100, CORE_ASSET), (7, GOLD), (3, COIN)):
        apply(ctx, Transfer(NO_FEE, BOB, dave, AssetAmount(amount, asset), None))
    for seller, price in ((ALICE, 80), (BOB, 60)):
        apply(ctx, sell(seller, AssetAmount(10, COIN), AssetAmount(price, CORE_ASSET)))
    ctx.applied.clear()
    maintain(ctx, lambda: buy_back(ctx))
    assert [state.balance_of(dave, asset) for asset in (CORE_ASSET, COIN, GOLD)] == [0, 18, 7]
    assert state.balance_of(BOB, CORE_ASSET) == 1_000 - 100 + 60
    assert state.balance_of(ALICE, CORE_ASSET) == 1_000 + 40
    assert kinds(ctx.applied) == [
        LimitOrderCreate, *[FillOrder] * 4, LimitOrderCreate, LimitOrderCancel
    ]  # fmt: skip
    assert all(one.is_virtual and one.op.fee.amount == 0 for one in ctx.applied)
    assert {COIN, CORE_ASSET} <= ctx.dirty_assets, "margin calls have their turn later"
    ops = [one.op for one in ctx.applied]
    rules = [
        rule_of(op, is_virtual=True, beside=ops, turns=NO_TURNS, is_buyback=True) for op in ops
    ]
    assert rules == ["Y2.3", *["R2.7"] * 4, "Y2.3", "Y2.3"]
    ctx.applied.clear()
    maintain(ctx, lambda: buy_back(ctx))
    assert kinds(ctx.applied) == [LimitOrderCreate, LimitOrderCancel]


def test_what_the_lists_refuse_is_passed_over(ctx: Context) -> None:
    """Y2.3: without a record; the next asset is sold all the same."""
    state = ctx.state
    dave = AccountId(created(apply(ctx, buyback(CORE_ASSET, GOLD))))
    for amount in (AssetAmount(100, CORE_ASSET), AssetAmount(7, GOLD)):
        apply(ctx, Transfer(NO_FEE, BOB, dave, amount, None))
    apply(ctx, sell(ALICE, AssetAmount(10, COIN), AssetAmount(7, GOLD)))
    state.log.begin()
    core = state.assets.edit(state.assets.get(CORE_ASSET))
    core.options = replace(core.options, blacklist_markets=(COIN,))
    state.log.finish()
    ctx.applied.clear()
    maintain(ctx, lambda: buy_back(ctx))
    assert [state.balance_of(dave, asset) for asset in (CORE_ASSET, COIN, GOLD)] == [100, 10, 0]
    assert kinds(ctx.applied) == [LimitOrderCreate, FillOrder, FillOrder]


def test_buybacks_come_before_the_count_of_votes() -> None:
    """Y2.3, R8.10: what somebody is paid counts at once; a second node agrees."""
    chain = TestChain("alice", "bob")
    other = chain.twin()
    chain.block(share_asset(chain, "alice", "COIN"))
    coin, alice = chain.asset("COIN"), chain.account("alice")
    op = replace(buyback(name="shells-back", bought=coin, issuer=alice), registrar=alice)
    chain.block(
        AssetIssue(NO_FEE, alice, chain.amount(50, "COIN"), alice), replace(op, referrer=alice)
    )
    shown = Client(ChainBackend(chain)).call("get_objects", ["1.3.2", "1.2.11", "2.15.0"])
    assert shown[0]["buyback_account"] == "1.2.11"
    assert shown[1]["allowed_assets"] == ["1.3.0", "1.3.2"]
    assert shown[2] == {"id": "2.15.0", "asset_to_buy": "1.3.2"}
    chain.block(
        chain.transfer("bob", "shells-back", 70),
        replace(sell(alice, chain.amount(50, "COIN"), chain.amount(50)), expiration=2**32 - 1),
    )
    block = chain.block_at(chain.state.dynamic.next_maintenance_time)
    assert chain.balance("shells-back", "COIN") == 50
    assert chain.balance("shells-back") == 20
    noted = chain.state.statistics_of(alice).core_in_balance
    assert noted == chain.balance("alice") == 10**10 + 50
    assert kinds(block.operations)[:4] == [
        LimitOrderCreate, FillOrder, FillOrder, LimitOrderCancel
    ]  # fmt: skip
    other.follow(chain)
    assert other.chain.state_hash() == chain.chain.state_hash()


def test_what_is_bought_back_has_its_rule() -> None:
    """Y2.3: the order of a buyback account and its end, and not the order that it meets."""
    backend = ChainBackend(TestChain("alice", "bob"))
    chain = backend.test_chain
    backend.produce(share_asset(chain, "alice", "COIN"))
    coin, alice = chain.asset("COIN"), chain.account("alice")
    op = replace(buyback(name="shells-back", bought=coin, issuer=alice), registrar=alice)
    backend.produce(
        AssetIssue(NO_FEE, alice, chain.amount(50, "COIN"), alice), replace(op, referrer=alice)
    )
    ever = replace(sell(alice, chain.amount(50, "COIN"), chain.amount(1)), expiration=2**32 - 1)
    backend.produce(chain.transfer("bob", "shells-back", 70), ever)
    client, num = Client(backend), chain.chain.head_num
    placed = client.call("explain_block", num, api="pegboard")["effects"]
    assert "Y2.3" not in [effect["rule"] for effect in placed]
    wait_s = chain.state.dynamic.next_maintenance_time - chain.chain.head_time
    backend.produce(slot=wait_s // BLOCK_INTERVAL_S)
    effects = client.call("explain_block", num + 1, api="pegboard")["effects"]
    own = [effect["rule"] for effect in effects if effect["text"].startswith("shells-back")]
    assert own == ["Y2.3", "Y2.3"]


def forget_note(state: State) -> None:
    state.special_authorities.remove(state.special_authorities.get(SpecialAuthorityId(0)))


def forget_buyback(state: State) -> None:
    state.buybacks.remove(state.buybacks.get(BuybackId(0)))


def claim_a_flag(state: State) -> None:
    carol = state.accounts.edit(state.accounts.get(CAROL))
    carol.special = replace(carol.special or NO_HOLDERS, top_n_control_flags=1)


def name_somebody_else(state: State) -> None:
    asset: Asset = state.assets.edit(state.assets.get(COIN))
    asset.buyback_account = BOB


@pytest.mark.parametrize(
    ("rule", "violate"),
    [
        ("Y1.1", forget_note),
        ("Y1.1", claim_a_flag),
        ("Y2.1", forget_buyback),
        ("Y2.1", name_somebody_else),
    ],
)
def test_notes_that_differ_are_found(
    ctx: Context, rule: str, violate: Callable[[State], None]
) -> None:
    """Y1.1, Y2.1, T-E4: by the recount, and by what a block changed."""
    state = ctx.state
    apply(ctx, update(active_special_authority=holders()))
    apply(ctx, buyback())
    state.dynamic.head_block_number = 1
    check_all(state)
    state.log.begin()
    violate(state)
    revision = state.log.finish()
    for found in broken(state, revision):
        assert found == rule


def broken(state: State, revision: Revision) -> Iterable[str]:
    """The rule that each check finds broken."""
    with pytest.raises(InvariantViolated) as recounted:
        check_all(state)
    with pytest.raises(InvariantViolated) as compared:
        check_block(state, revision)
    return recounted.value.rule, compared.value.rule


def test_an_operation_sets_all_at_once(ctx: Context) -> None:
    """Y1.1: what it writes down is replaced at the next maintenance (Y1.2)."""
    op: Operation = replace(
        update(owner_special_authority=holders(), active_special_authority=holders(1, GOLD)),
        owner=key_authority(key_of("x")),
        active=key_authority(key_of("y")),
    )
    apply(ctx, op)
    elect(ctx)
    assert account(ctx, CAROL).active == Authority(501, ((ALICE, 1_000),))
