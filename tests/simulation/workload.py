"""Clients: people who transfer, borrow, trade and settle through whichever node they reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetSettle
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign
from tests.simulation.machine import Machine, World

SYMBOLS = ("USD", "GOLD")
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
        draw = self.rng.choices(list(DRAWS), weights=list(DRAWS.values()))[0]
        operation = draw(self.rng, chain.state, chain.state.account_named(name).id)
        if operation is None:
            return
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
