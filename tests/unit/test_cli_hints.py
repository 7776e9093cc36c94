"""What is said to somebody who does not know the next step."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from node.cli import keyring, program, run
from node.cli.network_files import Wanted, open_network
from node.cli.welcome import commands_to_try, welcome
from node.presets import development_key
from protocol.crypto.keys import wif
from protocol.crypto.keystore import PASSWORD_LENGTH_MIN, SCRYPT_N_MIN
from tests.support.desk import Desk

NOW_S = 1_800_000_000


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(monkeypatch, capsys)


def test_a_development_key_that_is_missing(desk: Desk, tmp_path: Path) -> None:
    """--dev-keys is named where it would do, and only there."""
    wallet = ("--wallet", str(tmp_path / "empty"))
    ended = desk.run("wallet", "transfer", "bob", "1 TEST", "-a", "alice", *wallet)
    assert (ended.code, "--dev-keys" in ended.err) == (77, True)
    desk.wallet("alice", "create-account", "frank77", "--active-key", PUBLIC)
    ended = desk.run("wallet", "transfer", "bob", "1 TEST", "-a", "frank77", *wallet)
    assert (ended.code, "--dev-keys" in ended.err) == (77, False)
    ended = desk.run("wallet", "transfer", "bob", "1 TEST", *wallet)
    assert (ended.code, "--dev-keys" in ended.err) == (64, True)


PUBLIC = "TEST6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5GDW5CV"


def test_no_network_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """What starts one is named, by a name that works here."""
    assert run(["show", "chain", "--url", "http://127.0.0.1:9"]) == 69
    assert f"`{program.command_name()} up` starts a network" in capsys.readouterr().err


def test_the_password_s_least_length(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said before one is typed, and when one was too short."""
    monkeypatch.setattr(keyring, "SCRYPT_N_DEFAULT", SCRYPT_N_MIN)
    asked: list[str] = []

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return "short"

    monkeypatch.setattr("getpass.getpass", typed)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    (tmp_path / "alice.wif").write_text(wif(development_key("alice", "active")))
    ended = desk.run(
        *("wallet", "import-key", "--wif-file", str(tmp_path / "alice.wif")),
        *("--wallet", str(tmp_path / "wallet"), "--json"),
    )
    assert f"at least {PASSWORD_LENGTH_MIN} characters" in asked[0]
    message = json.loads(ended.err)["error"]["message"]
    assert f"at least {PASSWORD_LENGTH_MIN} characters" in message


def test_what_to_try_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of the greeting begin with a program that the shell finds from here."""
    monkeypatch.chdir(tmp_path)
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    own = binaries / "pegboard"
    own.write_text("#!/bin/sh\n")
    own.chmod(own.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(binaries / "python"))
    monkeypatch.setenv("PATH", "/nonexistent")
    network, _ = open_network(tmp_path / "net", Wanted(), now_s=NOW_S)
    lines = commands_to_try(network, "127.0.0.1:8090")
    assert all(line.startswith(".venv/bin/pegboard ") for line in lines)
    assert all(f"  {line}" in list(welcome(network, "127.0.0.1:8090")) for line in lines)
    monkeypatch.chdir(binaries)
    assert program.command_name() == "pegboard" or program.command_name().endswith("pegboard")
    monkeypatch.setenv("PATH", str(binaries))
    assert program.command_name() == "pegboard"
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    (elsewhere / "pegboard").write_text("#!/bin/sh\n")
    os.chmod(elsewhere / "pegboard", 0o755)  # noqa: PTH101
    monkeypatch.setenv("PATH", str(elsewhere))
    monkeypatch.chdir(tmp_path)
    assert program.command_name() == ".venv/bin/pegboard", "another program of that name"
    own.unlink()
    assert program.command_name() == f"{binaries / 'python'} -m node"
