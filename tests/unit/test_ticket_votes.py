"""What votes: all CORE, or what is locked in tickets, with opinions that fade (K4)."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from msgspec.structs import replace

from node.chain.invariants import check_all
from node.chain.invariants_incremental import check_block
from node.chain.ticket_votes import decayed, stake_of, ticket_stake
from node.chain.votes import count_votes, refresh_balances
from node.evaluators.ticket_life import process_due_tickets
from node.state.creation import create_committee_member, create_witness, create_worker
from node.state.objects.governance import VOTING_TICKETS, RefundWorker
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET, MAX_SUPPLY, PROXY_TO_SELF_ACCOUNT
from protocol.errors import PegboardError, ValidationError
from protocol.genesis import Genesis, check_genesis
from protocol.ids import AccountId, TicketId, VoteId
from protocol.operations.account import AccountOptions, AccountUpdate
from protocol.operations.base import Operation
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.ticket import TicketCreate, TicketUpdate
from protocol.schema import MAX_TIMESTAMP
from tests.support.api import ChainBackend, Client
from tests.support.chain import TestChain, make_genesis
from tests.support.state import add_asset, apply, core, make_context, make_state
from tests.support.world import ALICE, BOB, CAROL, key_of

DAY = 86_400


def genesis_with(voting_stake: str | None, **settings: object) -> Genesis:
    genesis = make_genesis("alice", "bob", "carol", core=1000, **settings)  # type: ignore[arg-type]
    section = replace(genesis.pegboard, voting_stake=voting_stake)
    limits = replace(genesis.immutable_parameters, min_witness_count=1)
    return replace(genesis, pegboard=section, immutable_parameters=limits)


def test_the_genesis_chooses_what_votes() -> None:
    """K4.1: plain unless it says so, and nothing else."""
    assert genesis_with(None).settings().voting_stake == "plain"
    chain = TestChain(genesis=genesis_with("tickets"))
    assert chain.state.chain.voting_stake == VOTING_TICKETS
    info = Client(ChainBackend(chain)).call("get_node_info", api="pegboard")
    assert info["voting_stake"] == "tickets"
    with pytest.raises(ValidationError, match="voting_stake"):
        check_genesis(genesis_with("both"))


def vote(chain: TestChain, name: str, witness: int = 3, proxy: str | None = None) -> AccountUpdate:
    account = chain.state.account_named(name)
    votes = (chain.state.witnesses.rows[witness].vote_id,) if proxy is None else ()
    voting = PROXY_TO_SELF_ACCOUNT if proxy is None else chain.account(proxy)
    options = AccountOptions(account.options.memo_key, voting, votes=votes)
    return AccountUpdate(NO_FEE, account.id, new_options=options)


def maintain(chain: TestChain, days: int = 0) -> None:
    due = chain.state.dynamic.next_maintenance_time
    chain.block_at(max(due, chain.chain.head_time + days * DAY))


def witness_votes(chain: TestChain) -> list[int]:
    return [item.total_votes for item in chain.state.witnesses.in_order()]


def test_plain_votes_lose_nothing_by_tickets() -> None:
    """K4.1, R8.11: locked CORE counts at its face value, for ever as well, until it is inactive."""
    chain = TestChain(genesis=genesis_with(None))
    chain.block()
    alice = chain.account("alice")
    chain.block(vote(chain, "alice"), TicketCreate(NO_FEE, alice, 4, chain.amount(400)))
    for days, votes in ((0, 1000), (60, 1000), (719, 1000), (1, 600)):
        maintain(chain, days)
        assert max(witness_votes(chain)) == votes
    statistics = chain.state.statistics_of(alice)
    assert (statistics.voting_stake, statistics.voting_power) == (600, None)


def test_without_tickets_nobody_votes_with_tickets() -> None:
    """K5.2, K4.2, K4.5: not by a balance; by CORE in orders, once the opinion is fresh."""
    chain = TestChain(genesis=genesis_with("tickets"))
    chain.block()
    authority = chain.state.accounts.rows[0].active
    chain.block(vote(chain, "alice"))
    maintain(chain)
    assert witness_votes(chain) == [0, 0, 0]
    assert chain.state.accounts.rows[0].active == authority
    sold, wanted = chain.amount(300), chain.amount(300, "USD")
    chain.block(LimitOrderCreate(NO_FEE, chain.account("alice"), sold, wanted, MAX_TIMESTAMP))
    maintain(chain)
    assert witness_votes(chain) == [0, 0, 300]


def test_the_first_lock_for_ever_silences_the_others() -> None:
    """K5.2, K4.2: and gives no vote by itself."""
    chain = TestChain(genesis=genesis_with("tickets"))
    chain.block()
    alice, bob = chain.account("alice"), chain.account("bob")
    chain.block(
        vote(chain, "alice"),
        TicketCreate(NO_FEE, alice, 3, chain.amount(100)),
        TicketCreate(NO_FEE, bob, 4, chain.amount(1)),
    )
    maintain(chain, 59)
    assert witness_votes(chain) == [0, 0, 800]
    maintain(chain, 1)
    assert witness_votes(chain) == [0, 0, 0]
    statistics = chain.state.statistics_of(alice)
    assert statistics.vote_tally_time < chain.state.dynamic.last_vote_tally_time


def test_whose_opinion_is_fresh() -> None:
    """K4.5: the parent's time of a change of votes or proxy; not of other options, nor of keys."""
    chain = TestChain(genesis=genesis_with(None))
    chain.block()
    alice = chain.state.account_named("alice")
    statistics = chain.state.statistics_of(alice.id)
    assert statistics.last_vote_time == 0
    seen = chain.chain.head_time
    chain.block(vote(chain, "alice"))
    assert statistics.last_vote_time == seen
    chain.block(AccountUpdate(NO_FEE, alice.id, new_options=replace(alice.options, num_witness=1)))
    chain.block(AccountUpdate(NO_FEE, alice.id, active=alice.active))
    assert statistics.last_vote_time == seen
    seen = chain.chain.head_time
    chain.block(vote(chain, "alice", proxy="bob"))
    assert statistics.last_vote_time == seen


