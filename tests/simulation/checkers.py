"""What must hold in every run, watched from outside the nodes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from node.api.durability import Durability
from node.api.json_text import joined
from node.api.outbox import Outbox
from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.chain.vote_pool import contradict
from node.core.clock_watch import FUTURE_TOLERANCE_MS
from node.state.events import MarginCallEvent
from node.storage.interface import BlockStorage
from protocol.block import BlockEnvelope, block_num_of
from protocol.errors import DamagedData
from protocol.finality import Vote
from protocol.ids import AccountId, WitnessId
from protocol.schema import BlockId, Digest, PublicKey


class Violation(AssertionError):
    """A promise of the network is broken; `checker` names which."""

    def __init__(self, checker: str, detail: str) -> None:
        super().__init__(f"{checker}: {detail}")
        self.checker = checker


def demand(holds: bool, checker: str, *detail: object) -> None:
    """Raise `Violation` unless it holds."""
    if not holds:
        raise Violation(checker, " ".join(map(str, detail)))


@dataclass(slots=True)
class _Seen:
    """What one node has done and said, over all its restarts."""

    main: dict[int, BlockId] = field(default_factory=dict)
    last_irreversible: int = 0
    told: dict[BlockId, None] = field(default_factory=dict)
    """Blocks that it announced to peers or reported to clients, and so may not lose."""
    now_ms: int = 0
    """The true time when it looked at a clock last."""
    lead_ms: int | None = None
    """How far ahead of that a clock of its process has ever been: time goes on so, for a while,
    when the clock is set back."""
    told_irreversible: int = 0
    """The highest block that it called irreversible towards anybody."""
    popped: int = 0
    """Blocks taken back since the last one was applied."""


class Checkers:
    """One judge for the whole network."""

    def __init__(self, nodes: int, block_interval_s: int) -> None:
        self.liars: set[PublicKey] = set()
        """Keys of those of whom nothing can be expected."""
        self.lying_publishers: set[AccountId] = set()
        """Accounts whose feeds may be false."""
        self._nodes = [_Seen() for _ in range(nodes)]
        self._early_max_ms = block_interval_s * 1_000 + FUTURE_TOLERANCE_MS
        self._irreversible: dict[int, BlockId] = {}
        self._signed: dict[tuple[WitnessId, int], BlockId] = {}
        self._state_hashes: dict[BlockId, Digest] = {}
        self.votes: dict[PublicKey, list[Vote]] = defaultdict(list)
        """What each key has voted, as it left its node."""
        self.is_parted: Callable[[], bool] = lambda: False
        """Whether the network is in parts at this moment."""
        self.counts: Counter[str] = Counter()
        """How often things happened."""
        self.refusals: dict[str, Counter[str]] = defaultdict(Counter)

    # What a node does.

    def clock_read(self, node: int, shown_ms: int, now_ms: int) -> None:
        """A node has seen a time on its clock, which may jump to and fro, at this true time."""
        seen = self._nodes[node]
        seen.now_ms, lead_ms = now_ms, shown_ms - now_ms
        seen.lead_ms = lead_ms if seen.lead_ms is None else max(seen.lead_ms, lead_ms)

    def block_applied(self, node: int, block: BlockEnvelope) -> None:
        """A block became a node's head: it follows the one before, and by the fastest clock that
        the process has seen it is no more than a slot and the tolerance early (T-W3, T-K1)."""
        seen = self._nodes[node]
        early_ms = block.header.timestamp * 1_000 - seen.now_ms - (seen.lead_ms or 0)
        demand(early_ms <= self._early_max_ms, "future", node, block.num, "by", early_ms, "ms")
        main = self._nodes[node].main
        previous = main.get(block.num - 1)
        demand(block.num - 1 not in main or previous == block.header.previous, "linked", node)
        demand(block.num not in main, "linked", node, block.num, "applied on top of another")
        main[block.num] = block.id
        self.counts["applied"] += 1
        if self._nodes[node].popped:
            self.counts[f"fork depth {self._nodes[node].popped}"] += 1
            self._nodes[node].popped = 0

    def happened(self, what: str) -> None:
        """Count what a block did, and how often while the network was in parts."""
        self.counts[f"event {what}"] += 1
        if self.is_parted():
            self.counts[f"while parted {what}"] += 1

    def block_popped(self, node: int, block: BlockEnvelope) -> None:
        """A node took back its head block, which was not irreversible."""
        seen = self._nodes[node]
        demand(seen.main.pop(block.num, None) == block.id, "linked", node, block.num, "popped")
        demand(block.num > seen.last_irreversible, "final", node, "popped", block.num)
        self.counts["popped"] += 1
        seen.popped += 1

    def id_at(self, node: int, num: int) -> BlockId | None:
        """The block of a number on a node's main chain."""
        return self._nodes[node].main.get(num)

    def observe(self, node: int, chain: Chain) -> None:
        """Look at a node's last irreversible block: it only grows, within one life, and no other
        node calls another block of its height irreversible (T-W4)."""
        seen = self._nodes[node]
        num = chain.last_irreversible_num
        demand(num >= seen.last_irreversible, "monotonic", node, num, seen.last_irreversible)
        for height in range(seen.last_irreversible + 1, num + 1):
            block_id = seen.main[height]
            known = self._irreversible.setdefault(height, block_id)
            demand(known == block_id, "conflict", node, height)
        seen.last_irreversible = num

    def block_sent(self, node: int, block: BlockEnvelope) -> None:
        """A block left a node: its witness signed no other block for its slot (T-W1)."""
        slot = (block.header.witness, block.header.timestamp)
        is_first = self._signed.setdefault(slot, block.id) == block.id
        is_lie = not is_first and block.front.signing_key() in self.liars
        demand(is_first or is_lie, "one block a slot", node, *slot)
        self.tell(node, block.id)

    def vote_sent(self, node: int, key: PublicKey, vote: Vote) -> None:
        """A vote of a node's own left it: none that left before contradicts it (F5)."""
        votes = self.votes[key]
        if vote not in votes:
            if votes and self.id_at(node, block_num_of(votes[-1].target)) != votes[-1].target:
                self.counts["votes on another branch"] += 1
            lie = next((other for other in votes if contradict(other, vote)), None)
            demand(lie is None, "one vote", node, vote, lie)
            votes.append(vote)

    def tell(self, node: int, block_id: BlockId) -> None:
        """A node told somebody that it has a block."""
        if block_num_of(block_id):
            self._nodes[node].told[block_id] = None

    def tell_irreversible(self, node: int, num: int) -> None:
        """A node told somebody that a block is irreversible."""
        seen = self._nodes[node]
        seen.told_irreversible = max(seen.told_irreversible, num)

    def check_state(self, chain: Chain) -> None:
        """The state after a block is the same wherever it is reached."""
        state_hash = chain.state_hash()
        known = self._state_hashes.setdefault(chain.head_id, state_hash)
        demand(known == state_hash, "one state", "block", chain.head_num)
        self.counts["state hashes"] += 1

    # What survives.

    def wiped(self, node: int) -> None:
        """A node has lost its disk: of it nothing can be expected."""
        self._nodes[node] = _Seen()

    def restarted(self, node: int, chain: Chain, store: BlockStorage) -> None:
        """A node came back: all that it told of is there (T-S1)."""
        seen = self._nodes[node]
        for block_id in seen.told:
            num = block_num_of(block_id)
            may_be_pruned = num < seen.last_irreversible and store.id_at(num) != block_id
            is_there = _has(store, block_id)
            demand(is_there or may_be_pruned, "durable", node, "lost block", num)
        num, told = chain.last_irreversible_num, seen.told_irreversible
        demand(num >= told, "monotonic", node, "after a restart", num, told)
        seen.main, seen.lead_ms = {}, None
        for num in range(1, chain.head_num + 1):
            found = store.id_at(num)
            assert found is not None, "the chain was read from the store"
            seen.main[num] = found
        seen.last_irreversible = chain.last_irreversible_num


