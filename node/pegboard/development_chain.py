"""A chain of a preset in the caller's process, with the keys of everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, cast

from msgspec.structs import replace

from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.chain.pending import AppliedTransaction
from node.chain.undo_marks import Mark
from node.chain.vote_pool import VotePool
from node.presets import (
    BLOCK_INTERVAL_S,
    PEGS,
    PRESETS,
    TEMPLATE_TIME,
    WITNESSES,
    Preset,
    build_genesis,
    development_key,
)
from node.shipped import find_file
from node.state.database import State
from node.witness.feed_publisher import FeedPlan, FeedPublisher
from node.witness.feed_text import FeedContext, parse_feed_source, publication_interval_s
from node.witness.producer import next_production
from node.witness.voter import cast_votes
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.crypto.keys import PrivateKey, public_key
from protocol.crypto.signatures import sign_digest
from protocol.errors import ValidationError
from protocol.fees import required_fee
from protocol.genesis import Genesis
from protocol.ids import AccountId, AssetId
from protocol.msgpack_form import Plain
from protocol.operations import Operation
from protocol.operations.authorities import required_authorities
from protocol.schema import PublicKey
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign

LIFETIME_S = 120
"""Seconds from the head block's time until a transaction expires, and a second for each before."""

SIGNERS_MAX = 4_096
"""Keys that are kept at hand."""

FREE = NO_FEE
"""The fee of an operation that `DevelopmentChain.push` shall fill in."""


def open_chain(
    preset: str = "testnet",
    *,
    block_interval_s: int = BLOCK_INTERVAL_S,
    witness_count: int = len(WITNESSES),
    initial_timestamp: int = TEMPLATE_TIME,
    feeds: Mapping[str, str] | None = None,
) -> DevelopmentChain:
    """A new chain of a preset: "testnet", "bitshares", "openshares" or "graphene".

    `initial_timestamp` is in seconds since 1970. `feeds` says by on-chain symbol where the prices
    of BitAssets come from, as in `pegboard up --feed`; without it the preset's own are published.
    Raises `ValidationError` for another name or a number out of range, and `FeedSourceError`.
    """
    genesis = build_genesis(
        find_preset(preset),
        initial_timestamp=initial_timestamp,
        block_interval_s=block_interval_s,
        witness_count=witness_count,
    )
    own = {symbol: peg.feed for symbol, peg in PEGS.items()}
    return DevelopmentChain(genesis, own if feeds is None else feeds)


def find_preset(name: str) -> Preset:
    """A preset by its name; raises `ValidationError`."""
    if name not in PRESETS:
        raise ValidationError("no such preset", value=name, limit=", ".join(PRESETS))
    return PRESETS[name]


@cache
def _signing_secrets() -> Mapping[PublicKey, PrivateKey]:
    secrets = [development_key(name, "signing") for name in WITNESSES]
    return {public_key(secret): secret for secret in secrets}


