"""The tree of recent blocks (R9.2), by itself."""

from __future__ import annotations

import pytest

from node.chain.fork_database import STRANGERS_MAX, ForkDatabase, ForkItem
from node.chain.header_rules import HeaderVerdict
from node.state.errors import BlockTooOld, TooManyForks, UnlinkableBlock
from protocol.block import NO_BLOCK, BlockEnvelope, BlockHeader
from protocol.ids import WitnessId
from protocol.operations.balance import NULL_KEY
from protocol.schema import BlockId, PublicKey, Ripemd160
from tests.support.blocks import signed_block
from tests.support.world import secret_of

SIGNER = PublicKey(b"\x02" + bytes(32))


def make_block(previous: BlockId, time_s: int, witness: int = 1, salt: int = 0) -> BlockEnvelope:
    root = Ripemd160(bytes(19) + bytes((salt,)))
    header = BlockHeader(previous, time_s, WitnessId(witness), root)
    return signed_block(header, (), secret_of("witness"))


def grow(
    forks: ForkDatabase, previous: BlockId, count: int, witness: int, start: int = 100
) -> list[ForkItem]:
    items = []
    for number in range(count):
        items.append(forks.add(make_block(previous, start + number, witness), SIGNER))
        previous = items[-1].id
    return items


@pytest.fixture
def forks() -> ForkDatabase:
    return ForkDatabase(NO_BLOCK, 0)


def test_branches_meet_at_the_common_ancestor(forks: ForkDatabase) -> None:
    """R9.2: pop newest first, apply oldest first, down to and from the common ancestor."""
    trunk = grow(forks, NO_BLOCK, 2, witness=1)
    left = grow(forks, trunk[-1].id, 2, witness=2, start=200)
    right = grow(forks, trunk[-1].id, 3, witness=3, start=200)
    assert forks.branches(left[-1], right[-1]) == ([left[1], left[0]], right)
    assert forks.branches(right[-1], left[-1]) == ([*reversed(right)], left)
    assert forks.branches(trunk[0], right[-1]) == ([], [trunk[1], *right])
    assert forks.branches(left[-1], left[-1]) == ([], [])


def test_an_unknown_parent_is_unlinkable(forks: ForkDatabase) -> None:
    """R9.2: a block links to a known one or is refused."""
    stranger = make_block(BlockId(bytes(3) + b"\x04" + bytes(16)), 100)
    with pytest.raises(UnlinkableBlock):
        forks.add(stranger, SIGNER)
    assert forks.find(stranger.id) is None


def test_nothing_at_or_below_the_root(forks: ForkDatabase) -> None:
    """R8.9: a block at the last irreversible number or below comes too late."""
    trunk = grow(forks, NO_BLOCK, 3, witness=1)
    forks.move_root(trunk[1])
    with pytest.raises(BlockTooOld) as refusal:
        forks.add(make_block(trunk[0].id, 300, witness=2), SIGNER)
    assert (refusal.value.value, refusal.value.limit) == (2, 2)
    forks.add(make_block(trunk[1].id, 300, witness=2), SIGNER)


def test_moving_the_root_forgets_other_branches(forks: ForkDatabase) -> None:
    """Only descendants of the last irreversible block are kept, with all their descendants."""
    trunk = grow(forks, NO_BLOCK, 4, witness=1)
    dead = grow(forks, trunk[0].id, 5, witness=2, start=200)
    alive = grow(forks, trunk[2].id, 1, witness=3, start=200)
    forks.move_root(trunk[1])
    assert set(forks.items) == {item.id for item in (*trunk[1:], *alive)}
    assert all(forks.find(item.id) is None for item in dead)
    with pytest.raises(UnlinkableBlock):
        forks.add(make_block(dead[-1].id, 300, witness=2), SIGNER)


def test_removing_a_block_removes_its_descendants(forks: ForkDatabase) -> None:
    """R9.2: a failing block takes its descendants along, and may be tried again."""
    trunk = grow(forks, NO_BLOCK, 4, witness=1)
    forks.remove(trunk[1])
    assert set(forks.items) == {NO_BLOCK, trunk[0].id}
    again = grow(forks, trunk[0].id, 1, witness=1, start=101)
    assert again[0].id == trunk[1].id


def test_two_blocks_a_slot_and_a_third_makes_room(forks: ForkDatabase) -> None:
    """T-W2: of a slot signed many times two blocks are kept, and all that others build upon."""
    old, followed = (forks.add(make_block(NO_BLOCK, 100, salt=salt), SIGNER) for salt in (0, 1))
    grow(forks, followed.id, 1, witness=2, start=105)
    for salt in range(2, 50):
        newest = forks.add(make_block(NO_BLOCK, 100, salt=salt), SIGNER)
    assert forks.find(old.id) is None
    assert forks.find(followed.id) is followed
    assert forks.find(newest.id) is newest
    assert forks.twin_of(newest.id) == followed.id
    assert len(forks.items) == 4
    forks.add(make_block(NO_BLOCK, 100, salt=3), NULL_KEY)
    forks.add(make_block(NO_BLOCK, 105, salt=2), SIGNER)
    assert len(forks.items) == 6


def test_what_is_on_the_main_chain_makes_no_room(forks: ForkDatabase) -> None:
    """T-W2: nor does a block that the new one follows."""
    first, second = (forks.add(make_block(NO_BLOCK, 100, salt=salt), SIGNER) for salt in (0, 1))
    forks.move_to_main(first, is_main=True)
    third = forks.add(make_block(second.id, 100), SIGNER)
    assert [forks.find(item.id) is item for item in (first, second, third)] == [True] * 3


def test_forgotten_blocks_free_their_slot(forks: ForkDatabase) -> None:
    """What was removed does not count against the witness any more."""
    items = [forks.add(make_block(NO_BLOCK, 100, salt=salt), SIGNER) for salt in (0, 1)]
    forks.remove(items[0])
    added = forks.add(make_block(NO_BLOCK, 100, salt=2), SIGNER)
    assert forks.find(added.id) is added


def test_strangers_blocks_are_few(forks: ForkDatabase) -> None:
    """P2, T-W2: blocks by unknown keys have one small room, in which the newest find place."""
    for number in range(STRANGERS_MAX + 20):
        key = PublicKey(bytes(32) + bytes((number,)))
        newest = forks.add(make_block(NO_BLOCK, 100, salt=number), key, HeaderVerdict.STRANGE)
    assert forks.find(newest.id) is newest
    assert len(forks.items) == 1 + STRANGERS_MAX


def test_blocks_beside_the_main_chain_have_a_cap_of_bytes(
    forks: ForkDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-P6: the oldest that nothing follows goes first; what has no room is refused for now."""
    size = len(make_block(NO_BLOCK, 100).packed)
    monkeypatch.setattr("node.chain.fork_database.SIDE_BYTES_MAX", 3 * size)
    main = grow(forks, NO_BLOCK, 1, witness=1)[0]
    forks.move_to_main(main, is_main=True)
    tip = grow(forks, main.id, 3, witness=2, start=200)[-1]
    with pytest.raises(TooManyForks):
        forks.add(make_block(tip.id, 300, witness=3), SIGNER)
    newest = forks.add(make_block(main.id, 300, witness=3), SIGNER)
    assert forks.find(tip.id) is None
    assert forks.find(newest.id) is newest
