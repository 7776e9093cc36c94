"""JSON for programs: each amount as a string of smallest units, and beside it as people read it.

The node's own answers write small amounts as numbers and large ones as strings, as BitShares
does. What commands print is one form: `amount` is a string, `amount_text` what people read, and a
price has its `text`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from node.cli.client import JsonObject, as_list, as_text
from node.cli.descriptions import price_text
from node.cli.exits import CliError
from node.cli.remote_chain import RemoteAsset, RemoteChain
from protocol.constants import CORE_ASSET
from protocol.ids import asset_text
from protocol.json_form import JsonValue

_WHOLE = re.compile("-?[0-9]+")
_CORE = asset_text(CORE_ASSET)


def in_both_units(chain: RemoteChain, document: JsonValue, owner: str = "") -> JsonValue:
    """A document with each amount in both units; `owner` is the asset that its fields are about."""
    if isinstance(document, list):
        return [in_both_units(chain, item, owner) for item in document]
    if not isinstance(document, dict):
        return document
    owner = _owner(document) or owner
    found: JsonObject = {}
    for name, value in document.items():
        asset_of = _asset_of(name)
        if asset_of and isinstance(value, int | str) and _WHOLE.fullmatch(str(value)):
            asset = asset_of(document, owner)
            found[name] = str(value)
            if asset:
                found[f"{name}_text"] = _amount_text(chain, asset, int(value))
        elif name == "acceptable_borrowers" and isinstance(value, list):
            found[name] = [[account, str(limit)] for account, limit in map(as_list, value)]
        else:
            found[name] = in_both_units(chain, value, owner)
    if _is_price(document):
        found["text"] = _price_text(chain, document)
    return found


def _owner(document: JsonObject) -> str:
    """The asset that an object is, or is about."""
    own = document.get("id")
    if isinstance(own, str) and own.startswith("1.3."):
        return own
    found = document.get("asset_id")
    return found if isinstance(found, str) else ""


def _side(document: JsonObject, price: str, side: str) -> str:
    found = document.get(price)
    inner = found.get(side) if isinstance(found, dict) else None
    return as_text(inner.get("asset_id")) if isinstance(inner, dict) else ""


def _named(document: JsonObject, name: str) -> str:
    found = document.get(name)
    return found if isinstance(found, str) else ""


ASSET_OF: dict[str, Callable[[JsonObject, str], str]] = {
    "amount": lambda item, _: _CORE if "from_account" in item else _named(item, "asset_id"),
    "debt": lambda item, _: _named(item, "debt_asset") or _side(item, "call_price", "quote"),
    "collateral": lambda item, _: (
        _named(item, "collateral_asset") or _side(item, "call_price", "base")
    ),
    **dict.fromkeys(("balance", "unpaid_amount"), lambda item, _: _named(item, "asset_type")),
    "balance_a": lambda item, _: _named(item, "asset_a"),
    "balance_b": lambda item, _: _named(item, "asset_b"),
    **dict.fromkeys(
        ("total_balance", "current_balance", "min_deal_amount"),
        lambda item, _: _named(item, "asset_type"),
    ),
    "balance": lambda item, _: _named(item, "asset_type"),
    **dict.fromkeys(
        ("debt_amount", "total_debt_amount"), lambda item, _: _named(item, "debt_asset")
    ),
    "collateral_amount": lambda item, _: _named(item, "collateral_asset"),
    "for_sale": lambda item, _: _side(item, "sell_price", "base"),
    "filled_amount": lambda item, _: _side(item, "sell_price", "base"),
    **dict.fromkeys(
        ("accumulated_collateral_fees", "total_backing_collateral"),
        lambda item, _: _named(item, "backing_asset_id"),
    ),
    "settlement_fund": lambda item, _: (
        _named(item, "backing_asset_id") or _side(item, "settlement_price", "quote")
    ),
    "individual_settlement_fund": lambda item, _: _named(item, "backing_asset_id"),
    **dict.fromkeys(
        (
            "current_supply",
            "confidential_supply",
            "accumulated_fees",
            "max_supply",
            "max_market_fee",
            "force_settled_volume",
            "max_settlement_volume",
            "individual_settlement_debt",
            "total_in_collateral",
        ),
        lambda _, owner: owner,
    ),
    **dict.fromkeys(("deferred_fee", "fee_pool", "total_votes", "daily_pay"), lambda *_: _CORE),
}
"""Fields that are amounts, and what tells the asset of each.

What an account puts into a fee pool is CORE, and beside it stands whose pool that is (R8.22).
"""


_STATISTICS = re.compile("(?:_24h|total)_.+_(a|b|share_amount)")


def _asset_of(name: str) -> Callable[[JsonObject, str], str] | None:
    """What tells the asset of a field; None of one that is no amount.

    The figures of a liquidity pool have the names of its assets beside them.
    """
    found = _STATISTICS.fullmatch(name)
    if found is None:
        return ASSET_OF.get(name)
    side = "share_asset" if found[1] == "share_amount" else f"asset_{found[1]}"
    return lambda item, _: _named(item, side)


def _amount_text(chain: RemoteChain, asset: str, amount: int) -> str | None:
    try:
        return chain.asset(asset).format(amount)
    except CliError:
        return None


def _is_price(document: JsonObject) -> bool:
    return {"base", "quote"} <= document.keys() and all(
        isinstance(document[side], dict) for side in ("base", "quote")
    )


def _price_text(chain: RemoteChain, price: JsonObject) -> str | None:
    """A price as people read it; null for the null price, or an asset that is not there yet."""
    sides: list[tuple[int, RemoteAsset]] = []
    for side in (price["base"], price["quote"]):
        assert isinstance(side, dict)
        try:
            asset = chain.asset(as_text(side.get("asset_id")))
        except CliError:
            return None
        sides.append((int(str(side.get("amount"))), asset))
    (base_units, base), (quote_units, quote) = sides
    if base.id == quote.id:
        return None
    return price_text((base_units, quote_units), base, quote)
