"""Custom authorities: made, changed, taken back, and used in an account's place (BSIP40)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.chain.invariants import check_all
from node.evaluators.authority import verify_authority
from node.evaluators.custom_authority import remove_expired_custom_authorities
from node.history.impacted import accounts_of_operation
from node.state.context import Context
from node.state.errors import (
    InvariantViolated,
    IrrelevantSignature,
    LimitExceeded,
    MissingActiveAuthority,
    MissingOwnerAuthority,
    NoSuchObject,
    TransactionRejected,
    WrongAccount,
)
from node.state.lock_errors import (
    CustomAuthoritiesNotEnabled,
    CustomAuthorityUnchanged,
    NoSuchRestriction,
)
from node.state.objects.custom_authorities import CustomAuthority
from protocol.asset import NO_FEE
from protocol.authority import Authority, key_authority
from protocol.binary import pack, pack_as
from protocol.chain_parameters import (
    ChainParameters,
    ChainParametersExtensions,
    CustomAuthorityOptions,
)
from protocol.constants import COMMITTEE_ACCOUNT, CORE_UNIT
from protocol.errors import ValidationError
from protocol.fees import DEFAULT_FEE_SCHEDULE, ZERO_FEE_SCHEDULE, required_fee
from protocol.ids import AccountId, CustomAuthorityId, ObjectId, ProposalId
from protocol.operations.account import AccountUpdate
from protocol.operations.authorities import required_authorities
from protocol.operations.base import Operation
from protocol.operations.custom_authority import (
    CustomAuthorityCreate,
    CustomAuthorityDelete,
    CustomAuthorityUpdate,
)
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from protocol.operations.restriction import Restriction, RestrictionFunction
from protocol.operations.results import VoidResult
from protocol.operations.transfer import Transfer
from protocol.schema import Tagged
from tests.support.api import ChainBackend, Client, transaction_json
from tests.support.chain import TestChain, make_genesis, make_parameters
from tests.support.state import apply, core, expect, make_context, make_state
from tests.support.world import ALICE, BOB, CAROL, DAVE, GENESIS_TIME, key_of

DAY = 86_400
FIRST, SECOND = CustomAuthorityId(0), CustomAuthorityId(1)
EVERYBODY = Authority(0)
OPTIONS = CustomAuthorityOptions()
EXTENSIONS = ChainParametersExtensions(custom_authority_options=OPTIONS)


def restriction(member: int, function: RestrictionFunction, tag: int, value: object) -> Restriction:
    return Restriction(member, function, Tagged(tag, value))


TO_BOB = restriction(2, RestrictionFunction.EQ, 7, BOB)
AT_MOST_100 = restriction(
    3, RestrictionFunction.ATTR, 39, (restriction(0, RestrictionFunction.LE, 2, 100),)
)


@pytest.fixture
def ctx() -> Context:
    """Alice, bob, carol and dave with 1000 CORE; the default limits."""
    parameters = replace(ChainParameters(ZERO_FEE_SCHEDULE), extensions=EXTENSIONS)
    state = make_state("alice", "bob", "carol", "dave", core=1000, parameters=parameters)
    return make_context(state)


def create(*restrictions: Restriction, **changes: object) -> CustomAuthorityCreate:
    op = CustomAuthorityCreate(
        NO_FEE, ALICE, True, 0, GENESIS_TIME + DAY, 0, key_authority(key_of("bot")), restrictions
    )
    return replace(op, **changes)


def update(**changes: object) -> CustomAuthorityUpdate:
    return replace(CustomAuthorityUpdate(NO_FEE, ALICE, FIRST), **changes)


def delete(**changes: object) -> CustomAuthorityDelete:
    return replace(CustomAuthorityDelete(NO_FEE, ALICE, FIRST), **changes)


def send(amount: int = 100, to: AccountId = BOB, sender: AccountId = ALICE) -> Transfer:
    return Transfer(NO_FEE, sender, to, core(amount))


def custom(ctx: Context, number: CustomAuthorityId = FIRST) -> CustomAuthority:
    return ctx.state.custom_authorities.get(number)


def verify(ctx: Context, *ops: Operation, by: str = "bot") -> None:
    verify_authority(ctx.state, ops, [key_of(name) for name in by.split()])


def refused(ctx: Context, *ops: Operation, by: str = "bot") -> TransactionRejected:
    with pytest.raises((MissingActiveAuthority, IrrelevantSignature)) as found:
        verify(ctx, *ops, by=by)
    return found.value


def test_without_options_none_is_made(ctx: Context) -> None:
    """C1.1: those that are there are switched off and deleted all the same."""
    apply(ctx, create())
    properties = ctx.state.global_properties.rows[0]
    properties.parameters = ChainParameters(ZERO_FEE_SCHEDULE)
    assert expect(ctx, CustomAuthoritiesNotEnabled, create()).rule == "C1.1"
    apply(ctx, update(new_enabled=False))
    apply(ctx, delete())


def test_a_custom_authority_is_kept(ctx: Context) -> None:
    """C1.2, C2.2: restrictions are numbered from 0; it is found by account and operation."""
    assert apply(ctx, create(TO_BOB, AT_MOST_100)) == ObjectId(1, 17, 0)
    found = custom(ctx)
    assert found.restrictions == ((0, TO_BOB), (1, AT_MOST_100))
    assert (found.restriction_counter, sum(one.count() for _, one in found.restrictions)) == (2, 3)
    assert ctx.state.custom_authorities_for.items((ALICE, 0)) == [found]
    for time, counts in ((0, True), (GENESIS_TIME + DAY - 1, True), (GENESIS_TIME + DAY, False)):
        assert found.is_effective(time) == counts
    check_all(ctx.state)


@pytest.mark.parametrize(
    "op",
    [
        create(account=COMMITTEE_ACCOUNT),
        create(account=AccountId(1)),
        create(account=AccountId(2)),
        create(account=AccountId(4)),
        create(valid_from=GENESIS_TIME + DAY),
        create(auth=Authority(1)),
        create(operation_type=4),
        create(restriction(9, RestrictionFunction.EQ, 7, BOB)),
        create(fee=core(-1)),
        update(),
        update(new_valid_from=5, new_valid_to=5),
        update(new_auth=Authority(1)),
        update(account=COMMITTEE_ACCOUNT, new_enabled=False),
        delete(account=COMMITTEE_ACCOUNT),
    ],
    ids=str,
)
def test_what_no_chain_takes(op: Operation) -> None:
    """C2.1, C2.3, C3.1, C3.3."""
    with pytest.raises(ValidationError):
        op.validate()


def test_limits_of_making_one(ctx: Context) -> None:
    """C2.2: at each bound it is made, one beyond it is refused."""
    expect(ctx, NoSuchObject, create(account=AccountId(99)))
    error = expect(ctx, LimitExceeded, create(valid_to=GENESIS_TIME))
    assert (error.value, error.limit) == (GENESIS_TIME, GENESIS_TIME + 1)
    error = expect(ctx, LimitExceeded, create(valid_to=GENESIS_TIME + 30 * DAY + 1))
    assert (error.value, error.limit, error.unit) == (30 * DAY + 1, 30 * DAY, "s")
    error = expect(ctx, LimitExceeded, create(*[TO_BOB] * 9, AT_MOST_100))
    assert (error.value, error.limit) == (11, 10)
    expect(ctx, NoSuchObject, create(auth=Authority(1, ((AccountId(99), 1),))))
    apply(ctx, create(*[TO_BOB] * 8, AT_MOST_100, valid_to=GENESIS_TIME + 30 * DAY))
    for _ in range(2):
        apply(ctx, create(enabled=False))
    error = expect(ctx, LimitExceeded, create())
    assert (error.value, error.limit) == (4, 3)
    for operation_type in (1, 2, 3):
        for _ in range(3 if operation_type < 3 else 1):
            apply(ctx, create(operation_type=operation_type))
    error = expect(ctx, LimitExceeded, create(operation_type=3))
    assert (error.value, error.limit) == (11, 10)


def test_changes(ctx: Context) -> None:
    """C2.3: what is given replaces, what is removed goes first, and numbers are fresh."""
    apply(ctx, create(TO_BOB, AT_MOST_100))
    auth = Authority(1, ((CAROL, 1),))
    op = update(
        new_enabled=False,
        new_valid_from=7,
        new_valid_to=GENESIS_TIME + 2 * DAY,
        new_auth=auth,
        restrictions_to_remove=(0,),
        restrictions_to_add=(TO_BOB, TO_BOB),
    )
    assert apply(ctx, op) == VoidResult()
    found = custom(ctx)
    assert (found.enabled, found.valid_from, found.valid_to) == (False, 7, GENESIS_TIME + 2 * DAY)
    assert found.auth == auth
    assert found.restrictions == ((1, AT_MOST_100), (2, TO_BOB), (3, TO_BOB))
    assert found.restriction_counter == 4
    apply(ctx, update(restrictions_to_remove=(1, 3), restrictions_to_add=(AT_MOST_100,)))
    assert custom(ctx).restrictions == ((2, TO_BOB), (4, AT_MOST_100))
    check_all(ctx.state)


def test_what_is_no_change(ctx: Context) -> None:
    """C2.3: in the order of the checks."""
    apply(ctx, create(TO_BOB))
    expect(ctx, NoSuchObject, update(authority_to_update=SECOND, new_enabled=False))
    assert expect(ctx, WrongAccount, update(account=BOB, new_enabled=False)).rule == "C2.3"
    found = custom(ctx)
    for same in (
        update(new_enabled=True),
        update(new_valid_from=0),
        update(new_valid_to=found.valid_to),
        update(new_auth=found.auth),
    ):
        expect(ctx, CustomAuthorityUnchanged, same)
    expect(ctx, LimitExceeded, update(new_valid_to=GENESIS_TIME))
    expect(ctx, LimitExceeded, update(new_valid_to=GENESIS_TIME + 30 * DAY + 1))
    expect(ctx, LimitExceeded, update(new_valid_from=found.valid_to))
    expect(ctx, NoSuchObject, update(new_auth=Authority(1, ((AccountId(99), 1),))))
    expect(ctx, NoSuchRestriction, update(restrictions_to_remove=(1,)))
    error = expect(ctx, LimitExceeded, update(restrictions_to_add=(TO_BOB,) * 10))
    assert (error.value, error.limit) == (11, 10)
    apply(ctx, update(restrictions_to_remove=(0,), restrictions_to_add=(TO_BOB,) * 10))
    unfit = restriction(9, RestrictionFunction.EQ, 7, BOB)
    remove_two = tuple(range(1, 3))
    expect(
        ctx,
        ValidationError,
        update(restrictions_to_remove=remove_two, restrictions_to_add=(unfit,)),
    )


def test_numbers_run_out(ctx: Context) -> None:
    """C1.2: BitShares' node would begin again with 0."""
    apply(ctx, create())
    custom(ctx).restriction_counter = 65_534
    apply(ctx, update(restrictions_to_add=(TO_BOB,)))
    error = expect(ctx, LimitExceeded, update(restrictions_to_add=(TO_BOB,)))
    assert (error.rule, error.value, error.limit) == ("C1.2", 65_536, 65_535)


