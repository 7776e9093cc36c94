"""What a node of `openshares` answers, and how a page must write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from node.cli.client import NodeClient
from protocol.wording import format_decimal, format_units_ratio

Json = Any
CORE = "1.3.0"


@dataclass
class Told:
    """What the node's API answers, and its amounts in the words of `protocol.wording`."""

    client: NodeClient
    usd: str = ""

    def __post_init__(self) -> None:
        assets = self.call("database", "list_assets", "", 100) + self.call(
            "database", "get_assets", [CORE]
        )
        self.assets = {asset["id"]: asset for asset in assets}
        (self.usd,) = (one["id"] for one in self.assets.values() if one["symbol"] == "USD")

    def call(self, api: str, method: str, *arguments: Json) -> Json:
        return self.client.call(api, method, *arguments)

    def market(self) -> Json:
        return self.call("pegboard", "get_asset_market", self.usd)

    def head(self) -> Json:
        return self.call("database", "get_dynamic_global_properties")

    def number(self, amount: Json) -> str:
        return format_decimal(int(amount["amount"]), self.assets[amount["asset_id"]]["precision"])

    def amount(self, amount: Json) -> str:
        symbol = self.assets[amount["asset_id"]]["symbol"]
        return f"{self.number(amount)} {'OPS' if symbol == 'OPS' else f'open{symbol}'}"

    def price(self, price: Json) -> str:
        base, quote = price["base"], price["quote"]
        precisions = tuple(self.assets[one["asset_id"]]["precision"] for one in (base, quote))
        assert len(precisions) == 2
        return format_units_ratio(int(base["amount"]), int(quote["amount"]), precisions)