@pytest.mark.parametrize(
    ("days", "left"),
    [(0, 1000), (359, 1000), (360, 875), (404, 875), (405, 750), (450, 625), (495, 500),
     (540, 375), (585, 250), (630, 125), (674, 125), (675, 0), (9_999, 0)],
)  # fmt: skip
def test_votes_fade(days: int, left: int) -> None:
    """K4.4: from the second on; rounding is in favour of the voter."""
    now = 2 * 10**9
    assert decayed(1000, now - days * DAY, now) == left
    assert decayed(7, now - 360 * DAY, now) == 7
    assert decayed(8, now - 360 * DAY, now) == 7
    assert decayed(8, now - 360 * DAY + 1, now) == 8


@pytest.mark.parametrize(
    ("base", "pol", "pob", "stake"),
    [
        (5, (0, 0), (0, 0), 5),
        (5, (10, 80), (0, 0), 85),
        (5, (0, 0), (3, 24), 26),
        (3, (0, 0), (3, 23), 23),
        (2, (0, 0), (3, 23), 15),
        (0, (0, 0), (3, 24), 0),
        (5, (10, 80), (10, 80), 5 + 640 + 80 - 80),
        (5, (10, 41), (3, 23), 5 + 94 + 41 - 12),
        (5, (3, 23), (8, 63), 5 + 181 + 63 - 23 - 5),
        (4, (3, 23), (8, 63), 181 + 31),
        (0, (3, 23), (8, 63), 181),
    ],
)
def test_what_locked_core_amounts_to(
    base: int, pol: tuple[int, int], pob: tuple[int, int], stake: int
) -> None:
    """K4.3: each case, at and around its bounds."""
    assert ticket_stake(base, pol, pob) == stake


