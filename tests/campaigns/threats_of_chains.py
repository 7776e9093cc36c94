"""Rows of `scripts/threats` about transactions and the state of a chain."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from node.evaluators.authority import ApprovalCheck
from node.state.database import State
from node.state.objects.assets import FeedValues
from protocol.authority import Authority
from protocol.ids import AccountId
from protocol.operations.base import Operation
from protocol.schema import PublicKey
from tests.campaigns.threats_row import Figure, Row, least_ms
from tests.operations.test_authority_check import CountingCheck, SlowCheck
from tests.support.golden import read_recording, record, replay
from tests.support.leaves import leaves
from tests.support.next_blocks import try_next_blocks, undo_blocks
from tests.support.random_life import lives
from tests.support.replays import Listener, accepted_forms
from tests.support.state import make_state
from tests.support.world import key_of
from tests.unit.test_market_feeds import check_median, feed_of
from tests.unit.test_widths import Trial

REPO = Path(__file__).resolve().parents[2]
PEOPLE = [f"p{number}" for number in range(12)]
SIGNERS = [key_of(f"k{number}") for number in range(4)]
MEMBERS_MAX = 10
"""Of an authority (maximum_authority_membership)."""
MS_MAX = 5.0
LOOKUPS_MAX = 200
"""Authorities that are looked at for one account. Without a memory of failures it might be 2 + 40 +
800, of ten members each, two deep, active and owner; what is approved clears that memory."""
BOUNDS = (0, 1, 10**15 - 1, 10**15, 10**15 + 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64)
"""Numbers at which something might overflow (RELIABILITY T-E3)."""
LISTENED = ("refused", "taken", "switches", "restarts")
EACH = 8
"""Operations between two looks at what the chain could do next."""
DEPTHS = (0, 1, 2, 10, 100)
DEPTH_MAX = 1_000
DEEP_EVERY = 1_000
HASH_SEEDS = ("0", "1", "4242")
OPERATIONS_OF_A_CHAIN = 400
BLOCKS_OF_A_RECORDING = 1_000


def say_again(count: int, seed: int) -> Figure:
    """T-C2: whoever has heard all that was signed says it again, over forks and restarts."""
    seen = Counter[str]()
    for number in range(count):
        listener = Listener(seed * 1_000_000 + number)
        listener.run()
        seen.update({name: getattr(listener, name) for name in LISTENED})
    told = ", ".join(f"{seen[name]:,} {name}" for name in LISTENED)
    return Figure(f"{count:,} histories, {told}, 0 applied twice", is_kept=True)


def forge(count: int, seed: int) -> Figure:
    """T-C3: other forms of good signatures."""
    accepted = accepted_forms(count, seed)
    return Figure(f"{count:,} signatures, {accepted} other forms accepted", not accepted)


def draw_graph(chance: Random) -> State:
    """Twelve accounts that refer to each other and to keys, with cycles and diamonds."""
    state = make_state(*PEOPLE)
    accounts = [state.account_named(name) for name in PEOPLE]
    ids = [account.id for account in accounts]
    for account in accounts:
        item = state.accounts.edit(account)
        item.active, item.owner = draw_authority(chance, ids), draw_authority(chance, ids)
    return state


def draw_authority(chance: Random, accounts: Sequence[AccountId]) -> Authority:
    """Up to ten members, some of them keys."""
    keys = chance.sample(SIGNERS, chance.randrange(len(SIGNERS)))
    some = chance.sample(accounts, chance.randrange(MEMBERS_MAX + 1 - len(keys)))
    return Authority(
        chance.randrange(1, 6),
        tuple((one, chance.randrange(1, 3)) for one in sorted(some)),
        tuple((key, chance.randrange(1, 3)) for key in sorted(keys)),
    )


def follow_graphs(count: int, seed: int) -> Figure:
    """T-C4: the check looks at few authorities, and answers as its slow twin does."""
    chance = Random(seed)
    most = differ = satisfied = 0
    slowest_ms = 0.0
    for _ in range(count):
        state = draw_graph(chance)
        signed: set[PublicKey] = set(chance.sample(SIGNERS, chance.randrange(len(SIGNERS) + 1)))
        account = state.account_named(chance.choice(PEOPLE))
        counting, slow = CountingCheck(state, signed), SlowCheck(state, signed)
        found = counting.is_account_satisfied(account.id)
        differ += found is not (
            slow.is_satisfied(account.active, 0) or slow.is_satisfied(account.owner, 0)
        )
        satisfied, most = satisfied + found, max(most, counting.lookups)
        slowest_ms = max(
            slowest_ms, least_ms(partial(check_anew, state, signed, account.id), MS_MAX)
        )
    return Figure(
        f"{count:,} graphs, {satisfied:,} satisfied, at most {most} authorities looked at, "
        f"slowest {slowest_ms:.2f} ms, {differ} wrong",
        most <= LOOKUPS_MAX and slowest_ms < MS_MAX and not differ,
    )


def check_anew(state: State, signed: set[PublicKey], account: AccountId) -> None:
    """Ask once whether an account is satisfied."""
    ApprovalCheck(state, signed).is_account_satisfied(account)


def go_on(count: int, seed: int) -> Figure:
    """T-E1: an empty and a maintenance block apply, whatever people have done."""
    looks = 0
    for life, operations in lives(seed, count):
        for _ in range(0, operations, EACH):
            life.live(EACH)
            try_next_blocks(life.node)
            looks += 1
    return Figure(f"{count:,} operations, {2 * looks:,} blocks tried", is_kept=True)


def take_back(count: int, seed: int) -> Figure:
    """T-E2: blocks of operations, and up to a thousand on top, are undone without a trace."""
    undone = cycles = 0
    for life, operations in lives(seed, count):
        for _ in range(0, operations, EACH):
            cycles += 1
            life.live(EACH - 1)
            life.try_one()
            depth = life.chance.choice(DEPTHS) if cycles % DEEP_EVERY else DEPTH_MAX
            expected = undo_blocks(life.node, (life.draw_slot() for _ in range(depth)))
            life.node.block()
            assert life.node.chain.state_hash() == expected, "applied again it is another state"
            undone += 1 + depth
    return Figure(f"{count:,} operations, {undone:,} blocks undone {cycles:,} times", is_kept=True)


def overflow(count: int, seed: int) -> Figure:
    """T-E3: operations with one to three numbers at a bound, and the blocks after them."""
    chance, trial = Random(seed), Trial()
    examples = [one for one in trial.node.examples() if any(leaves(one))]
    applied = 0
    for _ in range(count):
        operation = chance.choice(examples)
        for _ in range(chance.randrange(1, 4)):
            operation = put_bound(chance, operation)
        try:
            applied += trial.live_with(operation)
        except Exception as error:
            error.add_note(f"{operation}")
            raise
    return Figure(f"{count:,} combinations, {applied:,} applied, the others refused", is_kept=True)


def put_bound(chance: Random, operation: Operation) -> Operation:
    """The operation with one of its numbers at a bound that its field holds."""
    leaf = chance.choice(list(leaves(operation)))
    values = [one for one in BOUNDS if leaf.smallest <= one <= leaf.largest]
    changed: Operation = leaf.change(chance.choice([*values, leaf.smallest, leaf.largest]))
    return changed


def add_up(count: int, seed: int) -> Figure:
    """T-E4: every invariant is recounted after each block, supplies to the last unit."""
    applied = blocks = 0
    for life, operations in lives(seed, count):
        life.live(operations)
        applied, blocks = applied + life.applied, blocks + life.node.chain.head_num
    return Figure(
        f"{count:,} operations, {applied:,} applied, {blocks:,} blocks recounted", is_kept=True
    )


def hash_differently(count: int, seed: int) -> Figure:
    """T-E5: chains that processes with other orders of their sets come to."""
    program = (
        "from tests.support.random_life import state_after\n"
        f"for n in range({count}): print(state_after(f'{seed}/{{n}}', {OPERATIONS_OF_A_CHAIN}))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPO,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in HASH_SEEDS
    }
    return Figure(
        f"{count:,} chains in {len(HASH_SEEDS)} processes each, {len(found)} outcome of all",
        len(found) == 1,
    )


def agree_with_others(count: int, seed: int) -> Figure:
    """T-V1: the kept chain of an earlier version, and new ones in a process with another order of
    its sets; state hashes are compared block by block."""
    found = [str(one) for one in (replay(*read_recording()),) if one is not None]
    with TemporaryDirectory() as directory:
        path = Path(directory) / "chain"
        for number, first in enumerate(range(0, count, BLOCKS_OF_A_RECORDING)):
            record(path, f"{seed}/{number}", min(BLOCKS_OF_A_RECORDING, count - first))
            program = (sys.executable, "-m", "tests.support.golden", str(path))
            variables = {**os.environ, "PYTHONHASHSEED": str(number)}
            answer = subprocess.run(
                program,
                cwd=REPO,
                env=variables,
                capture_output=True,
                text=True,
                check=False,
            )
            found += [answer.stdout + answer.stderr] if answer.returncode else []
    return Figure(f"{count:,} blocks, {len(found)} deviations {' '.join(found):.200}", not found)


def lie_about_prices(count: int, seed: int) -> Figure:
    """T-W5: fewer liars than honest producers move a median inside the honest range alone."""
    chance = Random(seed)
    for _ in range(count):
        honest = [draw_feed(chance, range(1_500, 1_600)) for _ in range(chance.randrange(4, 12))]
        liars = [draw_feed(chance, range(1, 10**9)) for _ in range(chance.randrange(11))]
        check_median(honest, liars, chance)
    return Figure(f"{count:,} medians, none beyond the honest", is_kept=True)


def draw_feed(chance: Random, values: range) -> FeedValues:
    """A feed of which each number lies in a range."""
    return feed_of(
        chance.choice(values),
        mcr=chance.choice(values),
        mssr=chance.choice(values),
        icr=chance.choice(values),
    )


CHAINS = (
    Row("T-C2", 10_000, "nothing applies twice", say_again),
    Row("T-C3", 10_000, "none", forge),
    Row(
        "T-C4",
        1_000_000,
        f"below 5 ms and {LOOKUPS_MAX} authorities, as the slow twin",
        follow_graphs,
    ),
    Row("T-E1", 10_000_000, "every block applies", go_on),
    Row("T-E2", 10_000_000, "the same state hash", take_back),
    Row("T-E3", 1_000_000, "applied or refused by name", overflow),
    Row("T-E4", 10_000_000, "exact", add_up),
    Row("T-E5", 10, "one outcome", hash_differently),
    Row("T-V1", 1_000_000, "the same state hash after each block", agree_with_others),
    Row("T-W5", 100_000, "inside the honest range", lie_about_prices),
)