def test_deleting(ctx: Context) -> None:
    """C2.4."""
    apply(ctx, create())
    assert expect(ctx, WrongAccount, delete(account=BOB)).rule == "C2.4"
    apply(ctx, delete())
    expect(ctx, NoSuchObject, delete())
    assert not ctx.state.custom_authorities_for.groups


def test_fees_and_who_is_told() -> None:
    """C2.5: by the byte; the account signs, and whoever is in the authority has it too."""
    auth = Authority(1, ((CAROL, 1),))
    op = create(TO_BOB, auth=auth)
    size = len(pack_as(tuple[Restriction, ...], (TO_BOB,)))
    byte = CORE_UNIT // 10
    assert required_fee(op, DEFAULT_FEE_SCHEDULE) == CORE_UNIT + byte * (size + len(pack(auth)))
    assert required_fee(update(new_enabled=True), DEFAULT_FEE_SCHEDULE) == CORE_UNIT + byte
    assert required_fee(delete(), DEFAULT_FEE_SCHEDULE) == CORE_UNIT
    for one in (op, update(new_auth=auth)):
        assert required_authorities(one).active == (ALICE,)
        assert accounts_of_operation(one, VoidResult()) == (ALICE, CAROL)


def test_maintenance_sweeps(ctx: Context) -> None:
    """C2.6: those that ended before the block; one that ends with it stays until the next."""
    apply(ctx, create(valid_to=GENESIS_TIME + 9))
    apply(ctx, create(valid_to=GENESIS_TIME + 10))
    ctx.now = GENESIS_TIME + 10
    remove_expired_custom_authorities(ctx)
    assert [item.id for item in ctx.state.custom_authorities.in_order()] == [SECOND]


