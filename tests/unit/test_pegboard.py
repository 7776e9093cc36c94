"""`import pegboard`: a chain in the own process, as a program would use it."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import textwrap
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import pegboard
from node.presets import PRESETS, development_key
from node.state.errors import MissingActiveAuthority, NoSuchObject
from pegboard import FREE
from protocol.errors import ValidationError
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.transfer import Transfer

PERSON_UNITS = 1_000_000 * 10**5


def test_the_version_is_that_of_the_package() -> None:
    assert pegboard.__version__ == version("pegboard")


def test_a_name_is_loaded_when_it_is_first_used() -> None:
    """A program that only may need a market starts as quickly as without."""
    code = (
        "import sys, pegboard; before = {*sys.modules}; pegboard.market; "
        "print('pegboard.fresh' in before, 'msgspec' in before, 'pegboard.fresh' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False", "True"]


def test_every_name_is_there_and_no_other() -> None:
    """What is promised is what is loaded, what type checkers see, and what `dir` lists."""
    tree = ast.parse(inspect.getsource(pegboard))
    [typed] = [node for node in tree.body if isinstance(node, ast.If)]
    places = {
        name.name: node.module
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert {*places, "__version__"} == {*pegboard.__all__} <= {*dir(pegboard)}
    for name, module in places.items():
        assert getattr(pegboard, name) is getattr(import_module(str(module)), name)
    with pytest.raises(AttributeError, match="has no attribute 'markt'"):
        _ = getattr(pegboard, "markt")  # noqa: B009  # mypy knows that it is not there


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_pushed_shows_at_once_and_is_in_the_next_block(preset: str) -> None:
    """A transfer of each preset's core token: with its fee, and signed by alice's key."""
    chain = pegboard.open_chain(preset)
    core = PRESETS[preset].core_symbol
    sent = chain.amount(500_000, core)
    pushed = chain.push(Transfer(FREE, chain.account("alice"), chain.account("bob"), sent, None))
    assert chain.balance("bob", core) == PERSON_UNITS + 500_000
    block = chain.generate_block()
    assert pushed.envelope.id in {envelope.id for envelope, _ in block.envelope.transactions}
    fee = pushed.envelope.transaction.operations[0].fee
    assert fee.amount > 0
    assert chain.balance("alice", core) == PERSON_UNITS - 500_000 - fee.amount


def test_prices_are_published_so_that_one_can_borrow() -> None:
    """The preset's feeds are in the first block; a position needs one."""
    chain = pegboard.open_chain()
    chain.generate_block()
    chain.push(
        CallOrderUpdate(
            FREE, chain.account("alice"), chain.amount(10**9, "TEST"), chain.amount(100_0000, "USD")
        )
    )
    chain.generate_block()
    assert chain.balance("alice", "USD") == 100_0000


def test_the_same_calls_give_the_same_chain() -> None:
    """No clock and no chance: ids of blocks and hashes of states are equal."""
    heads = set()
    for _ in range(2):
        chain = pegboard.open_chain("testnet", witness_count=3)
        for earliest_s in (0, chain.head_time + 1_000):
            chain.push(
                Transfer(
                    FREE,
                    chain.account("alice"),
                    chain.account("bob"),
                    chain.amount(1, "TEST"),
                    None,
                )
            )
            chain.generate_block(earliest_s=earliest_s)
        heads.add((chain.chain.head_id, chain.chain.state_hash()))
    assert len(heads) == 1


def test_equal_operations_are_different_transactions() -> None:
    """Two equal transfers in a row are two transfers."""
    chain = pegboard.open_chain()
    one = Transfer(
        FREE, chain.account("alice"), chain.account("bob"), chain.amount(7, "TEST"), None
    )
    assert chain.push(one).envelope.id != chain.push(one).envelope.id
    assert chain.balance("bob", "TEST") == PERSON_UNITS + 14


def test_time_passes_on_demand() -> None:
    """A block in the first slot that is not before a time."""
    chain = pegboard.open_chain(block_interval_s=5)
    start_s = chain.head_time
    chain.generate_block(earliest_s=start_s + 61)
    assert chain.head_time == start_s + 65


def test_back_to_a_snapshot_and_on_as_before() -> None:
    """What follows a revert is what followed the snapshot, block by block, prices included."""
    chain = pegboard.open_chain(witness_count=4)
    gift = Transfer(
        FREE, chain.account("alice"), chain.account("bob"), chain.amount(7, "TEST"), None
    )
    chain.generate_block()
    chain.push(gift)
    mark = chain.snapshot()
    ends = set()
    for _ in range(3):
        chain.push(gift)
        for day in range(1, 9):
            chain.generate_block(earliest_s=chain.head_time + day * 86_400)
        assert chain.chain.last_irreversible_num > mark.num
        ends.add(chain.chain.state_hash())
        chain.revert(mark)
    assert len(ends) == 1
    assert chain.balance("bob", "TEST") == PERSON_UNITS + 7
    chain.rewind(0)
    assert chain.balance("bob", "TEST") == PERSON_UNITS
    chain.release(mark)
    chain.generate_block()


def test_feeds_from_a_series(tmp_path: Path) -> None:
    """A file in the form of `config/prices`, as with `pegboard up --feed`."""
    series = tmp_path / "usd.csv"
    series.write_text("time,price\n2021-01-01,0.5\n2021-01-02,0.25\n")
    chain = pegboard.open_chain(feeds={"USD": f"csv:{series}?every=1b"})
    found = []
    for _ in range(3):
        chain.generate_block()
        bitasset = chain.state.bitasset_of(chain.asset("USD"))
        assert bitasset is not None
        price = bitasset.current_feed.settlement_price
        found.append(price.base.amount * 10**5 / (price.quote.amount * 10**4))
    assert found == [0.5, 0.25, 0.25]


def test_refusals_are_typed() -> None:
    """A wrong preset, an unknown account, somebody else's key."""
    with pytest.raises(ValidationError, match="no such preset"):
        pegboard.open_chain("mainnet")
    chain = pegboard.open_chain()
    with pytest.raises(NoSuchObject):
        chain.account("mallory")
    theft = Transfer(
        FREE, chain.account("alice"), chain.account("bob"), chain.amount(1, "TEST"), None
    )
    with pytest.raises(MissingActiveAuthority):
        chain.push(theft, secrets=[development_key("bob", "active")])


def test_the_readmes_program_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The program that the README shows, as it stands there."""
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    section = text.partition("## In a program of one's own\n")[2]
    exec(textwrap.dedent(section.partition("\nis a whole chain")[0]), {})
    assert capsys.readouterr().out == "True\n"
