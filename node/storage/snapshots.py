"""State snapshots as files, so that a restart, or a journey far back, replays few blocks.

A file is `<num>-<block id>.snapshot`: a header, then the payload. The BLAKE2b digest at the end of
the header covers the rest of it and the payload. Losing a snapshot costs time, never state.
"""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path

from node.storage.durable import disk_error, make_directory, replace_file
from node.storage.interface import SkippedSnapshot, Snapshot, SnapshotFault
from protocol.schema import BlockId, Digest

FORMAT_VERSION = 3
KEPT = 2
OLDER_BYTES = 256 << 20
"""What a development chain spends on snapshots beyond those, so that it goes far back at once."""

_MAGIC = b"PEGBSNAP"
_FIELDS = struct.Struct(">8sI32sI20sQ")  # magic, format, chain id, num, block id, payload bytes
_DIGEST_LENGTH = 32
_NAME = re.compile(r"([0-9]{10})-([0-9a-f]{40})\.snapshot")


class SnapshotFiles:
    """`SnapshotStorage` in a directory, which is made if it is missing."""

    def __init__(self, directory: Path, chain_id: Digest, older_bytes: int = 0) -> None:
        """Open the snapshots of a chain; `DiskError` if the directory cannot be made.

        Beyond the newest two, older ones stay while they take no more than `older_bytes`; else
        every other one of them goes, so that those far back are far apart.
        """
        self._directory = directory
        self._older_bytes = older_bytes
        self._chain_id = chain_id
        make_directory(directory)

    def save(self, num: int, block_id: BlockId, *payload: bytes) -> None:
        """See `SnapshotStorage.save`."""
        size = sum(map(len, payload))
        fields = _FIELDS.pack(_MAGIC, FORMAT_VERSION, self._chain_id, num, block_id, size)
        path = self._directory / f"{num:010}-{block_id.hex()}.snapshot"
        replace_file(path, fields, _digest(fields, *payload), *payload)
        try:
            self._thin_out([older for _, _, older in self._newest_first()[KEPT:]])
        except OSError as error:
            raise disk_error("cannot remove an old snapshot", error) from error

    def latest(
        self, at_most_num: int | None = None
    ) -> tuple[Snapshot | None, list[SkippedSnapshot]]:
        """See `SnapshotStorage.latest`."""
        skipped: list[SkippedSnapshot] = []
        try:
            candidates = self._newest_first()
        except OSError:
            return None, [SkippedSnapshot(self._directory.name, SnapshotFault.UNREADABLE)]
        for num, block_id, path in candidates:
            if at_most_num is not None and num > at_most_num:
                continue
            found = self._read(num, block_id, path)
            if isinstance(found, Snapshot):
                return found, skipped
            skipped.append(SkippedSnapshot(path.name, found))
        return None, skipped

    def forget_above(self, num: int) -> None:
        """See `SnapshotStorage.forget_above`."""
        try:
            for found, _, path in self._newest_first():
                if found > num:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise disk_error("cannot remove a snapshot", error) from error

    def _thin_out(self, older: list[Path]) -> None:
        sizes = {path: path.stat().st_size for path in older}
        while older and sum(sizes[path] for path in older) > self._older_bytes:
            for path in older[::2]:
                path.unlink(missing_ok=True)
            older = older[1::2]

    def _newest_first(self) -> list[tuple[int, BlockId, Path]]:
        found = []
        for path in self._directory.iterdir():
            match = _NAME.fullmatch(path.name)
            if match:
                found.append((int(match[1]), BlockId(bytes.fromhex(match[2])), path))
        return sorted(found, reverse=True)

    def _read(self, num: int, block_id: BlockId, path: Path) -> Snapshot | SnapshotFault:
        try:
            data = path.read_bytes()
        except OSError:
            return SnapshotFault.UNREADABLE
        start = _FIELDS.size + _DIGEST_LENGTH
        if len(data) < start:
            return SnapshotFault.DAMAGED
        fields, digest, payload = data[: _FIELDS.size], data[_FIELDS.size : start], data[start:]
        magic, version, chain_id, found_num, found_id, length = _FIELDS.unpack(fields)
        if magic != _MAGIC or version != FORMAT_VERSION:
            return SnapshotFault.WRONG_FORMAT
        if chain_id != self._chain_id:
            return SnapshotFault.WRONG_CHAIN
        is_whole = length == len(payload) and digest == _digest(fields, payload)
        if not is_whole or (found_num, found_id) != (num, block_id):
            return SnapshotFault.DAMAGED
        return Snapshot(num, block_id, payload)


def _digest(fields: bytes, *payload: bytes) -> bytes:
    state = hashlib.blake2b(fields, digest_size=_DIGEST_LENGTH)
    for part in payload:
        state.update(part)
    return state.digest()
