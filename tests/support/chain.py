"""A chain from a small genesis with every key at hand, for tests above single operations.

Account names are also the seeds of their keys. All invariants are recounted after each block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pytest
from msgspec.structs import replace

from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain, PushResult
from node.chain.header_rules import HeaderRules
from node.chain.pending import AppliedTransaction
from node.core.ballots import Ballots
from node.state.database import State
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.block import BlockEnvelope
from protocol.chain_parameters import ChainParameters, ImmutableChainParameters
from protocol.constants import CORE_ASSET, TAPOS_WINDOW
from protocol.crypto.keys import PrivateKey
from protocol.crypto.signatures import sign_digest
from protocol.errors import PegboardError
from protocol.fees import ZERO_FEE_SCHEDULE
from protocol.genesis import (
    FINALITY_BITSHARES,
    Genesis,
    InitialAccount,
    InitialAccountBalance,
    InitialAsset,
    InitialAssetSettings,
    InitialCommitteeMember,
    InitialWitness,
    PegboardSection,
)
from protocol.ids import AccountId, AssetId, WitnessId
from protocol.operations.asset_options import WITNESS_FED_ASSET
from protocol.operations.authorities import required_authorities
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetPublishFeed
from protocol.operations.bitasset_options import BitassetOptions, PriceFeed
from protocol.operations.transfer import Transfer
from protocol.schema import BlockId
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign
from tests.support.world import BLOCK_INTERVAL_S, GENESIS_TIME, key_of, secret_of

Error = TypeVar("Error", bound=PegboardError)


def witness_names(count: int) -> list[str]:
    """Names of the initial witnesses' accounts, in the order of their ids."""
    return [f"init{number}" for number in range(count)]


def make_parameters(**changes: object) -> ChainParameters:
    """Chain parameters without fees and with short intervals, changed as asked."""
    parameters = ChainParameters(
        current_fees=ZERO_FEE_SCHEDULE,
        block_interval=BLOCK_INTERVAL_S,
        maintenance_interval=3600,
        maintenance_skip_slots=0,
    )
    return replace(parameters, **changes)


def make_genesis(
    *names: str,
    core: int = 10**10,
    witnesses: int = 3,
    bitassets: Sequence[str] = ("USD",),
    parameters: ChainParameters | None = None,
    trigger: str = "bid",
    options: BitassetOptions | None = None,
    issuer: str = "committee-account",
    finality: str = FINALITY_BITSHARES,
    settle_match: bool | None = None,
    pay_mcop: bool | None = None,
) -> Genesis:
    """A genesis in which each name is a lifetime member with that much CORE."""
    members = witness_names(witnesses)
    return Genesis(
        initial_timestamp=GENESIS_TIME,
        initial_parameters=parameters or make_parameters(),
        initial_active_witnesses=witnesses,
        initial_accounts=tuple(
            InitialAccount(name, key_of(name), is_lifetime_member=True)
            for name in (*members, *names)
        ),
        initial_witness_candidates=tuple(
            InitialWitness(name, key_of(f"{name} block")) for name in members
        ),
        initial_committee_candidates=tuple(InitialCommitteeMember(name) for name in members),
        initial_assets=tuple(
            InitialAsset(symbol, issuer, is_bitasset=True) for symbol in bitassets
        ),
        immutable_parameters=ImmutableChainParameters(
            min_committee_member_count=1, min_witness_count=witnesses | 1
        ),
        pegboard=PegboardSection(
            margin_call_trigger=trigger,
            settle_match=settle_match,
            pay_mcop=pay_mcop,
            finality=finality,
            core_symbol="TEST",
            address_prefix="TEST",
            assets=tuple(
                InitialAssetSettings(
                    symbol,
                    flags=WITNESS_FED_ASSET,
                    bitasset_options=options or BitassetOptions(),
                )
                for symbol in bitassets
            ),
            account_balances=tuple(InitialAccountBalance(name, "TEST", core) for name in names),
        ),
    )


