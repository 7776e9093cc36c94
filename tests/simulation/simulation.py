"""A whole network in one process: first faults, then healing, then one chain on all nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from node.presets import PRESETS, WITNESSES, build_genesis, development_key
from node.witness.feed_publisher import FeedPlan
from protocol.crypto.keys import PrivateKey
from protocol.genesis_form import FINALITY_BITSHARES, FINALITY_VOTES, Genesis
from protocol.ids import AccountId
from tests.simulation.attacker import Attacker
from tests.simulation.checkers import Checkers
from tests.simulation.clients import Clients
from tests.simulation.dealings import settle
from tests.simulation.economy import Economy, economy_of
from tests.simulation.event_loop import START_MS, EventLoop
from tests.simulation.faults import LIES, Fault
from tests.simulation.healing import HEAL_S_MAX, Healing
from tests.simulation.hostile import Hostile
from tests.simulation.machine import Duties, Machine, World
from tests.simulation.network import Network
from tests.simulation.options import Options, homes, hostile_max
from tests.simulation.schedule import Schedule

MAINTENANCE_S = 60
START_SPREAD_MS = 2_000
"""Nodes start within so long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run ended with; equal for equal options and faults."""

    event_hash: str
    event_count: int
    simulated_s: int
    head_num: int
    last_irreversible_num: int
    agreed_after_s: int
    """Seconds from the healing until all nodes were on one chain and it became irreversible."""
    counts: Counter[str]


class Simulation:
    """One run of one network."""

    def __init__(
        self,
        schedule: Schedule,
        *,
        trace: Callable[[str], None] | None = None,
        machine: type[Machine] = Machine,
    ) -> None:
        """`machine` may be another class, with a planted bug."""
        self.options = options = schedule.options
        self.faults = schedule.faults
        self.loop = EventLoop(trace)
        self.checkers = Checkers(options.nodes, options.block_interval_s)
        self.network = Network(self.loop, options, self.checkers.counts)
        economy = economy_of(options.series, schedule.scenario)
        genesis = make_genesis(options, economy)
        world = World(self.loop, self.network, self.checkers, options, genesis)
        first_liar = options.nodes - options.hostile
        duties = [make_duties(options, genesis, economy, number) for number in range(options.nodes)]
        self.honest = [machine(world, number, duties[number]) for number in range(first_liar)]
        self.hostile = [
            Hostile(world, number, duties[number]) for number in range(first_liar, options.nodes)
        ]
        for liar in self.hostile:
            liar.others = self.honest
            self.checkers.liars |= liar.own_keys
            self.checkers.lying_publishers |= {plan.publisher for plan in liar.duties.feeds()}
        self.machines: list[Machine] = [*self.honest, *self.hostile]
        self.network.hosts = tuple(self.machines)
        self.clients = Clients(world, self.machines, economy)
        self.attacker = Attacker(world, self.honest, self.hostile)
        self.checkers.is_parted = lambda: self.network.is_parted
        self._is_healed = False
        is_enough = hostile_max(options.nodes, options.witnesses) > options.hostile
        self.down = (
            {options.nodes - 1 - options.hostile}
            if options.stays_down and is_enough
            else set[int]()
        )
        """Nodes that fail for good, fewer than a third of the witnesses together with the liars."""

    def run(self) -> Outcome:
        """Both phases; raises `Violation`, or whatever a node raised."""
        self.loop.record("options", sorted(self.options.to_json().items()))
        for machine in self.machines:
            delay_ms = machine.rng.randrange(START_SPREAD_MS) if machine.number else 0
            self.loop.later(delay_ms, machine.start)
        self.clients.start()
        if self.options.spares:
            self.clients.start_elections()
        for fault in self.faults:
            self.loop.later(fault.at_ms, self._apply(fault))
        self.loop.run_until(self.options.fault_s * 1_000)
        self._heal()
        healing = Healing(self)
        agreed_after_s = healing.await_agreement()
        healing.await_growth()
        healing.await_one_head()
        healing.check_end()
        chain = self.machines[0].core.chain if self.machines[0].core else None
        assert chain is not None
        return Outcome(
            self.loop.event_hash,
            self.loop.event_count,
            self.loop.elapsed_ms // 1_000,
            chain.head_num,
            chain.last_irreversible_num,
            agreed_after_s,
            self.checkers.counts,
        )

    # Faults.

    def _apply(self, fault: Fault) -> Callable[[], None]:
        def act() -> None:
            self.loop.record("fault", fault.kind, *fault.args)
            self.checkers.counts[f"fault {fault.kind}"] += 1
            APPLY[fault.kind](self, *fault.args)

        return act

    def _partition(self, *groups: int) -> None:
        self.network.partition(groups)

    def _crash(self, node: int, down_ms: int, silently: int) -> None:
        machine = self.machines[node]
        if machine.core is not None:
            machine.crash(silently=bool(silently))
            self.loop.later(down_ms, lambda: self._restart(machine))

    def _blackout(self, *down_ms: int) -> None:
        for node, node_down_ms in enumerate(down_ms):
            self._crash(node, node_down_ms, 1)

    def _wipe(self, down_ms: int) -> None:
        node = self.options.nodes - 1
        self._crash(node, down_ms, 1)
        self.machines[node].wipe()

    def _lose(self, down_ms: int) -> None:
        """The last node has lost its disk, and with it what it has signed (F5)."""
        self._wipe(down_ms)
        if self.machines[-1].core is None:
            self.machines[-1].disk.guard.lose()

    def _restart(self, machine: Machine) -> None:
        if machine.core is None and not (self._is_healed and machine.number in self.down):
            machine.start()

    def _flip(self, place: int) -> None:
        """A bit turns in a stored block of the last node, which may find it when it restarts."""
        self.machines[-1].disk.flip_bit(place)

    def _step(self, node: int, delta_ms: int) -> None:
        if not self._is_healed:
            self.machines[node].clock_offset_ms += delta_ms

    # The end.

    def _heal(self) -> None:
        """No more faults: every node runs but those that stay down, every clock is nearly right,
        everybody is heard."""
        self.loop.record("heal")
        self._is_healed = True
        self.network.heal()
        self.attacker.give_up()
        for liar in self.hostile:
            liar.tell_the_truth()
            liar.lie("equivocate", 1_000 * HEAL_S_MAX)
        for machine in self.machines:
            machine.mend()
            limit_ms = self.options.skew_ms
            machine.clock_offset_ms = max(-limit_ms, min(machine.clock_offset_ms, limit_ms))
            if machine.number in self.down:
                self.checkers.counts["fault down for good"] += 1
                machine.crash(silently=True)
            else:
                self._restart(machine)

    def _lie(self, node: int, duration_ms: int, *, kind: str) -> None:
        liar = self.machines[node]
        if isinstance(liar, Hostile):  # shrinking may have made it honest
            liar.lie(kind, duration_ms)


APPLY: dict[str, Callable[..., None]] = {
    "partition": Simulation._partition,
    "deafen": lambda simulation, *args: simulation.network.deafen(*args),
    "crash": Simulation._crash,
    "clog": lambda simulation, *args: simulation.network.clog(*args),
    "pause": lambda simulation, node, ms: simulation.machines[node].pause(ms),
    "step": Simulation._step,
    "blackout": Simulation._blackout,
    "wipe": Simulation._wipe,
}
APPLY["scheme"] = lambda simulation, ms: simulation.attacker.scheme(ms)
APPLY["disk"] = lambda run, node, kind, ms: run.machines[node].disk.break_down(kind, ms)
APPLY["lose"] = Simulation._lose
APPLY["flip"] = Simulation._flip
APPLY |= {kind: partial(Simulation._lie, kind=kind) for kind in LIES}
"""What each kind of fault does."""


def make_genesis(options: Options, economy: Economy) -> Genesis:
    """The development network with as many witnesses, and maintenance every minute."""
    genesis = build_genesis(
        PRESETS["testnet"],
        initial_timestamp=START_MS // 1_000,
        block_interval_s=options.block_interval_s,
        witness_count=options.witnesses + options.spares,
    )
    interval_s = MAINTENANCE_S // 2 if options.spares else MAINTENANCE_S
    parameters = replace(genesis.initial_parameters, maintenance_interval=interval_s)
    finality = FINALITY_BITSHARES if options.old_rule else FINALITY_VOTES
    section = replace(genesis.pegboard, finality=finality)
    fixed = replace(genesis.immutable_parameters, min_witness_count=options.witnesses | 1)
    network = replace(
        genesis,
        initial_active_witnesses=options.witnesses,
        immutable_parameters=fixed,
        initial_parameters=parameters,
        pegboard=section,
    )
    return settle(economy.settle(network), options)


def make_duties(options: Options, genesis: Genesis, economy: Economy, node: int) -> Duties:
    """The witnesses of a node, with their keys and feeds; those that may be elected are honest."""
    honest = options.nodes - options.hostile
    found = homes(options.nodes, options.witnesses) + homes(honest, options.spares)
    names = [WITNESSES[witness] for witness, home in enumerate(found) if home == node]
    accounts = [account.name for account in genesis.initial_accounts]

    def make_feeds() -> list[FeedPlan]:
        return [
            FeedPlan(
                account_id(accounts, name),
                development_key(name, "active"),
                symbol,
                source,
                economy.feed_interval_s,
            )
            for name in names
            for symbol, source in economy.feeds(options, genesis.initial_timestamp)
        ]

    secrets: list[PrivateKey] = [development_key(name, "signing") for name in names]
    return Duties(secrets, make_feeds)


def account_id(names: Sequence[str], name: str) -> AccountId:
    """Id of an account of the genesis: the special accounts come before those it names."""
    return AccountId(names.index(name) + 6)
