"""Genesis files: bitshares-core's format, our section, and what is refused where."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.binary import pack, unpack
from protocol.constants import MAX_SUPPLY
from protocol.crypto.hashes import address_of, sha256
from protocol.crypto.keys import PrivateKey, address_text, key_text, public_key
from protocol.errors import DecodeError, ProtocolError, ValidationError
from protocol.fees import DEFAULT_FEE_SCHEDULE
from protocol.genesis import Genesis, chain_id, genesis_from_json, genesis_to_json, load_genesis
from protocol.genesis_form import PegboardSection
from protocol.json_form import to_json
from protocol.operations import OPERATIONS
from protocol.operations.asset_options import WITNESS_FED_ASSET
from protocol.schema import schema_of

Data = dict[str, Any]

KEY = public_key(PrivateKey(b"\x01" * 32))
NULL_KEY_TEXT = "BTS1111111111111111111111111111111114T1Anm"


def core_data(prefix: str = "BTS") -> Data:
    """A genesis as bitshares-core writes its own: fees up to operation 48, no section of ours."""
    key, owner = key_text(KEY, prefix), address_text(address_of(KEY), prefix)
    fees: Any = to_json(DEFAULT_FEE_SCHEDULE, prefix)
    names = [f"init{number}" for number in range(3)]
    accounts = [
        {"name": name, "owner_key": key, "active_key": key, "is_lifetime_member": True}
        for name in names
    ]
    return {
        "initial_timestamp": "2019-02-14T20:32:55",
        "max_core_supply": "1000000000000000",
        "initial_parameters": {
            "current_fees": {"parameters": fees["parameters"][:49], "scale": 10000},
            "block_interval": 5,
            "maintenance_interval": 86400,
            "witness_pay_vesting_seconds": 86400,
            "extensions": {
                "updatable_htlc_options": {"max_timeout_secs": 60, "max_preimage_size": 1024}
            },
        },
        "initial_accounts": [
            *accounts,
            {"name": "nathan", "owner_key": key, "is_lifetime_member": False},
        ],
        "initial_assets": [],
        "initial_balances": [{"owner": owner, "asset_symbol": prefix, "amount": 700}],
        "initial_vesting_balances": [
            {
                "owner": owner,
                "asset_symbol": prefix,
                "amount": 200,
                "begin_timestamp": "2019-01-01T00:00:00",
                "vesting_duration_seconds": 60,
                "begin_balance": 300,
            }
        ],
        "initial_active_witnesses": 3,
        "initial_witness_candidates": [
            {"owner_name": name, "block_signing_key": key} for name in names
        ],
        "initial_committee_candidates": [{"owner_name": name} for name in names],
        "initial_worker_candidates": [{"owner_name": "init0", "daily_pay": 1}],
        "immutable_parameters": {
            "min_committee_member_count": 3,
            "min_witness_count": 3,
            "num_special_accounts": 0,
            "num_special_assets": 0,
        },
    }


def full_data() -> Data:
    """The same with assets and every option of the `pegboard` section."""
    data = core_data("TEST")
    owner = address_text(address_of(KEY), "TEST")
    data["initial_assets"] = [
        {
            "symbol": "USD",
            "issuer_name": "witness-account",
            "description": "a dollar",
            "precision": 4,
            "max_supply": 10**12,
            "accumulated_fees": 0,
            "is_bitasset": True,
            "collateral_records": [{"owner": owner, "collateral": 50, "debt": 20}],
        },
        {"symbol": "POINT", "issuer_name": "nathan"},
    ]
    data["initial_balances"].append({"owner": owner, "asset_symbol": "USD", "amount": 15})
    data["initial_balances"][0]["asset_symbol"] = "CORE"
    data["initial_vesting_balances"][0]["asset_symbol"] = "CORE"
    data["pegboard"] = {
        "margin_call_trigger": "feed",
        "strict_release": True,
        "display_prefix": "bit",
        "core_symbol": "CORE",
        "address_prefix": "TEST",
        "chain_id": "39f5e2ede1f8bc1a3a54a7914414e3779e33193f1f5693510e73cb7a87617447",
        "producer_term": "delegate",
        "assets": [
            {
                "symbol": "USD",
                "flags": WITNESS_FED_ASSET,
                "issuer_permissions": 511,
                "market_fee_percent": 10,
                "max_market_fee": 1000,
                "core_exchange_rate": {
                    "base": {"amount": 1, "asset_id": "1.3.1"},
                    "quote": {"amount": 3, "asset_id": "1.3.0"},
                },
                "bitasset_options": {"minimum_feeds": 1, "feed_lifetime_sec": 3600},
            },
            {"symbol": "POINT"},
        ],
        "account_balances": [
            {"account_name": "nathan", "asset_symbol": "CORE", "amount": "50"},
            {"account_name": "nathan", "asset_symbol": "USD", "amount": 5},
        ],
    }
    return data


def test_a_file_of_bitshares_core_loads_as_it_is() -> None:
    genesis = load_genesis(json.dumps(core_data()))
    assert genesis.initial_timestamp == 1_550_176_375
    assert genesis.initial_parameters.maximum_transaction_size == 2048
    assert len(genesis.initial_parameters.current_fees.parameters) == 49
    assert genesis.initial_accounts[3].effective_active_key() == KEY
    settings = genesis.settings()
    assert (settings.core_symbol, settings.address_prefix) == ("BTS", "BTS")
    assert (settings.margin_call_trigger, settings.strict_release) == ("bid", False)
    assert (settings.producer_term, settings.display_prefix) == ("witness", "")


def test_the_prefix_is_the_one_of_the_files_own_keys() -> None:
    genesis = load_genesis(json.dumps(core_data("TEST")))
    assert genesis.settings().address_prefix == "TEST"
    assert genesis.settings().core_symbol == "TEST"


def test_a_null_active_key_means_the_owner_key() -> None:
    data = core_data()
    data["initial_accounts"][3]["active_key"] = NULL_KEY_TEXT
    assert load_genesis(json.dumps(data)).initial_accounts[3].effective_active_key() == KEY


@pytest.mark.parametrize("trigger", [None, "bid", "feed"])
@pytest.mark.parametrize("said", [None, True, False])
def test_matching_and_caps_follow_the_trigger(trigger: str | None, said: bool | None) -> None:
    """SM1, BS10: on by the trigger "feed", off by the bid, unless the genesis says otherwise."""
    by_default = trigger == "feed"
    for name in ("settle_match", "pay_mcop"):
        section = replace(PegboardSection(margin_call_trigger=trigger), **{name: said})
        settings = replace(load_genesis(json.dumps(core_data())), pegboard=section).settings()
        other = {"settle_match": settings.pay_mcop, "pay_mcop": settings.settle_match}[name]
        assert getattr(settings, name) == (by_default if said is None else said)
        assert other == by_default


def test_our_section() -> None:
    """R4.2, R3.6: what bitshares-core's format cannot say."""
    genesis = load_genesis(json.dumps(full_data()))
    settings = genesis.settings()
    assert (settings.margin_call_trigger, settings.strict_release) == ("feed", True)
    assert (settings.producer_term, settings.display_prefix) == ("delegate", "bit")
    assert (settings.core_symbol, settings.address_prefix) == ("CORE", "TEST")
    assert genesis.pegboard.assets is not None
    options = genesis.pegboard.assets[0].bitasset_options
    assert options is not None
    assert (options.minimum_feeds, options.feed_lifetime_sec) == (1, 3600)
    assert options.maximum_force_settlement_volume == 2000


