"""Own blocks: slots are reserved before them, refusals are told once, and a bug ends the node."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from node.chain.chain import Chain
from node.chain.vote_pool import VotePool
from node.core.block_maker import BlockMaker
from node.core.breakdown import Breakdown
from node.core.clock_watch import ClockWatch
from node.core.effect_list import EffectList
from node.core.effects import Report, ReserveSlot, StopNode
from node.core.inbox import BlockInbox
from node.core.own_blocks import NoSigningKey, OwnBlocks
from node.core.settings import CoreSettings
from node.exit_codes import Exit
from node.state.errors import InvariantViolated, TooManyMissedBlocks
from protocol.genesis_form import Genesis
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import transfer
from tests.support.world import GENESIS_TIME, secret_of

ALL = witness_names(3)


@pytest.fixture(scope="module")
def genesis() -> Genesis:
    return make_genesis("alice", "bob")


class Desk:
    """A maker of blocks, and all that it works with."""

    def __init__(self, genesis: Genesis, names: Sequence[str] = ALL) -> None:
        self.chain = Chain(genesis)
        self.effects = EffectList()
        self.inbox = BlockInbox(self.chain.chain_id)
        settings = CoreSettings(enable_stale=True, start_grace_ms=0)
        secrets = [secret_of(f"{name} block") for name in names]
        own = OwnBlocks(self.chain, settings, secrets, {})
        self.maker = BlockMaker(
            self.chain,
            own,
            VotePool(self.chain, ()),
            ClockWatch(self.chain, own),
            Breakdown(self.inbox, self.effects),
            self.effects,
        )

    def slot_ms(self) -> int:
        """When the next slot begins."""
        return self.chain.slot_time(1) * 1_000

    def told(self) -> list[object]:
        """Names of what is reported, and all else as it is; it leaves."""
        return [
            effect.fields["reason"] if isinstance(effect, Report) else type(effect)
            for effect in self.effects.take()
        ]


def test_a_block_is_the_head_and_only_its_slot_is_told(genesis: Genesis) -> None:
    """T-W1: the rest is the core's; by the clock as on demand."""
    desk = Desk(genesis)
    made = desk.maker.by_the_clock(desk.slot_ms())
    assert made is not None
    assert made.envelope.id == desk.chain.head_id
    [slot] = desk.effects.take()
    header = made.envelope.header
    assert slot == ReserveSlot(header.witness, header.timestamp, 1)
    assert desk.maker.on_demand().envelope.num == 2
    assert desk.told() == [ReserveSlot]


def test_a_refusal_is_told_until_something_else_happens(
    genesis: Genesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R8.5: once however often it is asked; the newest is kept until a block is made."""
    desk = Desk(genesis)

    def refuse(*_: object, **__: object) -> None:
        raise TooManyMissedBlocks("too far", rule="R8.9")

    with monkeypatch.context() as patch:
        patch.setattr(Chain, "build_block", refuse)
        for _ in range(3):
            assert desk.maker.by_the_clock(desk.slot_ms()) is None
        assert desk.told() == [TooManyMissedBlocks.name]
        assert desk.maker.refusal == "too_many_missed_blocks: too far (R8.9)"
        desk.maker.by_the_clock(desk.slot_ms() - 1_000)
        assert desk.told() == []
        desk.maker.by_the_clock(desk.slot_ms())
        assert desk.told() == [TooManyMissedBlocks.name]
    assert desk.maker.by_the_clock(desk.slot_ms()) is not None
    assert desk.maker.refusal == ""


def test_a_node_without_keys_has_nothing_to_say(genesis: Genesis) -> None:
    """C18: by the clock; for what is pending it says so, and on demand it refuses."""
    desk = Desk(genesis, names=())
    assert desk.maker.by_the_clock(desk.slot_ms()) is None
    assert desk.maker.if_pending(desk.slot_ms()) is None
    assert desk.told() == []
    desk.chain.push_transaction(transfer(desk.chain, 1))
    assert desk.maker.if_pending(desk.slot_ms()) is None
    assert desk.told() == [NoSigningKey.name]
    with pytest.raises(NoSigningKey):
        desk.maker.on_demand()


def test_what_is_pending_waits_for_the_clock(genesis: Genesis) -> None:
    """T-D1: blocks run ahead of it so far and no further, and then nothing is refused."""
    desk = Desk(genesis)
    made = 0
    for amount in range(1, 20):
        desk.chain.push_transaction(transfer(desk.chain, amount))
        made += desk.maker.if_pending(GENESIS_TIME * 1_000) is not None
    assert 0 < made < 19
    assert desk.told() == [ReserveSlot] * made


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("error", [AssertionError("impossible"), InvariantViolated("torn")])
@pytest.mark.parametrize("on_demand", [True, False])
def test_a_bug_ends_the_node(
    error: Exception, genesis: Genesis, monkeypatch: pytest.MonkeyPatch, *, on_demand: bool
) -> None:
    """T-R4: with 70; what waits in the inbox is not looked at, and who demanded is refused."""
    desk = Desk(genesis)
    cleared: list[bool] = []
    monkeypatch.setattr(desk.inbox, "clear", lambda: cleared.append(True))

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("node.chain.chain.apply_block", fail)
    if on_demand:
        with pytest.raises(type(error)):
            desk.maker.on_demand()
    else:
        assert desk.maker.by_the_clock(desk.slot_ms()) is None
    slot, stop = desk.effects.take()
    assert isinstance(slot, ReserveSlot)
    assert isinstance(stop, StopNode)
    assert (stop.exit_code, stop.reason) == (Exit.BROKEN, str(error))
    assert cleared == [True]
    assert desk.chain.head_num == 0


def test_effects_keep_their_order() -> None:
    """At the end, or at a place before what came since; once taken they are gone."""
    effects = EffectList()
    effects.report("first")
    place = len(effects)
    effects.report("last", num=1)
    effects.insert(place, Report("second"), Report("third"))
    assert effects.take() == [
        Report("first"),
        Report("second"),
        Report("third"),
        Report("last", {"num": 1}),
    ]
    assert effects.take() == []
