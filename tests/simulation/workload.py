"""Clients: people who transfer, borrow, trade and settle through whichever node they reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random

from msgspec.structs import replace

from node.chain.chain import Chain
from node.presets import ACCOUNTS, development_key
from node.state.database import State
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET, CORE_UNIT
from protocol.errors import PegboardError
from protocol.fees import required_fee
from protocol.ids import AccountId, AssetId
from protocol.operations.account import AccountUpdate
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetSettle, BidCollateral
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign
from tests.simulation.machine import Machine, World
from tests.simulation.options import Options

SYMBOLS = ("USD", "GOLD")
SERIES = (("try_usd", "2021-10-20"), ("try_eur", "2021-11-10"), ("try_usd", "2021-03-10"))
"""Recorded prices that fall, and from which day they are played, a day a second."""
PRICES = Path(__file__).resolve().parent.parent.parent / "config" / "prices"
ELECTION_MS = 12_000
"""Mean time between two elections."""
BURST = 80
"""Transactions that one client may send at once, now and then."""


class Clients:
    """Sends signed transactions at random times until told to stop."""

    def __init__(self, world: World, machines: Sequence[Machine]) -> None:
        self.world = world
        self.machines = machines
        self.rng = Random(f"{world.options.seed}/clients")
        self.is_active = True
        self._serial = 0

    def start(self) -> None:
        """Plan the first transaction."""
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
            if machine.core is not None:
                chain = machine.core.chain
                self._send(machine, chain, "nathan", self._opinion(chain))
        self.start_elections()

    def _opinion(self, chain: Chain) -> Operation:
        state = chain.state
        voter = state.account_named("nathan")
        candidates = [witness.vote_id for witness in state.witnesses.in_order()]
        count = self.world.options.witnesses | 1
        votes = tuple(sorted(self.rng.sample(candidates, min(count, len(candidates)))))
        options = replace(voter.options, votes=votes, num_witness=len(votes))
        return AccountUpdate(NO_FEE, voter.id, new_options=options)

    def _act(self) -> None:
        if not self.is_active:
            return
        machine = self.rng.choice(self.machines)
        count = BURST if self.rng.randrange(200) == 0 else 1
        if machine.core is not None:
            for _ in range(count):
                self._send_one(machine, machine.core.chain)
        self.start()

    def _send_one(self, machine: Machine, chain: Chain) -> None:
        name = self.rng.choice(ACCOUNTS[1:])
        draws = DRAWS | {_bid: 5} if self.world.options.series else DRAWS
        draw = self.rng.choices(list(draws), weights=list(draws.values()))[0]
        operation = draw(self.rng, chain.state, chain.state.account_named(name).id)
        if operation is not None:
            self._send(machine, chain, name, operation)

    def _send(self, machine: Machine, chain: Chain, name: str, operation: Operation) -> None:
        fee = required_fee(operation, chain.state.parameters.current_fees)
        paid = replace(operation, fee=AssetAmount(fee, CORE_ASSET))  # type: ignore[type-var]
        checkers = self.world.checkers
        try:
            machine.broadcast(self._sign(chain, paid, name))
        except PegboardError as error:
            checkers.refusals[type(operation).__name__][error.name] += 1
        else:
            checkers.counts[f"accepted {type(operation).__name__}"] += 1

    def _sign(self, chain: Chain, operation: Operation, name: str) -> TransactionEnvelope:
        self._serial += 1
        number, prefix = reference_block(chain.head_id)
        expiration = chain.head_time + 60 + self._serial % 60
        transaction = Transaction(number, prefix, expiration, (operation,))
        secret = development_key(name, "active")
        return TransactionEnvelope.from_transaction(sign(transaction, [secret], chain.chain_id))


def _transfer(rng: Random, state: State, account: AccountId) -> Operation | None:
    receiver = state.account_named(rng.choice(ACCOUNTS)).id
    asset = rng.choice((CORE_ASSET, _asset(rng, state)))
    held = state.balance_of(account, asset)
    if receiver == account or held < 10:
        return None
    return Transfer(NO_FEE, account, receiver, AssetAmount(rng.randrange(1, held // 10 + 1), asset))


def _borrow(rng: Random, state: State, account: AccountId) -> Operation | None:
    """Open or adjust a position at 1 to 4 times what the feed demands; now and then close it."""
    asset = _asset(rng, state)
    bitasset = state.bitasset_of(asset)
    assert bitasset is not None
    price = bitasset.current_feed.settlement_price
    if price.is_null():
        return None
    position = state.positions_of_account.find(account, asset)
    if position is not None and rng.randrange(4) == 0:
        paid = -min(position.debt, state.balance_of(account, asset))
        back = -position.collateral if -paid == position.debt else 0
        return _update(account, back, asset, paid)
    debt = rng.randrange(1, 100_000)
    worth = debt * price.quote.amount // price.base.amount + 1
    return _update(account, worth * rng.randrange(160, 400) // 100, asset, debt)


def _update(account: AccountId, collateral: int, asset: AssetId, debt: int) -> CallOrderUpdate:
    return CallOrderUpdate(
        NO_FEE, account, AssetAmount(collateral, CORE_ASSET), AssetAmount(debt, asset)
    )


def _order(rng: Random, state: State, account: AccountId) -> Operation | None:
    """Offer CORE for a BitAsset, or the other way round, near the price of the feed."""
    asset = _asset(rng, state)
    bitasset = state.bitasset_of(asset)
    assert bitasset is not None
    price = bitasset.current_feed.settlement_price
    if price.is_null():
        return None
    amount = rng.randrange(1, 50_000)
    worth = amount * price.quote.amount // price.base.amount
    pegged = AssetAmount(amount, asset)
    core = AssetAmount(max(1, worth * rng.randrange(85, 115) // 100), CORE_ASSET)
    sold, wanted = (pegged, core) if rng.randrange(2) else (core, pegged)
    return LimitOrderCreate(
        NO_FEE, account, sold, wanted, expiration=state.dynamic.time + rng.randrange(10, 600)
    )


def _cancel(rng: Random, state: State, account: AccountId) -> Operation | None:
    orders = list(state.orders_of_account.items(account))
    return LimitOrderCancel(NO_FEE, account, rng.choice(orders).id) if orders else None


def _settle(rng: Random, state: State, account: AccountId) -> Operation | None:
    asset = _asset(rng, state)
    held = state.balance_of(account, asset)
    if held < 10:
        return None
    return AssetSettle(NO_FEE, account, AssetAmount(rng.randrange(1, held // 5 + 1), asset))


def _spend_all(rng: Random, state: State, account: AccountId) -> Operation | None:
    """Give away all but a coin: honest on one fork, refused where it came too late."""
    held = state.balance_of(account, CORE_ASSET)
    amount = AssetAmount(max(1, held - CORE_UNIT), CORE_ASSET)
    return Transfer(NO_FEE, account, state.account_named("nathan").id, amount)


def _bid(rng: Random, state: State, account: AccountId) -> Operation | None:
    """Offer collateral for the debt of an asset that was settled as a whole."""
    asset = _asset(rng, state)
    bitasset = state.bitasset_of(asset)
    assert bitasset is not None
    if not bitasset.is_globally_settled():
        return None
    collateral = AssetAmount(rng.randrange(1, 100 * CORE_UNIT), CORE_ASSET)
    return BidCollateral(NO_FEE, account, collateral, AssetAmount(rng.randrange(1, 50_000), asset))


def feed_of(options: Options, index: int) -> str:
    """The text of a witness's feed source: a random walk, or a recorded fall."""
    if not options.series:
        return f"walk:seed={options.seed % 1000 + index},start=0.5,step=300bp,every=10s"
    name, day = SERIES[(options.series - 1 + index) % len(SERIES)]
    return f"csv:{name}.csv?every=1s&from={day}"


@cache
def read_series(name: str) -> str:
    """The text of a recorded series."""
    return (PRICES / name).read_text(encoding="utf-8")


def _asset(rng: Random, state: State) -> AssetId:
    return state.asset_named(rng.choice(SYMBOLS)).id


Draw = Callable[[Random, State, AccountId], Operation | None]
DRAWS: dict[Draw, int] = {
    _transfer: 30,
    _borrow: 25,
    _order: 35,
    _cancel: 5,
    _settle: 5,
    _spend_all: 1,
}
"""What a client may do, and how often it does."""
