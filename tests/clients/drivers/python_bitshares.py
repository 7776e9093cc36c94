"""Drives a node with python-bitshares: one chapter a run, its results as JSON.

Runs under the clients' own interpreter: `python python_bitshares.py CHAPTER < SETTINGS`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bitshares import BitShares
from bitshares.account import Account
from bitshares.amount import Amount
from bitshares.asset import Asset
from bitshares.block import Block
from bitshares.blockchain import Blockchain
from bitshares.dex import Dex
from bitshares.instance import set_shared_bitshares_instance
from bitshares.market import Market
from bitshares.memo import Memo
from bitshares.message import Message
from bitshares.notify import Notify
from bitshares.price import FilledOrder, Order, Price, PriceFeed
from bitshares.proposal import Proposals
from bitshares.worker import Workers
from bitsharesbase.account import PublicKey
from graphenecommon.blockchainobject import Caching

Result = dict[str, Any]


class Desk:
    """A connection with keys, and who acts on which BitAsset."""

    def __init__(self, settings: Result) -> None:
        self.me, self.other = settings["me"], settings["other"]
        self.peg, self.witness = settings["peg"], settings["witness"]
        self.keys = settings["keys"]
        self.url = settings["url"]
        self.count, self.waits = settings.get("count", 0), settings.get("waits", 0)
        self.chain = BitShares(node=self.url, keys=[*self.keys.values(), *settings["more_keys"]])
        self.chain.blocking = True
        set_shared_bitshares_instance(self.chain)

    def account(self, name: str) -> Any:
        """An account with all it has, read anew."""
        Caching._cache.clear()
        return Account(name, full=True)

    def asset(self, symbol: str) -> Any:
        """An asset with all it has, read anew."""
        Caching._cache.clear()
        return Asset(symbol, full=True)

    def balance(self, name: str, symbol: str) -> int:
        """Integer units that an account has."""
        return int(self.account(name).balance(symbol))

    def position(self, name: str) -> list[int] | None:
        """Debt and collateral of an account's position in the BitAsset."""
        for call in self.account(name)["call_orders"]:
            if call["call_price"]["quote"]["asset_id"] == Asset(self.peg)["id"]:
                return [int(call["debt"]), int(call["collateral"])]
        return None

    def dex(self) -> Any:
        """The calls on positions, with what they read in the cache in full."""
        self.asset(self.peg)
        Account(self.me, full=True)
        return Dex(blockchain_instance=self.chain)


def read(desk: Desk) -> Result:
    """Chain, accounts, assets, blocks."""
    chain = Blockchain(mode="head")
    account, asset = desk.account(desk.me), desk.asset(desk.peg)
    return {
        "network": chain.get_network(),
        "info": chain.info(),
        "properties": chain.get_chain_properties(),
        "config": chain.config(),
        "parameters": chain.chainParameters(),
        "participation": chain.participation_rate,
        "head": chain.get_current_block_num(),
        "blocks": [block["witness"] for block in chain.blocks(start=1, stop=3)],
        "block_1": Block(1)["previous"],
        "account": [account.name, account["id"], account.is_ltm],
        "asset": [asset.symbol, asset.precision, asset.is_bitasset],
        "backing": asset["bitasset_data"]["options"]["short_backing_asset"],
        "core": Asset("1.3.0").symbol,
        "accounts": [name for name, _ in zip(chain.get_all_accounts(), range(5), strict=False)],
        "fees": sorted(Dex(blockchain_instance=desk.chain).returnFees())[:3],
    }


def publish_feed(desk: Desk) -> Result:
    """A witness publishes a price of 0.1."""
    desk.asset(desk.peg)
    price = Price(0.1, base=desk.peg, quote="TEST")
    desk.chain.publish_price_feed(desk.peg, price, cer=price, account=desk.witness)
    asset = desk.asset(desk.peg)
    return {"feed": float(asset.feed["settlement_price"]), "feeds": len(asset.feeds)}


def transfer(desk: Desk) -> Result:
    """With and without a memo; the receiver reads it."""
    before = desk.balance(desk.other, "TEST")
    desk.chain.transfer(desk.other, 1.5, "TEST", account=desk.me)
    text = "für bob: 5 €"
    sent = desk.chain.transfer(desk.other, 2, "TEST", memo=text, account=desk.me)
    memo = sent["operations"][0][1]["memo"]
    receiver = BitShares(node=desk.url, keys=[desk.keys[desk.other]])
    return {
        "received": desk.balance(desk.other, "TEST") - before,
        "text": Memo(blockchain_instance=receiver).decrypt(memo),
        "results": sent["operation_results"],
        "block": sent["block_num"],
        "unblocked": transfer_without_waiting(desk),
    }


