"""`pegboard shock`: who would be called if the price fell, or if bids went or came."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import click

from node.cli.client import JsonObject, as_int, as_object, as_objects, as_text
from node.cli.descriptions import format_price
from node.cli.drafts import bare_price
from node.cli.exits import UsageProblem
from node.cli.output import heading, table
from node.cli.remote_chain import RemoteAsset
from node.cli.sessions import Session, chain_options
from node.witness.feed_text import FeedSourceError, parse_price
from protocol.asset import AssetAmount, Price, scale_price
from protocol.ids import account_text
from protocol.json_form import JsonValue, to_json
from protocol.wording import count_of

CALLS_MAX = 1_000
"""Calls that the node is asked to tell one by one."""
WORDS = 3
"""Columns of calls before those that are numbers."""
_PERCENT = re.compile(r"([+-]?)([0-9]{1,5})(?:\.([0-9]{1,2}))?\s*%")
_BID = re.compile(r"(.+?)\s+(?:@|at)\s+(\S+)(?:\s+by\s+(\S+))?")


class Pair(NamedTuple):
    """A BitAsset and what backs it."""

    asset: RemoteAsset
    backing: RemoteAsset

    def price(self, value: JsonValue) -> str:
        """A price as people read it."""
        return "none" if value is None else format_price(value, self.asset, self.backing)

    def read_price(self, text: str) -> Price:
        """The price that people write: BitAsset for one backing; raises `UsageProblem`."""
        try:
            ratio = parse_price(bare_price(text, self.asset, self.backing))
        except FeedSourceError as error:
            raise UsageProblem(error.what, value=text, limit=error.limit) from error
        one = Price(
            AssetAmount(10**self.asset.precision, self.asset.id),
            AssetAmount(10**self.backing.precision, self.backing.id),
        )
        return scale_price(one, ratio.base, ratio.quote)


@click.command()
@click.argument("symbol")
@click.option(
    "--feed", metavar="CHANGE", help="Fall or rise of each published price, or a price: -30%, 0.05."
)
@click.option("--by", metavar="CHANGES", help="Several of them, side by side: -5%,-10%,-20%.")
@click.option("--take-bids", metavar="SHARE", help="Share of all bids' volume that goes: 50%.")
@click.option(
    "--add-bid",
    "bids",
    multiple=True,
    metavar="BID",
    help='A bid that comes: "100 bitUSD @ 0.05", by the largest holder or "... by alice".',
)
@click.option("--csv", "is_csv", is_flag=True, help="Print CSV: the calls, or one row a change.")
@chain_options
def shock(
    session: Session,
    symbol: str,
    feed: str | None,
    by: str | None,
    take_bids: str | None,
    bids: tuple[str, ...],
    is_csv: bool,
) -> None:
    """What if the price of a BitAsset falls, or bids go: on the chain as it is, which stays so.

    Says who would be called by the next block, in which order, at which price, the volume and the
    fees, whether it ends in a global settlement or who is settled alone, and what a holder could
    redeem for.

    \b
    pegboard shock bitUSD --feed -30%
    pegboard shock bitUSD --feed 0.05 --take-bids 50%
    pegboard shock bitUSD --by -5%,-10%,-20%,-40% --csv
    """
    chain = session.chain
    asset = chain.asset(symbol)
    pair = Pair(asset, chain.backing_asset(asset))
    if feed is not None and by is not None:
        raise UsageProblem("--feed or --by, not both", value=feed)
    changes = by.split(",") if by is not None else [feed or ""]
    rest: JsonObject = {}
    if take_bids is not None:
        rest["take_bids"] = parse_percent(take_bids)
    if bids:
        rest["add_bids"] = [_bid(session, pair, text) for text in bids]
    shocks: list[JsonValue] = [_feed(pair, change.strip()) | rest for change in changes]
    limit = CALLS_MAX if by is None else 0
    answer = as_object(chain.client.call("pegboard", "shock", asset.symbol, shocks, limit))
    found = as_objects(answer["shocks"])
    if is_csv:
        rows = _changes(pair, changes, found) if by is not None else _calls(pair, found[0])
        session.output.raw(_csv(rows))
    elif by is not None:
        session.output.answer(answer, _change_lines(pair, changes, found))
    else:
        session.output.answer(answer, _lines(pair, found[0]))


def parse_percent(text: str) -> int:
    """Hundredths of a percent of "-30%", "12.5 %"; raises `UsageProblem`."""
    match = _PERCENT.fullmatch(text.strip())
    if match is None:
        raise UsageProblem("not a percentage, such as -30% or 12.5%", value=text)
    share = int(match[2] + (match[3] or "").ljust(2, "0"))
    return -share if match[1] == "-" else share


def _feed(pair: Pair, text: str) -> JsonObject:
    if not text:
        return {}
    if text.endswith("%"):
        return {"feed_change": parse_percent(text)}
    return {"feed": to_json(pair.read_price(text), "")}


def _bid(session: Session, pair: Pair, text: str) -> JsonObject:
    match = _BID.fullmatch(text.strip())
    if match is None:
        raise UsageProblem('a bid is "100 bitUSD @ 0.05", and perhaps "by alice"', value=text)
    sells, price = session.chain.parse_amount(match[1]), pair.read_price(match[2])
    if sells.asset_id != pair.asset.id or sells.amount <= 0:
        raise UsageProblem(f"a bid sells {pair.asset.display_symbol}", value=match[1])
    wants = max(sells.amount * price.quote.amount // price.base.amount, 1)
    bid: JsonObject = {
        "sells": to_json(sells, ""),
        "wants": to_json(pair.backing.of(wants), ""),
    }
    if match[3] is not None:
        bid["account"] = account_text(session.chain.account(match[3]).id)
    return bid


def _amount(asset: RemoteAsset, value: JsonValue) -> str:
    return asset.format(as_int(as_object(value)["amount"]), with_symbol=False)


def _worst(pair: Pair, market: JsonObject) -> str:
    worst = market["worst_redemption"]
    return "none" if worst is None else _amount(pair.backing, as_object(worst)["for_one"])


def _lines(pair: Pair, found: JsonObject) -> list[str]:
    asset, backing = pair.asset.display_symbol, pair.backing.display_symbol
    before, after = as_object(found["before"]), as_object(found["after"])
    unit = f"{asset} for 1 {backing}"
    facts: list[tuple[str, str, Callable[[JsonObject], str]]] = [
        ("feed (median)", unit, lambda one: pair.price(one["settlement_price"])),
        ("SQP", unit, lambda one: pair.price(one["squeeze_protection_price"])),
        ("highest bid", unit, lambda one: pair.price(one["highest_bid"])),
        ("supply", asset, lambda one: _amount(pair.asset, one["supply"])),
        ("positions", "", lambda one: str(one["position_count"])),
        ("below the MCR", "", lambda one: str(one["below_maintenance"])),
        ("worst holder gets", f"{backing} for 1 {asset}", lambda one: _worst(pair, one)),
    ]
    rows = [(what, show(before), show(after), which) for what, which, show in facts]
    lines = table(("", ">now", ">then", ""), rows)
    calls = _calls(pair, found)
    lines += ["", heading(_summary(pair, found))]
    if len(calls) > 1:
        columns = [name if place < WORDS else f">{name}" for place, name in enumerate(calls[0])]
        lines += table(columns, calls[1:])
    alone = as_int(found["settled_alone_count"])
    if alone:
        lines.append(f"settled alone: {count_of(alone, 'position')} that cannot pay")
    swan = found["global_settlement"]
    if swan is not None:
        fund = pair.backing.format(as_int(as_object(swan)["settlement_fund"]))
        price = pair.price(as_object(swan)["settlement_price"])
        lines.append(f"black swan: {asset} is settled globally at {price} {unit}, fund {fund}")
    for refusal in as_objects(found["refusals"]):
        lines.append(f"refused: {refusal['what']} ({refusal['rule']})")
    return [*lines, *_stopped(found)]


def _summary(pair: Pair, found: JsonObject) -> str:
    calls = as_int(found["call_count"])
    if not calls:
        return "nobody is called"
    covered, paid, fees = (
        asset.format(as_int(as_object(found[name])["amount"]))
        for asset, name in (
            (pair.asset, "debt_covered"),
            (pair.backing, "collateral_paid"),
            (pair.backing, "margin_call_fees"),
        )
    )
    called = count_of(as_int(found["called"]), "position")
    return f"{called} called, {count_of(calls, 'fill')}: {covered} for {paid}, fees {fees}"


def _stopped(found: JsonObject) -> list[str]:
    if found["stopped"] is None:
        return []
    stopped = as_object(found["stopped"])
    return [f"stopped at the limit of {stopped['what']} ({stopped['limit']}): this is not all"]


def _calls(pair: Pair, found: JsonObject) -> list[Sequence[str]]:
    """A heading, and a row for each call."""
    rows: list[Sequence[str]] = [
        ("borrower", "position", "bid", "call price", "bid price", "covered", "pays", "fee", "left")
    ]
    for call in as_objects(found["calls"]):
        left = as_object(call["debt_after"])
        rows.append(
            (
                as_text(call["account_name"]),
                as_text(call["position"]),
                as_text(call["bid"] or call["request"]),
                pair.price(call["call_price"]),
                pair.price(call["bid_price"]),
                _amount(pair.asset, call["debt_covered"]),
                _amount(pair.backing, call["collateral_paid"]),
                _amount(pair.backing, call["margin_call_fee"]),
                "closed" if call["is_closed"] else _amount(pair.asset, left),
            )
        )
    return rows


def _changes(
    pair: Pair, changes: Sequence[str], found: Sequence[JsonObject]
) -> list[Sequence[str]]:
    """A heading, and a row for each change of the feed."""
    rows: list[Sequence[str]] = [
        ("change", "feed", "called", "covered", "pays", "fees", "below MCR", "swan", "worst gets")
    ]
    for change, one in zip(changes, found, strict=True):
        after = as_object(one["after"])
        rows.append(
            (
                change.strip(),
                pair.price(after["settlement_price"]),
                str(one["called"]),
                _amount(pair.asset, one["debt_covered"]),
                _amount(pair.backing, one["collateral_paid"]),
                _amount(pair.backing, one["margin_call_fees"]),
                str(after["below_maintenance"]),
                _swan(one),
                _worst(pair, after),
            )
        )
    return rows


def _swan(found: JsonObject) -> str:
    """Whether all are settled, or how many alone (R6.1, BS4)."""
    if found["global_settlement"] is not None:
        return "yes"
    alone = as_int(found["settled_alone_count"])
    return f"{alone} alone" if alone else "no"


def _change_lines(pair: Pair, changes: Sequence[str], found: Sequence[JsonObject]) -> list[str]:
    columns, *rows = _changes(pair, changes, found)
    stopped = [line for one in found for line in _stopped(one)]
    return [*table([f">{name}" for name in columns], rows), *stopped[:1]]


def _csv(rows: Sequence[Sequence[str]]) -> str:
    """Rows as CSV; numbers without marks between thousands."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [cell.replace(",", "") for cell in row] for row in rows
    )
    return text.getvalue().rstrip("\n")
