"""A chain in a file: what it is, its blocks, and the hash of the state that they make.

Text, a JSON document a line: a header, the blocks in binary form as hexadecimal digits, and a
checksum over the lines before it. With the blocks the history comes along, and a node that loads
the file can check each step; a bare state would explain nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from node.cli.client import JsonObject
from node.cli.exits import FileUnreadable
from node.storage.durable import replace_file

FORMAT = "pegboard chain"
VERSION = 2


class ChainFile(NamedTuple):
    """What a file holds, checked as far as that is possible without the chain."""

    header: JsonObject
    """`chain_id`, `genesis_hash`, `first_block_number`, `head_block_number`, `head_block_id`,
    `head_block_time`, `state_hash`."""
    first_num: int
    """Number of the first block."""
    blocks: list[str]
    """From the chain's first block on, as hexadecimal digits."""


def write_chain(path: Path, facts: JsonObject, blocks: Iterable[str]) -> int:
    """Write a file whole or not at all; its size in bytes. Raises `DiskError`."""
    lines = [json.dumps({"format": FORMAT, "version": VERSION, **facts})]
    lines += (json.dumps(block) for block in blocks)
    data = ("\n".join(lines) + "\n").encode()
    data += json.dumps({"checksum": _checksum(data)}).encode() + b"\n"
    replace_file(path, data)
    return len(data)


def read_chain(path: Path) -> ChainFile:
    """The chain of a file; raises `FileUnreadable`, which names the line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileUnreadable(f"cannot read {path}: {error.strerror}") from error
    lines = data.splitlines(keepends=True)
    documents = list(_documents(path, lines))
    header = documents[0] if documents else None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise FileUnreadable(f"{path}, line 1: not a chain of `pegboard dump`")
    if header.get("version") != VERSION:
        raise FileUnreadable(
            f"{path}, line 1: another version", value=header.get("version"), limit=VERSION
        )
    first, number = header.get("first_block_number"), header.get("head_block_number")
    if type(first) is not int or type(number) is not int:
        raise FileUnreadable(f"{path}, line 1: no numbers of blocks", value=number)
    count = number - first + 1
    if len(documents) != count + 2:
        raise FileUnreadable(
            f"{path}, line {len(lines)}: cut: lines of header, blocks and checksum",
            value=len(documents),
            limit=count + 2,
        )
    wanted = {"checksum": _checksum(b"".join(lines[:-1]))}
    if documents[-1] != wanted:
        raise FileUnreadable(f"{path}, line {len(lines)}: altered: the checksum does not match")
    return ChainFile(header, first, [str(block) for block in documents[1:-1]])


def _documents(path: Path, lines: list[bytes]) -> Iterator[object]:
    for number, line in enumerate(lines, 1):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("the line is cut")
            yield json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FileUnreadable(f"{path}, line {number}: {error}") from error


def _checksum(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
