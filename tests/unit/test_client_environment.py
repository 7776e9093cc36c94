"""The installer of the published clients: once for each list, and a reason when it cannot."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.clients import environment
from tests.clients.environment import ClientsMissing, node_clients


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for clients that nothing else uses."""
    monkeypatch.setattr(environment, "HOME", tmp_path / "clients")
    return tmp_path / "clients" / "some"


def test_an_unchanged_list_installs_nothing(home: Path, tmp_path: Path) -> None:
    """A second call is a look at a stamp; a changed list starts from an empty folder."""
    wanted = tmp_path / "list.txt"
    wanted.write_text("one==1\n")
    filled: list[list[Path]] = []

    def fill(place: Path) -> None:
        filled.append(list(place.iterdir()))
        (place / "installed").touch()

    environment._install(home, [wanted], fill)
    environment._install(home, [wanted], fill)
    assert filled == [[]]
    wanted.write_text("one==2\n")
    environment._install(home, [wanted], fill)
    assert filled == [[], []]


def test_a_failed_installation_is_tried_again(home: Path, tmp_path: Path) -> None:
    """An unreachable registry says why, and leaves no stamp behind."""
    wanted = tmp_path / "list.txt"
    wanted.write_text("one==1\n")
    code = "import sys; sys.exit('no route to the registry')"
    for _ in range(2):
        with pytest.raises(ClientsMissing, match="no route to the registry"):
            environment._install(
                home, [wanted], lambda _: environment._run([sys.executable, "-c", code])
            )


def test_without_node_there_are_no_javascript_clients(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The reason is what the skipped tests print."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClientsMissing, match="node is not installed"):
        node_clients()
