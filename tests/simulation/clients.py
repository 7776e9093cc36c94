"""Clients: a scenario's agents, who act through whichever node they reach.

They say the words of `pegboard.Market`, and each becomes a signed transaction that one node is
given. What they see is that node's chain, so that on two sides of a line they know different
things, and one of them may spend twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from msgspec.structs import replace

from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.chain.pending import AppliedTransaction
from node.state.database import State
from pegboard.agents import Agent
from pegboard.development_chain import sign_operations
from pegboard.faucet import FAUCET
from pegboard.ledger import NotPossibleHere
from pegboard.local_ledger import LocalLedger
from pegboard.steps import Step
from pegboard.vocabulary import Market
from protocol.asset import NO_FEE
from protocol.crypto.keys import PrivateKey
from protocol.errors import PegboardError
from protocol.operations import Operation
from protocol.operations.account import AccountUpdate
from tests.simulation import contracts, swans
from tests.simulation.checkers import demand
from tests.simulation.dealings import Deal, Desk
from tests.simulation.economy import Economy, Person
from tests.simulation.machine import Machine, World

ELECTION_MS = 12_000
"""Mean time between two elections."""
DEALS_MAX = 3
"""How many dealings come with each act, of so many kinds at least."""
DEALS: dict[str, Deal] = {
    "pools": contracts.pools,
    "loans": contracts.loans,
    "locks": contracts.locks,
    "mandates": contracts.mandates,
    "profits": contracts.profits,
    "swans": swans.swans,
}
"""What people do where an option says so: `tests.simulation.options.DEALINGS`."""
BURST = 80
"""How often clients may act at once, now and then."""


class NodeGone(PegboardError):
    """The node that a client talks to does not run."""

    name = "node_gone"


class ReachedChain:
    """The chain of the node that is reached at the moment, a `HeldChain` of `LocalLedger`."""

    def __init__(self, world: World, machine: Machine) -> None:
        self._checkers = world.checkers
        self.machine = machine
        self._serial = 0

    @property
    def chain(self) -> Chain:
        """The node's chain; raises `NodeGone`, also when it ends while somebody acts."""
        if self.machine.core is None:
            raise NodeGone("this node does not run", value=self.machine.number)
        return self.machine.core.chain

    @property
    def state(self) -> State:
        """At the node's head, with what is pending there on top."""
        return self.chain.state

    def push(
        self, *operations: Operation, secrets: Sequence[PrivateKey] | None = None
    ) -> AppliedTransaction:
        """Give the node a signed transaction; raises its refusal.

        `secrets` sign; without them those whose authority is required.
        """
        self._serial += 1
        name = type(operations[-1]).__name__
        try:
            expiration = self.chain.head_time + 60 + self._serial % 60
            signed = sign_operations(self.chain, operations, expiration, secrets=secrets)
            applied = self.machine.broadcast(signed)
        except PegboardError as error:
            self._checkers.refusals[name][error.name] += 1
            raise
        self._checkers.counts[f"accepted {name}"] += 1
        return applied

    def generate_block(self, *, earliest_s: int = 0) -> AppliedBlock:
        """Nobody here makes a block: witnesses do."""
        raise NotPossibleHere("the witnesses make blocks", value=earliest_s)


class Clients:
    """Acts at random times until told to stop."""

    def __init__(self, world: World, machines: Sequence[Machine], economy: Economy) -> None:
        self.world = world
        self.machines = machines
        self.rng = Random(f"{world.options.seed}/clients")
        self.is_active = True
        self._chain = ReachedChain(world, machines[0])
        self._market: Market | None = None
        self._hired: dict[str, Agent] = {}
        self._steps = deque[Step](economy.steps)
        self._acts: list[Callable[[Market], None]] = [
            *(self._acting(person) for person in economy.people),
            *([self._play_step] if economy.steps else []),
        ]
        self._deals = [deal for name, deal in DEALS.items() if getattr(world.options, name)]
        self._dealer = Random(f"{world.options.seed}/dealings")

    def start(self) -> None:
        """Plan the first act."""
        mean_ms = 60_000 // self.world.options.transactions_per_minute
        self.world.loop.later(self.rng.randrange(2 * mean_ms) + 1, self._act)

    def start_elections(self) -> None:
        """Plan the first election, on a network whose witnesses may change."""
        wait_ms = self.rng.randrange(2 * ELECTION_MS) + 1
        self.world.loop.later(wait_ms, self._elect)

    def _elect(self) -> None:
        """Whoever holds most of the stake votes for other witnesses, on two sides for different
        ones."""
        if not self.is_active:
            return
        for machine in self.rng.sample(self.machines, 2):
            self._try(machine, lambda market: self._vote())
        self.start_elections()

    def _vote(self) -> None:
        state = self._chain.state
        voter = state.account_named(FAUCET)
        candidates = [witness.vote_id for witness in state.witnesses.in_order()]
        count = self.world.options.witnesses | 1
        votes = tuple(sorted(self.rng.sample(candidates, min(count, len(candidates)))))
        options = replace(voter.options, votes=votes, num_witness=len(votes))
        self._chain.push(AccountUpdate(NO_FEE, voter.id, new_options=options))

    def _act(self) -> None:
        if not self.is_active:
            return
        machine = self.rng.choice(self.machines)
        for _ in range(BURST if self.rng.randrange(200) == 0 else 1):
            self._try(machine, self.rng.choice(self._acts))
            for _ in range(min(len(self._deals), DEALS_MAX)):
                self._try(machine, self._deal)
        self.start()

    def _deal(self, market: Market) -> None:
        """Do what somebody may do by the second chapters."""
        move = self._dealer.choice(self._deals)(Desk(self._chain.state, self._dealer))
        self._chain.push(*move.operations, secrets=move.secrets)
        demand(not move.is_wrong, "refusal", self._chain.machine.number, "has taken", move)
        if move.secrets is not None:
            self.world.checkers.counts["dealing mandate used"] += 1

    def _try(self, machine: Machine, act: Callable[[Market], None]) -> None:
        """Let somebody act through a node, if it runs; what it refuses is counted there."""
        if machine.core is None:
            return
        self._chain.machine = machine
        if self._market is None:
            self._market = Market(LocalLedger(self._chain), seed=self.world.options.seed)
        try:
            act(self._market)
        except PegboardError:
            self.world.checkers.counts["clients refused"] += 1
        self._market.notes.clear()

    def _acting(self, person: Person) -> Callable[[Market], None]:
        """How somebody acts: the first time he gets what he is to hold, later he follows his
        rule."""

        def act(market: Market) -> None:
            agent = self._hired.get(person.name)
            if agent is not None:
                agent.act()
                return
            agent = market.hire(person.rule, person.name, holds=person.holds, **person.options)
            self._hired[person.name] = agent

        return act

    def _play_step(self, market: Market) -> None:
        """Do what the scenario's accounts do, step by step; what is refused comes again later."""
        if not self._steps:
            return
        step = self._steps.popleft()
        try:
            step.run(market)
        except PegboardError:
            self._steps.append(step)
            raise
