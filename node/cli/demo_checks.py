"""Compares what the demo predicted with what the chain says."""

from __future__ import annotations

from dataclasses import dataclass

from node.cli.client import as_int, as_object, as_objects, as_text
from node.cli.demo_model import Model
from node.cli.remote_chain import RemoteAsset, RemoteChain
from protocol.ids import asset_text
from protocol.json_form import JsonValue

LIST_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Check:
    """One number that was predicted, and the chain's."""

    what: str
    predicted: int
    found: int
    asset: RemoteAsset | None = None
    """What both are amounts of; None for what is counted."""

    @property
    def is_right(self) -> bool:
        """Whether both agree, to the smallest unit."""
        return self.predicted == self.found

    def to_json(self) -> JsonValue:
        """The JSON form that the demo prints."""
        if self.asset is None:
            return {"what": self.what, "predicted": self.predicted, "found": self.found}
        return {
            "what": self.what,
            "predicted": str(self.predicted),
            "predicted_text": self.asset.format(self.predicted),
            "found": str(self.found),
            "found_text": self.asset.format(self.found),
        }


def check_all(chain: RemoteChain, model: Model, peg: RemoteAsset) -> list[Check]:
    """Every balance, position and order of the story, and the supply of its BitAsset."""
    core = chain.core
    checks = []
    for name in model.core:
        found = chain.client.call(
            "database", "get_account_balances", name, [asset_text(core.id), asset_text(peg.id)]
        )
        amounts = {as_text(item["asset_id"]): as_int(item["amount"]) for item in as_objects(found)}
        checks += [
            Check(f"{core.symbol} of {name}", model.core[name], amounts[asset_text(core.id)], core),
            Check(f"{peg.symbol} of {name}", model.peg[name], amounts[asset_text(peg.id)], peg),
        ]
    return [*checks, *_positions(chain, model, peg), *_orders(chain, model, peg)]


def _positions(chain: RemoteChain, model: Model, peg: RemoteAsset) -> list[Check]:
    positions = as_objects(
        chain.client.call("database", "get_call_orders", asset_text(peg.id), LIST_LIMIT)
    )
    by_name = {chain.account_name(as_text(item["borrower"])): item for item in positions}
    checks = [Check("number of positions", len(model.loans), len(by_name))]
    for name, loan in model.loans.items():
        item = by_name.get(name, {})
        checks += [
            Check(
                f"collateral of {name}",
                loan.collateral,
                as_int(item.get("collateral", 0)),
                chain.core,
            ),
            Check(f"debt of {name}", loan.debt, as_int(item.get("debt", 0)), peg),
        ]
    figures = as_object(
        as_objects(chain.client.call("database", "lookup_asset_symbols", [peg.symbol]))[0]
    )
    supply = chain.object(as_text(figures["dynamic_asset_data_id"]))["current_supply"]
    owed = sum(loan.debt for loan in model.loans.values())
    return [*checks, Check("supply = debts (I3)", owed, as_int(supply), peg)]


def _orders(chain: RemoteChain, model: Model, peg: RemoteAsset) -> list[Check]:
    orders = as_objects(
        chain.client.call(
            "database",
            "get_limit_orders",
            asset_text(chain.core.id),
            asset_text(peg.id),
            LIST_LIMIT,
        )
    )
    for_sale = {as_text(item["id"]): as_int(item["for_sale"]) for item in orders}
    checks = [Check("number of orders", len(model.offers), len(for_sale))]
    for offer in model.offers:
        what = f"order {offer.id} of {offer.owner}"
        sold = peg if offer.is_bid else chain.core
        checks.append(Check(what, offer.for_sale, for_sale.get(offer.id, 0), sold))
    return checks
