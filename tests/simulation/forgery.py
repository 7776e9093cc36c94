"""What liars sign and send: blocks that should not be, false prices, bytes that mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from node.chain.chain import Chain
from node.presets import development_key
from node.state.context import NO_RESULT
from node.witness.feed_publisher import FeedPublisher
from node.witness.feed_source import FeedSource, FixedPrice, PriceRatio
from protocol.asset import NO_FEE, AssetAmount
from protocol.block import (
    CERTIFICATE_TAG,
    NO_BLOCK,
    BlockBody,
    BlockEnvelope,
    BlockHeader,
    merkle_root,
    pack_results,
)
from protocol.constants import CORE_ASSET
from protocol.crypto.keys import PrivateKey, public_key
from protocol.crypto.signatures import sign_digest
from protocol.fees import required_fee
from protocol.finality import Certificate, vote_digest
from protocol.ids import WitnessId
from protocol.operations.transfer import Transfer
from protocol.p2p.framing import LENGTH_BYTES, MAX_FRAME_BYTES
from protocol.schema import BlockId, Ripemd160, Tagged
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign

if TYPE_CHECKING:
    from tests.simulation.hostile import Hostile

STRANGER = development_key("a stranger", "signing")
"""A key that belongs to no witness."""
STRANGER_KEY = public_key(STRANGER)
SLOTS_AHEAD = 40
"""A block of the future may lie so far ahead."""


def make_twin(liar: Hostile, own: BlockEnvelope, serial: int) -> BlockEnvelope:
    """Another block of the same slot, as good as the first: it pays the liar's debts instead."""
    assert liar.core is not None
    secret = next(one for one in liar.duties.secrets if public_key(one) == own.front.signing_key())
    body = BlockBody()
    transfer = _transfer(liar.core.chain, own.header.previous, serial + 1)
    _append(body, transfer)
    return _sign(own, body, secret)


def _transfer(chain: Chain, parent: BlockId, amount: int) -> TransactionEnvelope:
    state = chain.state
    payer, receiver = state.account_named("nathan").id, state.account_named("alice").id
    operation = Transfer(NO_FEE, payer, receiver, AssetAmount(amount, CORE_ASSET))
    fee = required_fee(operation, state.parameters.current_fees)
    paid = replace(operation, fee=AssetAmount(fee, CORE_ASSET))
    expiration = chain.head_time + 60
    transaction = Transaction(*reference_block(parent), expiration, (paid,))
    secret = development_key("nathan", "active")
    return TransactionEnvelope.from_transaction(sign(transaction, [secret], chain.chain_id))


def _append(body: BlockBody, envelope: TransactionEnvelope) -> None:
    results = (NO_RESULT,)
    body.append(envelope, results, envelope.packed() + pack_results(results))


def _sign(
    like: BlockEnvelope, body: BlockBody, secret: PrivateKey, **changes: object
) -> BlockEnvelope:
    """A block with the header of another, but for its transactions and what is changed."""
    fields = {name: getattr(like.header, name) for name in BlockHeader.__struct_fields__}
    fields |= {"transaction_merkle_root": merkle_root(body.digests)} | changes
    return BlockEnvelope.produce(
        BlockHeader(**fields), body, lambda digest: sign_digest(secret, digest)
    )


def make_bad_block(liar: Hostile, rng: Random) -> BlockEnvelope | None:
    """A block that breaks one rule and is otherwise the next one; None while there is no turn."""
    like = _next_block(liar)
    if like is None:
        return None
    secret = liar.duties.secrets[0] if liar.duties.secrets else STRANGER
    return rng.choice(BAD_BLOCKS)(liar, like, secret)


def _next_block(liar: Hostile) -> BlockEnvelope | None:
    """What an honest node in the liar's place would sign next, for its next slot."""
    assert liar.core is not None
    active = liar.core.chain.state.properties.active_witnesses
    return _block_from(liar, range(1, 2 * len(active) + 1))


def _block_from(liar: Hostile, slots: range) -> BlockEnvelope | None:
    """A sound block of the liar's first slot among some; a liar without keys forges the first."""
    assert liar.core is not None
    chain = liar.core.chain
    secrets = {public_key(secret): secret for secret in liar.duties.secrets}
    for slot in slots:
        witness = chain.scheduled_witness(slot)
        secret = secrets.get(chain.signing_key(witness) or STRANGER_KEY)
        if secret is not None or not secrets:
            signer = partial(sign_digest, secret or STRANGER)
            return chain.build_block(witness, chain.slot_time(slot), signer)
    return None


