"""The genesis: what a chain starts with, in the JSON format of bitshares-core.

One section of ours, `pegboard`, says what that format cannot: see `PegboardSection`. Unknown
fields are refused at the top and in that section; elsewhere they are skipped, so that files of
older versions of bitshares-core load.
"""

from __future__ import annotations

import json
from typing import NoReturn, cast

from msgspec.structs import replace

from protocol.binary import pack
from protocol.crypto.hashes import sha256
from protocol.crypto.keys import key_prefix
from protocol.errors import DecodeError
from protocol.genesis_checks import SPECIAL_ACCOUNT_NAMES, check_genesis
from protocol.genesis_form import (
    DEFAULT_ADDRESS_PREFIX,
    FINALITY_BITSHARES,
    FINALITY_VOTES,
    NO_CHAIN_ID,
    PRODUCER_DELEGATE,
    PRODUCER_WITNESS,
    TRIGGER_BID,
    TRIGGER_FEED,
    ChainSettings,
    ForkPoint,
    Genesis,
    InitialAccount,
    InitialAccountBalance,
    InitialAsset,
    InitialAssetSettings,
    InitialBalance,
    InitialCollateralPosition,
    InitialCommitteeMember,
    InitialVestingBalance,
    InitialWitness,
    InitialWorker,
    PegboardSection,
)
from protocol.json_form import JsonValue, from_json, to_json
from protocol.operations import OPERATIONS
from protocol.schema import Digest, schema_of

__all__ = [
    "DEFAULT_ADDRESS_PREFIX",
    "FINALITY_BITSHARES",
    "FINALITY_VOTES",
    "PRODUCER_DELEGATE",
    "PRODUCER_WITNESS",
    "SPECIAL_ACCOUNT_NAMES",
    "TRIGGER_BID",
    "TRIGGER_FEED",
    "ChainSettings",
    "ForkPoint",
    "Genesis",
    "InitialAccount",
    "InitialAccountBalance",
    "InitialAsset",
    "InitialAssetSettings",
    "InitialBalance",
    "InitialCollateralPosition",
    "InitialCommitteeMember",
    "InitialVestingBalance",
    "InitialWitness",
    "InitialWorker",
    "PegboardSection",
    "chain_id",
    "check_genesis",
    "genesis_from_json",
    "genesis_to_json",
    "load_genesis",
    "with_whole_fees",
]

MAX_GENESIS_CHARACTERS = 256 << 20
"""Larger texts are refused before they are parsed."""


def load_genesis(text: str) -> Genesis:
    """Read and check a genesis file.

    Unless our own section names a chain id, `initial_chain_id` becomes the one that bitshares-core
    gives the file, SHA256 of its text, whatever it says there (R9.7).

    Raises `DecodeError` or `ValidationError`, which name the place in the file (such as
    `.initial_accounts[3].owner_key`), the value and the limit.
    """
    if len(text) > MAX_GENESIS_CHARACTERS:
        raise DecodeError("genesis too large", value=len(text), limit=MAX_GENESIS_CHARACTERS)
    try:
        data = json.loads(
            text,
            object_pairs_hook=_object_without_duplicates,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"genesis is not JSON: {error}") from error
    genesis = genesis_from_json(cast(JsonValue, data))
    if genesis.pegboard.chain_id is None:
        genesis = replace(genesis, initial_chain_id=sha256(text.encode()))
    return genesis


