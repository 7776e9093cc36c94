"""The record that keeps a witness from ever signing two blocks for one slot, or two ways (F5).

It has its own small file, apart from the blocks: a node whose block store is damaged or deleted
starts again from its peers, and must even then remember what it has signed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from node.storage.durable import disk_error, replace_file
from node.storage.errors import (
    DiskError,
    SlotAlreadySigned,
    StoreDamaged,
    VoteAlreadySigned,
    WrongChain,
    WrongFormat,
)
from node.storage.file_lock import FileLock
from node.storage.interface import SignedSlot, SignedVote
from protocol.ids import WitnessId
from protocol.schema import Digest, PublicKey

RECORD_FILE = "signed.json"
FORMAT_VERSION = 2
WITHOUT_VOTES = 1
"""The format of versions that never voted."""

Signed = dict[WitnessId, tuple[int, int]]
"""Slot time in seconds and block number of each witness' last signature."""

Voted = dict[PublicKey, tuple[int, int]]
"""Source and target of each key's last vote."""


class SigningGuard:
    """`SigningStorage` in a JSON file that is replaced as a whole before signed blocks leave."""

    def __init__(self, path: Path, chain_id: Digest) -> None:
        """Open the record of a chain; a missing file is an empty record.

        `StoreLocked`, `WrongChain`, `WrongFormat`, `DiskError`; `StoreDamaged` for a file that
        does not prove what was signed: then nothing may be signed.
        """
        self._path = path
        self._chain_id = chain_id
        self._failure: DiskError | None = None
        self._lock = FileLock(path)
        try:
            self._signed, voted = _parse(path.read_bytes(), chain_id)
            self._voted: Voted | None = voted
        except FileNotFoundError:
            self._signed, self._voted = {}, None
        except OSError as error:
            self.close()
            raise disk_error(f"cannot read {path.name}", error) from error
        except BaseException:
            self.close()
            raise

    def load(self) -> dict[WitnessId, int]:
        """See `SigningStorage.load`."""
        return {witness: slot_time_s for witness, (slot_time_s, _) in self._signed.items()}

    def load_votes(self) -> Voted | None:
        """See `SigningStorage.load_votes`."""
        return None if self._voted is None else dict(self._voted)

    def begin(self) -> None:
        """See `SigningStorage.begin`."""
        if self._voted is None:
            self.reserve(())

    def forget(self, slots: Sequence[SignedSlot] = (), votes: Sequence[SignedVote] = ()) -> None:
        """See `SigningStorage.forget`."""
        self._add({}, {}, slots, votes)

    def reserve(self, slots: Sequence[SignedSlot], votes: Sequence[SignedVote] = ()) -> None:
        """See `SigningStorage.reserve`."""
        self._add(dict(self._signed), self.load_votes() or {}, slots, votes)

    def _add(
        self,
        signed: Signed,
        voted: Voted,
        slots: Sequence[SignedSlot],
        votes: Sequence[SignedVote],
    ) -> None:
        last_s = {witness: slot_time_s for witness, (slot_time_s, _) in signed.items()}
        for vote in votes:
            check_vote(voted, vote)
            voted[vote.key] = (vote.source_num, vote.target_num)
        for slot in slots:
            check_slot(last_s, slot)
            last_s[slot.witness] = slot.time_s
            signed[slot.witness] = (slot.time_s, slot.block_num)
        self._write(signed, voted)

    def _write(self, signed: Signed, voted: Voted) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            replace_file(self._path, _serialize(signed, voted, self._chain_id))
        except DiskError as error:
            self._failure = error
            raise
        self._signed, self._voted = signed, voted

    def close(self) -> None:
        """See `SigningStorage.close`."""
        self._lock.release()


def empty_record(chain_id: Digest) -> bytes:
    """What the file of a witness of a chain holds that has signed nothing yet."""
    return _serialize({}, {}, chain_id)


def check_slot(signed: dict[WitnessId, int], slot: SignedSlot) -> None:
    """Raise `SlotAlreadySigned` unless the slot is later than the witness' last one."""
    last_s = signed.get(slot.witness)
    if last_s is not None and slot.time_s <= last_s:
        raise SlotAlreadySigned(
            f"witness {slot.witness} has signed this slot or a later one",
            value=slot.time_s,
            limit=f"later than {last_s}",
        )


def check_vote(voted: Voted, vote: SignedVote) -> None:
    """Raise `VoteAlreadySigned` unless neither number of the key's last vote is gone back on."""
    source_num, target_num = voted.get(vote.key, (0, 0))
    if vote.source_num < source_num or vote.target_num <= target_num:
        raise VoteAlreadySigned(
            f"key {vote.key.hex()} has voted for this block or beyond it",
            value=f"{vote.source_num} to {vote.target_num}",
            limit=f"from {source_num} on to above {target_num}",
        )


def _serialize(signed: Signed, voted: Voted, chain_id: Digest) -> bytes:
    record = {
        "format": FORMAT_VERSION,
        "chain_id": chain_id.hex(),
        "signed": [
            {"witness": witness, "slot_time_s": slot_time_s, "block_num": block_num}
            for witness, (slot_time_s, block_num) in sorted(signed.items())
        ],
        "voted": [
            {"key": key.hex(), "source_num": source_num, "target_num": target_num}
            for key, (source_num, target_num) in sorted(voted.items())
        ],
    }
    text = json.dumps(record | {"checksum": _checksum(record)}).encode()
    return msgspec.json.format(text, indent=1) + b"\n"  # by `json` it would take half a millisecond


def _checksum(record: dict[str, object]) -> str:
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _parse(data: bytes, chain_id: Digest) -> tuple[Signed, Voted]:
    try:
        record = json.loads(data)
        checksum = record.pop("checksum")
        if checksum != _checksum(record):
            raise ValueError("checksum")
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        raise StoreDamaged("the record of signed slots is damaged; sign nothing") from error
    if record.get("format") not in (WITHOUT_VOTES, FORMAT_VERSION):
        raise WrongFormat(
            "the record of signed slots has another format version",
            value=record.get("format"),
            limit=FORMAT_VERSION,
        )
    if record["chain_id"] != chain_id.hex():
        raise WrongChain(
            "the record of signed slots belongs to another chain",
            value=record["chain_id"],
            limit=chain_id.hex(),
        )
    signed = {
        WitnessId(entry["witness"]): (entry["slot_time_s"], entry["block_num"])
        for entry in record["signed"]
    }
    voted = {
        PublicKey(bytes.fromhex(entry["key"])): (entry["source_num"], entry["target_num"])
        for entry in record.get("voted", ())
    }
    return signed, voted
