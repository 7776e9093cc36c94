"""A chain as a client sees it through an API: accounts and assets by name, amounts as text."""

from __future__ import annotations

import re
from collections.abc import Callable

from node.cli.client import (
    JsonObject,
    NodeClient,
    as_int,
    as_list,
    as_object,
    as_objects,
    as_text,
)
from node.cli.exits import CliError, UsageProblem
from protocol.asset import AssetAmount
from protocol.authority import Authority
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.errors import DecodeError
from protocol.ids import (
    AccountId,
    AssetBitassetDataId,
    AssetId,
    Id,
    account_text,
    asset_text,
    bitasset_text,
    parse_id,
)
from protocol.json_form import JsonValue, from_json
from protocol.operations.account import AccountOptions
from protocol.operations.asset_options import AssetOptions
from protocol.schema import Digest, Record
from protocol.wording import format_decimal

_DECIMAL = re.compile(r"(-?)([0-9]{1,16}|[0-9]{1,3}(?:,[0-9]{3}){1,5})(?:\.([0-9]{1,12}))?")
_AMOUNT = re.compile(r"(-?[0-9][0-9.,]*)(?:\s+(\S+)|([A-Za-z]\S*))")
EVENTS_MAX = 100
_ID = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")


class NoSuchName(CliError):
    """The chain has no account, asset or object of that name."""

    name = "no_such_name"


class RemoteAccount(Record):
    """An account, as far as signing and voting need it."""

    id: AccountId
    name: str
    owner: Authority
    active: Authority
    options: AccountOptions


class RemoteAsset(Record):
    """An asset, as far as reading and writing amounts needs it."""

    id: AssetId
    symbol: str
    precision: int
    issuer: AccountId
    options: AssetOptions
    bitasset_data_id: AssetBitassetDataId | None
    display_symbol: str
    """What people read: a BitAsset's symbol with the chain's display prefix (R2.19)."""

    def format(self, amount: int, *, with_symbol: bool = True) -> str:
        """An amount of smallest units as people read it, such as "12.5000 bitUSD"."""
        text = format_decimal(amount, self.precision)
        return f"{text} {self.display_symbol}" if with_symbol else text

    def of(self, amount: int) -> AssetAmount:
        """An amount of smallest units."""
        return AssetAmount(amount, self.id)


