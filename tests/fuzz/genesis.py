"""A genesis file, and the state that begins with it."""

from __future__ import annotations

import json

from msgspec.structs import replace

from node.chain.genesis import build_state
from node.chain.invariants import check_all
from protocol.errors import ProtocolError
from protocol.genesis import chain_id, genesis_from_json, genesis_to_json, load_genesis
from protocol.genesis_form import Genesis
from tests.fuzz.targets import Refused, accepted, typed
from tests.support.chain import make_genesis

MAX_BYTES = 4_096
ACCOUNTS_MAX = 100_000


def seeds() -> list[bytes]:
    """Chains with and without accounts, BitAssets and balances, and some that cannot begin."""
    plain = make_genesis(witnesses=1, bitassets=())
    full = make_genesis("alice", witnesses=1)
    twice = replace(full, initial_accounts=2 * full.initial_accounts)
    nobody = replace(plain, initial_active_witnesses=9)
    return [text_of(genesis) for genesis in (plain, full, twice, nobody)]


def text_of(genesis: Genesis) -> bytes:
    """The shortest text of a genesis: fees that are left out have their defaults."""
    document = genesis_to_json(genesis)
    assert isinstance(document, dict)
    parameters = document["initial_parameters"]
    assert isinstance(parameters, dict)
    parameters["current_fees"] = {"parameters": [], "scale": 10_000}
    return json.dumps(document, separators=(",", ":")).encode()


@accepted
def check(data: bytes) -> None:
    """What is read is written as the same chain, and a chain can begin with it."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Refused from None
    with typed(ProtocolError):
        genesis = load_genesis(text)
    again = genesis_from_json(genesis_to_json(genesis))
    assert chain_id(again) == chain_id(genesis), "another chain id"
    stated = replace(genesis.pegboard, chain_id=chain_id(genesis))
    assert replace(again, pegboard=stated) == replace(
        genesis, pegboard=stated, initial_chain_id=again.initial_chain_id
    ), "another genesis"
    state = build_state(genesis, chain_id(genesis))
    check_all(state)