def transfer_without_waiting(desk: Desk) -> list[int]:
    """The balance before the broadcast and right after its answer."""
    desk.chain.blocking = False
    rpc, account = desk.chain.rpc, Account(desk.other)["id"]
    before = int(rpc.get_account_balances(account, ["1.3.0"])[0]["amount"])
    desk.chain.transfer(desk.other, 3, "TEST", account=desk.me)
    after = int(rpc.get_account_balances(account, ["1.3.0"])[0]["amount"])
    return [before, after]


def positions(desk: Desk) -> Result:
    """Borrow, adjust in three ways, settle, close."""
    found: Result = {}
    desk.dex().borrow(Amount(100, desk.peg), collateral_ratio=3, account=desk.me)
    found["borrowed"] = desk.position(desk.me)
    desk.dex().adjust_debt(Amount(20, desk.peg), new_collateral_ratio=4, account=desk.me)
    found["more"] = desk.position(desk.me)
    desk.dex().adjust_collateral_ratio(desk.peg, 5, account=desk.me, target_collateral_ratio=20.0)
    found["safer"] = desk.position(desk.me)
    found["target"] = desk.account(desk.me)["call_orders"][0].get("target_collateral_ratio")
    found["listed"] = list(desk.dex().list_debt_positions(desk.account(desk.me)))
    found["calls"] = len(desk.asset(desk.peg).get_call_orders())
    # Not by `other`, whose balances are compared: it is paid minutes later, beside another test.
    desk.chain.asset_settle(Amount(5, desk.peg), account=desk.me)
    found["settlements"] = [
        float(item["amount"]) for item in desk.asset(desk.peg).get_settle_orders()
    ]
    desk.dex().adjust_debt(Amount(-10, desk.peg), new_collateral_ratio=5, account=desk.me)
    found["less"] = desk.position(desk.me)
    return found


def borrow(desk: Desk) -> Result:
    """A position of 100 at the ratio 3, for those who cannot open one themselves."""
    desk.dex().borrow(Amount(100, desk.peg), collateral_ratio=3, account=desk.me)
    return {"position": desk.position(desk.me)}


def close(desk: Desk) -> Result:
    """Borrow and close at once."""
    desk.chain.transfer(desk.other, 1000, "TEST", account=desk.me)
    desk.me, desk.other = desk.other, desk.me
    desk.dex().borrow(Amount(10, desk.peg), collateral_ratio=3, account=desk.me)
    opened = desk.position(desk.me)
    desk.dex().close_debt_position(desk.peg, account=desk.me)
    return {"opened": opened, "closed": desk.position(desk.me)}


def orders(desk: Desk) -> Result:
    """Place, fill, cancel; then read what the market shows."""
    market = Market(f"{desk.peg}:TEST")
    placed = market.sell(12, 3, expiration=3600, account=desk.me, returnOrderId=True)
    resting = market.sell(20, 1, expiration=3600, account=desk.me, returnOrderId=True)
    cancelled = market.sell(30, 1, expiration=3600, account=desk.me, returnOrderId=True)
    book = market.orderbook()
    filler = market.buy(13, 2, expiration=3600, account=desk.other, returnOrderId=True)
    mine = [order["id"] for order in desk.account(desk.me).openorders]
    desk.chain.cancel(cancelled["orderid"], account=desk.me)
    desk.chain.clear()
    desk.chain.bundle = True
    market.buy(5, 1, expiration=3600, account=desk.other)
    market.buy(6, 1, expiration=3600, account=desk.other)
    bundled = desk.chain.broadcast()
    desk.chain.bundle = False
    return {
        "placed": [placed["orderid"], resting["orderid"], filler["orderid"]],
        "asks": [[float(ask["price"]), float(ask["quote"])] for ask in book["asks"]],
        "mine": mine,
        "left": [order["id"] for order in desk.account(desk.me).openorders],
        "bundled": bundled["operation_results"],
        "open": len(market.accountopenorders(desk.other)),
        "limit_orders": len(market.get_limit_orders()),
        "ticker": {name: float(value) for name, value in market.ticker().items()},
        "volume": {name: float(value) for name, value in market.volume24h().items()},
        "trades": [[float(item["price"]), float(item["quote"])] for item in market.trades()],
        "fills": len(market.accounttrades(desk.me)),
        "history": [item["op"][0] for item in desk.account(desk.me).history(limit=8)],
    }