class RemoteChain:
    """Look-ups on one node; what never changes is asked for once."""

    def __init__(self, client: NodeClient) -> None:
        self.client = client
        self._accounts: dict[str, RemoteAccount] = {}
        self._assets: dict[str, RemoteAsset] = {}
        self._info: JsonObject = {}
        self._settled: dict[str, set[int]] = {}
        self._chain_id: Digest | None = None

    def info(self) -> JsonObject:
        """What the node says about itself and its chain, as of the first call."""
        if not self._info:
            self._info = as_object(self.client.call("pegboard", "get_node_info"))
        return self._info

    @property
    def chain_id(self) -> Digest:
        """What signatures commit to."""
        if self._chain_id is None:
            text = as_text(self.client.call("database", "get_chain_id"))
            try:
                self._chain_id = Digest(bytes.fromhex(text))
            except ValueError as error:
                raise DecodeError("the node's chain id is not hexadecimal", value=text) from error
        return self._chain_id

    @property
    def prefix(self) -> str:
        """Begins every key string."""
        return as_text(self.info()["address_prefix"])

    @property
    def display_prefix(self) -> str:
        """What people see before a BitAsset's symbol."""
        return as_text(self.info()["display_prefix"])

    @property
    def producer_term(self) -> str:
        """What people call a block producer: "witness" or "delegate"."""
        return as_text(self.info()["producer_term"])

    @property
    def core(self) -> RemoteAsset:
        """The core asset."""
        return self.asset(asset_text(CORE_ASSET))

    def head(self) -> JsonObject:
        """The dynamic global properties, now."""
        return as_object(self.client.call("database", "get_dynamic_global_properties"))

    def object(self, object_id: str) -> JsonObject:
        """An object by its id; raises `NoSuchName`."""
        found = as_list(self.client.call("database", "get_objects", [object_id]))[0]
        if found is None:
            raise NoSuchName("no such object", value=object_id)
        return as_object(found)

    def account(self, name: str) -> RemoteAccount:
        """An account by its name or id; raises `NoSuchName`."""
        if name not in self._accounts:
            self._remember_account(self._account_json(name))
        return self._accounts[name]

    def fresh_account(self, name: str) -> RemoteAccount:
        """An account as it is now, whatever was asked for before."""
        self._accounts.pop(name, None)
        return self.account(name)

    def account_name(self, account_id: AccountId | str) -> str:
        """The name behind an account id."""
        text = account_id if isinstance(account_id, str) else account_text(account_id)
        return self.account(text).name

    def know_accounts(self, ids: list[str]) -> None:
        """Ask for many accounts at once, before their names are needed one by one."""
        missing = sorted({item for item in ids if item not in self._accounts})
        for start in range(0, len(missing), 100):
            part: list[JsonValue] = [*missing[start : start + 100]]
            for found in as_list(self.client.call("database", "get_accounts", part)):
                if found is not None:
                    self._remember_account(as_object(found))

    def asset(self, name: str) -> RemoteAsset:
        """An asset by symbol, display symbol or id; raises `NoSuchName`."""
        if name not in self._assets:
            written: list[JsonValue] = [name] if _ID.fullmatch(name) else [*self._symbols(name)]
            answers = as_list(self.client.call("database", "lookup_asset_symbols", written))
            found = next((answer for answer in answers if answer is not None), None)
            if found is None:
                raise NoSuchName("no such asset", value=name)
            asset = self._read_asset(as_object(found))
            for key in (name, asset.symbol, asset_text(asset.id)):
                self._assets[key] = asset
        return self._assets[name]

    def _symbols(self, name: str) -> list[str]:
        """Symbols on the chain that a name may stand for, the likeliest first: people write
        "bitusd" for USD, and symbols have no small letters (R2.19)."""
        found = [self.chain_symbol(name), name.upper()]
        prefix = self.display_prefix
        if prefix and name.upper().startswith(prefix.upper()):
            found.append(name[len(prefix) :].upper())
        return list(dict.fromkeys(found))

    def chain_symbol(self, name: str) -> str:
        """The symbol on the chain for what people write: "USD" for "bitUSD" (R2.19)."""
        prefix = self.display_prefix
        return name.removeprefix(prefix) if prefix and name.startswith(prefix) else name

    def bitasset(self, asset: RemoteAsset) -> JsonObject:
        """The BitAsset data of an asset (2.4.n), as it is now; raises `UsageProblem`."""
        if asset.bitasset_data_id is None:
            raise UsageProblem("not a BitAsset", value=asset.symbol)
        return self.object(bitasset_text(asset.bitasset_data_id))

    def global_settlements(self, asset: RemoteAsset) -> set[int]:
        """The blocks in which a BitAsset was settled as a whole; asked for once a command."""
        if asset.symbol not in self._settled:
            events = self.client.call("pegboard", "get_asset_events", asset.symbol, 0, EVENTS_MAX)
            self._settled[asset.symbol] = {
                as_int(event["block_num"])
                for event in as_objects(events)
                if event["event"] == "global_settlement"
            }
        return self._settled[asset.symbol]

    def backing_asset(self, asset: RemoteAsset) -> RemoteAsset:
        """The asset that backs a BitAsset."""
        options = as_object(self.bitasset(asset)["options"])
        return self.asset(as_text(options["short_backing_asset"]))

    def market(self, symbol: str, other: str | None) -> tuple[RemoteAsset, RemoteAsset]:
        """Two assets; the other is the backing asset or the core token if it is left out."""
        base = self.asset(symbol)
        if other is not None:
            return base, self.asset(other)
        return base, self.core if base.bitasset_data_id is None else self.backing_asset(base)

    def parse_amount(self, text: str) -> AssetAmount:
        """Read "100 bitUSD", "1,000bitusd" or "0.5 1.3.0"; raises `UsageProblem`, `NoSuchName`."""
        match = _AMOUNT.fullmatch(text.strip())
        if match is None:
            raise UsageProblem('an amount is a number and a symbol, as in "100 USD"', value=text)
        asset = self.asset(match[2] or match[3])
        return asset.of(parse_decimal(match[1], asset.precision))

    def format_amount(self, value: JsonValue | AssetAmount) -> str:
        """An amount of JSON's or ours as people read it."""
        if isinstance(value, AssetAmount):
            return self.asset(asset_text(value.asset_id)).format(value.amount)
        fields = as_object(value)
        return self.asset(as_text(fields["asset_id"])).format(as_int(fields["amount"]))

    def _account_json(self, name: str) -> JsonObject:
        found = (
            as_list(self.client.call("database", "get_accounts", [name]))[0]
            if _ID.fullmatch(name)
            else self.client.call("database", "get_account_by_name", name)
        )
        if found is None:
            raise NoSuchName("no such account", value=name)
        return as_object(found)

    def _remember_account(self, data: JsonObject) -> None:
        account = RemoteAccount(
            parse_id(AccountId, as_text(data["id"])),
            as_text(data["name"]),
            from_json(Authority, data["owner"], self.prefix),
            from_json(Authority, data["active"], self.prefix),
            from_json(AccountOptions, data["options"], self.prefix),
        )
        for key in (account.name, account_text(account.id)):
            self._accounts[key] = account

    def _read_asset(self, data: JsonObject) -> RemoteAsset:
        symbol = as_text(data["symbol"])
        bitasset = data.get("bitasset_data_id")
        return RemoteAsset(
            parse_id(AssetId, as_text(data["id"])),
            symbol,
            as_int(data["precision"]),
            parse_id(AccountId, as_text(data["issuer"])),
            from_json(AssetOptions, data["options"], self.prefix),
            None if bitasset is None else parse_id(AssetBitassetDataId, as_text(bitasset)),
            symbol if bitasset is None else f"{self.display_prefix}{symbol}",
        )


def id_argument(id_type: Callable[[int], Id], text: str) -> Id:
    """An id of a known type that the user named; raises `UsageProblem`."""
    try:
        return parse_id(id_type, text)
    except DecodeError as error:
        raise UsageProblem(error.what, value=error.value, limit=error.limit) from error


def parse_decimal(text: str, precision: int) -> int:
    """Smallest units of a decimal number, as `format_decimal` writes it or without commas.

    Raises `UsageProblem` rather than round it.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise UsageProblem("not a decimal number, such as 1,234.5", value=text)
    fraction = match[3] or ""
    if len(fraction.rstrip("0")) > precision:
        raise UsageProblem("more decimals than the asset has", value=text, limit=precision)
    units = int(match[2].replace(",", "") + fraction[:precision].ljust(precision, "0"))
    if units > MAX_SUPPLY:
        raise UsageProblem("more than the largest supply", value=text, limit=MAX_SUPPLY)
    return -units if match[1] else units