def genesis_from_json(data: JsonValue) -> Genesis:
    """Read and check a genesis that is parsed already; raises as `load_genesis`."""
    if not isinstance(data, dict):
        raise DecodeError("genesis is not an object", value=type(data).__name__)
    _refuse_unknown(data, Genesis, "")
    section = data.get("pegboard", {})
    if not isinstance(section, dict):
        raise DecodeError(".pegboard: not an object", value=type(section).__name__)
    _refuse_unknown(section, PegboardSection, ".pegboard")
    _refuse_unknown_items(section, "assets", InitialAssetSettings)
    _refuse_unknown_items(section, "account_balances", InitialAccountBalance)
    prefix = section.get("address_prefix")
    if prefix is None:
        prefix = _prefix_of_keys(data)
    if not isinstance(prefix, str):
        raise DecodeError(".pegboard.address_prefix: not a string", value=prefix)
    whole = {"initial_parameters": with_whole_fees(data.get("initial_parameters"), prefix)}
    genesis = from_json(Genesis, data | whole if "initial_parameters" in data else data, prefix)
    genesis = replace(
        genesis,
        initial_chain_id=NO_CHAIN_ID,
        pegboard=replace(genesis.pegboard, address_prefix=prefix),
    )
    check_genesis(genesis)
    return genesis


def genesis_to_json(genesis: Genesis) -> JsonValue:
    """The JSON form, from which `genesis_from_json` reads the same chain.

    A chain id that follows from a file is stated in our section, since this is another text.
    """
    if genesis.pegboard.chain_id is None and any(genesis.initial_chain_id):
        section = replace(genesis.pegboard, chain_id=genesis.initial_chain_id)
        genesis = replace(genesis, initial_chain_id=NO_CHAIN_ID, pegboard=section)
    return to_json(genesis, genesis.settings().address_prefix)


def chain_id(genesis: Genesis) -> Digest:
    """The id that signatures of this chain commit to.

    That of the `pegboard` section, or that of the file which `load_genesis` has read (R9.7). For a
    genesis that never was a file it is SHA256 of the binary form.
    """
    if genesis.pegboard.chain_id is not None:
        return genesis.pegboard.chain_id
    if any(genesis.initial_chain_id):
        return genesis.initial_chain_id
    return sha256(pack(genesis))


def with_whole_fees(parameters: JsonValue, prefix: str) -> JsonValue:
    """Chain parameters, in which each fee has all its members; those left out cost their default
    (R8.19).

    Files that older versions of bitshares-core wrote lack members that came later.
    """
    fees = parameters.get("current_fees") if isinstance(parameters, dict) else None
    entries = fees.get("parameters") if isinstance(fees, dict) else None
    if not (isinstance(parameters, dict) and isinstance(fees, dict) and isinstance(entries, list)):
        return parameters
    whole: list[JsonValue] = [_whole_fee(entry, prefix) for entry in entries]
    return parameters | {"current_fees": fees | {"parameters": whole}}


def _whole_fee(entry: JsonValue, prefix: str) -> JsonValue:
    match entry:
        case [int(tag), dict(given)] if tag in OPERATIONS:
            default = to_json(OPERATIONS[tag].default_fee, prefix)
            return [tag, default | given] if isinstance(default, dict) else entry
        case _:
            return entry


def _prefix_of_keys(data: dict[str, JsonValue]) -> str:
    for section, field in (
        ("initial_accounts", "owner_key"),
        ("initial_witness_candidates", "block_signing_key"),
    ):
        entries = data.get(section)
        first = entries[0] if isinstance(entries, list) and entries else None
        text = first.get(field) if isinstance(first, dict) else None
        prefix = key_prefix(text) if isinstance(text, str) else None
        if prefix is not None:
            return prefix
    return DEFAULT_ADDRESS_PREFIX


def _refuse_unknown(data: dict[str, JsonValue], cls: type, path: str) -> None:
    known = {field.json_name for field in schema_of(cls).fields}
    for name in data:
        if name not in known:
            raise DecodeError(
                f"{path}.{name}: unknown field", value=name, limit=", ".join(sorted(known))
            )


def _refuse_unknown_items(section: dict[str, JsonValue], name: str, cls: type) -> None:
    items = section.get(name)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            _refuse_unknown(item, cls, f".pegboard.{name}[{index}]")


def _object_without_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result: dict[str, JsonValue] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"field {name} given twice")
        result[name] = value
    return result


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not an integer")
