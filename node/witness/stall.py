"""What a chain that does not go on waits for, as far as a node can tell (P6, T-W3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from node.chain.chain import Chain
from node.chain.finality import quorum_of
from node.chain.irreversibility import missing_witnesses
from node.chain.vote_pool import VotePool
from node.state.objects.finality import VotingSet
from protocol.ids import WitnessId, witness_text
from protocol.schema import PublicKey, Record

SILENT_ROUNDS = 2
"""So many rounds of slots without a block are a stall."""

LAG_ROUNDS = 3
"""So many rounds of blocks above the last irreversible one are a stall; healthy are two blocks, or
by BitShares' rule most of a round."""

LAG_BLOCKS_MIN = 10


class Awaited(NamedTuple):
    """One thing without which a chain does not go on."""

    what: str
    """`clock`, `split`, `sync`, `peers`, `production`, `witnesses` or `votes`."""
    detail: str
    """Which, with names."""

    def __str__(self) -> str:
        return f"{self.what}: {self.detail}"


class Stall(Record):
    """A chain does not go on."""

    what: str
    """`blocks`: there are no new ones; `irreversibility`: they do not become irreversible."""
    head_num: int
    irreversible_num: int
    waits_for: tuple[Awaited, ...]

    @property
    def kind(self) -> tuple[str, ...]:
        """What an operator hears of once, whatever numbers change."""
        return self.what, *(awaited.what for awaited in self.waits_for)


class Surroundings(Record):
    """What a node knows beside its chain."""

    clock: str
    """Why its clock is not believed; empty if it is."""
    ready_peers: int
    is_syncing: bool
    refusal: str
    """Why its own witnesses make no block, if that is worth telling; or empty."""
    keys: frozenset[PublicKey]
    """Of its own witnesses."""
    split: str
    """Which peer claims that the network has split; empty if none does."""


def find_stall(chain: Chain, pool: VotePool, slot_s: int, around: Surroundings) -> Stall | None:
    """How the chain stalls at a time of slots, in seconds; None if it does not."""
    active = chain.state.properties.active_witnesses
    lag = chain.head_num - chain.last_irreversible_num
    silent_slots = chain.slot_at(slot_s) - 1
    if silent_slots >= SILENT_ROUNDS * len(active):
        what = "blocks"
        rest = [Awaited("witnesses", _names(chain, sorted(active)))]
    elif lag > max(LAG_ROUNDS * len(active), LAG_BLOCKS_MIN):
        what = "irreversibility"
        rest = _awaited_votes(chain, pool)
    else:
        return None
    found = [*_awaited_here(chain, around), *rest]
    return Stall(what, chain.head_num, chain.last_irreversible_num, tuple(found))


def _awaited_here(chain: Chain, around: Surroundings) -> Iterable[Awaited]:
    """What is amiss with this node."""
    if around.clock:
        yield Awaited("clock", around.clock)
    if around.split:
        yield Awaited("split", around.split)
    if around.is_syncing:
        yield Awaited("sync", "blocks of peers are coming in")
    others = {chain.signing_key(one) for one in chain.state.properties.active_witnesses}
    if not around.ready_peers and not others <= around.keys:
        yield Awaited("peers", "none is connected")
    if around.refusal:
        yield Awaited("production", around.refusal)


def _awaited_votes(chain: Chain, pool: VotePool) -> list[Awaited]:
    """Whose word is missing for irreversibility."""
    finality = chain.state.finality
    if finality is None:
        missing = missing_witnesses(chain.state)
        return [Awaited("witnesses", _names(chain, missing))] if missing else []
    voters = pool.voters()
    return [_missing_of(chain, one, voters) for one in finality.sets]


def _missing_of(chain: Chain, one: VotingSet, voters: frozenset[PublicKey]) -> Awaited:
    missing = [witness for witness, key in one.members if key not in voters]
    count, quorum = len(one.members) - len(missing), quorum_of(len(one.members))
    detail = f"{count} of {len(one.members)} vote, {quorum} are needed"
    if count < quorum:
        detail += f"; missing {_names(chain, missing)}"
    return Awaited("votes", detail)


def _names(chain: Chain, witnesses: Iterable[WitnessId]) -> str:
    """Such as `init0 (1.6.1), init1 (1.6.2)`."""
    state = chain.state
    return ", ".join(
        f"{state.accounts.get(state.witnesses.get(one).witness_account).name} ({witness_text(one)})"
        for one in witnesses
    )
