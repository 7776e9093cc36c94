"""The file of a node's own key, under which its peers know it (T-P13)."""

from __future__ import annotations

import os
from pathlib import Path

from node.storage.key_files import read_key_file, write_key_file
from protocol.p2p.noise import KEY_BYTES, NodeKey, parse_node_key


def open_node_key(path: Path) -> NodeKey:
    """The key of a file, which is made when it is missing.

    `KeyFileRefused` (exit code 77) if others can read it, `KeyFormatError` if it holds no key.
    """
    if not path.exists():
        write_key_file(path, os.urandom(KEY_BYTES).hex() + "\n")
    return NodeKey(parse_node_key(read_key_file(path).strip()))