class TestChain:
    """A chain and the keys of everybody on it."""

    __test__ = False

    def __init__(
        self,
        *names: str,
        genesis: Genesis | None = None,
        paranoid: bool = True,
        **settings: object,
    ) -> None:
        self.genesis = genesis or make_genesis(*names, **settings)  # type: ignore[arg-type]
        self.chain = Chain(self.genesis, paranoid=paranoid)
        self.ballots = Ballots(self.chain, {})
        self.main: dict[int, BlockEnvelope] = {}
        """Every block of the main chain by its number."""
        self.serial = 0
        members = [item.owner_name for item in self.genesis.initial_witness_candidates]
        self.block_secrets = {
            key_of(f"{name} block"): secret_of(f"{name} block") for name in members
        }
        """Signing keys of the witnesses."""
        self.voters = dict(self.block_secrets)
        """Keys that vote for every head."""

    @property
    def state(self) -> State:
        return self.chain.state

    def account(self, name: str) -> AccountId:
        """Id of an account."""
        return self.state.account_named(name).id

    def asset(self, symbol: str) -> AssetId:
        """Id of an asset."""
        return self.state.asset_named(symbol).id

    def amount(self, amount: int, symbol: str = "TEST") -> AssetAmount:
        """An amount of an asset by its symbol."""
        return AssetAmount(amount, self.asset(symbol))

    def balance(self, name: str, symbol: str = "TEST") -> int:
        """What an account holds, pending transactions included."""
        return self.state.balance_of(self.account(name), self.asset(symbol))

    def set_parameters(self, **changes: object) -> None:
        """Change chain parameters behind the chain's back, as if genesis had set them so."""
        with self.chain.head_state() as state:
            properties = state.properties
            parameters = replace(properties.parameters, **changes)
            properties.parameters = parameters
            self.chain._head.rules = HeaderRules.after(state)

    def jump_to(self, num: int, last_irreversible: int) -> None:
        """Renumber the head, as if many blocks had passed at once; start again from there."""
        with self.chain.head_state() as state:
            dynamic = state.dynamic
            dynamic.head_block_number = num
            dynamic.head_block_id = BlockId(num.to_bytes(4, "big") + dynamic.head_block_id[4:])
            dynamic.last_irreversible_block_num = last_irreversible
            state.block_summaries.reserve(min(num + 1, TAPOS_WINDOW))
            if state.finality is not None:
                state.finality.justified = (last_irreversible,)
        self.chain = Chain.restore(self.genesis, self.chain.dump())
        self.ballots = Ballots(self.chain, {})

    def transfer(self, sender: str, receiver: str, amount: int, symbol: str = "TEST") -> Transfer:
        """A transfer without a fee."""
        return Transfer(
            NO_FEE,
            self.account(sender),
            self.account(receiver),
            self.amount(amount, symbol),
            None,
        )

    def transaction(
        self,
        *operations: Operation,
        signers: Sequence[str] | None = None,
        expiration: int | None = None,
        reference: tuple[int, int] | None = None,
    ) -> TransactionEnvelope:
        """A signed transaction that refers to the head; each one has another expiration.

        Without `signers` the accounts sign that the operations require.
        """
        self.serial += 1
        number, prefix = reference or reference_block(self.chain.head_id)
        if expiration is None:
            expiration = self.chain.head_time + 3600 + self.serial
        transaction = Transaction(number, prefix, expiration, operations)
        names = self.signers_of(operations) if signers is None else signers
        secrets = [secret_of(name) for name in names]
        return TransactionEnvelope.from_transaction(sign(transaction, secrets, self.chain.chain_id))

    def signers_of(self, operations: Sequence[Operation]) -> list[str]:
        """Names of the accounts whose authority operations require, in ascending order of ids."""
        accounts = {
            account
            for operation in operations
            for account in (
                *required_authorities(operation).active,
                *required_authorities(operation).owner,
            )
        }
        return [self.state.accounts.get(account).name for account in sorted(accounts)]

    def push(self, *operations: Operation) -> AppliedTransaction:
        """Push one transaction of these operations into the pending pool."""
        return self.chain.push_transaction(self.transaction(*operations))

    def expect(self, error: type[Error], *operations: Operation) -> Error:
        """Push operations that must be refused, and leave no trace."""
        before = self.state.state_hash()
        with pytest.raises(error) as refusal:
            self.push(*operations)
        assert self.state.state_hash() == before
        return refusal.value

    def block(self, *items: Operation | TransactionEnvelope, slot: int = 1) -> AppliedBlock:
        """Push each operation as a transaction, then make and push a block in a slot."""
        for item in items:
            if isinstance(item, TransactionEnvelope):
                self.chain.push_transaction(item)
            else:
                self.push(item)
        return self.receive(self.build(slot)).applied[-1]

    def build(self, slot: int = 1) -> BlockEnvelope:
        """A signed block of all pending transactions, not pushed."""
        witness = self.chain.scheduled_witness(slot)
        return self.chain.build_block(
            witness,
            self.chain.slot_time(slot),
            lambda digest: sign_digest(self.witness_secret(witness), digest),
            self.ballots.pool.certificate(),
        )

    def witness_secret(self, witness: WitnessId) -> PrivateKey:
        """The key that a witness signs blocks with."""
        item = self.state.witnesses.get(witness)
        if item.signing_key in self.block_secrets:
            return self.block_secrets[item.signing_key]
        account = item.witness_account
        return secret_of(f"{self.state.accounts.get(account).name} block")

    def blocks(self, count: int) -> None:
        """Make empty blocks."""
        for _ in range(count):
            self.block()

    def block_at(self, time_s: int) -> AppliedBlock:
        """Make a block in the first slot that is not before a time."""
        slot = self.chain.slot_at(time_s)
        if slot == 0 or self.chain.slot_time(slot) < time_s:
            slot += 1
        return self.block(slot=slot)

    def twin(self) -> TestChain:
        """Another node of the same genesis, at block 0."""
        other = TestChain(genesis=self.genesis)
        other.serial = self.serial + 1_000
        return other

    def follow(self, other: TestChain) -> None:
        """Push the blocks of another chain's main chain that this one lacks."""
        for num in range(self.chain.last_irreversible_num + 1, other.chain.head_num + 1):
            self.receive(other.main[num])

    def receive(self, envelope: BlockEnvelope) -> PushResult:
        """Push a block that another node made."""
        result = self.chain.push_block(envelope)
        self.ballots.pool.forget_old()
        self.ballots.cast(self.voters, 0)
        self.main.update({block.envelope.num: block.envelope for block in result.applied})
        return result

    def feed(
        self, symbol: str, debt: int, backing: int, publishers: Sequence[str] = ("init0",)
    ) -> list[AssetPublishFeed]:
        """Feeds of a price of debt per backing, one for each publisher; not pushed."""
        asset, core = self.asset(symbol), CORE_ASSET
        price = Price(AssetAmount(debt, asset), AssetAmount(backing, core))
        values = PriceFeed(settlement_price=price, core_exchange_rate=price)
        return [AssetPublishFeed(NO_FEE, self.account(name), asset, values) for name in publishers]


def supply_of(chain: TestChain, symbol: str = "TEST") -> int:
    """Current supply of an asset."""
    return chain.state.figures_of(chain.asset(symbol)).current_supply