def own_asset(desk: Desk) -> Result:
    """Create a token and a BitAsset, issue, restrict, fund, reserve; no step awaits its block."""
    desk.chain.blocking = False
    desk.chain.create_asset("PYTOKEN", 3, 1_000_000, description="tést", account=desk.me)
    token = desk.asset("PYTOKEN")
    token.issue(50, desk.other)
    token.enableflag("charge_market_fee")
    desk.asset("PYTOKEN").set_market_fee(1, 100)
    desk.chain.fund_fee_pool("PYTOKEN", 10.0, account=desk.me)
    desk.chain.reserve(Amount(7, "PYTOKEN"), account=desk.other)
    options = {
        "feed_lifetime_sec": 86400,
        "minimum_feeds": 1,
        "force_settlement_delay_sec": 86400,
        "force_settlement_offset_percent": 100,
        "maximum_force_settlement_volume": 50,
        "short_backing_asset": "1.3.0",
        "extensions": [],
    }
    desk.chain.create_asset(
        "PYPEG", 5, 10_000, is_bitasset=True, bitasset_options=options, account=desk.me
    )
    peg = desk.asset("PYPEG")
    peg.update_feed_producers([desk.me])
    token = desk.asset("PYTOKEN")
    return {
        "balance": desk.balance(desk.other, "PYTOKEN"),
        "supply": token["dynamic_asset_data"]["current_supply"],
        "pool": token["dynamic_asset_data"]["fee_pool"],
        "charges": token.flags["charge_market_fee"],
        "fee": token["options"]["market_fee_percent"],
        "rate": token["options"]["core_exchange_rate"]["quote"]["asset_id"],
        "id": token["id"],
        "description": token["options"]["description"],
        "is_bitasset": peg.is_bitasset,
    }


def placeholder(desk: Desk) -> Result:
    """Create a token, whose exchange rate the client cannot name yet."""
    sent = desk.chain.create_asset("PYRATE", 2, 1_000, account=desk.me)
    options = sent["operations"][0][1]["common_options"]
    made = desk.asset("PYRATE")
    return {
        "sent": options["core_exchange_rate"]["quote"]["asset_id"],
        "rate": made["options"]["core_exchange_rate"]["quote"]["asset_id"],
        "id": made["id"],
    }


def propose(desk: Desk) -> Result:
    """Another account proposes; the one concerned approves."""
    before = desk.balance(desk.other, "TEST")
    proposal = desk.chain.new_proposal(proposer=desk.other, proposal_expiration=3600)
    desk.chain.transfer(desk.other, 4, "TEST", append_to=proposal, account=desk.me)
    made = proposal.broadcast()
    proposal_id = made["operation_results"][0][1]
    listed = [item["id"] for item in Proposals(desk.me)]
    desk.chain.clear()
    desk.chain.approveproposal([proposal_id], account=desk.me)
    left = desk.chain.rpc.get_objects([proposal_id])
    gained = desk.balance(desk.other, "TEST") - before
    return {"id": proposal_id, "listed": listed, "left": left, "gained": gained}


def govern(desk: Desk) -> Result:
    """A new account becomes a lifetime member and votes; keys and lists change."""
    chain = desk.chain
    chain.blocking = False
    chain.create_account(
        "python-made", registrar=desk.me, referrer=desk.me, password="made by a test"
    )
    chain.transfer("python-made", 20_000, "TEST", account=desk.me)
    chain.upgrade_account(account="python-made")
    chain.set_proxy(desk.other, account="python-made")
    witness = chain.rpc.get_witness_by_account("init0")["id"]
    member = chain.rpc.get_committee_member_by_account("init2")["id"]
    chain.approvewitness([witness], account=desk.me)
    Caching._cache.clear()
    chain.approvecommittee([member], account=desk.me)
    votes = list(desk.account(desk.me)["options"]["votes"])
    chain.disapprovewitness([witness], account=desk.me)
    fewer = desk.account(desk.me)["options"]["votes"]
    chain.account_whitelist(desk.other, account=desk.me)
    made = desk.account("python-made")
    chain.allow(desk.other, weight=1, threshold=1, account="python-made")
    return {
        "is_member": made.is_ltm,
        "proxy": made["options"]["voting_account"],
        "votes": [votes, fewer],
        "other": Account(desk.other)["id"],
        "authorities": desk.account("python-made")["active"]["account_auths"],
        "whitelisted": desk.account(desk.me)["whitelisted_accounts"],
    }


