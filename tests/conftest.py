"""For tests in more than one folder: the databases of a history; and no test measures time."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

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

ALONE = ("development_node", "metanode", "bitshares_signing", "published_suite")
"""Files of `clients` that start nodes of their own."""
JAVASCRIPT = ("javascript", "bitsharesjs", "btsdex")
"""Files of `clients` that share a network; all others of them share another."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no process is left alone with it at the end."""
    ranks = {f"test_{name}.py": rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


class ByNetwork(LoadFileScheduling):  # type: ignore[misc]
    """`--dist loadfile`, but files that share a network go to one process, which starts it once."""

    def _split_scope(self, nodeid: str) -> str:
        """The network of the clients that a test shares, or its file."""
        path = Path(nodeid.partition("::")[0])
        name = path.stem.removeprefix("test_")
        if path.parent.name != "clients" or name in ALONE:
            return str(path)
        return "clients in JavaScript" if name in JAVASCRIPT else "clients"


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    """How `--dist loadfile` hands out tests."""
    return ByNetwork(config, log) if config.getoption("dist") == "loadfile" else None


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
