"""The chains that come with pegboard: development networks whose keys are public.

A preset is a name for a symbol, prefixes and words; accounts, assets and keys are the same in all.
Anybody can compute the keys (`development_key`), so no chain that holds value may start from here.
`scripts/make_presets.py` writes the files `config/<preset>.json`, one template for each.
"""

from __future__ import annotations

import json

import msgspec
from msgspec.structs import replace

from protocol.chain_parameters import (
    ChainParameters,
    ChainParametersExtensions,
    CustomAuthorityOptions,
    HtlcOptions,
    ImmutableChainParameters,
)
from protocol.constants import (
    CORE_ASSET,
    CORE_UNIT,
    MAX_BLOCK_INTERVAL_S,
    MIN_BLOCK_INTERVAL_S,
    SECONDS_PER_DAY,
)
from protocol.crypto.keys import PrivateKey, parse_wif, password_key, public_key
from protocol.errors import ValidationError
from protocol.fees import DEFAULT_FEE_SCHEDULE
from protocol.genesis import (
    FINALITY_VOTES,
    Genesis,
    InitialAccount,
    InitialAccountBalance,
    InitialAsset,
    InitialAssetSettings,
    InitialCommitteeMember,
    InitialWitness,
    PegboardSection,
    check_genesis,
    genesis_to_json,
)
from protocol.operations.bitasset_options import BitassetOptions
from protocol.schema import Digest, PublicKey, Record

DEVELOPMENT_PASSWORD = "pegboard-development-chain-only"
"""With an account's name it opens that account in wallets that know password accounts."""

ACCOUNTS = ("nathan", "alice", "bob", "carol", "dave", "erin")
"""nathan is the faucet; the others are people."""

WITNESSES = tuple(f"init{number}" for number in range(11))
"""Accounts that produce blocks, publish feeds and form the committee."""

FAUCET_BALANCE = 1_000_000_000 * CORE_UNIT
PERSON_BALANCE = 1_000_000 * CORE_UNIT
WITNESS_BALANCE = 100_000 * CORE_UNIT

TEMPLATE_TIME = 1_767_225_600
"""2026-01-01, the initial timestamp of the committed files."""

BLOCK_INTERVAL_S = 3
MAINTENANCE_INTERVAL_S = 600
SETTLEMENT_DELAY_S = 60
HTLC_MAX_S = 30 * SECONDS_PER_DAY
HTLC_PREIMAGE_MAX = 19_200
"""Limits of hash time locks, as on BitShares' network (H1.1)."""
FEE_SCALE = 100
"""One percent of the default fees (R8.19), of 10,000."""


class Preset(Record):
    """What tells one chain from another."""

    name: str
    core_symbol: str
    address_prefix: str
    display_prefix: str
    """What people see before a BitAsset's symbol: "bit" makes USD a bitUSD (R2.19)."""
    producer_term: str = "witness"
    """"witness" or "delegate"."""
    chain_id: Digest | None = None
    """None: the id follows from the genesis."""


TEST_NETWORK_ID = Digest(
    bytes.fromhex("39f5e2ede1f8bc1a3a54a7914414e3779e33193f1f5693510e73cb7a87617447")
)
"""Id of the public test network, which clients know without configuration."""

PRESETS = {
    preset.name: preset
    for preset in (
        Preset("testnet", "TEST", "TEST", "bit", chain_id=TEST_NETWORK_ID),
        Preset("bitshares", "BTS", "BTS", "bit"),
        Preset("openshares", "OPS", "OPS", "open", producer_term="delegate"),
        Preset("graphene", "GPH", "GPH", "gp"),
    )
}
"""Every preset by name; the first is the default."""


class PegSpecification(Record):
    """A BitAsset of every preset, and where its prices come from on a fresh network."""

    description: str
    precision: int
    feed: str
    """Text of a feed source (`node.witness.feed_text`)."""


PEGS = {
    "USD": PegSpecification("United States dollar", 4, "fixed:0.1357"),
    "EUR": PegSpecification("Euro", 4, "fixed:0.1104"),
    "CNY": PegSpecification("Chinese renminbi", 4, "fixed:0.8775"),
    "RUB": PegSpecification("Russian rouble", 4, "fixed:9.9738"),
    "GOLD": PegSpecification("Troy ounce of gold", 6, "fixed:0.00007"),
    "SILVER": PegSpecification("Troy ounce of silver", 6, "fixed:0.005"),
}
"""The pegged units. The currencies start where `config/prices` starts, on 4 January 2021."""


def development_key(account: str, role: str) -> PrivateKey:
    """The public "secret" of an account: SHA256(account ‖ role ‖ `DEVELOPMENT_PASSWORD`).

    `role` is "owner", "active" (also the memo key) or "signing" (a witness's block key).
    """
    return password_key(account, role, DEVELOPMENT_PASSWORD)


BITSHARES_DEVELOPMENT_KEY = parse_wif("5KQwrPbwdL6PhXujxW37FSSQZ1JiwsST4cqQzDeyXtP79zkvFD3")
"""The key of every account and witness of bitshares-core's own development genesis."""


