"""A refusal speaks to people in amounts, symbols, names and times, whatever refuses."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.cli import output
from node.cli.client import CallRefused, NodeClient
from node.cli.drafts import parse_ratio, parse_seconds
from node.cli.exits import CliError, NodeUnreachable, Refused
from node.cli.refusals import refusals_of
from node.cli.remote_chain import RemoteChain, id_argument, parse_decimal
from node.rules import sentence_of
from node.state import errors as chain_errors
from node.state import lock_errors
from node.witness.feed_text import parse_moment, parse_price
from protocol import errors as wire_errors
from protocol.asset import AssetAmount, Price
from protocol.constants import CORE_ASSET
from protocol.errors import UNITS, PegboardError
from protocol.ids import LimitOrderId, account_text, asset_text
from tests.support.desk import Desk

REPO = Path(__file__).resolve().parents[2]
BARE = re.compile(r"(?<![0-9.])(?:1\.2|1\.3)\.[0-9]+")
"""The id of an account or of an asset."""

CLASSES = [
    item
    for module in (chain_errors, lock_errors, wire_errors)
    for item in vars(module).values()
    if isinstance(item, type) and issubclass(item, PegboardError)
]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(monkeypatch, capsys)


def printed(error: PegboardError, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints that ends with this refusal."""
    with pytest.raises(Refused) as ended, refusals_of(RemoteChain(NodeClient())):
        raise error
    capsys.readouterr()
    output.show_error(ended.value, is_json=False, exit_code=1)
    return capsys.readouterr().err


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_each_refusal_is_told_to_people(
    desk: Desk, cls: type[PegboardError], capsys: pytest.CaptureFixture[str]
) -> None:
    """No id of an account or asset, no smallest unit; the sentence of the rule is there."""
    core, usd = CORE_ASSET, desk.chain.asset("USD")
    price = Price(AssetAmount(1_750, core), AssetAmount(11, usd))
    alice = account_text(desk.chain.account("alice"))
    what = f"account {alice} holds 1234567 {asset_text(usd)} and no {asset_text(core)}"
    error = cls(what, rule="R4.2", value=272_727_273, limit=price, unit=asset_text(core))
    text = printed(error, capsys)
    assert not BARE.search(text)
    assert "account alice holds 123.4567 bitUSD and no TEST" in text
    assert "value 2,727.27273 TEST" in text
    assert "limit 0.06285714 bitUSD for 1 TEST" in text
    assert str(sentence_of("R4.2")) in text
    assert text.startswith(f"refused: {error.name}: ")


def test_each_unit_is_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Times, durations, ratios, shares, accounts and assets, as the declared unit says."""
    number = int(desk.chain.account("alice"))
    told = {
        "time": "1970-01-01T00:00:0",
        "s": f"value {number} s",
        "ratio": "value 0.0",
        "percent": " %",
        "account": "value alice",
        "asset": "value ",
    }
    assert set(told) == set(UNITS)
    for unit, expected in told.items():
        value = int(desk.chain.asset("USD")) if unit == "asset" else number
        text = printed(PegboardError("refused", value=value, unit=unit), capsys)
        assert expected in text.replace("00:00:1", "00:00:0").replace("00:00:2", "00:00:0")
    assert "value bitUSD" in text


def test_what_the_chain_does_not_know_stays(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that no account or asset has is shown as it is: it is what was asked for."""
    text = printed(chain_errors.NoSuchObject("no such object", value="1.2.999999"), capsys)
    assert "value 1.2.999999" in text


def test_both_forms_are_in_the_json(desk: Desk) -> None:
    """Machines get the value in smallest units with its unit, and what people read."""
    error = desk.refused("alice", "transfer", "bob", "5,000,000 TEST")
    assert error["message"] == "account alice holds too little of asset TEST"
    assert error["unit"] == "1.3.0"
    assert error["limit_text"] == "5,000,000.00000 TEST"
    assert error["value_text"].endswith(" TEST")
    assert error["limit"] == "500000000000"
    assert error["rule_says"]


def test_ratios_are_ratios(desk: Desk) -> None:
    """R3.4: how far a position misses is told in the ratio that its owner chose."""
    desk.wallet("init0", "publish-feed", "bitUSD", "0.1", "--msqr", "1.1")
    error = desk.refused("alice", "borrow", "100 bitUSD", "--ratio", "1.2")
    assert (error["value_text"], error["limit_text"]) == ("1.200", "1.750")
    error = desk.refused("alice", "borrow", "100 bitUSD", "--ratio", "1.05")
    assert (error["name"], error["value_text"]) == ("would_black_swan", "1.050")


