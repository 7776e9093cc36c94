"""The pytest plugin of pegboard: markets as fixtures. It is there wherever pegboard is installed.

    def test_my_bot(market):
        alice = market.account("alice", core=10_000)

A test's seed follows from its name, so that it is the same tomorrow; `--pegboard-seed` chooses
another. A failing test says its seed, and leaves what it did as a scenario, which `pegboard play`
plays again. Nothing of pegboard is imported before a test asks for it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import pegboard
    from pegboard.processes import Served

_MARKET = pytest.StashKey["pegboard.Market"]()
SCENARIOS = "pegboard"
"""Folder in pytest's cache with the scenarios of failing tests."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--pegboard-seed`."""
    parser.getgroup("pegboard").addoption(
        "--pegboard-seed",
        type=int,
        metavar="N",
        help="Seed of the fixture `market`.  [default: one that follows from the test's name]",
    )


@pytest.fixture
def market(request: pytest.FixtureRequest) -> Iterator[pegboard.Market]:
    """A fresh market in this process, as `pegboard.market()` makes it."""
    from pegboard.fresh import market as fresh_market

    with fresh_market(seed=_seed_of(request)) as made:
        request.node.stash[_MARKET] = made
        yield made


@pytest.fixture(scope="session")
def _development_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    from pegboard.processes import served

    directory = tmp_path_factory.mktemp("pegboard-node")
    with served("node", "--dev", "--mode", "instant", directory=directory) as node:
        yield node


@pytest.fixture
def dev_node(request: pytest.FixtureRequest, _development_process: Served) -> Iterator[Served]:
    """A real development node, one process for all tests: `url`, `websocket_url`, `market`.

    It makes a block at once for each transaction. Each test has it as it was at the start, and the
    prices are the test's own.
    """
    from pegboard.processes import reverted

    with reverted(_development_process, seed=_seed_of(request)) as node:
        yield node


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real network of four witness processes, once for all tests: blocks come each second.

    What a test does there stays: accounts of its own keep it apart from others.
    """
    from pegboard.processes import served

    directory = tmp_path_factory.mktemp("pegboard-network")
    with served("up", "--block-interval", "1", directory=directory) as node:
        yield node


def _seed_of(request: pytest.FixtureRequest) -> int:
    chosen: int | None = request.config.getoption("--pegboard-seed")
    return zlib.crc32(request.node.nodeid.encode()) if chosen is None else chosen


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of a failing test's market how to have it again."""
    report = yield
    if report.failed and _MARKET in item.stash:
        report.sections.append(("pegboard", _tell(item, item.stash[_MARKET])))
    return report


def _tell(item: pytest.Item, market: pegboard.Market) -> str:
    told = f"seed {market.seed}: pytest --pegboard-seed {market.seed} {item.nodeid!r}"
    cache: pytest.Cache | None = getattr(item.config, "cache", None)
    if cache is None:
        return told
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", item.nodeid)
    try:
        path = cache.mkdir(SCENARIOS) / f"{name}.toml"
        path.write_text(market.scenario(title=item.nodeid), encoding="utf-8")
    except OSError as error:
        return f"{told}\nno scenario could be written: {error}"
    return f"{told}\nwhat it did: pegboard play {path}"