def test_a_bot_may_send_a_little_to_bob(ctx: Context) -> None:
    """C4.1, C4.4, C3.7: while it counts, within its restrictions, and the refusal says why not."""
    assert refused(ctx, send()).limit is None
    apply(ctx, create(TO_BOB, AT_MOST_100))
    verify(ctx, send())
    verify(ctx, send(), send(5))
    assert refused(ctx, send(101)).limit == "1.17.0: restriction 1.0"
    assert refused(ctx, send(1, CAROL)).limit == "1.17.0: restriction 0"
    assert refused(ctx, send(), by="carol").limit == "1.17.0: not signed"
    assert refused(ctx, send(), send(101)).limit == "1.17.0: restriction 1.0"
    assert refused(ctx, update(new_enabled=False)).limit is None
    apply(ctx, update(new_enabled=False))
    assert refused(ctx, send()).limit is None
    apply(ctx, update(new_enabled=True, new_valid_from=GENESIS_TIME + 1))
    assert refused(ctx, send()).limit is None


def test_the_own_key_comes_after(ctx: Context) -> None:
    """C4.3, C4.5: with both one is too many, with the own key alone it does as ever."""
    apply(ctx, create(TO_BOB))
    verify(ctx, send(), by="alice")
    error = refused(ctx, send(), by="alice bot")
    assert isinstance(error, IrrelevantSignature)
    assert error.value == key_of("alice").hex()
    verify(ctx, send(), send(1, CAROL), by="alice bot")


