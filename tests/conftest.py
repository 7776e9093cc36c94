"""For tests in more than one folder: the databases of a history; and no test measures time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.history_databases import HistoryPlace, PostgresPlace, SqlitePlace
from tests.support.postgres import NoServer, PostgresServer

settings.register_profile("pegboard", deadline=None)
settings.load_profile("pegboard")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs so, and the programs that tests start would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The walk through the README begins first: it takes longest, beside all others."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")


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
