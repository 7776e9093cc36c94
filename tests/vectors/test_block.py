"""A block that bitshares-core's own node produced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from protocol.binary import pack
from protocol.block import BlockEnvelope, SignedBlock
from protocol.crypto.keys import key_text
from protocol.fees import DEFAULT_FEE_SCHEDULE, required_fee
from protocol.json_form import from_json, to_json

VECTOR: dict[str, Any] = json.loads(
    (Path(__file__).parent / "block.json").read_text(encoding="utf-8")
)


def test_merkle_root_number_and_signature() -> None:
    """R9.7: the root covers transactions whose answers are left empty."""
    block = from_json(SignedBlock, VECTOR["block"], "BTS")
    envelope = BlockEnvelope.from_bytes(pack(block))
    assert envelope.merkle_root().hex() == VECTOR["block"]["transaction_merkle_root"]
    assert envelope.num == VECTOR["num"]
    assert key_text(envelope.signing_key(), "BTS") == VECTOR["signing_key"]
    assert all(results == () for _, results in envelope.transactions)
    assert to_json(block, "BTS") == VECTOR["block"]


def test_the_fee_that_the_node_asked_for() -> None:
    """R8.17: the client paid exactly what the node required, data fee included."""
    block = from_json(SignedBlock, VECTOR["block"], "BTS")
    (operation,) = block.transactions[0].operations
    assert required_fee(operation, DEFAULT_FEE_SCHEDULE) == operation.fee.amount == 2_005_664