def administer(desk: Desk) -> Result:
    """What python-bitshares' tests of assets do."""
    desk.chain.blocking = False
    desk.chain.create_asset("PYADMIN", 4, 1_000_000, account=desk.me)
    steps: list[Callable[[Any], object]] = [
        lambda asset: asset.halt(),
        lambda asset: asset.release(
            whitelist_authorities=[desk.witness],
            blacklist_authorities=["init1"],
            whitelist_markets=[desk.peg],
            blacklist_markets=["USD"],
        ),
        lambda asset: asset.setoptions({"charge_market_fee": True, "override_authority": True}),
        lambda asset: asset.remove_authorities("blacklist", authorities=["init1"]),
        lambda asset: asset.remove_authorities("whitelist", authorities=[desk.witness]),
        lambda asset: asset.remove_markets("whitelist", [desk.peg]),
        lambda asset: asset.remove_markets("blacklist", ["USD"]),
        lambda asset: asset.issue("0.01", desk.other),
        lambda asset: asset.issue(5, desk.other),
        lambda asset: asset.seize(Account(desk.other), Account(desk.me), Amount("2 PYADMIN")),
    ]
    seen = []
    for step in steps:
        step(desk.asset("PYADMIN"))
        options = desk.asset("PYADMIN")["options"]
        seen.append([options["flags"], len(options["whitelist_markets"])])
    asset = desk.asset("PYADMIN")
    balances = [desk.balance(name, "PYADMIN") for name in (desk.me, desk.other)]
    asset.change_issuer(desk.other)
    return {
        "steps": seen,
        "balances": balances,
        "issuer": desk.asset("PYADMIN")["issuer"] == Account(desk.other)["id"],
        "maximum_fee": str(asset.max_market_fee),
    }


def read_objects(desk: Desk) -> Result:
    """What python-bitshares' tests of orders, prices, keys, messages and workers do."""
    chain, market = desk.chain, Market(f"{desk.peg}:TEST")
    placed = market.sell(25, 1, expiration=3600, account=desk.me, returnOrderId=True)
    order = Order(placed["orderid"])
    raw = Order(chain.rpc.get_objects([placed["orderid"]])[0])
    chain.cancel(placed["orderid"], account=desk.me)
    fills = list(desk.account(desk.me).history(only_ops=["fill_order"], limit=1))
    asset = desk.asset(desk.peg)
    feed = PriceFeed(asset["bitasset_data"]["feeds"][0])
    signed = Message("a message", blockchain_instance=chain).sign(account=desk.me)
    chain.update_cer("PYTOKEN", Price(2.0, base="PYTOKEN", quote="TEST"), account=desk.me)
    desk.asset("PYTOKEN")
    chain.create_worker("a worker", Amount("1 TEST"), datetime(2099, 1, 1), account=desk.me)
    return {
        "order": [float(order["price"]), float(raw["price"])],
        "fill": [float(FilledOrder(item["op"][1])["price"]) for item in fills],
        "feed": float(feed["settlement_price"]),
        "verified": Message(signed, blockchain_instance=chain).verify(),
        "workers": len(Workers(desk.me)),
        "keys": Account(desk.me)["id"] in chain.wallet.getAccounts(),
        "names": [Account(item)["name"] for item in chain.wallet.getAccounts()],
    }


