"""Where positions and settlement requests stand, and why they wait, by the rules."""

from __future__ import annotations

from typing import NamedTuple

from node.cli.client import JsonObject, as_int, as_object, as_objects, as_text
from node.cli.descriptions import format_price
from node.cli.remote_chain import RemoteAsset, RemoteChain
from node.rules import sentence_of
from protocol.json_form import JsonValue
from protocol.wording import count_of

POSITIONS_MAX = 300
"""Positions, and settlement requests, that are looked at."""


class Reason(NamedTuple):
    """What waits, in a line, and the rule that says why."""

    text: str
    rule: str

    def lines(self) -> list[str]:
        """For people: the line, and what its rule says."""
        return [f"  {self.text}", f"    {self.rule}: {sentence_of(self.rule)}"]

    def to_json(self) -> JsonValue:
        """For programs."""
        return {"text": self.text, "rule": self.rule, "rule_says": sentence_of(self.rule)}


class Market:
    """A BitAsset as it stands now: its feed, prices, positions, and who is called next."""

    def __init__(self, chain: RemoteChain, asset: RemoteAsset, limit: int = POSITIONS_MAX) -> None:
        self.chain = chain
        self.asset = asset
        call = chain.client.call
        self.data = as_object(call("pegboard", "get_asset_market", asset.symbol))
        self.backing = chain.asset(as_text(self.data["backing_asset_id"]))
        self.positions = as_objects(call("pegboard", "get_positions", asset.symbol, limit))

    @property
    def is_matched(self) -> bool:
        """Whether margin calls may take settlement requests (SM1)."""
        return self.chain.info()["settle_match"] is True

    @property
    def unit(self) -> str:
        """What a price counts."""
        return f"{self.asset.display_symbol} for 1 {self.backing.display_symbol}"

    def price(self, value: JsonValue) -> str:
        """A price as people read it."""
        return format_price(value, self.asset, self.backing)

    def is_below_mcr(self, position: JsonObject) -> bool:
        """Whether a position's ratio is below the MCR of the feed."""
        ratio, least = position["collateral_ratio"], self.data["maintenance_collateral_ratio"]
        return ratio is not None and least is not None and as_int(ratio) < as_int(least)

    def below_mcr(self) -> list[JsonObject]:
        """The positions below the MCR, least collateralised first."""
        return [position for position in self.positions if self.is_below_mcr(position)]

    def mark(self, position: JsonObject) -> str:
        """What a list of positions says beside one."""
        words = ["below MCR"] if self.is_below_mcr(position) else []
        if self.positions and position["id"] == self.positions[0]["id"]:
            words.append("called" if position["is_called"] else "next")
        return ", ".join(words)

    def next_call(self) -> Reason | None:
        """Who is called next, at which price, and why not now (R4.2, R4.3)."""
        found = self.data["next_call"]
        if found is None:
            return None
        told = as_object(found)
        return Reason(as_text(told["text"]), as_text(told["rule"]))

    def below_line(self) -> str:
        """How many positions are below the MCR."""
        number, total = len(self.below_mcr()), self.data["position_count"]
        return f"{number} of {count_of(as_int(total), 'position')}"


def why_settlement_waits(
    market: Market, request: JsonObject, ahead: int, next_maintenance: str, now: str
) -> Reason:
    """Why a request is not executed yet, and until when (R5.2, R5.4).

    `ahead` is what older requests ask for. Times are those of the chain.
    """
    asset = market.asset
    due = as_text(request["settlement_date"])
    amount = as_int(as_object(request["balance"])["amount"])
    left = as_int(market.data["max_settlement_volume"]) - as_int(
        market.data["force_settled_volume"]
    )
    what = f"settlement {request['id']} of {asset.format(amount)}"
    if due > now and (due >= next_maintenance or ahead + amount <= left):
        sooner = ", unless a margin call takes it before" if market.is_matched else ""
        return Reason(f"{what} waits until {due}{sooner}", "R5.2")
    open_now = max(left - ahead, 0)
    if amount > open_now:
        begin = f" is due at {due} and" if due > now else ""
        return Reason(
            f"{what}{begin} waits for the volume: {asset.format(open_now)} of it may still be"
            f" settled before the maintenance at {next_maintenance}, the rest after it",
            "R5.4",
        )
    return Reason(f"{what} is due, and waits for a position that can pay it", "R5.4")


def settlement_queue(market: Market) -> list[tuple[JsonObject, Reason]]:
    """The requests of a BitAsset, earliest first, each with why it waits."""
    call = market.chain.client.call
    head = market.chain.head()
    now, maintenance = as_text(head["time"]), as_text(head["next_maintenance_time"])
    found = call("pegboard", "get_settlements", market.asset.symbol, POSITIONS_MAX)
    ahead, queue = 0, []
    for request in as_objects(found):
        queue.append((request, why_settlement_waits(market, request, ahead, maintenance, now)))
        ahead += as_int(as_object(request["balance"])["amount"])
    return queue