def _overspent(liar: Hostile, like: BlockEnvelope, secret: PrivateKey) -> BlockEnvelope:
    assert liar.core is not None
    body = BlockBody()
    _append(body, _transfer(liar.core.chain, like.header.previous, 10**15))
    return _sign(like, body, secret)


def _false_root(liar: Hostile, like: BlockEnvelope, secret: PrivateKey) -> BlockEnvelope:
    root = Ripemd160(like.header.previous)
    return _sign(like, BlockBody(), secret, transaction_merkle_root=root)


def _false_time(liar: Hostile, like: BlockEnvelope, secret: PrivateKey) -> BlockEnvelope:
    return _sign(like, BlockBody(), secret, timestamp=like.header.timestamp + 1)


def _false_witness(liar: Hostile, like: BlockEnvelope, secret: PrivateKey) -> BlockEnvelope:
    witness = WitnessId((like.header.witness + 1) % liar.world.options.witnesses)
    return _sign(like, BlockBody(), secret, witness=witness)


def _false_signature(liar: Hostile, like: BlockEnvelope, secret: PrivateKey) -> BlockEnvelope:
    return _sign(like, BlockBody(), STRANGER)


def _without_parent(liar: Hostile, like: BlockEnvelope, secret: PrivateKey) -> BlockEnvelope:
    num = int.from_bytes(like.header.previous[:4], "big")
    parent = BlockId(num.to_bytes(4, "big") + like.header.previous[8:] + bytes(4))
    return _sign(like, BlockBody(), secret, previous=parent)


def _false_certificate(liar: Hostile, like: BlockEnvelope, secret: PrivateKey) -> BlockEnvelope:
    """As many votes as a quorum has, all of one's own."""
    assert liar.core is not None
    num = like.num - 1
    digest = vote_digest(liar.core.chain.chain_id, NO_BLOCK, like.header.previous)
    signatures = (sign_digest(secret, digest),) * liar.world.options.witnesses
    certificate = Certificate(max(0, num - 1), num, signatures)
    extensions = (Tagged(CERTIFICATE_TAG, certificate),)
    return _sign(like, BlockBody(), secret, extensions=extensions)


BadBlock = Callable[["Hostile", BlockEnvelope, PrivateKey], BlockEnvelope]
BAD_BLOCKS: tuple[BadBlock, ...] = (
    _overspent,
    _false_root,
    _false_time,
    _false_witness,
    _false_signature,
    _without_parent,
    _false_certificate,
)
"""Ways in which a block can be wrong."""


def make_future_block(liar: Hostile, rng: Random) -> BlockEnvelope | None:
    """A block of a slot of one's own that nobody's clock has reached; None without one."""
    assert liar.core is not None
    first = liar.core.chain.slot_at(liar.now_ms // 1_000) + 4 + rng.randrange(SLOTS_AHEAD)
    return _block_from(liar, range(first, first + SLOTS_AHEAD))


def make_feeds(liar: Hostile, rng: Random) -> list[TransactionEnvelope]:
    """What its witnesses would publish if the price had gone mad."""
    assert liar.core is not None
    plans = []
    for plan in liar.duties.feeds():
        price = rng.choice((PriceRatio(1, 10_000), PriceRatio(10_000, 1)))
        mad = FeedSource(FixedPrice(price))
        plans.append(type(plan)(plan.publisher, plan.secret, plan.symbol, mad, 1))
    return FeedPublisher(plans).due(liar.core.chain, liar.now_ms // 1_000)


def flip_bit(rng: Random, data: bytes) -> bytes:
    """The bytes with one bit turned."""
    at = rng.randrange(8 * len(data))
    flipped = bytearray(data)
    flipped[at // 8] ^= 1 << at % 8
    return bytes(flipped)


def make_junk(rng: Random, frame: bytes) -> bytes:
    """Bytes that are no message: by chance, nearly one, endless, nested, or none."""
    match rng.randrange(5):
        case 0:
            return rng.randbytes(rng.randrange(1, 200))
        case 1 if frame:
            return flip_bit(rng, frame)
        case 2:
            size = rng.choice((0, MAX_FRAME_BYTES + 1, 2**32 - 1))
            return size.to_bytes(LENGTH_BYTES, "big") + rng.randbytes(20)
        case 3:
            nested = b"\x91" * rng.randrange(100, 1_000)
            return len(nested).to_bytes(LENGTH_BYTES, "big") + nested
        case _:
            return frame[: rng.randrange(1, len(frame))] if len(frame) > 1 else b"\x00"
