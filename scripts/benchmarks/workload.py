"""Chains with many accounts, and blocks full of their signed operations, recorded for replaying."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from node.chain.chain import Chain
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.block import BlockEnvelope
from protocol.constants import CORE_ASSET
from protocol.crypto.signatures import sign_digest
from protocol.genesis import Genesis, chain_id
from protocol.ids import AccountId, AssetId
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetPublishFeed
from protocol.operations.bitasset_options import PriceFeed
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign
from tests.support.chain import make_genesis, make_parameters
from tests.support.world import secret_of

TRANSACTIONS_A_BLOCK = 500
EXPIRATION_S = 3_600
CORE_PER_USD = 10

SignedBy = tuple[str, Operation]
"""The name of an account and an operation that it signs."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A genesis and the blocks that were made on it, in binary form."""

    genesis: Genesis
    prepared: list[bytes]
    """Blocks that only prepare what is to be measured."""
    measured: list[bytes]

    def start(self) -> Chain:
        """A chain that stands before the blocks to be measured."""
        chain = Chain(self.genesis)
        for data in self.prepared:
            chain.push_block(BlockEnvelope.from_bytes(data), trusted=True)
        return chain

    def transactions(self) -> list[TransactionEnvelope]:
        """Every transaction of the measured blocks."""
        return [
            transaction
            for data in self.measured
            for transaction, _ in BlockEnvelope.from_bytes(data).transactions
        ]

    def questions(self, count: int) -> bytes:
        """So many signatures of the measured transactions, as `recover_keys` takes them."""
        ours = chain_id(self.genesis)
        return b"".join(
            transaction.digest(ours) + signature
            for transaction in self.transactions()[:count]
            for signature in transaction.transaction.signatures
        )

    def reader_with_keys(self) -> Callable[[bytes], BlockEnvelope]:
        """Reads a measured block and gives it its signing keys, which were recovered before."""
        chain_id = self.start().chain_id
        known = {
            transaction.id: transaction.signature_keys(chain_id)
            for transaction in self.transactions()
        }

        def read(data: bytes) -> BlockEnvelope:
            envelope = BlockEnvelope.from_bytes(data)
            for transaction, _ in envelope.transactions:
                transaction.set_signature_keys(known[transaction.id])
            return envelope

        return read


class Recorder:
    """Makes the blocks of a recording, each operation in a transaction of its own."""

    def __init__(self, accounts: int) -> None:
        self.names = [f"user{number}" for number in range(accounts)]
        parameters = make_parameters()
        self.chain = Chain(make_genesis(*self.names, core=10**10, parameters=parameters))
        self.ids = [self.account(name) for name in self.names]
        self.usd: AssetId = self.chain.state.asset_named("USD").id
        self.blocks: list[bytes] = []

    def account(self, name: str) -> AccountId:
        """Id of an account."""
        return self.chain.state.account_named(name).id

    def add(self, operations: Iterable[SignedBy]) -> list[bytes]:
        """Put operations into full blocks, in order; the new blocks."""
        first = len(self.blocks)
        for signer, operation in operations:
            if len(self.chain.pending) == TRANSACTIONS_A_BLOCK:
                self.make_block()
            self.push(signer, operation)
        self.make_block()
        return self.blocks[first:]

    def push(self, signer: str, operation: Operation) -> None:
        """Add a transaction of one operation to the pending ones."""
        number, prefix = reference_block(self.chain.head_id)
        expiration = self.chain.head_time + EXPIRATION_S
        transaction = Transaction(number, prefix, expiration, (operation,))
        signed = sign(transaction, [secret_of(signer)], self.chain.chain_id)
        self.chain.push_transaction(TransactionEnvelope.from_transaction(signed))

    def make_block(self) -> None:
        """A block of all pending transactions, in the next slot."""
        chain = self.chain
        witness = chain.scheduled_witness(1)
        account = chain.state.witnesses.get(witness).witness_account
        secret = secret_of(f"{chain.state.accounts.get(account).name} block")
        envelope = chain.build_block(witness, chain.slot_time(1), partial(sign_digest, secret))
        chain.push_block(envelope)
        self.blocks.append(envelope.packed)

    def publish_price(self) -> None:
        """A feed for USD, in a block of its own."""
        price = Price(AssetAmount(1, self.usd), AssetAmount(CORE_PER_USD, CORE_ASSET))
        feed = PriceFeed(settlement_price=price, core_exchange_rate=price)
        publisher = self.account("init0")
        self.add([("init0", AssetPublishFeed(NO_FEE, publisher, self.usd, feed))])

    def transfers(self, count: int) -> Iterator[SignedBy]:
        """Transfers of CORE; sender and receiver wander through all accounts."""
        accounts = len(self.ids)
        for number in range(count):
            sender, receiver = number * 7 % accounts, (number * 7 + 1 + number % 97) % accounts
            amount = AssetAmount(1 + number, CORE_ASSET)
            yield (
                self.names[sender],
                Transfer(NO_FEE, self.ids[sender], self.ids[receiver], amount),
            )

    def loans(self, usd: int) -> Iterator[SignedBy]:
        """Every account borrows so much, four times covered."""
        for name, account in zip(self.names, self.ids, strict=True):
            collateral = AssetAmount(4 * CORE_PER_USD * usd, CORE_ASSET)
            debt = AssetAmount(usd, self.usd)
            yield name, CallOrderUpdate(NO_FEE, account, collateral, debt)

    def asks(self, count: int) -> Iterator[SignedBy]:
        """Orders that sell 1,000 USD each, at 1.05 to 1.1 times the feed: they rest."""
        for number in range(count):
            wanted = 10_500 + number * 7_919 % 500
            yield self._order(number, AssetAmount(1_000, self.usd), AssetAmount(wanted, CORE_ASSET))

    def bids(self, count: int) -> Iterator[SignedBy]:
        """Orders that buy 1,000 USD each, at up to 1.15 times the feed: they find asks."""
        for number in range(count):
            yield self._order(
                number + 1, AssetAmount(11_500, CORE_ASSET), AssetAmount(1_000, self.usd)
            )

    def offers(self, count: int) -> Iterator[SignedBy]:
        """Orders that sell CORE for ten times the USD that it is worth: they rest."""
        for number in range(count):
            amount = 100 + number
            sold, wanted = AssetAmount(amount, CORE_ASSET), AssetAmount(amount, self.usd)
            yield self._order(number, sold, wanted)

    def _order(self, number: int, sold: AssetAmount, wanted: AssetAmount) -> SignedBy:
        seller = number % len(self.ids)
        return self.names[seller], LimitOrderCreate(NO_FEE, self.ids[seller], sold, wanted)


def record_transfers(accounts: int, count: int) -> Recording:
    """Blocks of transfers between many accounts, after the first one, which does maintenance."""
    recorder = Recorder(accounts)
    recorder.make_block()
    prepared = list(recorder.blocks)
    measured = recorder.add(recorder.transfers(count))
    return Recording(recorder.chain.genesis, prepared, measured)


def record_orders(accounts: int, count: int) -> tuple[Recording, Recording]:
    """Blocks of orders that rest, and after these, blocks of orders that match them."""
    recorder = Recorder(accounts)
    recorder.publish_price()
    recorder.add(recorder.loans(2 * 1_000 * count // accounts))
    prepared = list(recorder.blocks)
    asks = recorder.add(recorder.asks(count))
    bids = recorder.add(recorder.bids(count * 3 // 4))
    genesis = recorder.chain.genesis
    return Recording(genesis, prepared, asks), Recording(genesis, prepared + asks, bids)
