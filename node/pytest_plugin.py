"""The pytest plugin of pegboard: markets as fixtures. It is there wherever pegboard is installed.

    def test_my_bot(market):
        alice = market.account("alice", core=10_000)

A test's seed follows from its name, so that it is the same tomorrow; `--pegboard-seed` chooses
another. A failing test says its seed. Nothing of pegboard is imported before a test asks for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import pegboard

_MARKET = pytest.StashKey["pegboard.Market"]()


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

    chosen: int | None = request.config.getoption("--pegboard-seed")
    seed = zlib.crc32(request.node.nodeid.encode()) if chosen is None else chosen
    with fresh_market(seed=seed) as made:
        request.node.stash[_MARKET] = made
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of a failing test's market how to have it again."""
    report = yield
    if report.failed and _MARKET in item.stash:
        seed = item.stash[_MARKET].seed
        told = f"seed {seed}: pytest --pegboard-seed {seed} {item.nodeid!r}"
        report.sections.append(("pegboard", told))
    return report
