"""What a node loads before it runs, and each of its workers: nobody waits for what few need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from node.services.signature_pool import worker_command
from protocol.crypto.hashes import sha256
from protocol.crypto.signatures import sign_digest
from tests.support.world import key_of, secret_of

PROGRAM = """
import json, sys, node.cli.node_command, node.app
from protocol import binary, binary_source, json_form
from protocol.p2p import message_codec
def classes(cls):
    for one in type.__subclasses__(cls):
        yield one
        yield from classes(one)
print(json.dumps({
    "modules": [*sys.modules],
    "dataclasses": sorted({
        f"{cls.__module__}.{cls.__qualname__}" for cls in classes(object)
        if "__dataclass_fields__" in vars(cls)
        and cls.__module__.split(".")[0] in ("node", "protocol")
    }),
    "derived": {
        function.__name__: function.cache_info().currsize
        for function in (
            binary.writer_of, binary.reader_of, binary_source.values_of,
            json_form.encoder_of, message_codec._codec_for,
        )
    },
}))
"""
SELDOM = (
    *("asyncio", "concurrent.futures.process", "multiprocessing", "unittest", "xml"),
    *("difflib", "email", "gzip", "html", "importlib.metadata", "importlib.resources", "zipfile"),
    *("platformdirs", "prometheus_client", "psycopg", "rich", "structlog", "wsproto"),
    *("node.fork", "node.services.follower", "node.services.metrics", "pegboard"),
)
"""What only some nodes need, or later."""
REPO = Path(__file__).resolve().parents[2]
DIGEST = sha256(b"who signed?")
QUESTION = DIGEST + sign_digest(secret_of("alice"), DIGEST)


@pytest.fixture(scope="module")
def loaded() -> dict[str, object]:
    """What stands in a process that has loaded a node, and nothing else."""
    command = [sys.executable, "-P", "-c", PROGRAM]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(told.stdout)
    return found


def test_a_node_loads_what_it_needs(loaded: dict[str, object]) -> None:
    """What a question, a page, a peer or a forked chain needs is loaded for the first of them."""
    modules = loaded["modules"]
    assert isinstance(modules, list)
    assert "node.core.core" in modules
    assert not {*SELDOM} & {*modules}


def test_no_code_is_made_for_what_nobody_has_used(loaded: dict[str, object]) -> None:
    """Codecs are derived from their declarations when they are first asked for, and records are
    no dataclasses, of which each compiles its methods at every start."""
    derived = loaded["derived"]
    assert isinstance(derived, dict)
    assert {*derived.values()} == {0}, derived
    assert loaded["dataclasses"] == []


def test_a_worker_loads_what_recovers_keys_and_nothing_else() -> None:
    """There are as many as cores, and a sync waits for their start: no schema, no `site`."""
    python, *rest = worker_command()
    command = [python, "-X", "importtime", *rest]
    told = subprocess.run(command, input=QUESTION, capture_output=True, check=True)
    assert told.stdout == key_of("alice")
    modules = {line.rpartition("|")[2].strip() for line in told.stderr.decode().splitlines()}
    foreign = {name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name for name in foreign if name.startswith(("node", "protocol"))} == {
        *("node", "node.services", "node.services.signature_worker"),
        *("protocol", "protocol.crypto", "protocol.crypto.curve", "protocol.crypto.recovery"),
        "protocol.errors",
    }
    others = {name.partition(".")[0] for name in foreign} - {"node", "protocol", "imported package"}
    assert others <= {"coincurve", "cffi", "_cffi_backend"}
    assert not {"site", "inspect", "dataclasses", "pathlib", "json"} & modules


@pytest.mark.parametrize("place", ["", "."])
def test_a_worker_takes_no_code_from_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    """Nor from what a prompt or a script has put first among the places of modules."""
    for package in ("node", "protocol", "coincurve"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise SystemExit('somebody else')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(place)
    told = subprocess.run(worker_command(), input=QUESTION, capture_output=True, check=True)
    assert told.stdout == key_of("alice")


def test_a_worker_finds_code_that_is_in_no_list_of_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where an editable install has a finder of its own."""
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(REPO)])
    told = subprocess.run(worker_command(), input=QUESTION, capture_output=True, check=True)
    assert told.stdout == key_of("alice")