class DevelopmentChain:
    """A chain whose keys are those of `node.presets.development_key`; blocks come on demand.

    The same calls give the same blocks and the same state. What has been pushed shows at once; it
    is in a block after the next `generate_block`.
    """

    def __init__(
        self, genesis: Genesis, feeds: Mapping[str, str], *, snapshot: Plain | None = None
    ) -> None:
        """A chain without blocks, or at the head of a snapshot of such a chain; and the sources of
        its prices as text, by symbol."""
        self.chain = Chain(genesis) if snapshot is None else Chain.restore(genesis, snapshot)
        self._secrets = _signing_secrets()
        self._votes = VotePool(self.chain)
        self._feeds = FeedPublisher(self._plans(feeds))
        self._serial = 0

    def _plans(self, feeds: Mapping[str, str]) -> list[FeedPlan]:
        witness = WITNESSES[0]
        interval_s = self.state.parameters.block_interval
        context = FeedContext(
            self.head_time, interval_s, lambda name: find_file(name).read_text(encoding="utf-8")
        )
        return [
            FeedPlan(
                self.account(witness),
                development_key(witness, "active"),
                symbol,
                parse_feed_source(text, context),
                publication_interval_s(text, interval_s),
            )
            for symbol, text in feeds.items()
        ]

    @property
    def state(self) -> State:
        """The state at the head with pending transactions on top; to be read, not written."""
        return self.chain.state

    @property
    def head_time(self) -> int:
        """Time of the head block, or of the genesis, in seconds since 1970."""
        return self.chain.head_time

    def account(self, name: str) -> AccountId:
        """The id of an account; raises `NoSuchObject`."""
        return self.state.account_named(name).id

    def asset(self, symbol: str) -> AssetId:
        """The id of an asset by its on-chain symbol: "USD", not "bitUSD". Raises `NoSuchObject`."""
        return self.state.asset_named(symbol).id

    def amount(self, amount: int, symbol: str) -> AssetAmount:
        """So many of an asset's smallest units; raises `NoSuchObject`."""
        return AssetAmount(amount, self.asset(symbol))

    def balance(self, name: str, symbol: str) -> int:
        """What an account holds of an asset, in smallest units; raises `NoSuchObject`."""
        return self.state.balance_of(self.account(name), self.asset(symbol))

    def push(
        self, *operations: Operation, secrets: Sequence[PrivateKey] | None = None
    ) -> AppliedTransaction:
        """Apply operations as one transaction; what each answered, and what it did.

        A fee of `FREE` becomes the required one, in core. `secrets` sign; without them the
        development keys of the accounts whose authority is required do. Raises
        `TransactionRejected` or `ProtocolError`, and leaves no trace then.
        """
        expiration = self.head_time + LIFETIME_S + self._serial
        envelope = sign_operations(self.chain, operations, expiration, secrets=secrets)
        applied = self.chain.push_transaction(envelope)
        self._serial += 1
        return applied

    def generate_block(self, *, earliest_s: int = 0) -> AppliedBlock:
        """Make a block of what is pending and of due feeds, in the next slot.

        With `earliest_s`, slots that begin before that time are left empty.
        """
        for envelope in self._feeds.due(self.chain, earliest_s):
            self.chain.push_transaction(envelope)
        production = next_production(self.chain, self._secrets, earliest_s=earliest_s)
        assert production is not None, "all keys of the preset's witnesses are here"
        secret = self._secrets[production.signing_key]
        block = self.chain.build_block(
            production.witness,
            production.slot_time_s,
            lambda digest: sign_digest(secret, digest),
            self._votes.certificate(),
        )
        block.front.note_signer(production.signing_key)
        self._serial = 0
        applied = self.chain.push_block(block).applied[-1]
        self._votes.forget_old()
        self._vote()
        return applied

    def _vote(self) -> None:
        """Have all witnesses vote for the head."""
        for own in cast_votes(self.chain, self._secrets, {}):
            if own.vote is not None:
                self._votes.add(own.vote, 0)

    def snapshot(self) -> Mark:
        """Mark this moment, pending transactions included, to come back by `revert`.

        It copies nothing: what changes from now on is held until `release`.
        """
        return self.chain.mark()

    def revert(self, mark: Mark) -> None:
        """Go back to a snapshot, as often as wanted; later ones are gone then.

        It costs what has changed since. Raises `NotUndoable` for one that is gone.
        """
        self.chain.revert(mark)
        self._went_back()

    def rewind(self, block_num: int) -> None:
        """Go back to a block; nothing is pending then. Raises `NotUndoable` below all snapshots
        and what is irreversible."""
        self.chain.rewind(block_num)
        self._went_back()

    def release(self, mark: Mark) -> None:
        """Need a snapshot no more."""
        self.chain.release(mark)

    def _went_back(self) -> None:
        self._votes.forget_above_head()
        self._vote()
        self._feeds.go_back(self.head_time)
        self._serial = len(self.chain.pending)


def sign_operations(
    chain: Chain,
    operations: Sequence[Operation],
    expiration: int,
    *,
    secrets: Sequence[PrivateKey] | None = None,
) -> TransactionEnvelope:
    """A transaction that refers to the head of a chain; a fee of `FREE` becomes the required one.

    `secrets` sign; without them the development keys of the accounts whose authority is required.
    Raises `NoSuchObject`.
    """
    paid = tuple(_with_fee(chain.state, operation) for operation in operations)
    transaction = Transaction(*reference_block(chain.head_id), expiration, paid)
    if secrets is not None:
        signed = sign(transaction, secrets, chain.chain_id)
        return TransactionEnvelope.from_transaction(signed)
    signers = _signers_of(chain.state, paid)
    signed = sign(transaction, [secret for secret, _ in signers], chain.chain_id)
    envelope = TransactionEnvelope.from_transaction(signed)
    envelope.set_signature_keys([key for _, key in signers])
    return envelope


@lru_cache(SIGNERS_MAX)
def _signer(name: str, role: str) -> tuple[PrivateKey, PublicKey]:
    """A development key, and who it is: nobody needs to recover that from what it signs."""
    secret = development_key(name, role)
    return secret, public_key(secret)


def _with_fee(state: State, operation: Operation) -> Operation:
    if operation.fee != FREE:
        return operation
    fee = required_fee(operation, state.parameters.current_fees)
    return cast(Operation, replace(cast(Any, operation), fee=AssetAmount(fee, CORE_ASSET)))


def _signers_of(
    state: State, operations: Sequence[Operation]
) -> list[tuple[PrivateKey, PublicKey]]:
    """The development keys that the operations require, each once."""
    required = [required_authorities(operation) for operation in operations]
    wanted = {
        (account, role)
        for authorities in required
        for role, accounts in (("active", authorities.active), ("owner", authorities.owner))
        for account in accounts
    }
    return [_signer(state.accounts.get(account).name, role) for account, role in sorted(wanted)]
