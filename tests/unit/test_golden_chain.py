"""The chain that an earlier version of this node has recorded: this version must agree (T-V1)."""

from __future__ import annotations

from pathlib import Path

from protocol.block import BlockEnvelope
from tests.support import golden


def test_this_version_agrees_with_an_earlier_one_block_by_block() -> None:
    """T-V1: a change that no genesis asked for splits the nodes that have it from the others.

    After a wanted change of the rules: `python -m tests.support.golden`.
    """
    genesis, blocks = golden.read_recording()
    assert golden.replay(genesis, blocks) is None
    assert len(blocks) == golden.KEPT_BLOCKS


def test_the_recorded_chain_has_operations_of_nearly_every_kind() -> None:
    """T-V1: a chain on which nothing happens would agree with everything."""
    _, blocks = golden.read_recording()
    kinds = {
        type(operation)
        for block in blocks
        for envelope, _ in BlockEnvelope.from_bytes(block.data).transactions
        for operation in envelope.transaction.operations
    }
    assert len(kinds) >= 40


def test_a_deviation_is_told_with_its_block(tmp_path: Path) -> None:
    """T-V1: where two versions part."""
    genesis, blocks = golden.read_recording()
    wrong = [*blocks[:4], blocks[4]._replace(state_hash=blocks[3].state_hash)]
    found = golden.replay(genesis, wrong)
    assert found is not None
    assert (found.block_num, found.recorded) == (5, blocks[3].state_hash.hex())
    golden.write_recording(tmp_path / "wrong", genesis, wrong)
    assert golden.main([str(tmp_path / "wrong")]) == 1