AMOUNTS = st.integers(0, MAX_SUPPLY // 3)


@settings(max_examples=30)
@given(base=AMOUNTS, locked=AMOUNTS, burnt=AMOUNTS, up=st.integers(0, 8), down=st.integers(0, 8))
def test_no_stake_is_negative_or_needs_more_than_64_bits(
    base: int, locked: int, burnt: int, up: int, down: int
) -> None:
    """K4.3."""
    stake = ticket_stake(base, (locked, locked * up), (burnt, burnt * down))
    assert stake < 1 << 63
    if up and down:
        assert stake >= 0


class VotingMachine(RuleBasedStateMachine):
    """Tickets and votes of three people beside a twin that transcribes the chapter and sums up."""

    @initialize()
    def start(self) -> None:
        state = make_state("alice", "bob", "carol", core=10_000, voting_stake=VOTING_TICKETS)
        self.state = state
        state.log.begin()
        self.token = add_asset(state, "TOKEN")
        state.global_properties.rows[0].next_available_vote_id = 0
        self.votes: list[VoteId] = []
        for account in (ALICE, BOB, CAROL):
            self.votes.append(create_witness(state, account, key_of("x")).vote_id)
            self.votes.append(create_committee_member(state, account).vote_id)
        pay = RefundWorker(0)
        worker = create_worker(
            state, BOB, pay, begin=0, end=MAX_TIMESTAMP, daily_pay=1, name="", url=""
        )
        self.votes.append(worker.vote_for)
        self.ctx = make_context(state)
        self.tickets: dict[int, dict[str, int]] = {}
        self.paid = dict.fromkeys((ALICE, BOB, CAROL), 0)
        self.in_orders = dict.fromkeys((ALICE, BOB, CAROL), 0)
        self.voted = dict.fromkeys((ALICE, BOB, CAROL), 0)

    def attempt(self, op: Operation) -> bool:
        before = self.state.state_hash()
        try:
            apply(self.ctx, op)
        except PegboardError:
            assert self.state.state_hash() == before
            return False
        return True

    @rule(
        who=st.sampled_from((ALICE, BOB, CAROL)),
        kind=st.integers(1, 4),
        amount=st.integers(1, 3_000),
    )
    def create(self, who: AccountId, kind: int, amount: int) -> None:
        if self.attempt(TicketCreate(NO_FEE, who, kind, core(amount))):
            self.tickets[self.state.tickets.next_id - 1] = {
                "who": who, "target": kind, "amount": amount, "type": 0, "status": 0,
                "value": 0, "next": self.ctx.now + 15 * DAY, "fall": MAX_TIMESTAMP,
            }  # fmt: skip

    @rule(pick=st.integers(0, 9), kind=st.integers(0, 4), part=st.none() | st.integers(1, 900))
    def update(self, pick: int, kind: int, part: int | None) -> None:
        numbers = sorted(self.tickets)
        if not numbers:
            return
        number = numbers[pick % len(numbers)]
        twin = self.tickets[number]
        amount = None if part is None else core(part)
        op = TicketUpdate(NO_FEE, TicketId(number), AccountId(twin["who"]), kind, amount)
        passes = twin["type"] != 4 and twin["target"] != kind and (part or 1) <= twin["amount"]
        assert self.attempt(op) == passes
        if not passes:
            return
        if part is not None and part < twin["amount"]:
            twin["amount"] -= part
            self.value(twin)
            twin = dict(twin, amount=part)
            self.tickets[self.state.tickets.next_id - 1] = twin
        self.turn(twin, kind)
        self.catch_up()

    def value(self, twin: dict[str, int]) -> None:
        twin["value"] = twin["amount"] * (0, 2, 4, 8, 8)[twin["type"]]

    def turn(self, twin: dict[str, int], target: int) -> None:
        """K2.3, word by word."""
        now = self.ctx.now
        if twin["type"] < target:
            if twin["status"] != 0:
                twin["status"], twin["next"] = 0, now + 15 * DAY
        else:
            twin["status"] = 2
            if twin["fall"] == MAX_TIMESTAMP and twin["type"] == target:
                twin["fall"] = now + 7 * DAY
            elif twin["fall"] == MAX_TIMESTAMP:
                twin["type"] -= 1
                twin["fall"] = now + (180, 180, 360)[twin["type"]] * DAY
            twin["next"] = twin["fall"]
        twin["target"] = target
        self.value(twin)

    def catch_up(self) -> None:
        """K3, one ticket after the other."""
        for number, twin in sorted(self.tickets.items()):
            while number in self.tickets and twin["next"] <= self.ctx.now:
                self.step(number, twin)

    def step(self, number: int, twin: dict[str, int]) -> None:
        if twin["status"] == 2 and twin["type"] == 0:
            self.paid[AccountId(twin["who"])] += twin["amount"]
            del self.tickets[number]
        elif twin["type"] == 4:
            if twin["value"] <= 2 * twin["amount"]:
                twin.update(value=0, status=1, next=MAX_TIMESTAMP)
            else:
                twin["value"] -= 2 * twin["amount"]
                twin["next"] += 180 * DAY
        elif twin["status"] == 0:
            twin["type"] += 1
            twin["fall"] = MAX_TIMESTAMP
            if twin["type"] < twin["target"]:
                twin["next"] += 15 * DAY
            elif twin["type"] != 4:
                twin.update(status=1, next=MAX_TIMESTAMP)
            else:
                twin["status"] = 2
                twin["next"] += 180 * DAY
            self.value(twin)
        elif twin["type"] == twin["target"]:
            twin.update(status=1, next=MAX_TIMESTAMP, fall=MAX_TIMESTAMP)
        else:
            twin["type"] -= 1
            twin["fall"] += (180, 180, 360)[twin["type"]] * DAY
            twin["next"] = twin["fall"]
            self.value(twin)

    @rule(who=st.sampled_from((ALICE, BOB, CAROL)), amount=st.integers(1, 500))
    def order(self, who: AccountId, amount: int) -> None:
        wanted = AssetAmount(1, self.token)
        if self.attempt(LimitOrderCreate(NO_FEE, who, core(amount), wanted, MAX_TIMESTAMP)):
            self.in_orders[who] += amount

    @rule(
        who=st.sampled_from((ALICE, BOB, CAROL)),
        proxy=st.sampled_from((PROXY_TO_SELF_ACCOUNT, PROXY_TO_SELF_ACCOUNT, ALICE, BOB)),
        picks=st.sets(st.integers(0, 6)),
    )
    def vote(self, who: AccountId, proxy: AccountId, picks: set[int]) -> None:
        votes = tuple(sorted(self.votes[pick] for pick in picks))
        proxy = PROXY_TO_SELF_ACCOUNT if proxy == who else proxy
        before = self.state.accounts.get(who).options
        options = AccountOptions(key_of("x"), proxy, votes=votes)
        assert self.attempt(AccountUpdate(NO_FEE, who, new_options=options))
        if (before.voting_account, before.votes) != (proxy, votes):
            self.voted[who] = self.ctx.now

    @rule(days=st.sampled_from((1, 7, 15, 45, 180, 360)), seconds=st.sampled_from((0, 0, 1)))
    def maintenance(self, days: int, seconds: int) -> None:
        """Tickets first, then votes; everything is compared."""
        self.ctx.now += days * DAY + seconds
        dynamic = self.state.dynamic_properties.edit(self.state.dynamic)
        dynamic.head_block_number += 1
        dynamic.time = self.ctx.now
        process_due_tickets(self.ctx)
        self.catch_up()
        refresh_balances(self.state, self.state.statistics.in_order())
        tally = count_votes(self.ctx)
        self.compare_tickets()
        self.compare_votes(tally.votes, tally.witness_total, tally.committee_total)
        check_all(self.state)
        check_block(self.state, self.state.log.finish())
        self.state.log.begin()

    def compare_tickets(self) -> None:
        found = {
            item.id: {
                "who": item.account, "target": item.target_type, "amount": item.amount.amount,
                "type": item.current_type, "status": item.status, "value": item.value,
                "next": item.next_auto_update_time, "fall": item.next_type_downgrade_time,
            }
            for item in self.state.tickets.in_order()
        }  # fmt: skip
        assert found == self.tickets
        for account in self.paid:
            locked = sum(one["amount"] for one in self.tickets.values() if one["who"] == account)
            held = self.state.balance_of(account, CORE_ASSET)
            assert held + locked + self.in_orders[account] == 10_000

    def compare_votes(self, votes: dict[VoteId, int], witness: int, committee: int) -> None:
        """K4.2 to K4.7, from all tickets anew."""
        expected: dict[VoteId, int] = {}
        power: dict[AccountId, list[int]] = {}
        for who in (ALICE, BOB, CAROL):
            options = self.state.accounts.get(who).options
            stake = self.stake(who)
            if stake == 0 or not options.is_voting():
                continue
            is_direct = options.voting_account == PROXY_TO_SELF_ACCOUNT
            opinion = who if is_direct else options.voting_account
            active = stake if is_direct else self.faded(stake, who)
            left = self.faded(active, opinion)
            found = power.setdefault(opinion, [0, 0, 0])
            power[opinion] = [found[0] + stake, found[1] + active, found[2] + left]
            chosen = self.state.accounts.get(opinion).options.votes
            several = sum(1 for one in chosen if one & 0xFF == 0)
            for one in chosen:
                share = left // several if one & 0xFF == 0 and several > 1 else left
                expected[one] = expected.get(one, 0) + share
        assert {one: stake for one, stake in votes.items() if stake} == {
            one: stake for one, stake in expected.items() if stake
        }
        assert witness == committee == sum(found[2] for found in power.values())
        for who, (whole, active, left) in power.items():
            figures = self.state.statistics_of(who)
            assert figures.voting_power is not None
            assert figures.voting_stake == whole
            assert figures.voting_power.active == active
            assert figures.voting_power.worker == figures.voting_power.committee == left
            assert figures.vote_tally_time == self.ctx.now

    def faded(self, stake: int, who: AccountId) -> int:
        for k in range(7):
            bound = self.ctx.now - (360 + 45 * k) * DAY
            if self.voted[who] > bound:
                return stake - floor(Fraction(stake * 1250 * k, 10_000))
        if self.voted[who] > self.ctx.now - 675 * DAY:
            return stake - floor(Fraction(stake * 1250 * 7, 10_000))
        return 0

    def stake(self, who: AccountId) -> int:
        sums = {
            "p": 0, "P": 0, "q": 0, "Q": 0, "inactive": 0,
        }  # fmt: skip
        is_burning = False
        for one in self.tickets.values():
            is_burning = is_burning or one["type"] == 4
            if one["who"] != who:
                continue
            if one["type"] != 4:
                sums["p"] += one["amount"]
                sums["P"] += one["value"]
            elif one["value"]:
                sums["q"] += one["amount"]
                sums["Q"] += one["value"]
            else:
                sums["inactive"] += one["amount"]
        p, P, q, Q = (sums[name] for name in "pPqQ")  # noqa: N806  # as in the rules
        if is_burning and q == 0 and sums["inactive"] == 0:
            return 0
        b = 0 if is_burning else self.in_orders[who]
        if q == 0:
            return b + P
        if p == 0:
            return b + Q - q if q <= b else floor(Fraction(b * Q, q))
        if q <= p:
            return b + floor(Fraction(Q * P, p)) + P - floor(Fraction(q * P, p))
        e, base = q - p, floor(Fraction(P * Q, q))
        if e <= b:
            return b + base + Q - floor(Fraction(p * Q, q)) - e
        return base + floor(Fraction(b * Q, q))


VotingMachine.TestCase.settings = settings(max_examples=5, stateful_step_count=25, deadline=None)
TestVotingMachine = VotingMachine.TestCase


def test_committee_votes_share_and_top_voters_are_of_the_last_count() -> None:
    """K4.6, K4.7: a third each of three, the histogram by the whole; the stale are left out."""
    chain = TestChain(genesis=genesis_with("tickets"))
    backend = ChainBackend(chain)
    backend.produce()
    bob = chain.state.account_named("bob")
    members = tuple(item.vote_id for item in chain.state.committee_members.in_order())
    options = AccountOptions(bob.options.memo_key, votes=members, num_committee=3)
    backend.produce(
        AccountUpdate(NO_FEE, bob.id, new_options=options),
        vote(chain, "alice"),
        vote(chain, "carol", proxy="bob"),
        TicketCreate(NO_FEE, bob.id, 1, chain.amount(50)),
        TicketCreate(NO_FEE, chain.account("carol"), 1, chain.amount(5)),
        TicketCreate(NO_FEE, chain.account("alice"), 1, chain.amount(7)),
    )
    backend.produce(slot=chain.chain.slot_at(chain.chain.head_time + 15 * DAY) + 1)
    votes = [item.total_votes for item in chain.state.committee_members.in_order()]
    assert votes == [100 // 3 + 10 // 3] * 3
    assert len(chain.state.properties.active_committee_members) == 3
    client = Client(backend)
    voters = client.call("get_top_voters", 10)
    assert [(item["name"], item["vp_all"], item["vp_active"]) for item in voters] == [
        ("bob", 110, 110),
        ("alice", 14, 14),
    ]
    assert voters[0]["vp_witness"] == voters[0]["vp_committee"] == 110
    silent = AccountOptions(bob.options.memo_key)
    backend.produce(
        AccountUpdate(NO_FEE, bob.id, new_options=silent), vote(chain, "carol", proxy="alice")
    )
    backend.produce(slot=chain.chain.slot_at(chain.state.dynamic.next_maintenance_time) + 1)
    voters = client.call("get_top_voters", 10)
    assert [(item["name"], item["vp_all"]) for item in voters] == [("alice", 24)]
    assert chain.state.statistics_of(bob.id).voting_stake == 110


def test_a_proxy_fades_by_both_ages() -> None:
    """K4.6, K4.7: first by the voter's own age of opinion, then by that of the proxy."""
    chain = TestChain(genesis=genesis_with("tickets"))
    chain.block()
    sold, wanted = chain.amount(801), chain.amount(801, "USD")
    order = LimitOrderCreate(NO_FEE, chain.account("bob"), sold, wanted, MAX_TIMESTAMP)
    chain.block(order, vote(chain, "bob", proxy="alice"))
    maintain(chain, 360)
    assert witness_votes(chain) == [0, 0, 0], "the proxy has no fresh opinion"
    chain.block(vote(chain, "alice"))
    maintain(chain)
    figures = chain.state.statistics_of(chain.account("alice"))
    assert witness_votes(chain) == [0, 0, 701]
    assert figures.voting_power is not None
    assert (figures.voting_stake, figures.voting_power.active) == (801, 701)
    maintain(chain, 314)
    assert witness_votes(chain) == [0, 0, 101]
    maintain(chain, 1)
    assert witness_votes(chain) == [0, 0, 0]


def test_balances_do_not_count_with_tickets() -> None:
    """K4.2: an account's figures without tickets are worth what it has in orders."""
    state = make_state("alice", core=1000)
    figures = state.statistics_of(ALICE)
    figures.total_core_in_orders = 7
    assert stake_of(figures, is_burning=False) == 7
    assert stake_of(figures, is_burning=True) == 0
