"""Which ports a network gets that names none."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from node.cli import network_files
from node.cli.network_files import EPHEMERAL_PORTS, LISTENED_FIRST, free_ports


@pytest.mark.skipif(not EPHEMERAL_PORTS.exists(), reason="Linux tells its range there")
def test_no_outgoing_connection_takes_a_port_that_was_found_free() -> None:
    """Ports of outgoing connections begin above them."""
    ports = free_ports(40)
    assert len(set(ports)) == 40
    assert min(ports) >= LISTENED_FIRST
    assert max(ports) < int(EPHEMERAL_PORTS.read_text().split()[0])


def test_a_port_at_which_somebody_listens_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is tried."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            tries = [one.getsockname()[1] for one in (server, gone)]
        monkeypatch.setattr(network_files, "_ports_to_try", lambda: iter(tries))
        assert free_ports(1) == tries[1:]


@pytest.mark.skipif(sys.platform != "linux", reason="others let nobody share a port")
def test_a_port_stays_with_who_has_asked_for_it() -> None:
    """Nobody else finds it free before its node starts, or while that starts again."""
    [port] = free_ports(1)
    for _ in range(2):
        with socket.socket() as another, pytest.raises(OSError, match="in use"):
            another.bind(("127.0.0.1", port))
        socket.create_server(("127.0.0.1", port)).close()


def test_a_system_with_few_other_ports_gives_any(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where outgoing connections may have nearly all, some of theirs are better than none."""
    (tmp_path / "range").write_text("1024\t65000\n")
    monkeypatch.setattr(network_files, "EPHEMERAL_PORTS", tmp_path / "range")
    assert len(set(free_ports(5))) == 5
