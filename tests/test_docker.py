"""The image and the compose file name files, ports and commands that exist; the door hands on.

No image is built here: what each step names is looked up, and what runs in it is run.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
import trio
import yaml

from node.cli import cli
from node.cli.client import DEFAULT_URL
from node.cli.commands import PLACES
from node.cli.network_files import free_ports
from node.services.pages import PAGES

Json = Any
REPO = Path(__file__).resolve().parent.parent
FOLDER = REPO / "config" / "docker"
HANDED_ON_WITHIN_S = 20
HEALTH = re.compile(r"http://127\.0\.0\.1:([0-9]+)(/[a-z/]+)")


def instructions() -> list[tuple[str, str]]:
    """The steps of the Dockerfile: a word, and what follows it."""
    text = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    return [
        (line.partition(" ")[0], line.partition(" ")[2].strip())
        for line in lines
        if line and not line.startswith("#")
    ]


def last(word: str) -> str:
    """What the last step of a kind says: it is the one that holds."""
    return [rest for name, rest in instructions() if name == word][-1]


def services() -> dict[str, Json]:
    found: Json = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return dict(found["services"])


def is_in_context(path: str) -> bool:
    """Whether the list of what the image is made of has a path; its last matching line decides."""
    held = True
    for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").rstrip("/")
        if pattern == "*" or fnmatch(path, pattern) or f"{path}/".startswith(f"{pattern}/"):
            held = line.startswith("!")
    return held


def accepts(words: list[str]) -> click.Context:
    """The command line of a container, read by the commands themselves; nothing is run."""
    command = cli.get_command(click.Context(cli), words[0])
    assert words[0] in PLACES
    assert command is not None
    return command.make_context(words[0], words[1:])


def test_what_is_copied_is_there() -> None:
    """Every source exists, and is not held back from the build."""
    copied = [rest.split() for word, rest in instructions() if word == "COPY"]
    sources = [one for words in copied if "--from=build" not in words for one in words[:-1]]
    assert len(sources) >= 7
    for source in sources:
        assert (REPO / source).exists(), source
        assert is_in_context(source), source
    assert not is_in_context("tests")
    assert not is_in_context(".venv")
    assert not is_in_context("scripts/locks/dev.txt")


def test_the_image_is_locked_and_without_rights() -> None:
    """Hashes for all that is downloaded, a user that is not root, a signal that ends it well."""
    runs = [rest for word, rest in instructions() if word == "RUN"]
    installs = [run for run in runs if " install " in run and "pip" in run]
    assert [run for run in installs if "--require-hashes" in run or "--no-deps" in run] == installs
    assert last("USER") == "10001:10001"
    assert any("--uid 10001" in run for run in runs)
    assert last("STOPSIGNAL") == "SIGTERM"
    assert last("VOLUME") == last("WORKDIR") == "/data"
    assert json.loads(last("ENTRYPOINT")) == ["pegboard"]
    context = accepts(json.loads(last("CMD")))
    assert context.params["data_dir"].is_relative_to("/data")
    assert HEALTH.findall(last("HEALTHCHECK")) == [(DEFAULT_URL.rpartition(":")[2], "/health")]
    assert "/health" in PAGES


def test_compose_starts_what_the_command_line_accepts() -> None:
    """One network, and a door at a port that only this machine can reach."""
    found = services()
    assert found.keys() == {"network", "door"}
    network, door = found["network"], found["door"]
    context = accepts(network["command"])
    assert context.params["witnesses"] == 4
    inner = context.params["api"].rpartition(":")[2]
    assert network["volumes"] == ["network:/data"]
    (published,) = network["ports"]
    host, outer, shown = published.split(":")
    assert (host, outer) == ("127.0.0.1", inner)
    assert door["command"] == [shown, inner]
    assert door["network_mode"] == "service:network"
    assert HEALTH.findall(door["healthcheck"]["test"][-1]) == [(shown, "/health")]
    build = network["build"]
    assert (FOLDER / build["context"]).resolve() == REPO
    assert (REPO / build["dockerfile"]).is_file()
    assert door["image"] == network["image"]
    for one in found.values():
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
    assert (
        f"COPY config/docker/door.py {door['entrypoint'][1]}" in (FOLDER / "Dockerfile").read_text()
    )


def door_module() -> ModuleType:
    spec = spec_from_file_location("door", FOLDER / "door.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_door_hands_on_both_ways() -> None:
    """All bytes, and the end of each side; a node that is not there ends a connection, no more."""

    async def echo(stream: trio.SocketStream) -> None:
        received = b""
        async for data in stream:
            received += data
        await stream.send_all(received[::-1])

    async def play() -> None:
        with trio.fail_after(HANDED_ON_WITHIN_S):
            await hand_on()

    async def hand_on() -> None:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, echo, 0, host="127.0.0.1"))
            inner = listeners[0].socket.getsockname()[1]
            doors = await nursery.start(_door, inner)
            port = doors[0].socket.getsockname()[1]
            sent = bytes(range(256)) * 1_000
            for _ in range(2):
                async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                    await stream.send_all(sent)
                    await stream.send_eof()
                    received = b"".join([part async for part in stream])
                assert received == sent[::-1]
            (nobody,) = free_ports(1)
            doors = await nursery.start(_door, nobody)
            port = doors[0].socket.getsockname()[1]
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                assert await stream.receive_some() == b""
            nursery.cancel_scope.cancel()

    async def _door(inner: int, *, task_status: Any) -> None:
        await door_module().serve(0, inner, host="127.0.0.1", task_status=task_status)

    trio.run(play)


@pytest.mark.parametrize("path", ["Dockerfile", "compose.yaml"])
def test_commands_in_the_comments_name_files(path: str) -> None:
    """Who copies a command from the head of a file finds what it names."""
    text = (FOLDER / path).read_text()
    for named in re.findall(r"-f (\S+)", text):
        assert (REPO / named).is_file(), named
