"""The form in which proofs of lying outlast the process that found them (F11, T-W2)."""

from __future__ import annotations

import json
from collections.abc import Iterable

from node.chain.vote_pool import Equivocation
from protocol.binary import pack, unpack
from protocol.block import SignedBlockHeader
from protocol.errors import DecodeError
from protocol.finality import Vote
from protocol.schema import PublicKey


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
