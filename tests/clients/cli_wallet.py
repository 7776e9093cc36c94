"""What bitshares-core's cli_wallet sends, frame by frame, and how it reads what it is answered.

Written down from its sources: no package index has it. It computes fees by itself, so it has to
understand the parameters of the chain; integers of more than 32 bits it sends as text; optional
arguments it leaves out, or sends null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from node.presets import development_key
from protocol.chain_parameters import ChainParameters
from protocol.crypto.keys import PrivateKey, key_text, public_key
from protocol.fees import with_required_fee
from protocol.ids import AccountId, AssetId, parse_id
from protocol.json_form import from_json, parse_time, to_json
from protocol.operations.base import Operation
from protocol.schema import BlockId, Digest
from protocol.transaction import Transaction, reference_block, sign
from tests.clients.raw import RawSocket

Json = Any

PREFIX = "TEST"
LIFETIME_S = 30
NEWEST = "1.11.0"
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
BLOCK_CALLBACK = 7
OPERATION_NUMBERS = range(78)


class CliWallet:
    """One wallet on one connection, which has the development keys of some accounts."""

    def __init__(self, socket: RawSocket, *accounts: str) -> None:
        self._socket = socket
        self._number = 0
        self._secrets = {
            key_text(public_key(secret), PREFIX): secret
            for secret in (development_key(account, "active") for account in accounts)
        }
        self.apis: dict[str, int] = {"database": 0}
        self.notices: list[Json] = []
        self.chain_id = ""

    def frame(self, api: int, method: str, *arguments: Json) -> Json:
        """The answer of a call, whatever it is; notices that come before it are kept."""
        self._number += 1
        call = {"id": self._number, "method": "call", "params": [api, method, list(arguments)]}
        self._socket.send_json(call)
        while "id" not in (answer := self._socket.receive()):
            self.notices.append(answer)
        assert answer["id"] == self._number, answer
        assert "jsonrpc" not in answer, "asked for without it"
        return answer

    def call(self, api: str, method: str, *arguments: Json) -> Json:
        """The result of a call that must not fail."""
        answer = self.frame(self.apis[api], method, *arguments)
        assert "result" in answer, (api, method, arguments, answer)
        return answer["result"]

    def database(self, method: str, *arguments: Json) -> Json:
        """The result of a call of the database API."""
        return self.call("database", method, *arguments)

    def start(self, *own_accounts: str) -> None:
        """All that it asks before its prompt, for a file that holds these accounts (Y9.1)."""
        assert self.frame(1, "login", "", "")["result"] is True
        for api in ("database", "network_broadcast", "history"):
            self.open(api)
        self.open("custom_operations")
        self.chain_id = self.database("get_chain_id")
        assert self.database("set_block_applied_callback", BLOCK_CALLBACK) is None
        found = self.database("get_accounts", list(own_accounts), None)
        assert [account["id"] for account in found] == list(own_accounts)

    def open(self, api: str) -> None:
        """Have the number of an API; any number will do."""
        number = self.frame(1, api)["result"]
        assert isinstance(number, int)
        self.apis[api] = number

    def account(self, name: str) -> AccountId:
        """The id of an account, looked up as for every command."""
        [found] = self.database("lookup_account_names", [name])
        return parse_id(AccountId, found["id"])

    def asset(self, symbol: str) -> AssetId:
        """The id of an asset, looked up as for every command."""
        [found] = self.database("lookup_asset_symbols", [symbol])
        return parse_id(AssetId, found["id"])

    def sign(self, *operations: Operation) -> None:
        """Fees, keys, reference, signature and broadcast, as of every command that signs (Y9.3)."""
        properties = self.database("get_global_properties")
        parameters = from_json(ChainParameters, read_parameters(properties), PREFIX)
        paid = tuple(with_required_fee(one, parameters.current_fees) for one in operations)
        bare = Transaction(0, 0, 0, paid)
        shown = as_sent(to_json(bare, PREFIX))
        possible = self.database("get_potential_signatures", shown)
        assert any(key in self._secrets for key in possible), possible
        needed = self.database("get_required_signatures", shown, [*self._secrets])
        head = self.database("get_dynamic_global_properties")
        number, prefix = reference_block(BlockId(bytes.fromhex(head["head_block_id"])))
        transaction = Transaction(number, prefix, parse_time(head["time"]) + LIFETIME_S, paid)
        secrets: list[PrivateKey] = [self._secrets[key] for key in needed]
        signed = sign(transaction, secrets, Digest(bytes.fromhex(self.chain_id)))
        answer = self.frame(
            self.apis["network_broadcast"],
            "broadcast_transaction",
            as_sent(to_json(signed, PREFIX)),
        )
        assert "error" not in answer, answer

    def next_head(self) -> str:
        """The id of a head block that it is told from now on."""
        while True:
            for notice in self.notices:
                callback, told = notice["params"]
                if callback == BLOCK_CALLBACK:
                    self.notices.clear()
                    return str(told[0])
            self.notices.append(self._socket.receive())


def as_sent(value: Json) -> Json:
    """JSON as it writes it: integers of more than 32 bits are text."""
    if isinstance(value, dict):
        return {key: as_sent(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_sent(item) for item in value]
    is_wide = isinstance(value, int) and not isinstance(value, bool) and value >= 1 << 32
    return str(value) if is_wide else value


def read_parameters(properties: Json) -> Json:
    """The chain parameters, once it could read them: tagged unions by known numbers (Y9.2)."""
    parameters = properties["parameters"]
    fees = parameters["current_fees"]["parameters"]
    assert all(number in OPERATION_NUMBERS and isinstance(fee, dict) for number, fee in fees)
    assert [number for number, _ in fees] == sorted({number for number, _ in fees})
    return parameters


def wrong_times(value: Json, name: str = "") -> Iterator[str]:
    """Texts of fields that hold a time and are none as it reads them, without a zone (Y9.2)."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from wrong_times(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from wrong_times(item, name)
    elif (
        name.endswith(("time", "_date", "expiration", "timestamp"))
        and isinstance(value, str)
        and TIME.fullmatch(value) is None
    ):
        yield f"{name}: {value}"


def kinds_of(value: Json, names: Sequence[str]) -> list[type]:
    """The kinds of some fields."""
    return [type(value[name]) for name in names]
