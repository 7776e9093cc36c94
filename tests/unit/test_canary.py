"""The search for keys finds each that is planted (T-X1)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from protocol.crypto.keys import PrivateKey, wif
from tests.support.canary import KEY_DIRECTORY, find_keys, forms_of

SECRETS = Random("canary").randbytes(32), Random("node").randbytes(32)
FORMS = tuple(forms_of(SECRETS[0]))
WAITS = "import sys; print(flush=True); sys.stdin.read()"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a witness's key, a node's, and files without any."""
    keys = tmp_path / "net" / KEY_DIRECTORY
    keys.mkdir(parents=True)
    (keys / "signing.wif").write_text(wif(PrivateKey(SECRETS[0])) + "\n")
    (keys / "node.key").write_text(SECRETS[1].hex() + "\n")
    (tmp_path / "node.log").write_bytes(b"nothing\n" + forms_of(bytes(32))["hexadecimal"])
    return tmp_path


@pytest.mark.parametrize("secret", SECRETS, ids=["of a witness", "of a node"])
@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_found_in_each_form(directory: Path, form: str, secret: bytes) -> None:
    """T-X1: amid other bytes, in a file that has nothing to do with keys."""
    assert find_keys(directory, ()) == []
    log = directory / "net" / "data.sqlite"
    log.write_bytes(b"row " + forms_of(secret)[form] + b"= end")
    assert f"as {form} in {log}" in " ".join(find_keys(directory, ()))


@pytest.fixture
def process(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """A process that has a key in an argument, in a variable, or in an open file elsewhere."""
    text = forms_of(SECRETS[0])["WIF"].decode()
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "kept"
    elsewhere.write_text(text)
    with elsewhere.open() as file:
        started = subprocess.Popen(
            [sys.executable, "-c", WAITS, *([text] if request.param == "cmdline" else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file if request.param == "fd" else subprocess.DEVNULL,
            env={"KEY": text} if request.param == "environ" else {},
        )
    assert started.stdout is not None
    started.stdout.readline()
    yield started.pid
    started.communicate()


@pytest.mark.parametrize("process", ["cmdline", "environ", "fd"], indirect=True)
def test_a_key_is_found_in_a_process(
    directory: Path, process: int, request: pytest.FixtureRequest
) -> None:
    """T-X1: what the system tells of it, and what it has open."""
    [found] = find_keys(directory, [process])
    assert found.startswith(
        f"signing.wif as WIF in /proc/{process}/{request.node.callspec.params['process']}"
    )
