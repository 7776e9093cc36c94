"""The small files of a data directory, each written several times and crashed at each step (T-S2).

A file shows the newest thing that its writer was told to be kept, or one that was begun since
then; it is never half, and it can be gone on with.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from shutil import rmtree
from typing import NamedTuple

from node.app import PEERS_FILE, load_peers
from node.cli.network_files import MARKER, Wanted, open_network, read_network
from node.config import NodeSettings, read_settings, write_settings
from node.p2p.effects import PeerAddress
from node.p2p.peer_database import PeerDatabase
from node.storage.durable import replace_file
from node.storage.guard import RECORD_FILE, SigningGuard
from node.storage.interface import SignedSlot, SignedVote
from node.storage.key_files import list_key_files, read_key_file, write_key_file
from protocol.errors import PegboardError
from protocol.genesis import chain_id
from protocol.ids import WitnessId
from protocol.schema import Digest, PublicKey
from tests.crashpoints.enumeration import Enumeration, put
from tests.crashpoints.trace import Recorder

CHAIN = Digest(bytes(range(32)))
WITNESS = WitnessId(1)
KEY = PublicKey(b"\x02" + bytes(32))
SLOT_S = 5


class SmallFile(NamedTuple):
    """How production writes something for the first, second, ... time, and how it reads it."""

    write: Callable[[Path, int], None]
    read: Callable[[Path], int]
    """Which of the writes it shows; 0 for none."""
    writes: int = 4


class Wrong(NamedTuple):
    """A crash after which a promise is broken."""

    step: str
    what: str


def crash_everywhere(file: SmallFile, directory: Path, enumeration: Enumeration) -> list[Wrong]:
    """Crash it at each step of its writes; what is wrong afterwards."""
    written = directory / "written"
    written.mkdir()
    recorder = Recorder(written)
    begun, told = [], []
    with recorder.recording():
        for number in range(1, file.writes + 1):
            begun.append(len(recorder.steps))
            file.write(written, number)
            told.append(len(recorder.steps))
    rmtree(written)

    def promised(step: int) -> tuple[int, int]:
        return sum(at <= step for at in told), sum(at <= step for at in begun)

    found = []
    for step, image in enumeration.points_of(recorder.steps, promised=promised):
        least, most = promised(step)
        put(image, directory / "crashed")
        wrong = _wrong(file, directory / "crashed", least, most)
        if wrong:
            found.append(Wrong(repr(recorder.steps[step])[:80], wrong))
        rmtree(directory / "crashed")
    return found


def _wrong(file: SmallFile, directory: Path, least: int, most: int) -> str:
    try:
        shown = file.read(directory)
        if not least <= shown <= most:
            return f"shows write {shown}, told were {least}, begun {most}"
        file.write(directory, shown + 1)
        if file.read(directory) < min(shown + 1, file.writes):
            return f"cannot go on after write {shown}"
    except (PegboardError, OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _replace(directory: Path, number: int) -> None:
    replace_file(directory / "endpoints.json", b'{"number": ', b"%d}" % number)


def _replaced(directory: Path) -> int:
    path = directory / "endpoints.json"
    return int(json.loads(path.read_bytes())["number"]) if path.exists() else 0


def _reserve(directory: Path, number: int) -> None:
    guard = SigningGuard(directory / RECORD_FILE, CHAIN)
    slot = SignedSlot(WITNESS, number * SLOT_S, number)
    guard.reserve([slot], [SignedVote(KEY, number - 1, number)])
    guard.close()


def _reserved(directory: Path) -> int:
    guard = SigningGuard(directory / RECORD_FILE, CHAIN)
    guard.close()
    slot = guard.load().get(WITNESS, 0) // SLOT_S
    vote = (guard.load_votes() or {}).get(KEY, (0, 0))
    assert vote == (max(slot - 1, 0), slot), "slot and vote of one write are there together (F5)"
    return slot


def _save_peers(directory: Path, number: int) -> None:
    database = PeerDatabase()
    for port in range(1, number + 1):
        database.add(PeerAddress("10.0.0.1", port), "", Random(0))
    replace_file(directory / PEERS_FILE, json.dumps(database.to_json()).encode())


def _saved_peers(directory: Path) -> int:
    database = PeerDatabase()
    load_peers(directory / PEERS_FILE, database)
    return len(database)


def _write_settings(directory: Path, number: int) -> None:
    write_settings(
        directory / "config.toml", NodeSettings("genesis.json", node_name=f"node{number}")
    )


def _settings(directory: Path) -> int:
    path = directory / "config.toml"
    return int(read_settings(path).node_name.removeprefix("node")) if path.exists() else 0


def _write_key(directory: Path, number: int) -> None:
    write_key_file(directory / "keys" / f"{number}.json", f"key {number}")


def _keys(directory: Path) -> int:
    keys = directory / "keys"
    if keys.exists():
        keys.chmod(0o700)  # images hold no modes
    texts = []
    for path in list_key_files(keys):
        path.chmod(0o600)
        texts.append(read_key_file(path))
    if texts != [f"key {number}" for number in range(1, len(texts) + 1)]:
        raise ValueError(f"keys {texts}")
    return len(texts)


def _make_network(directory: Path, number: int) -> None:
    open_network(directory / "net", Wanted(witness_count=1, block_interval_s=3), now_s=3 * number)


def _network(directory: Path) -> int:
    """Whole with all keys and an empty record of each witness, or not there."""
    if not (directory / "net" / MARKER).exists():
        return 0
    network = read_network(directory / "net")
    for witness in network.witnesses:
        for role in ("signing", "active"):
            assert (network.directory / witness / "keys" / f"{role}.wif").read_text()
        record = network.directory / witness / "data" / RECORD_FILE
        guard = SigningGuard(record, chain_id(network.genesis))
        guard.close()
        if guard.load_votes() != {}:
            raise ValueError(f"no record at {record}")
    return 1


SMALL_FILES = {
    "any that is replaced": SmallFile(_replace, _replaced),
    "signing guard": SmallFile(_reserve, _reserved),
    "peers": SmallFile(_save_peers, _saved_peers),
    "settings": SmallFile(_write_settings, _settings),
    "keys": SmallFile(_write_key, _keys, writes=3),
    "network": SmallFile(_make_network, _network, writes=1),
}
