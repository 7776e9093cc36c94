"""What a node loads before it runs: nobody waits for what few nodes need."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

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
