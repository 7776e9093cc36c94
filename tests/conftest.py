"""For tests in more than one folder: the databases of a history; and no test measures time."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from node.compiled import how_it_runs
from tests.support.history_databases import HistoryPlace, PostgresPlace, SqlitePlace
from tests.support.postgres import NoServer, PostgresServer

settings.register_profile("pegboard", deadline=None)
settings.load_profile("pegboard")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs so, and the programs that tests start would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST = (
    *("readme", "uptick", "kill", "network", "history_node", "history_postgres", "javascript"),
    *("pauses", "wheel", "finality", "hostile_peers", "cli_up"),
)
"""Files of real processes that take a minute or more, the longest first."""

JAVASCRIPT = ("javascript", "bitsharesjs", "btsdex")
"""Files of `clients` that share a network; all others of them share another."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no process is left alone with it at the end; and
    with `--dist loadgroup` what shares a network is of one process, which starts it once."""
    ranks = {f"test_{name}.py": rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))
    for item in items:
        if item.get_closest_marker("functional"):
            item.add_marker(pytest.mark.xdist_group(group_of(item)))


def group_of(item: pytest.Item) -> str:
    """What shares the network of the clients with a test, or its file."""
    if "network" not in getattr(item, "fixturenames", ()) or item.path.parent.name != "clients":
        return item.path.stem
    in_javascript = item.path.stem.removeprefix("test_") in JAVASCRIPT
    return "clients in JavaScript" if in_javascript else "clients"


def pytest_collection_finish() -> None:
    """Ten thousand tests and their modules stay; no collection need look at them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def interpreted() -> None:
    """For tests that put functions into modules, or inherit from their classes, as compiled code
    does not let them."""
    if how_it_runs() == "compiled":
        pytest.skip("compiled modules call their own functions, and have no interpreted subclasses")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests; where none can run, they are skipped with the reason."""
    try:
        server = PostgresServer()
    except NoServer as error:
        pytest.skip(f"PostgreSQL is not tested: {error}")
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> HistoryPlace:
    """A place without a history, once in a file, once on a server."""
    if request.param == "sqlite":
        return SqlitePlace(tmp_path / "history.sqlite")
    server: PostgresServer = request.getfixturevalue("postgres")
    return PostgresPlace(server.create_database())
