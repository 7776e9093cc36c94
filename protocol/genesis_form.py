"""The declared form of a genesis: each entry as bitshares-core names it, and our own section."""

from __future__ import annotations

from typing import Annotated

from protocol.asset import Price
from protocol.chain_parameters import ChainParameters, ImmutableChainParameters
from protocol.constants import CORE_PRECISION, MAX_SUPPLY
from protocol.operations.balance import NULL_KEY
from protocol.operations.bitasset_options import BitassetOptions
from protocol.schema import (
    EXTENSION,
    Address,
    BlockId,
    Digest,
    Int64,
    PublicKey,
    Record,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
)

DEFAULT_ADDRESS_PREFIX = "BTS"
TRIGGER_BID, TRIGGER_FEED = "bid", "feed"
PRODUCER_WITNESS, PRODUCER_DELEGATE = "witness", "delegate"
FINALITY_VOTES, FINALITY_BITSHARES = "votes", "bitshares"
VOTING_STAKES = ("plain", "tickets")
NO_CHAIN_ID = Digest(bytes(32))
DEFAULT_IMMUTABLE_PARAMETERS = ImmutableChainParameters()


class ChainSettings(Record):
    """What the `pegboard` section of a genesis comes to, defaults filled in."""

    margin_call_trigger: str
    """What calls a position, `TRIGGER_BID` or `TRIGGER_FEED` (R4.2)."""
    strict_release: bool
    """Whether collateral leaves only as debt is paid back (R3.6)."""
    settle_match: bool
    """Whether margin calls that find no bid take settlement requests (SM1)."""
    pay_mcop: bool
    """Whether funds pay no more than MCOP (BS10)."""
    display_prefix: str
    """What people see before a BitAsset's symbol (R2.19)."""
    core_symbol: str
    """Symbol of the core asset."""
    address_prefix: str
    """Begins key and address strings."""
    producer_term: str
    """`PRODUCER_WITNESS` or `PRODUCER_DELEGATE`: what people call a block producer."""
    finality: str
    """`FINALITY_VOTES` or `FINALITY_BITSHARES`: what makes a block irreversible (F10)."""
    development: bool
    """Whether blocks may change the state around the rules (R9.10)."""
    voting_stake: str
    """One of `VOTING_STAKES`: what votes (K4.1)."""


class InitialAccount(Record):
    """An account that exists from the start."""

    name: str
    owner_key: PublicKey
    active_key: PublicKey = NULL_KEY
    """Key of the active authority and of memos; the null key: the owner key."""
    is_lifetime_member: bool = False

    def effective_active_key(self) -> PublicKey:
        """The active key, or the owner key where none was given."""
        return self.owner_key if self.active_key == NULL_KEY else self.active_key


class InitialCollateralPosition(Record):
    """A position in an initial BitAsset; its owner is an address."""

    owner: Address
    collateral: Int64
    """CORE, smallest units."""
    debt: Int64
    """The BitAsset, smallest units."""


class InitialAsset(Record):
    """An asset that exists from the start."""

    symbol: str
    issuer_name: str
    description: str = ""
    precision: UInt8 = CORE_PRECISION
    max_supply: Int64 = MAX_SUPPLY
    accumulated_fees: Int64 = 0
    """Smallest units."""
    is_bitasset: bool = False
    """Backed by CORE and fed by witnesses, unless the `pegboard` section says otherwise."""
    collateral_records: tuple[InitialCollateralPosition, ...] = ()


class InitialBalance(Record):
    """An amount that the holder of a key may claim."""

    owner: Address
    asset_symbol: str
    amount: Int64
    """Smallest units."""


class InitialVestingBalance(Record):
    """An amount that the holder of a key may claim bit by bit (linear, R8.16)."""

    owner: Address
    asset_symbol: str
    amount: Int64
    """Smallest units that are there at the start."""
    begin_timestamp: Timestamp
    vesting_duration_seconds: UInt32
    begin_balance: Int64
    """Smallest units that vesting counts from."""


class InitialWitness(Record):
    """A candidate for witness."""

    owner_name: str
    """A lifetime member among the initial accounts."""
    block_signing_key: PublicKey


class InitialCommitteeMember(Record):
    """A candidate for the committee."""

    owner_name: str
    """A lifetime member among the initial accounts."""


class InitialWorker(Record):
    """A worker; read so that files of bitshares-core load."""

    owner_name: str
    daily_pay: Int64
    """CORE, smallest units."""


class InitialAssetSettings(Record):
    """What bitshares-core's format cannot say about an initial asset; absent: as there."""

    symbol: str
    """One of `initial_assets`."""
    flags: UInt16 | None = None
    """Absent: `witness_fed_asset` for a BitAsset, else none."""
    issuer_permissions: UInt16 | None = None
    """Absent: all enabling bits of its kind of asset."""
    market_fee_percent: UInt16 | None = None
    """Of 10,000; absent: 0."""
    max_market_fee: Int64 | None = None
    """Smallest units; absent: no bound."""
    core_exchange_rate: Price | None = None
    """Price in CORE for the fee pool, the asset called 1.3.1 as in asset_create; absent: 1 to 1."""
    bitasset_options: BitassetOptions | None = None
    """Feed lifetime, minimum feeds, settlement; only of a BitAsset. Absent: `minimum_feeds` 7."""


