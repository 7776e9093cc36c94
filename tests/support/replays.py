"""What an eavesdropper can do with signed transactions: say them again, elsewhere, or otherwise."""

from __future__ import annotations

from random import Random

from node.chain.chain import Chain
from node.core.ballots import Ballots
from node.state.errors import DuplicateTransaction, TransactionExpired, TransactionRejected
from protocol.crypto.curve import CURVE_ORDER
from protocol.crypto.hashes import sha256
from protocol.crypto.keys import PrivateKey, public_key
from protocol.crypto.recovery import SIGNATURE_LENGTH
from protocol.crypto.signatures import recover_key, sign_digest
from protocol.errors import KeyFormatError
from protocol.schema import BlockId, Digest, PublicKey, Signature
from protocol.transaction import TransactionEnvelope
from tests.support.chain import TestChain

STEPS = 50
HEADERS = range(31, 35)
"""First bytes of signatures of compressed keys: which of four keys it is."""


def twin_of(signature: Signature) -> Signature:
    """The same signature with n - s for s: of the same key, by the maths of the curve."""
    s = CURVE_ORDER - int.from_bytes(signature[33:], "big")
    header = (signature[0] - HEADERS[0] ^ 1) + HEADERS[0]
    return Signature(bytes((header,)) + signature[1:33] + s.to_bytes(32, "big"))


def forms_of(signature: Signature) -> list[Signature]:
    """Other bytes that one could take for a signature."""
    twin = twin_of(signature)
    return [
        twin,
        Signature(signature[:1] + twin[1:]),
        Signature(twin[:1] + signature[1:]),
        *(Signature(bytes((first,)) + signature[1:]) for first in HEADERS if first != signature[0]),
        Signature(bytes((signature[0] - 4,)) + signature[1:]),
        Signature(signature + b"\0"),
        Signature(signature[:-1]),
        Signature(signature[:1] + b"\0" + signature[1:]),
    ]


def accepted_forms(count: int, seed: int) -> int:
    """How many other forms of so many signatures are taken for the signer's (T-C3)."""
    chance = Random(seed)
    found = 0
    for _ in range(count):
        secret = PrivateKey(sha256(chance.randbytes(8)))
        digest = Digest(sha256(chance.randbytes(8)))
        signature = sign_digest(secret, digest)
        assert len(signature) == SIGNATURE_LENGTH
        forms = forms_of(signature)
        assert signature not in forms
        mine: PublicKey = public_key(secret)
        found += [_signer(digest, form) for form in forms].count(mine)
    return found


def _signer(digest: Digest, form: Signature) -> PublicKey | None:
    try:
        return recover_key(digest, form)
    except KeyFormatError:
        return None


class Listener:
    """A node, another one on a fork of its own, and somebody who keeps all that was signed (T-C2).

    Each step says old transactions again, to whichever node; what a node takes twice is found in
    its chain.
    """

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.node = TestChain("alice", "bob", witnesses=5)
        self.node.blocks(2)
        self.other = self.node.twin()
        self.other.follow(self.node)
        self.kept: list[TransactionEnvelope] = []
        self.refused = self.taken = self.restarts = self.switches = 0

    def run(self, steps: int = STEPS) -> None:
        """Go so many steps; each ends with a look at the chain."""
        moves = (self.sign, self.sign, self.replay, self.replay, self.grow, self.fork, self.restart)
        for _ in range(steps):
            self.chance.choice(moves)()
            self.check()

    def sign(self) -> None:
        """Somebody pays somebody, soon to expire."""
        node = self.node
        envelope = node.transaction(
            node.transfer("alice", "bob", self.chance.randrange(1, 99)),
            expiration=node.chain.head_time + self.chance.randrange(5, 60),
        )
        node.chain.push_transaction(envelope)
        self.kept.append(envelope)

    def replay(self) -> None:
        """Say an old one again, to either."""
        if not self.kept:
            return
        node = self.chance.choice((self.node, self.other))
        envelope = self.chance.choice(self.kept)
        is_there = envelope.id in included(node) or bool(
            node.chain.pending_transaction(envelope.id)
        )
        try:
            node.chain.push_transaction(envelope)
            assert not is_there, "taken twice"
            self.taken += 1
        except (DuplicateTransaction, TransactionExpired):
            self.refused += 1
        except TransactionRejected:
            assert not is_there, "refused for another reason than that it is there"

    def grow(self) -> None:
        """A block of what is pending here."""
        self.node.block()

    def fork(self) -> None:
        """The other makes blocks of what it has heard, and the longer chain wins.

        Where it parted from what is irreversible by now, it comes back first.
        """
        lowest = self.node.chain.last_irreversible_num
        if id_in(self.other, lowest) != id_in(self.node, lowest):
            self.meet()
        before = self.node.chain.head_num
        for _ in range(self.chance.randrange(1, 4)):
            self.other.block(slot=self.chance.randrange(1, 3))
        at_before = self.node.chain.head_id
        self.node.follow(self.other)
        self.switches += self.node.chain.id_at(before) != at_before
        self.meet()

    def restart(self) -> None:
        """The node starts again from what it keeps, and knows no forks any more."""
        node = self.node
        node.chain = Chain.restore(node.genesis, node.chain.dump())
        node.ballots = Ballots(node.chain, {})
        self.restarts += 1
        self.meet()

    def meet(self) -> None:
        """The other is where the node is, with nothing pending."""
        self.other = self.node.twin()
        self.other.follow(self.node)

    def check(self) -> None:
        """No chain has a transaction twice."""
        for node in (self.node, self.other):
            ids = included(node)
            assert len(ids) == len(set(ids)), "a transaction stands twice in a chain"


def id_in(node: TestChain, num: int) -> BlockId | None:
    """The id of a block of a node's main chain; None for what it never had."""
    return node.main[num].id if num in node.main else None


def included(node: TestChain) -> list[object]:
    """The ids of all transactions of a node's main chain."""
    return [
        envelope.id
        for num in range(1, node.chain.head_num + 1)
        if num in node.main
        for envelope, _ in node.main[num].transactions
    ]