def known_signing_key(witness: str, key: PublicKey) -> PrivateKey | None:
    """The secret of a witness's block key where everybody knows it; else None."""
    for secret in (development_key(witness, "signing"), BITSHARES_DEVELOPMENT_KEY):
        if public_key(secret) == key:
            return secret
    return None


def build_genesis(
    preset: Preset,
    *,
    initial_timestamp: int = TEMPLATE_TIME,
    block_interval_s: int = BLOCK_INTERVAL_S,
    witness_count: int = len(WITNESSES),
    development: bool = False,
) -> Genesis:
    """The genesis of a preset in which the first so many of `WITNESSES` produce.

    With `development`, blocks may change the state around the rules (R9.10).

    `initial_timestamp` is rounded down to a multiple of the interval, and the settlement delay
    stays longer than one. Raises `ValidationError` for a count or an interval out of range.
    """
    _check_range("number of witnesses", witness_count, range(1, len(WITNESSES) + 1), "R8.12")
    intervals = range(MIN_BLOCK_INTERVAL_S, MAX_BLOCK_INTERVAL_S + 1)
    _check_range("block interval", block_interval_s, intervals, "R8.4")
    genesis = Genesis(
        initial_timestamp=initial_timestamp - initial_timestamp % block_interval_s,
        initial_parameters=_parameters(block_interval_s),
        initial_active_witnesses=witness_count,
        initial_accounts=tuple(initial_account(name) for name in (*ACCOUNTS, *WITNESSES)),
        initial_witness_candidates=tuple(
            InitialWitness(name, public_key(development_key(name, "signing")))
            for name in WITNESSES[:witness_count]
        ),
        initial_committee_candidates=tuple(InitialCommitteeMember(name) for name in WITNESSES),
        initial_assets=tuple(_asset(symbol, peg) for symbol, peg in PEGS.items()),
        immutable_parameters=ImmutableChainParameters(
            min_committee_member_count=len(WITNESSES),
            min_witness_count=witness_count | 1,
        ),
        pegboard=_section(preset, development=development),
    )
    check_genesis(genesis)
    return genesis


def genesis_text(genesis: Genesis) -> str:
    """A genesis as the text of a file, which `protocol.genesis.load_genesis` reads back."""
    # as `json` writes it with an indent, without the interpreter
    return msgspec.json.format(json.dumps(genesis_to_json(genesis)), indent=2) + "\n"


def _check_range(what: str, value: int, allowed: range, rule: str) -> None:
    if value not in allowed:
        limit = f"{allowed[0]}..{allowed[-1]}"
        raise ValidationError(f"{what} is out of range", rule=rule, value=value, limit=limit)


def _parameters(block_interval_s: int) -> ChainParameters:
    return ChainParameters(
        current_fees=replace(DEFAULT_FEE_SCHEDULE, scale=FEE_SCALE),
        block_interval=block_interval_s,
        maintenance_interval=MAINTENANCE_INTERVAL_S // block_interval_s * block_interval_s,
        maintenance_skip_slots=0,
        extensions=ChainParametersExtensions(
            HtlcOptions(HTLC_MAX_S, HTLC_PREIMAGE_MAX), CustomAuthorityOptions()
        ),
    )


def initial_account(name: str) -> InitialAccount:
    """A lifetime member of a genesis, with development keys."""
    return InitialAccount(
        name=name,
        owner_key=public_key(development_key(name, "owner")),
        active_key=public_key(development_key(name, "active")),
        is_lifetime_member=True,
    )


def _asset(symbol: str, peg: PegSpecification) -> InitialAsset:
    return InitialAsset(
        symbol=symbol,
        issuer_name="committee-account",
        description=peg.description,
        precision=peg.precision,
        is_bitasset=True,
    )


def _section(preset: Preset, *, development: bool) -> PegboardSection:
    options = BitassetOptions(
        feed_lifetime_sec=SECONDS_PER_DAY,
        minimum_feeds=1,
        force_settlement_delay_sec=SETTLEMENT_DELAY_S,
        short_backing_asset=CORE_ASSET,
    )
    amounts = (
        (ACCOUNTS[:1], FAUCET_BALANCE),
        (ACCOUNTS[1:], PERSON_BALANCE),
        (WITNESSES, WITNESS_BALANCE),
    )
    return PegboardSection(
        margin_call_trigger="bid",
        strict_release=False,
        display_prefix=preset.display_prefix,
        core_symbol=preset.core_symbol,
        address_prefix=preset.address_prefix,
        chain_id=preset.chain_id,
        producer_term=preset.producer_term,
        finality=FINALITY_VOTES,
        development=True if development else None,
        assets=tuple(
            InitialAssetSettings(symbol=symbol, bitasset_options=options) for symbol in PEGS
        ),
        account_balances=tuple(
            InitialAccountBalance(account_name=name, asset_symbol=preset.core_symbol, amount=amount)
            for names, amount in amounts
            for name in names
        ),
    )