@pytest.mark.parametrize("make", [core_data, full_data])
def test_round_trip(make: Callable[[], Data]) -> None:
    genesis = load_genesis(json.dumps(make()))
    copied = genesis_from_json(genesis_to_json(genesis))
    assert chain_id(copied) == chain_id(genesis)
    own = {"initial_chain_id": genesis.initial_chain_id, "pegboard": genesis.pegboard}
    assert replace(copied, **own) == genesis
    assert load_genesis(json.dumps(genesis_to_json(genesis), indent=2)) == copied
    assert unpack(Genesis, pack(genesis)) == genesis


def test_the_chain_id_is_given_or_follows_from_the_text() -> None:
    """C13, R9.7: an override in our section, or what bitshares-core takes: SHA256 of the file.

    The `initial_chain_id` of old files counts for nothing.
    """
    data = full_data()
    genesis = load_genesis(json.dumps(data))
    assert chain_id(genesis).hex() == data["pegboard"]["chain_id"]
    del data["pegboard"]["chain_id"]
    text = json.dumps(data)
    derived = load_genesis(text)
    assert chain_id(derived) == sha256(text.encode())
    assert chain_id(load_genesis(json.dumps(data, indent=3))) != chain_id(derived)
    copied = load_genesis(json.dumps(genesis_to_json(derived)))
    assert chain_id(copied) == chain_id(derived)
    made = genesis_from_json(json.loads(text))
    assert chain_id(made) == sha256(pack(made))
    for stated in ("ab" * 32, "00" * 32):
        data["initial_chain_id"] = stated
        text = json.dumps(data)
        assert chain_id(load_genesis(text)) == sha256(text.encode())
        assert chain_id(genesis_from_json(json.loads(text))) == chain_id(made)
    data["pegboard"]["chain_id"] = "cd" * 32
    assert chain_id(load_genesis(json.dumps(data))).hex() == "cd" * 32