class InitialAccountBalance(Record):
    """An amount that an account has from the start, without claiming it."""

    account_name: str
    """One of `initial_accounts`."""
    asset_symbol: str
    amount: Int64
    """Smallest units."""


class ForkPoint(Record):
    """Where a chain of another node is gone on from: its state lies beside the genesis."""

    block_num: UInt32
    """Number of that chain's newest block."""
    block_id: BlockId
    source: Digest
    """SHA256 of the file that the state was read from."""


class PegboardSection(Record):
    """The section `pegboard`: what makes this chain what it is. All of it is optional."""

    margin_call_trigger: str | None = None
    """"bid" (absent) or "feed": what decides whether a position is called (R4.2)."""
    strict_release: bool | None = None
    """True: collateral leaves only as debt is paid back (R3.6)."""
    settle_match: bool | None = None
    """Margin calls without a bid take settlement requests; absent: by the trigger "feed" (SM1)."""
    pay_mcop: bool | None = None
    """Funds pay no more than MCOP; absent: by the trigger "feed" (BS10)."""
    display_prefix: str | None = None
    """What people see before a BitAsset's symbol, such as "bit"; absent: nothing (R2.19)."""
    core_symbol: str | None = None
    """Symbol of the core asset; absent: the address prefix."""
    address_prefix: str | None = None
    """Begins key and address strings; absent: as in the file's own keys, or "BTS"."""
    chain_id: Digest | None = None
    """The chain id; absent: SHA256 of the file, as bitshares-core has it (R9.7)."""
    producer_term: str | None = None
    """"witness" (absent) or "delegate": what people call a block producer."""
    finality: str | None = None
    """"votes" or "bitshares" (absent): what makes a block irreversible (F10)."""
    development: bool | None = None
    """True: whoever can send transactions may set balances and act for anybody (R9.10)."""
    fork: ForkPoint | None = None
    """Where this chain goes on: of all that a genesis says, who makes blocks counts then."""
    assets: tuple[InitialAssetSettings, ...] | None = None
    account_balances: tuple[InitialAccountBalance, ...] | None = None
    voting_stake: str | None = None
    """"plain" (absent) or "tickets": what votes, all CORE or, as on BitShares, what is locked in
    tickets, with votes that decay (K4.1)."""


class Genesis(Record):
    """Everything that a chain starts with; two equal ones make the same chain."""

    initial_timestamp: Timestamp
    """Time of the state before block 1; a multiple of the block interval (R8.4)."""
    initial_parameters: ChainParameters
    initial_active_witnesses: UInt64
    """The first so many candidates produce until votes decide."""
    initial_accounts: tuple[InitialAccount, ...] = ()
    initial_witness_candidates: tuple[InitialWitness, ...] = ()
    initial_committee_candidates: tuple[InitialCommitteeMember, ...] = ()
    max_core_supply: Int64 = MAX_SUPPLY
    """CORE, smallest units."""
    initial_assets: tuple[InitialAsset, ...] = ()
    initial_balances: tuple[InitialBalance, ...] = ()
    initial_vesting_balances: tuple[InitialVestingBalance, ...] = ()
    initial_worker_candidates: tuple[InitialWorker, ...] = ()
    immutable_parameters: ImmutableChainParameters = DEFAULT_IMMUTABLE_PARAMETERS
    initial_chain_id: Digest = NO_CHAIN_ID
    """SHA256 of the file, once it is loaded; what a file says here counts for nothing (R9.7)."""
    pegboard: Annotated[PegboardSection, EXTENSION] = PegboardSection()

    def settings(self) -> ChainSettings:
        """The `pegboard` section with its absent options filled in."""
        section = self.pegboard
        prefix = section.address_prefix or DEFAULT_ADDRESS_PREFIX
        trigger = section.margin_call_trigger or TRIGGER_BID
        is_by_feed = trigger == TRIGGER_FEED
        return ChainSettings(
            margin_call_trigger=trigger,
            strict_release=section.strict_release or False,
            settle_match=is_by_feed if section.settle_match is None else section.settle_match,
            pay_mcop=is_by_feed if section.pay_mcop is None else section.pay_mcop,
            display_prefix=section.display_prefix or "",
            core_symbol=section.core_symbol or prefix,
            address_prefix=prefix,
            producer_term=section.producer_term or PRODUCER_WITNESS,
            finality=section.finality or FINALITY_BITSHARES,
            development=section.development or False,
            voting_stake=section.voting_stake or VOTING_STAKES[0],
        )
