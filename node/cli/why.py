"""`pegboard why`: why things are as they are, each sentence beside its rule."""

from __future__ import annotations

import re
from pathlib import Path

import click

from node.cli.client import JsonObject, as_object, as_objects, as_text
from node.cli.descriptions import format_price, price_units
from node.cli.exits import UsageProblem
from node.cli.output import heading
from node.cli.price_line import Mark, draw
from node.cli.remote_chain import RemoteChain, parse_decimal
from node.cli.sessions import Session, chain_options
from node.cli.why_blocks import block_lines, explain_file, file_lines

POSITION = re.compile(r"1\.8\.[0-9]+")
WAITING = re.compile(r"(?:1\.7|1\.4|2\.17)\.[0-9]+")
BLOCK = re.compile(r"[0-9]{1,10}")
TRANSACTION = re.compile(r"[0-9a-f]{40}")


@click.command()
@click.argument("subject")
@click.argument("asset", required=False)
@chain_options
def why(session: Session, subject: str, asset: str | None) -> None:
    """Why something is as it is, each sentence beside its rule.

    SUBJECT is an account with an ASSET, or the id of a position (1.8.n): called or not, the prices
    that decide on one line drawn to scale, which feed and which bid would call it, what it would
    pay and keep, and the calls that it had. Or an order (1.7.n), a settlement request (1.4.n), a
    collateral bid (2.17.n): why it waits. Or the number of a block, the id of a transaction: what
    each had for effects. Or a JSON file with a transaction: whether it would be taken, and if not,
    what would make it pass.

    \b
    pegboard why bob bitUSD
    pegboard why 1.7.12
    pegboard why 17
    pegboard why refused.json
    """
    chain = session.chain
    if asset is None and BLOCK.fullmatch(subject):
        num = parse_decimal(subject, 0)
        found = as_object(chain.client.call("pegboard", "explain_block", num))
        session.output.answer(found, block_lines(found))
    elif asset is None and TRANSACTION.fullmatch(subject):
        found = as_object(chain.client.call("pegboard", "explain_sent", subject))
        session.output.answer(found, block_lines(found))
    elif asset is None and WAITING.fullmatch(subject):
        found = as_object(chain.client.call("pegboard", "explain_order", subject))
        session.output.answer(found, statement_lines(found))
    elif asset is None and Path(subject).is_file():
        found = explain_file(chain, Path(subject))
        session.output.answer(found, file_lines(found))
    else:
        account, symbol = _subject(chain, subject, asset)
        found = as_object(chain.client.call("pegboard", "explain_position", account, symbol))
        session.output.answer(found, _lines(chain, found))


def _subject(chain: RemoteChain, subject: str, asset: str | None) -> tuple[str, str]:
    """The account and the asset whose position is meant."""
    if POSITION.fullmatch(subject):
        if asset is not None:
            raise UsageProblem("a position needs no asset beside it", value=asset)
        position = chain.object(subject)
        quote = as_object(as_object(position["call_price"])["quote"])
        return as_text(position["borrower"]), as_text(quote["asset_id"])
    if asset is None:
        raise UsageProblem("why which position? name an account and an asset", value=subject)
    return chain.account(subject).name, chain.asset(asset).symbol


def _lines(chain: RemoteChain, found: JsonObject) -> list[str]:
    lines: list[str] = []
    prices = found.get("prices")
    if prices is not None:
        lines += [*_drawing(chain, as_object(prices)), ""]
    lines += statement_lines(found)
    past = as_objects(found["past"])
    if past:
        lines += ["", heading("Margin calls that happened, the newest first")]
        lines += [as_text(as_object(one["statement"])["text"]) for one in past]
    return lines


def statement_lines(found: JsonObject) -> list[str]:
    """The statements of an explanation; a rule's sentence stands where it is first needed."""
    lines: list[str] = []
    told: set[str] = set()
    for statement in as_objects(found["statements"]):
        text, rule = as_text(statement["text"]), as_text(statement["rule"])
        lines.append(f"{text} ({rule})" if rule in told else text)
        if rule not in told:
            told.add(rule)
            lines.append(f"    {rule}: {statement['rule_says']}")
    return lines


def _drawing(chain: RemoteChain, prices: JsonObject) -> list[str]:
    """The prices on one line, and what they count."""
    names = {
        "squeeze_protection_price": "SQP",
        "margin_call_order_price": "MCOP",
        "highest_bid": "highest bid",
        "call_price": "call price",
        "settlement_price": "feed",
    }
    if prices["margin_call_order_price"] == prices["squeeze_protection_price"]:
        del names["margin_call_order_price"]
    feed = as_object(prices["settlement_price"])
    base, quote = (
        chain.asset(as_text(as_object(feed[side])["asset_id"])) for side in ("base", "quote")
    )
    marks = [
        Mark(label, *price_units(price), format_price(price, base, quote))
        for name, label in names.items()
        if (price := prices.get(name)) is not None
    ]
    unit = f"{base.display_symbol} for 1 {quote.display_symbol}"
    return [heading(f"{unit}, drawn to scale"), *draw(marks)]