FEE_MEMBERS = [
    (tag, field.json_name)
    for tag, entry in OPERATIONS.items()
    for field in schema_of(type(entry.default_fee)).fields
]


@pytest.mark.parametrize(("tag", "name"), FEE_MEMBERS)
def test_a_fee_s_missing_member_costs_its_default(tag: int, name: str) -> None:
    """C12, R8.19: of each operation; files of older versions of bitshares-core lack some."""
    default = to_json(OPERATIONS[tag].default_fee, "TEST")
    assert isinstance(default, dict)
    others: Data = {member: 7 for member in default if member != name}
    data = full_data()
    data["initial_parameters"]["current_fees"] = {"parameters": [[tag, others]], "scale": 10_000}
    genesis = load_genesis(json.dumps(data))
    (found,) = genesis.initial_parameters.current_fees.parameters
    assert found.tag == tag
    assert to_json(found.value, "TEST") == others | {name: default[name]}


def test_an_empty_fee_is_the_default_one() -> None:
    """C12: `[38, {}]` and no entry at all cost the same; what is no fee is refused still."""
    data = full_data()
    fees: Data = {"parameters": [[tag, {}] for tag in OPERATIONS], "scale": 10_000}
    data["initial_parameters"]["current_fees"] = fees
    genesis = load_genesis(json.dumps(data))
    assert genesis.initial_parameters.current_fees == DEFAULT_FEE_SCHEDULE
    senseless: list[Any] = [[38, 5], [38], [999, {}], ["38", {}], {}]
    for wrong in senseless:
        fees["parameters"] = [wrong]
        with pytest.raises(DecodeError, match="current_fees"):
            load_genesis(json.dumps(data))


def at(data: Data, path: str, value: object) -> Data:
    """The data with the value at a path such as `initial_accounts.3.name`."""
    *steps, last = path.split(".")
    place: Any = data
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = value
    return data


USD = "initial_assets.0"
SETTINGS = "pegboard.assets.0"
POINT_RECORD = [{"owner": address_text(address_of(KEY), "TEST"), "collateral": 1, "debt": 1}]

