"""The command line as a whole: help, exit codes, completion, keys, genesis files."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from node.cli import cli, run
from node.cli.commands import LazyGroup
from node.exit_codes import Exit
from node.presets import PRESETS
from node.storage.node_key import open_node_key
from protocol.crypto.keys import key_text, parse_wif, password_key, public_key
from protocol.genesis import load_genesis

WIF = "5KQwrPbwdL6PhXujxW37FSSQZ1JiwsST4cqQzDeyXtP79zkvFD3"
"""The public example key of BitShares' own tests."""
PUBLIC = "TEST6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5GDW5CV"


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every command and group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        yield (*path, name)
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def command_at(path: tuple[str, ...]) -> click.Command:
    """The command that a path names."""
    found: click.Command | None = cli
    for name in path:
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), name)
    assert found is not None, path
    return found


@pytest.mark.parametrize("path", [(), *commands(cli)], ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Each command says what it does, and each option says it in a sentence."""
    assert run([*path, "--help"]) == 0
    assert "Usage: pegboard" in capsys.readouterr().out
    command = command_at(path)
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, parameter.name
            assert parameter.help.rstrip().endswith((".", ")", "]", "...")), parameter.help


def test_lists_of_commands_say_what_the_commands_say_themselves() -> None:
    """A list of commands loads none of them, so it has their first sentences from a table."""
    groups = [cli, command_at(("show",))]
    for group in groups:
        assert isinstance(group, LazyGroup)
        for name, place in group.places.items():
            told = click.Command(name, help=place.told)
            assert told.get_short_help_str(999) == place.load().get_short_help_str(999), name
            assert place.load().name in (name, name.replace("-", "_")), name


def test_a_list_of_commands_loads_none_of_them() -> None:
    """`pegboard --help` starts as quickly as any command."""
    code = "from node.cli import run; run(['--help']); import sys; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "node.cli.commands" in told.stdout
    assert not re.findall(r"node\.cli\.(?:wallet|show|node_command|up)\b", told.stdout)
    assert "trio" not in told.stdout.split()


def test_exit_codes_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    """The help of the program lists every exit code."""
    run(["--help"])
    text = capsys.readouterr().out
    for code in Exit:
        assert f"{code.value:>4}  {code.meaning.split()[0]}" in text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A script for each shell that names the program."""
    assert run(["completion", shell]) == 0
    assert "_PEGBOARD_COMPLETE" in capsys.readouterr().out


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep defaults away from the data directory of whoever runs the tests."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nonsense"], 64),
        (["show", "block", "x"], 64),
        (["show", "chain", "--url", "http://127.0.0.1:9"], 69),
        (["show", "chain", "--url", "gopher://x"], 69),
        (["node"], 64),
        (["node", "--config", "/nonexistent/node.toml"], 78),
        (["genesis", "check", "/nonexistent.json"], 78),
        (["replay", "--data-dir", "/nonexistent"], 78),
        (["up", "--api", "127.0.0.1:0"], 64),
        (["up", "--api", "nonsense"], 78),
        (["up", "-n", "99"], 64),
        (["up", "--feed", "USD=fixed:x"], 78),
        (["keys", "decrypt", "/nonexistent/key.json"], 74),
    ],
)
def test_exit_codes(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """What goes wrong ends with the documented code and a message on standard error."""
    try:
        ended = run(arguments)
    except SystemExit as done:
        ended = int(done.code or 0)
    assert ended == code
    assert capsys.readouterr().err


def test_errors_are_json_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json a refusal is one JSON object on standard error, nothing on standard output."""
    assert run(["show", "chain", "--url", "http://127.0.0.1:9", "--json"]) == 69
    printed = capsys.readouterr()
    assert json.loads(printed.err)["error"]["name"] == "node_unreachable"
    assert printed.out == ""


def test_keys_in_arguments_are_no_option() -> None:
    """RELIABILITY 5: neither keys nor passwords can be given in arguments or variables."""
    for path in commands(cli):
        for parameter in command_at(path).params:
            assert parameter.name not in ("password", "wif", "secret", "private_key"), path
            if parameter.name in ("password_fd", "wif_file", "wallet"):
                assert parameter.envvar is None


class TestKeys:
    """`pegboard keys`."""

    @pytest.fixture(autouse=True)
    def stdin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def type_in(self, text: str) -> None:
        self.monkeypatch.setattr("sys.stdin", io.StringIO(text))

    def test_public_key_of_a_wif(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        path = tmp_path / "nathan.wif"
        path.write_text(WIF + "\n")
        assert run(["keys", "public", str(path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"public_key": PUBLIC}

    def test_new_keys_differ(self, capsys: pytest.CaptureFixture[str]) -> None:
        found = []
        for _ in range(2):
            assert run(["keys", "new", "--prefix", "BTS", "--json"]) == 0
            found.append(json.loads(capsys.readouterr().out))
        assert found[0]["wif"] != found[1]["wif"]
        key = public_key(parse_wif(found[0]["wif"]))
        assert found[0]["public_key"] == key_text(key, "BTS")

    def test_password_accounts(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.type_in("hunter22 hunter22\n")
        assert run(["keys", "derive", "--account", "alice", "--role", "owner", "--json"]) == 0
        wanted = key_text(public_key(password_key("alice", "owner", "hunter22 hunter22")), "TEST")
        assert json.loads(capsys.readouterr().out)["public_key"] == wanted

    def test_suggested_words_derive_keys(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["keys", "suggest"]) == 0
        words = capsys.readouterr().out
        found = []
        for sequence in ("0", "1"):
            self.type_in(words)
            assert run(["keys", "derive", "--sequence", sequence, "--json"]) == 0
            found.append(json.loads(capsys.readouterr().out)["wif"])
        assert found[0] != found[1]

    def test_encrypt_and_decrypt(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        password = tmp_path / "password"
        password.write_text("correct horse\n")
        self.type_in(WIF + "\n")
        with password.open() as file:
            arguments = ["--scrypt-n", "16384", "--password-fd", str(file.fileno()), "--json"]
            assert run(["keys", "encrypt", str(tmp_path / "keys"), *arguments]) == 0
        made = json.loads(capsys.readouterr().out)
        assert Path(made["file"]).stat().st_mode & 0o777 == 0o600
        assert WIF not in Path(made["file"]).read_text()
        with password.open() as file:
            code = run(["keys", "decrypt", made["file"], "--password-fd", str(file.fileno())])
        assert code == 0
        assert capsys.readouterr().out.strip() == WIF
        password.write_text("wrong horse\n")
        with password.open() as file:
            code = run(["keys", "decrypt", made["file"], "--password-fd", str(file.fileno())])
        assert code == 77
        assert "wrong password" in capsys.readouterr().err

    def test_node_keys(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """T-P13: made beforehand, with the public half to tell; kept when it is there."""
        path = tmp_path / "keys" / "node.key"
        assert run(["keys", "node", str(path), "--json"]) == 0
        made = json.loads(capsys.readouterr().out)
        assert made == {"public_key": open_node_key(path).public.hex(), "file": str(path)}
        secret = path.read_text().strip()
        assert run(["keys", "node", str(path)]) == 0
        assert capsys.readouterr().out == made["public_key"] + "\n"
        assert path.read_text().strip() == secret
        assert secret != made["public_key"]
        path.chmod(0o640)
        assert run(["keys", "node", str(path)]) == 77

    def test_no_secret_and_no_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.type_in("")
        assert run(["keys", "derive"]) == 64
        self.type_in("not a wif\n")
        assert run(["keys", "public", "-"]) == 77
        assert "not a wif" not in capsys.readouterr().err


class TestGenesis:
    """`pegboard genesis`."""

    def test_make_check_show(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        path = tmp_path / "genesis.json"
        options = ["--preset", "openshares", "-n", "5", "--block-interval", "2"]
        assert run(["genesis", "make", *options, "-o", str(path)]) == 0
        assert load_genesis(path.read_text()).initial_active_witnesses == 5
        assert run(["genesis", "make", *options, "-o", str(path)]) == 64
        capsys.readouterr()
        assert run(["genesis", "chain-id", str(path), "--json"]) == 0
        chain = json.loads(capsys.readouterr().out)["chain_id"]
        assert run(["genesis", "check", str(path)]) == 0
        assert chain in capsys.readouterr().out
        assert run(["genesis", "show", str(path)]) == 0
        text = capsys.readouterr().out
        assert "delegates" in text
        assert "OPS" in text
        assert re.search(r"settle match +false\npay MCOP +false\n", text)

    def test_time_can_be_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["genesis", "make", "--time", "2021-11-15T00:00:01"]) == 0
        made = load_genesis(capsys.readouterr().out)
        assert made.initial_timestamp == 1_636_934_400
        assert made.pegboard.chain_id == PRESETS["testnet"].chain_id

    def test_what_is_wrong_is_named(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        path = tmp_path / "genesis.json"
        path.write_text('{"initial_timestamp": 3}')
        assert run(["genesis", "check", str(path)]) == 65
        assert "genesis.json" in capsys.readouterr().err