def test_owners_and_accounts_behind(ctx: Context) -> None:
    """C4.2: never the owner authority; accounts in it count, their custom authorities do not."""
    apply(ctx, create(operation_type=6))
    owner_change = AccountUpdate(NO_FEE, ALICE, owner=key_authority(key_of("new")))
    with pytest.raises(MissingOwnerAuthority):
        verify(ctx, owner_change)
    apply(ctx, create(auth=Authority(1, ((CAROL, 1),))))
    verify(ctx, send(), by="carol")
    apply(ctx, create(account=CAROL))
    assert isinstance(refused(ctx, send()), MissingActiveAuthority)


def test_one_check_serves_all(ctx: Context) -> None:
    """C4.2: a key that was used while one was tried is needed, whatever came of it."""
    both = Authority(2, key_auths=tuple(sorted(((key_of("bot"), 1), (key_of("other"), 1)))))
    apply(ctx, create(auth=both))
    verify(ctx, send(), by="alice bot")
    apply(ctx, create(auth=key_authority(key_of("bot"))))
    verify(ctx, send(), by="bot")


def test_everybody(ctx: Context) -> None:
    """C4.6, C4.5: without a signature; the owner's own is one too many."""
    apply(ctx, create(TO_BOB, auth=EVERYBODY))
    verify_authority(ctx.state, [send()], [])
    assert isinstance(refused(ctx, send(), by="alice"), IrrelevantSignature)
    verify(ctx, send(1, CAROL), by="alice")


def chain_with_options() -> TestChain:
    parameters = make_parameters(extensions=EXTENSIONS)
    chain = TestChain(genesis=make_genesis("alice", "bob", "carol", parameters=parameters))
    chain.block()
    return chain