BAD = [
    ("initial_timestamp", "2019-02-14T20:32:56", r"\.initial_timestamp"),
    ("initial_timestamp", "1970-01-01T00:00:00", r"\.initial_timestamp"),
    ("initial_timestamp", "yesterday", r"\.initial_timestamp"),
    ("max_core_supply", MAX_SUPPLY + 1, r"\.max_core_supply"),
    ("initial_parameters.block_interval", 256, r"\.initial_parameters\.block_interval"),
    ("initial_parameters.block_interval", 0, r"\.initial_parameters: block_interval"),
    ("initial_parameters.current_fees.parameters.0", [0, {"fee": "x"}], r"parameters\[0\].*fee"),
    ("immutable_parameters.min_witness_count", 4, r"\.immutable_parameters: min_witness_count"),
    ("initial_active_witnesses", 4, r"\.initial_active_witnesses"),
    ("initial_active_witnesses", 0, r"\.initial_active_witnesses"),
    ("initial_accounts.3.name", "Nathan", r"\.initial_accounts\[3\]\.name"),
    ("initial_accounts.3.name", "init0", "twice"),
    ("initial_accounts.3.name", "null-account", "twice"),
    ("initial_accounts.2.owner_key", "BTS123", r"\.initial_accounts\[2\]\.owner_key"),
    ("initial_accounts.2.is_lifetime_member", False, r"\.initial_witness_candidates\[2\]"),
    ("initial_committee_candidates.1.owner_name", "nobody", r"committee_candidates\[1\]"),
    ("initial_worker_candidates.0.owner_name", "nathan", r"worker_candidates\[0\]"),
    (f"{USD}.symbol", "bitUSD", r"\.initial_assets\[0\]\.symbol"),
    (f"{USD}.symbol", "CORE", "twice"),
    (f"{USD}.issuer_name", "nobody", r"\.initial_assets\[0\]\.issuer_name"),
    (f"{USD}.precision", 13, r"\.initial_assets\[0\]\.precision"),
    (f"{USD}.max_supply", 0, r"\.initial_assets\[0\]\.max_supply"),
    (f"{USD}.max_supply", 19, "supply of USD"),
    (f"{USD}.accumulated_fees", -1, r"\.initial_assets\[0\]\.accumulated_fees"),
    (f"{USD}.collateral_records.0.debt", 0, r"collateral_records\[0\]\.debt"),
    (f"{USD}.collateral_records.0.debt", 21, "not the debt"),
    (f"{USD}.is_bitasset", False, "only of a BitAsset"),
    ("initial_balances.0.asset_symbol", "XYZ", "no such asset"),
    ("initial_balances.0.amount", -1, "out of range"),
    ("initial_balances.0.amount", MAX_SUPPLY, "supply of CORE"),
    ("initial_balances.0.owner", "TEST", r"\.initial_balances\[0\]\.owner"),
    ("pegboard.margin_call_trigger", "both", r"\.pegboard\.margin_call_trigger"),
    ("pegboard.producer_term", "miner", r"\.pegboard\.producer_term"),
    ("pegboard.display_prefix", "b-", r"\.pegboard\.display_prefix"),
    ("pegboard.core_symbol", "core", r"\.pegboard\.core_symbol"),
    ("pegboard.address_prefix", 7, r"\.pegboard\.address_prefix"),
    ("pegboard.chain_id", "ab", r"\.pegboard\.chain_id"),
    ("pegboard.strict_release", "yes", r"\.pegboard\.strict_release"),
    ("pegboard", [], r"\.pegboard"),
    (f"{SETTINGS}.symbol", "EUR", r"\.pegboard\.assets\[0\]\.symbol"),
    (f"{SETTINGS}.symbol", "POINT", "twice"),
    (f"{SETTINGS}.flags", 0x20, r"\.pegboard\.assets\[0\]\.flags"),
    ("pegboard.assets.1.issuer_permissions", 0x20, r"assets\[1\]\.issuer_permissions"),
    ("pegboard.assets.1.bitasset_options", {}, r"assets\[1\]\.bitasset_options"),
    (f"{SETTINGS}.market_fee_percent", 10_001, r"assets\[0\]\.market_fee_percent"),
    (f"{SETTINGS}.bitasset_options.minimum_feeds", 0, r"assets\[0\]\.bitasset_options"),
    (f"{SETTINGS}.core_exchange_rate.base.asset_id", "1.3.2", "core_exchange_rate"),
    ("pegboard.account_balances.0.account_name", "x", r"account_balances\[0\]\.account_name"),
    ("pegboard.account_balances.1.amount", 6, "not the debt"),
]


AS_PEOPLE_READ_IT = re.compile(r"(-?[0-9,]+(\.[0-9]+)? [A-Z]+( \.\. )?){1,2}")
"""An amount, or two as bounds, with all places and the symbol."""


@pytest.mark.parametrize(("path", "value", "what"), BAD)
def test_what_is_wrong_is_named_by_its_place(path: str, value: object, what: str) -> None:
    with pytest.raises(ProtocolError, match=what) as caught:
        load_genesis(json.dumps(at(full_data(), path, value)))
    if caught.value.rule in ("R1.4", "I3", "I6"):
        for told in (caught.value.value, caught.value.limit):
            assert AS_PEOPLE_READ_IT.fullmatch(str(told)), "U3"


@pytest.mark.parametrize("path", ["pegbord", "pegboard.trigger", "pegboard.assets.0.minimum_feeds"])
def test_unknown_fields_of_ours_are_refused(path: str) -> None:
    """A misspelt option must not silently mean its default."""
    with pytest.raises(DecodeError, match="unknown field") as caught:
        load_genesis(json.dumps(at(full_data(), path, {})))
    assert caught.value.value == path.split(".")[-1]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "nul", '{"initial_timestamp": 1.5}', '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 10**5],
)
def test_what_is_no_genesis_is_a_typed_error(text: str) -> None:
    with pytest.raises(DecodeError):
        load_genesis(text)


def test_positions_only_of_bitassets() -> None:
    """R3.2: a user-issued asset has no debt."""
    data = at(full_data(), "initial_assets.1.collateral_records", POINT_RECORD)
    with pytest.raises(ValidationError, match=r"initial_assets\[1\].*BitAsset") as caught:
        load_genesis(json.dumps(data))
    assert caught.value.rule == "R3.2"


def test_core_in_positions_counts_as_supply() -> None:
    """I6: collateral, balances and vesting together stay below the largest supply."""
    data = at(full_data(), "max_core_supply", 999)
    with pytest.raises(ValidationError, match="supply of CORE") as caught:
        load_genesis(json.dumps(data))
    assert (caught.value.value, caught.value.limit) == ("0.01000 CORE", "0.00999 CORE")
    data = at(full_data(), "max_core_supply", 1000)
    assert load_genesis(json.dumps(data)).max_core_supply == 1000
