"""The wheel, alone in an environment of its own, in a folder that is empty and in a hostile one.

What it depends on is borrowed from the environment of the checkout; `node`, `protocol`, `pegboard`
and `config` come from the wheel.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from urllib.request import urlopen

import pytest

from node.cli.network_files import free_ports
from node.rules import rules
from node.services.page_files import page_files
from tests.support.commands import pegboard, running

pytestmark = pytest.mark.functional

REPO = Path(__file__).resolve().parents[2]
PARTS = ("node", "protocol", "config", "pyproject.toml", "README.md", "LICENSE")
HOSTILE = (
    *("protocol.py", "pegboard.py", "node/__init__.py", "config/__init__.py"),
    *("random.py", "socket.py", "multiprocessing/__init__.py", "trio.py", "coincurve/__init__.py"),
)
"""What a reader's own folder may hold, and no process may import."""

PROGRAM = """
import json, node, pegboard, protocol
from protocol.operations.transfer import Transfer
chain = pegboard.open_chain("testnet")
alice, bob = chain.account("alice"), chain.account("bob")
chain.push(Transfer(pegboard.FREE, alice, bob, chain.amount(7, "TEST"), None))
block = chain.generate_block()
files = [module.__file__ for module in (node, pegboard, protocol)]
print(json.dumps([pegboard.__version__, block.envelope.num, files]))
"""

WORKER = """
import sys, trio
from node.cli import main
from node.services.signature_pool import SignaturePool

async def ask():
    SignaturePool._recover_here = None
    pool = SignaturePool()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        print(await pool.recover(bytes(97)) == bytes(33))
        nursery.cancel_scope.cancel()

if __name__ == "__main__":
    sys.argv = ["pegboard", "--version"]
    try:
        main()
    except SystemExit:
        trio.run(ask)
"""


def run(command: Sequence[str | Path], cwd: Path) -> str:
    """What a command prints; it must not fail."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment in which the wheel is installed."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    source.mkdir()
    for name in PARTS:
        if (REPO / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPO / name, source / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(REPO / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", place, source], place)
    [wheel] = place.glob("*.whl")
    environment = place / "environment"
    run([sys.executable, "-m", "venv", "--without-pip", environment], place)
    [packages] = environment.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = environment / "bin" / "python"
    run([*pip, "--python", python, "install", "-q", "--no-deps", "--no-index", wheel], place)
    return environment / "bin"


@pytest.fixture(params=["empty", "hostile"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A working directory."""
    place = tmp_path / "here"
    place.mkdir()
    for name in HOSTILE if request.param == "hostile" else ():
        path = place / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"raise SystemExit('{name} is imported from the working directory')\n")
    return place


def test_programs_import_the_public_face(home: Path, folder: Path) -> None:
    """`-P`, since Python itself puts the working directory first for `-c` and `-m`."""
    found, num, files = json.loads(run([home / "python", "-P", "-c", PROGRAM], folder))
    assert (found, num) == (version("pegboard"), 1)
    packages = home.parent.resolve()
    assert all(Path(name).resolve().is_relative_to(packages) for name in files), files
    assert run([home / "pegboard", "--version"], folder).strip().endswith(f"{found} (interpreted)")


def test_every_rule_page_is_in_the_wheel(home: Path, folder: Path) -> None:
    """`pegboard rule` knows the same rules as in the checkout, and prints one alike."""
    program = "import json, node.rules; print(json.dumps(list(node.rules.rules())))"
    assert json.loads(run([home / "python", "-P", "-c", program], folder)) == list(rules())
    assert run([home / "pegboard", "rule", "R4.2"], folder) == pegboard("rule", "R4.2").stdout


def test_the_scenarios_and_the_pytest_plugin_are_in_the_wheel(home: Path, folder: Path) -> None:
    """`pegboard play` finds a file of `config` anywhere, and pytest the fixture of a market."""
    told = run([home / "pegboard", "play", "config/scenarios/fall.toml"], folder)
    assert "as expected: bob.position.bitUSD.closed = true" in told
    tests = folder / "tests"
    tests.mkdir()
    (tests / "test_bot.py").write_text("def test_it(market): assert market.price('USD') > 0\n")
    assert "1 passed" in run([home / "python", "-P", "-m", "pytest", "-q", tests], folder)


def test_the_worker_that_recovers_keys_starts(home: Path, folder: Path) -> None:
    """And no other had to take its place."""
    script = home / "worker.py"
    script.write_text(WORKER)
    assert run([home / "python", script], folder).splitlines()[-1] == "True"


def test_a_network_runs_and_in_the_hostile_folder_the_demo_plays(home: Path, folder: Path) -> None:
    """All processes of `up`, with a recorded series of `config`."""
    program = [str(home / "pegboard")]
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    options = ("-n", "1", "--block-interval", "1", "--data-dir", "net", "--json")
    feed = ("--feed", "EUR=csv:config/prices/try_eur.csv?every=1b")
    with running(
        "up", *options, *feed, "--api", f"127.0.0.1:{port}", program=program, cwd=folder
    ) as network:
        network.wait_for_block(2)
        for path, text in (("/", b"a node of TEST"), *((path, b"") for path in page_files())):
            with urlopen(url + path) as file:
                assert text in file.read()
        if any(folder.glob("*.py")):
            played = pegboard("demo", "margin-call", "--url", url, program=program, cwd=folder)
            assert played.returncode == 0, played.stdout[-3_000:] + played.stderr[-3_000:]
        assert network.stop() == 0
    logs = [path.read_text() for path in folder.glob("net/*/node.log")]
    assert len(logs) == 2
    assert not any("working directory" in text for text in logs)