def on(chain: TestChain, **changes: object) -> CustomAuthorityCreate:
    auth = key_authority(key_of("bot"))
    end = chain.chain.head_time + DAY
    return create(account=chain.account("alice"), valid_to=end, auth=auth, **changes)


def test_a_chain_lets_a_bot_act() -> None:
    """C4.1, C5.1: in blocks, and where clients ask; key searches pass over it."""
    chain = chain_with_options()
    backend = ChainBackend(chain)
    client = Client(backend)
    backend.produce(on(chain))
    by_bot = chain.transaction(chain.transfer("alice", "bob", 5), signers=["bot"])
    body = transaction_json(by_bot)
    assert client.call("verify_authority", body) is True
    assert client.call("validate_transaction", body)
    assert client.call("get_required_signatures", body, []) == []
    chain.block(by_bot)
    stranger = chain.transaction(chain.transfer("alice", "bob", 5), signers=["carol"])
    error = client.refuse("verify_authority", transaction_json(stranger))
    assert "1.17.0: not signed" in error["message"]


def test_a_proposal_is_approved_in_its_place() -> None:
    """C4.1: carol, who may act for alice, approves what bob proposes for alice."""
    chain = chain_with_options()
    carol, bob = chain.account("carol"), chain.account("bob")
    chain.block(replace(on(chain), auth=Authority(1, ((carol, 1),))))
    proposed = ProposedOperation(chain.transfer("alice", "bob", 7))
    chain.block(ProposalCreate(NO_FEE, bob, chain.chain.head_time + 60, (proposed,)))
    before = chain.balance("bob")
    chain.block(ProposalUpdate(NO_FEE, carol, ProposalId(0), active_approvals_to_add=(carol,)))
    assert chain.balance("bob") == before + 7


def test_an_end_in_a_chain_and_in_notices() -> None:
    """C2.6, C5.1: told to account and members, gone with the maintenance after its end."""
    chain = chain_with_options()
    backend = ChainBackend(chain)
    followers = {name: Client(backend) for name in ("alice", "carol", "bob")}
    for name, client in followers.items():
        client.call("set_subscribe_callback", 9, False)
        client.call("get_full_accounts", [name], True)
    auth = Authority(1, ((chain.account("carol"), 1),))
    backend.produce(replace(on(chain), auth=auth), replace(on(chain), operation_type=1))
    told = {
        name: [
            item["id"]
            for _, (objects,) in client.notices()
            for item in objects
            if isinstance(item, dict) and item["id"].startswith("1.17.")
        ]
        for name, client in followers.items()
    }
    assert told == {"alice": ["1.17.0", "1.17.1"], "carol": ["1.17.0"], "bob": []}
    client = followers["bob"]
    found = client.call("get_custom_authorities", "alice", api="pegboard")
    assert [item["id"] for item in found] == ["1.17.0", "1.17.1"]
    assert found[0] == client.call("get_objects", ["1.17.0"])[0]
    found = client.call("get_custom_authorities", "alice", 1, "1.17.1", api="pegboard")
    assert [item["id"] for item in found] == ["1.17.1"]
    assert client.refuse("get_custom_authorities", "alice", 101, api="pegboard")["code"] == -32602
    chain.block_at(chain.chain.head_time + DAY + 3_600)
    assert len(chain.state.custom_authorities) == 0


def test_what_holds_is_checked(ctx: Context) -> None:
    """C7.1."""
    apply(ctx, create(TO_BOB))
    found = custom(ctx)
    found.restriction_counter = 0
    with pytest.raises(InvariantViolated, match="restrictions of"):
        check_all(ctx.state)
    found.restriction_counter = 1
    found.valid_to = GENESIS_TIME - 1
    with pytest.raises(InvariantViolated, match="end of"):
        check_all(ctx.state)


def test_dave_is_not_asked(ctx: Context) -> None:
    """C4.5: an account without custom authorities is checked as ever, beside one that has some."""
    apply(ctx, create())
    verify(ctx, send(sender=DAVE), by="dave")
    assert isinstance(refused(ctx, send(sender=DAVE)), MissingActiveAuthority)
