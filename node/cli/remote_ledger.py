"""The market's vocabulary on a node behind a URL: reads by calls, writes signed transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from node.cli.client import JsonObject, as_int, as_list, as_object, as_objects, as_text
from node.cli.exits import NodeUnreachable
from node.cli.remote_chain import NoSuchName, RemoteAsset, RemoteChain
from node.cli.transactions import Broadcast, broadcast
from node.clock import monotonic_s, sleep_s
from node.presets import WITNESSES, development_key
from pegboard.faucet import FAUCET
from pegboard.ledger import (
    AssetFacts,
    FeedFacts,
    HeadFacts,
    NotPossibleHere,
    OrderFacts,
    PositionFacts,
    RequestFacts,
    Sent,
    ShockFacts,
)
from pegboard.views import Explained, Reason
from protocol.asset import Price
from protocol.crypto.keys import PrivateKey, public_key
from protocol.ids import AccountId, AssetId, account_text, asset_text, parse_id
from protocol.json_form import JsonValue, format_time, from_json, parse_time
from protocol.operations import Operation
from protocol.operations.asset_options import (
    COMMITTEE_FED_ASSET,
    WITNESS_FED_ASSET,
    AssetOptions,
)
from protocol.operations.bitasset_options import BitassetOptions
from protocol.schema import PublicKey

LIST_MAX = 300
"""What one call lists at most; a longer list is refused rather than cut in silence."""
ASSETS_MAX = 100
ORDERS_MAX = 101
POLL_S = 0.1
WAIT_MAX_S = 120
"""So far ahead may be what a network is waited for."""
SLOTS_PATIENCE = 20
"""A chain without a block for so many slots makes none."""


class DeskKeys:
    """Keys that were given, and the development keys of every account that has been named."""

    def __init__(self, secrets: Iterable[PrivateKey] = ()) -> None:
        self._secrets = {public_key(secret): secret for secret in secrets}
        self._names: set[str] = set()

    def learn(self, name: str) -> None:
        """Have the development keys of an account at hand."""
        if name not in self._names:
            self._names.add(name)
            for role in ("active", "owner"):
                secret = development_key(name, role)
                self._secrets.setdefault(public_key(secret), secret)

    def find(self, key: PublicKey, prefix: str) -> PrivateKey | None:
        """The secret of a key; None when it is not here."""
        return self._secrets.get(key)


class RemoteLedger:
    """A `Ledger` over JSON-RPC. Each transaction is waited for until it is in a block."""

    def __init__(self, chain: RemoteChain, keys: DeskKeys, *, cast: str = "") -> None:
        """`cast` is what the names of people here end with on the chain, such as "-17": a scenario
        that is played again meets nobody of the last time."""
        self.chain = chain
        self.keys = keys
        self.heard: list[Callable[[Sent], None]] = []
        """Who is told of each transaction that is in a block."""
        self._cast = cast
        self._facts: dict[str, AssetFacts] = {}
        self._made: dict[str, str] = {}

    def asset(self, name: str) -> AssetFacts:
        """An asset by symbol, display symbol or id; raises `NoSuchName`."""
        if name not in self._facts:
            symbol = self.chain.chain_symbol(name)
            asset = self.chain.asset(self._made.get(symbol, name))
            is_pegged = asset.bitasset_data_id is not None
            backing = self.chain.backing_asset(asset).id if is_pegged else None
            self._facts[name] = AssetFacts(
                asset.id, asset.symbol, asset.precision, asset.display_symbol, backing
            )
        return self._facts[name]

    def asset_at(self, asset_id: AssetId) -> AssetFacts:
        """An asset by its number; raises `NoSuchName`."""
        return self.asset(asset_text(asset_id))

    def full_name(self, name: str) -> str:
        """A name with that of the cast; those of the faucet and of witnesses are their own."""
        return name if name in (FAUCET, *WITNESSES) else name + self._cast

    def find_account(self, name: str) -> AccountId | None:
        """The account of a name, if there is one; its development keys can sign from now on."""
        with suppress(NoSuchName):
            found = self.chain.account(self.full_name(name))
            self.keys.learn(found.name)
            return found.id
        return None

    def account_name(self, account: AccountId) -> str:
        """The name of an account, without that of the cast; raises `NoSuchName`."""
        return self.chain.account_name(account).removesuffix(self._cast)

    def head(self) -> HeadFacts:
        """The head block."""
        head = self.chain.head()
        return HeadFacts(as_int(head["head_block_number"]), parse_time(as_text(head["time"])))

    def block_interval_s(self) -> int:
        """Seconds between two slots (R8.4)."""
        return as_int(as_object(self._properties()["parameters"])["block_interval"])

    def transaction_size_max(self) -> int:
        """Bytes that a transaction may have (R9.3)."""
        return as_int(as_object(self._properties()["parameters"])["maximum_transaction_size"])

    def settle_match(self) -> bool:
        """Whether margin calls that find no bid take settlement requests (SM1)."""
        return self.chain.info()["settle_match"] is True

    def margin_call_trigger(self) -> str:
        """What calls positions: "bid" or "feed" (R4.2)."""
        return as_text(self.chain.info()["margin_call_trigger"])

    def own_symbol(self, symbol: str) -> str:
        """The symbol with the number of the cast, such as "DEMO17" (R2.19)."""
        self._made[symbol] = symbol + self._cast.strip("-")
        return self._made[symbol]

    def send(self, *operations: Operation) -> Sent:
        """Broadcast operations as one transaction; raises `CallRefused`, `KeyMissing`.

        `NotPossibleHere` on a node that makes blocks on demand only: nobody would make one.
        """
        if self.chain.info().get("block_mode") == "manual":
            raise NotPossibleHere("this node makes blocks on demand; start it with --mode instant")
        for account in self._publishers_of(operations):
            self.keys.learn(self.chain.account_name(account))
        done = broadcast(self.chain, self.keys, operations)
        sent = Sent(done.id, tuple(_created(done)), done.operations, is_in_block=True)
        for hear in self.heard:
            hear(sent)
        return sent

    def _publishers_of(self, operations: Sequence[Operation]) -> Iterator[AccountId]:
        for operation in operations:
            publisher = getattr(operation, "publisher", None)
            if publisher is not None:
                yield publisher

    def balance(self, account: AccountId, asset: AssetId) -> int:
        """What an account holds."""
        found = self._database("get_account_balances", account_text(account), [asset_text(asset)])
        return as_int(as_objects(found)[0]["amount"])

    def position(self, account: AccountId, asset: AssetId) -> PositionFacts | None:
        """The position of an account in a BitAsset."""
        for item in as_objects(self._database("get_margin_positions", account_text(account))):
            quote = as_object(as_object(item["call_price"])["quote"])
            if quote["asset_id"] == asset_text(asset):
                return _position(item)
        return None

    def borrowed(self) -> Sequence[AssetId]:
        """The BitAssets in which somebody has a position, by ascending number."""
        listed = as_objects(self._database("list_assets", "", ASSETS_MAX))
        pegged = [item for item in listed if item.get("bitasset_data_id") is not None]
        ids = sorted(parse_id(AssetId, as_text(item["id"])) for item in pegged)
        return [one for one in ids if self._pegboard("get_positions", asset_text(one), 1)]

    def positions(self, asset: AssetId) -> Sequence[PositionFacts]:
        """All positions in a BitAsset, the least collateralised first."""
        return [_position(item) for item in self._list("get_positions", asset)]

    def orders(self, account: AccountId) -> Sequence[OrderFacts]:
        """The orders of an account, the oldest first."""
        found = self._database("get_limit_orders_by_account", account_text(account), ORDERS_MAX)
        return [self._order(item) for item in _whole(found, ORDERS_MAX)]

    def book(self, sold: AssetId, wanted: AssetId) -> Sequence[OrderFacts]:
        """The offers of one side of a market, the best first."""
        sides = asset_text(sold), asset_text(wanted)
        found = [
            self._order(item)
            for item in as_objects(self._database("get_limit_orders", *sides, LIST_MAX))
        ]
        return [order for order in found if order.price.base.asset_id == sold]

    def requests(self, asset: AssetId) -> Sequence[RequestFacts]:
        """The settlement requests of a BitAsset, the earliest first."""
        return [
            RequestFacts(
                as_text(item["id"]),
                parse_id(AccountId, as_text(item["owner"])),
                as_int(as_object(item["balance"])["amount"]),
                parse_time(as_text(item["settlement_date"])),
            )
            for item in self._list("get_settlements", asset)
        ]

    def feed(self, asset: AssetId) -> FeedFacts | None:
        """The feed in force; None where there is none."""
        feed = as_object(self._bitasset(asset)["current_feed"])
        price = from_json(Price, feed["settlement_price"], self.chain.prefix)
        if price.is_null():
            return None
        return FeedFacts(
            price,
            as_int(feed["maintenance_collateral_ratio"]),
            as_int(feed["maximum_short_squeeze_ratio"]),
            as_int(feed["initial_collateral_ratio"]),
        )

    def publishers(self, asset: AssetId) -> Sequence[AccountId]:
        """Who may publish feeds of a BitAsset (R1.13)."""
        flags = self.asset_options(asset).flags
        if flags & WITNESS_FED_ASSET:
            return self._accounts_of("active_witnesses", "witness_account")
        if flags & COMMITTEE_FED_ASSET:
            return self._accounts_of("active_committee_members", "committee_member_account")
        feeds = as_list(self._bitasset(asset)["feeds"])
        return [parse_id(AccountId, as_text(as_list(one)[0])) for one in feeds]

    def _accounts_of(self, elected: str, field: str) -> list[AccountId]:
        found = as_objects(self._database("get_objects", self._properties()[elected]))
        return [parse_id(AccountId, as_text(item[field])) for item in found]

    def asset_options(self, asset: AssetId) -> AssetOptions:
        """What the issuer of an asset has decided about it."""
        return self._remote(asset).options

    def bitasset_options(self, asset: AssetId) -> BitassetOptions:
        """What the issuer of a BitAsset has decided about its feed and settlement."""
        return from_json(BitassetOptions, self._bitasset(asset)["options"], self.chain.prefix)

    def supply(self, asset: AssetId) -> int:
        """How much of an asset there is."""
        found = as_object(as_list(self._database("get_objects", [asset_text(asset)]))[0])
        figures = self.chain.object(as_text(found["dynamic_asset_data_id"]))
        return as_int(figures["current_supply"])

    def settlement_fund(self, asset: AssetId) -> int | None:
        """What a global settlement has put aside for the holders; None while there was none."""
        market = as_object(self._pegboard("get_asset_market", asset_text(asset)))
        return as_int(market["settlement_fund"]) if market["is_globally_settled"] else None

    def explain(self, account: AccountId, asset: AssetId) -> Explained:
        """Why the position of an account in a BitAsset is called or not."""
        told = as_object(
            self._pegboard("explain_position", account_text(account), asset_text(asset))
        )
        reasons = (
            Reason(as_text(one["text"]), as_text(one["rule"]))
            for one in as_objects(told["statements"])
        )
        return Explained(as_text(told["status"]), tuple(reasons))

    def shock(self, asset: AssetId, feed_change: int, take_bids: int) -> ShockFacts:
        """What would come of other feeds and bids, both in parts of 10,000; nothing is done."""
        asked: JsonValue = {"feed_change": feed_change, "take_bids": take_bids}
        answer = as_object(self._pegboard("shock", asset_text(asset), [asked]))
        [found] = as_objects(answer["shocks"])
        covered, paid, fees = (
            as_int(as_object(found[name])["amount"])
            for name in ("debt_covered", "collateral_paid", "margin_call_fees")
        )
        is_swan = found["global_settlement"] is not None
        alone = as_int(found["settled_alone_count"])
        return ShockFacts(as_int(found["called"]), covered, paid, fees, is_swan, alone)

    def block(self, *, earliest_s: int = 0) -> None:
        """Make a block on a development chain; on a network wait for the next one.

        For a later time on a network it waits as well, unless that is far away: `NotPossibleHere`.
        Raises `NodeUnreachable` when no block comes.
        """
        if self.chain.info()["is_development"]:
            if earliest_s:
                self._call("pegboard_dev", "travel_to", format_time(earliest_s))
            else:
                self._call("pegboard_dev", "generate_blocks", 1)
            return
        if earliest_s > self.head().time + WAIT_MAX_S:
            what = f"a network's time goes by itself, and {WAIT_MAX_S} s are waited for at most"
            raise NotPossibleHere(what, value=format_time(earliest_s))
        self._await_block()
        while self.head().time < earliest_s:
            self._await_block()

    def _await_block(self) -> None:
        before, patience_s = self.head().num, SLOTS_PATIENCE * self.block_interval_s()
        deadline = monotonic_s() + patience_s
        while self.head().num <= before:
            if monotonic_s() > deadline:
                raise NodeUnreachable("no block comes", value=before, limit=f"{patience_s} s")
            sleep_s(POLL_S)

    def state_hash(self) -> str:
        """The hash of the whole state at the head, without what is pending."""
        return as_text(as_object(self._pegboard("get_state_hash"))["state_hash"])

    def _order(self, item: JsonObject) -> OrderFacts:
        return OrderFacts(
            as_text(item["id"]),
            parse_id(AccountId, as_text(item["seller"])),
            as_int(item["for_sale"]),
            from_json(Price, item["sell_price"], self.chain.prefix),
        )

    def _remote(self, asset: AssetId) -> RemoteAsset:
        return self.chain.asset(asset_text(asset))

    def _bitasset(self, asset: AssetId) -> JsonObject:
        return self.chain.bitasset(self._remote(asset))

    def _properties(self) -> JsonObject:
        return as_object(self._database("get_global_properties"))

    def _list(self, method: str, asset: AssetId) -> list[JsonObject]:
        return _whole(self._pegboard(method, asset_text(asset), LIST_MAX), LIST_MAX)

    def _database(self, method: str, *arguments: JsonValue) -> JsonValue:
        return self._call("database", method, *arguments)

    def _pegboard(self, method: str, *arguments: JsonValue) -> JsonValue:
        return self._call("pegboard", method, *arguments)

    def _call(self, api: str, method: str, *arguments: JsonValue) -> JsonValue:
        return self.chain.client.call(api, method, *arguments)


def _whole(found: JsonValue, limit: int) -> list[JsonObject]:
    items = as_objects(found)
    if len(items) == limit:
        raise NotPossibleHere("the list is longer than one answer", value=len(items), limit=limit)
    return items


def _position(item: JsonObject) -> PositionFacts:
    target = item.get("target_collateral_ratio")
    return PositionFacts(
        parse_id(AccountId, as_text(item["borrower"])),
        as_int(item["collateral"]),
        as_int(item["debt"]),
        None if target is None else as_int(target),
    )


def _created(done: Broadcast) -> Iterator[str]:
    """The ids in the answers of operations: [1, id], or the new objects of richer ones."""
    for result in done.results:
        tag, value = as_list(result)
        if tag == 1:
            yield as_text(value)
        elif tag in (3, 5):
            yield from map(as_text, as_list(as_object(value).get("new_objects") or []))
