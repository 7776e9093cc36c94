"""Nodes with one planted bug each; a simulator that does not find them has no teeth."""

from __future__ import annotations

from collections.abc import Iterator

from node.api.durability import Durability
from node.chain.chain import Chain
from node.core.effects import ReserveSlot, SaveSnapshot
from node.p2p.errors import ForkBelowIrreversible
from node.p2p.manager import PeerManager
from node.services.effect_queue import Batch
from protocol.block import BlockEnvelope
from protocol.ids import WitnessId
from protocol.p2p.messages import Hello
from tests.simulation.machine import Machine

POP_BLOCK = Chain._pop_block


class SendsFirst(Machine):
    """Announces blocks before they are durable."""

    def carry(self, batch: Batch) -> Iterator[int]:
        """The right steps in the wrong order."""
        yield from self.carry_rest(batch)
        yield from self.persist(batch)


class TellsEarly(Machine):
    """Reports to clients whatever the core has done, stored or not."""

    def start(self) -> None:
        """Start a process that takes whatever happens for stored."""
        super().start()
        self.observer.notices.durability = Durability()


class PrunesToHead(Machine):
    """Forgets all forks below a snapshot, also those that may still win."""

    def prune(self, snapshot: SaveSnapshot) -> None:
        """Up to the wrong number."""
        self.blocks.prune_forks(snapshot.num)


class _Forgetful(dict[WitnessId, int]):
    """Slots that were signed, forgotten at once."""

    def __setitem__(self, witness: WitnessId, slot_time_s: int) -> None:
        """Nothing."""


class ForgetsSlots(Machine):
    """Has no signing guard, neither in memory nor on disk."""

    def start(self) -> None:
        """Start a process that remembers nothing."""
        super().start()
        assert self.core is not None
        self.core.own.last_signed = _Forgetful()

    def reserve(self, slot: ReserveSlot) -> None:
        """Nothing."""


def pop_block_badly(chain: Chain) -> BlockEnvelope:
    """`Chain._pop_block` that leaves one changed balance as the popped block made it."""
    before = {item.id: item.balance for item in chain.state.balances.in_order()}
    popped = POP_BLOCK(chain)
    for item in chain.state.balances.in_order():
        if before[item.id] != item.balance:
            item.balance = before[item.id]
            break
    return popped


def compare_heads(manager: PeerManager, hello: Hello) -> None:
    """`PeerManager._check_fork` as it was when any head on a fork counted as a contradiction."""
    if not 0 < hello.head_num <= manager._chain.last_irreversible_num:
        return
    if manager._chain.id_at(hello.head_num) != hello.head_id:
        raise ForkBelowIrreversible("head on a fork", value=hello.head_num)


class ForgetsFinality(Machine):
    """Keeps no record of what it has called irreversible."""

    def start(self) -> None:
        """Start a process that must guess it from the main chain."""
        self.blocks._irreversible_num = 0
        super().start()