NUMBERS = """
0, 1, False, end, at, depth, size, low, high, count, MAX_DEPTH, largest, tag, length, wanted, voted,
limit, precision, ASSET_PRECISION_MAX, self.flags, self.new_listing, authority.size(),
authority.weight_threshold, authority.total_weight(), item.owner.weight_threshold,
item.owner.total_weight(), self.minimum_feeds, options.black_swan_response_method,
len(BlackSwanResponse) - 1, target_type, len(TicketType) - 1, auto_repay,
len(AutoRepayment) - 1, self.restriction_type, len(RestrictionFunction) - 1, self.argument.tag,
self.operation_type, OPERATION_COUNT - 1, MAX_NESTED_OPERATIONS, URL_LENGTH_MAX - 1,
WORKER_NAME_LENGTH_MAX - 1, MAX_TRANSACTION_SIGNATURES, op.precision, backing.precision,
asset.precision, method, int(BlackSwanResponse.GLOBAL_SETTLEMENT), op.extensions.new_precision,
ctx.proposal_depth, MAX_EXECUTION_DEPTH, undoable, MAX_UNDO_HISTORY - 1, stated, results,
transaction.ref_block_prefix, prefix, envelope.size, parameters.maximum_transaction_size,
envelope.num, self.root.num, self._side_bytes + size, SIDE_BYTES_MAX, size, self.size_max,
self.transactions_max, self._bytes + envelope.size, self.bytes_max, interval, after, value, days,
PAY_VESTING_DAYS_MAX, properties.next_available_vote_id, MAX_VOTE_INSTANCE,
num, mark.num, self._held.changes_max, MARKS_MAX,
op.preimage_size, options.max_preimage_size, lock.preimage_size, op.auto_repay,
op.max_fee_rate, offer.fee_rate, op.new_fee_rate
"""
"""What counts things, bits, bytes or heights, which people read as it is."""

TEXTS = """
name, text, symbol, option, item, predicate, error.value, error.limit, self, price, rate, quote,
self.fee, self.credit_fee, self.fund_fee, op.delta_collateral, op.delta_debt
"""
"""Amounts, prices and texts, which say themselves what they are."""

PLAIN = {item.strip() for item in f"{NUMBERS},{TEXTS}".split(",")}

ROOMS = ("protocol/operations", "node/evaluators", "node/market", "node/state", "node/chain")
FILES = ("asset", "checks", "fees", "chain_parameters", "transaction", "durations")


WITHOUT_ASSET = ("protocol/operations/asset_options.py", "protocol/operations/credit_offer.py")
"""Records of amounts of an asset that they do not name: these say that they count its units."""


def unnamed_numbers(text: str, path: str) -> Iterator[str]:
    """Values and limits of refusals without a unit that could be amounts, ids or times."""
    for call in ast.walk(ast.parse(text)):
        if not isinstance(call, ast.Call):
            continue
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        message = next((item for item in call.args if isinstance(item, ast.Constant)), None)
        says_units = path in WITHOUT_ASSET and "smallest units" in ast.unparse(call)
        if "unit" in given or says_units or (message is None and not call.args):
            continue
        for side in ("value", "limit"):
            expression = given.get(side)
            if expression is not None and not _is_plain(expression):
                yield f"{path}:{call.lineno}: {side}={ast.unparse(expression)}"


def _is_plain(expression: ast.expr) -> bool:
    if isinstance(expression, ast.JoinedStr):
        return True
    if isinstance(expression, ast.Constant):
        return expression.value is None or isinstance(expression.value, str | bool | int)
    if isinstance(expression, ast.Call):
        function = ast.unparse(expression.func)
        if function in ("len", "str", "repr", "format_vote_id") or function.endswith(
            ("_text", ".hex", ".join")
        ):
            return True
    written = ast.unparse(expression)
    return written in PLAIN or written.endswith((".symbol", ".name"))


def test_every_number_of_a_refusal_says_what_it_counts() -> None:
    """In what applies operations no refusal has an amount, id or time without its unit."""
    paths = [path for room in ROOMS for path in sorted((REPO / room).rglob("*.py"))]
    paths += [REPO / "protocol" / f"{name}.py" for name in FILES]
    found = [
        line
        for path in paths
        for line in unnamed_numbers(path.read_text(), str(path.relative_to(REPO)))
    ]
    assert found == []


def test_an_unnamed_amount_is_found() -> None:
    """The check can fail."""
    planted = 'raise TooSmall("nothing", rule="R5.3", value=op.amount.amount, limit=held)\n'
    assert len(list(unnamed_numbers(planted, "x.py"))) == 2
    assert list(unnamed_numbers(planted.replace(")", ", unit=asset_text(id))"), "x.py")) == []


def test_an_example_is_no_limit(desk: Desk) -> None:
    """What a reader of text would take is an example of it, and no limit to what it takes."""
    chain = RemoteChain(NodeClient())
    readers = (
        chain.parse_amount,
        lambda text: parse_decimal(text, 4),
        parse_ratio,
        parse_seconds,
        parse_moment,
        parse_price,
        NodeClient,
        lambda text: id_argument(LimitOrderId, text),
    )
    for read in readers:
        for wrong in ("", "x", "100", "1x", "9.9.9", "-"):
            try:
                read(wrong)
            except PegboardError as error:
                if error.limit is not None:
                    with pytest.raises(PegboardError):
                        read(str(error.limit))


def test_a_node_that_does_not_answer_is_no_riddle(desk: Desk) -> None:
    """Its refusal stays the refusal, also when names cannot be looked up."""
    with pytest.raises(NodeUnreachable), refusals_of(RemoteChain(NodeClient())):
        raise NodeUnreachable("no node")
    refusal = CallRefused("x", {"what": "too small", "value": 5, "unit": "1.3.999"})
    with pytest.raises(CliError) as ended, refusals_of(RemoteChain(NodeClient())):
        raise refusal
    assert isinstance(ended.value, Refused)
    assert ended.value.told.value == "5 1.3.999"
    assert json.dumps(ended.value.told.value)