def _has(store: BlockStorage, block_id: BlockId) -> bool:
    """Whether a block is stored; a damaged one is known, and fetched again when it is needed."""
    try:
        return store.block(block_id) is not None
    except DamagedData:
        return True


class Unjudged(Checkers):
    """For nodes that lie: it counts what they meet with the others, and demands nothing."""

    def __init__(self, judge: Checkers) -> None:
        super().__init__(0, 1)
        self.counts = judge.counts
        self.refusals = judge.refusals

    def clock_read(self, node: int, shown_ms: int, now_ms: int) -> None:
        """Nothing."""

    def block_applied(self, node: int, block: BlockEnvelope) -> None:
        """Nothing."""

    def block_popped(self, node: int, block: BlockEnvelope) -> None:
        """Nothing."""

    def observe(self, node: int, chain: Chain) -> None:
        """Nothing."""

    def block_sent(self, node: int, block: BlockEnvelope) -> None:
        """Nothing."""

    def vote_sent(self, node: int, key: PublicKey, vote: Vote) -> None:
        """Nothing."""

    def tell(self, node: int, block_id: BlockId) -> None:
        """Nothing."""

    def tell_irreversible(self, node: int, num: int) -> None:
        """Nothing."""

    def check_state(self, chain: Chain) -> None:
        """Nothing."""

    def wiped(self, node: int) -> None:
        """Nothing."""

    def restarted(self, node: int, chain: Chain, store: BlockStorage) -> None:
        """Nothing."""


class NodeObserver:
    """The `ChainObserver` of one node, for the checkers."""

    def __init__(self, node: int, checkers: Checkers, durability: Durability) -> None:
        self.node = node
        self.checkers = checkers
        self.notices = Outbox(durability)
        """Ids of blocks that clients will be told of."""

    def block_applied(self, block: AppliedBlock) -> None:
        """See `ChainObserver`."""
        self.checkers.block_applied(self.node, block.envelope)
        for event in block.events:
            self.checkers.happened(type(event).__name__)
            if isinstance(event, MarginCallEvent) and event.request is not None:
                self.checkers.happened("call that took a request")
        for applied in block.operations:
            if applied.is_virtual:
                self.checkers.counts[f"by itself {type(applied.op).__name__}"] += 1
        self.notices.put([block.envelope.id])

    def block_popped(self, block: BlockEnvelope) -> None:
        """See `ChainObserver`."""
        self.checkers.block_popped(self.node, block)

    def transaction_pending(self, envelope: object) -> None:
        """See `ChainObserver`."""
        self.checkers.counts["pending"] += 1

    def transaction_dropped(self, transaction: object, reason: object) -> None:
        """See `ChainObserver`."""
        self.checkers.counts["dropped"] += 1

    def flush(self) -> None:
        """Tell the clients: what they know from now on must last."""
        for notice in self.notices.take():
            self.checkers.tell(self.node, BlockId(joined(notice)))