def bot(desk: Desk) -> Result:
    """What DEXBot's tests prepare and do: an account by key, tokens, bundles of orders."""
    chain = desk.chain
    chain.blocking = False
    key = str(PublicKey.from_privkey(desk.keys[desk.me], prefix=chain.prefix))
    chain.create_account(
        "python-bot",
        registrar=desk.me,
        referrer=Account(desk.me)["id"],
        referrer_percent=0,
        owner_key=key,
        active_key=key,
        memo_key=key,
        storekeys=False,
    )
    chain.create_asset("PYBASE", 5, 10_000_000, account=desk.me)
    chain.create_asset("PYQUOTE", 5, 10_000_000, account=desk.me)
    for symbol in ("PYBASE", "PYQUOTE"):
        Asset(symbol).issue(1000, "python-bot")
    chain.transfer("python-bot", 100, "TEST", memo="prepare account", account=desk.me)
    chain.blocking = True
    market = Market("PYQUOTE/PYBASE")
    chain.clear()
    chain.bundle = True
    for price in (0.9, 0.95):
        market.buy(price, 10, expiration=3600, account="python-bot")
    for price in (1.05, 1.1, 1.15):
        market.sell(price, 10, expiration=3600, account="python-bot")
    placed = chain.txbuffer.broadcast()
    chain.clear()
    account = desk.account("python-bot")
    opened = [order["id"] for order in account.openorders]
    book = market.orderbook(limit=10)
    market.cancel(opened[:2], account="python-bot")
    cancelled = chain.txbuffer.broadcast()
    chain.bundle = False
    account.refresh()
    return {
        "placed": [order_id for _, order_id in placed["operation_results"]],
        "opened": opened,
        "book": [len(book["bids"]), len(book["asks"])],
        "cancelled": len(cancelled["operation_results"]),
        "left": [order["id"] for order in desk.account("python-bot").openorders],
        "raw": len(chain.rpc.get_limit_orders("PYQUOTE", "PYBASE", 50)),
    }


def watch(desk: Desk) -> Result:
    """Blocks, an account and a market by push; blocks by polling."""
    seen: dict[str, list[Any]] = {"block": [], "account": [], "market": []}
    notify = Notify(
        markets=[f"TEST:{desk.peg}"],
        accounts=[desk.me],
        on_block=lambda found: seen["block"].append(found),
        on_account=lambda found: seen["account"].append(str(found)),
        on_market=lambda found: seen["market"].append(str(found)),
        blockchain_instance=desk.chain,
    )
    threading.Thread(target=notify.listen, daemon=True).start()
    wait_for(lambda: seen["block"])
    desk.chain.blocking = False
    desk.chain.transfer(desk.other, 1, "TEST", account=desk.me)
    Market(f"{desk.peg}:TEST").sell(50, 1, expiration=3600, account=desk.me)
    wait_for(lambda: seen["account"] and seen["market"])
    start = Blockchain(mode="head").get_current_block_num()
    polled = [
        block["block_num"] for block in Blockchain(mode="head").blocks(start=start, stop=start + 1)
    ]
    return {"seen": seen, "polled": [polled, start]}


def refuse(desk: Desk) -> Result:
    """What a caller is told: an unfunded transfer, a missing account."""
    messages = []
    attempts: list[Callable[[], object]] = [
        lambda: desk.chain.transfer(desk.other, 10**9, "TEST", account=desk.me),
        lambda: Account("nobody-of-that-name"),
        lambda: desk.chain.rpc.get_ticker("TEST", "NOSUCHASSET"),
    ]
    for attempt in attempts:
        try:
            attempt()
        except Exception as error:
            messages.append(f"{type(error).__name__}: {error}")
        desk.chain.clear()
    return {"messages": messages, "head": Blockchain(mode="head").get_current_block_num()}


def hurry(desk: Desk) -> Result:
    """Many transfers in a row, all different; the last of them wait for their blocks."""
    before = desk.balance(desk.other, "TEST")
    amounts = list(range(1, 1 + desk.count))
    for amount in amounts:
        desk.chain.blocking = amount > desk.count - desk.waits
        desk.chain.transfer(desk.other, amount, "TEST", account=desk.me)
    gained = desk.balance(desk.other, "TEST") - before
    return {"gained": gained, "wanted": int(Amount(sum(amounts), "TEST"))}


def wait_for(condition: Callable[[], object], timeout_s: float = 12) -> None:
    """Return when something has happened, or when it has taken too long."""
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


CHAPTERS: dict[str, Callable[[Desk], Result]] = {
    chapter.__name__: chapter
    for chapter in (
        read,
        publish_feed,
        transfer,
        borrow,
        positions,
        close,
        orders,
        own_asset,
        placeholder,
        propose,
        govern,
        administer,
        read_objects,
        bot,
        watch,
        refuse,
        hurry,
    )
}

if __name__ == "__main__":
    result = CHAPTERS[sys.argv[1]](Desk(json.load(sys.stdin)))
    print("RESULT " + json.dumps(result, default=str), flush=True)
    sys.exit()
