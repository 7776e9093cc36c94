"""The form in which proofs of lying outlast the process that found them (F11, T-W2, T-W4)."""

from __future__ import annotations

import json
from collections.abc import Iterable

from node.chain.vote_pool import Conflict, Equivocation
from protocol.binary import pack, unpack
from protocol.block import SignedBlockHeader
from protocol.errors import DecodeError
from protocol.finality import Vote
from protocol.schema import PublicKey

PROOFS_FILE = "equivocations.json"
CONFLICT_FILE = "conflict.json"
"""In the data directory."""


def dump_proofs(proofs: Iterable[Equivocation]) -> bytes:
    """All proofs as JSON, what was signed in its binary form."""
    found = [
        {
            "kind": proof.kind,
            "key": proof.key.hex(),
            "first": pack(proof.first).hex(),
            "second": pack(proof.second).hex(),
        }
        for proof in proofs
    ]
    return json.dumps(found, indent=1).encode() + b"\n"


def dump_conflict(conflict: Conflict) -> bytes:
    """What a node that has stopped for it says again when it is started (T-W4)."""
    found = {
        "num": conflict.num,
        "ours": conflict.ours.hex(),
        "theirs": conflict.theirs.hex(),
        "liars": sorted(key.hex() for key in conflict.liars),
        "reason": str(conflict),
    }
    return json.dumps(found, indent=1).encode() + b"\n"


def read_conflict(data: bytes) -> str:
    """Why a node has stopped, of what `dump_conflict` wrote; any other file tells only that."""
    try:
        return str(json.loads(data)["reason"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return "conflict"


def load_proofs(data: bytes) -> list[Equivocation]:
    """What `dump_proofs` wrote; raises `DecodeError` for anything else."""
    try:
        return [
            Equivocation(
                entry["kind"],
                PublicKey(bytes.fromhex(entry["key"])),
                _read(entry["kind"], bytes.fromhex(entry["first"])),
                _read(entry["kind"], bytes.fromhex(entry["second"])),
            )
            for entry in json.loads(data)
        ]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DecodeError("not a list of proofs of lying", rule="F11", value=str(error)) from error


def _read(kind: str, data: bytes) -> Vote | SignedBlockHeader:
    if kind not in ("votes", "blocks"):
        raise ValueError(f"kind {kind!r}")
    return unpack(Vote, data) if kind == "votes" else unpack(SignedBlockHeader, data)
