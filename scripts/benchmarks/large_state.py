"""A chain of 250,000 accounts with balances, votes, orders and positions, made in a minute."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from msgspec.structs import replace

from node.state.balances import adjust_balance, adjust_core_in_orders
from node.state.database import State
from node.state.objects.market import LimitOrder
from protocol.asset import AssetAmount, Price
from protocol.constants import CORE_ASSET
from protocol.crypto.keys import public_key
from protocol.genesis_form import Genesis, InitialAccount, InitialAccountBalance
from protocol.ids import AccountId, AssetId, LimitOrderId, VoteId
from protocol.schema import MAX_TIMESTAMP, PublicKey
from protocol.transaction import TransactionEnvelope
from tests.support.chain import TestChain, make_genesis, make_parameters
from tests.support.state import add_position, set_feed
from tests.support.world import secret_of

CORE_EACH = 10**6


class Size(NamedTuple):
    """How much there is of each kind."""

    accounts: int
    voters: int
    """Accounts that vote themselves."""
    followers: int
    """Accounts that let one of `PROXIES` vote."""
    orders: int
    positions: int


LARGE = Size(250_000, 5_000, 20_000, 100_000, 5_000)
SMALL = Size(2_000, 20, 80, 1_000, 100)
PROXIES = 20
MAKERS = [f"maker{number}" for number in range(200)]
"""Who placed them."""
HOLDERS = [f"holder{number}" for number in range(200)]
"""Who can sign."""
DEBT_EACH = 10**7
"""What a holder owes and holds of the BitAsset."""
RICH = 10**12

_serial = count()


def large_chain(size: Size = LARGE) -> TestChain:
    """The chain; nothing of it is pending, and its first maintenance lies ahead."""
    chain = TestChain(genesis=genesis_of(size))
    chain.chain.paranoid = False
    with chain.chain.head_state() as state:
        state.log.begin()
        first = state.account_named("account0").id
        usd = state.asset_named("USD").id
        set_feed(state, usd, 1, 10)
        _add_votes(state, first, size)
        _add_positions(state, usd, first, size.positions)
        _add_orders(state, usd, size.orders)
        state.log.finish()
    return chain


def genesis_of(size: Size) -> Genesis:
    """The genesis of such a chain, with its accounts and without their orders."""
    genesis = make_genesis(*MAKERS, *HOLDERS, core=RICH, parameters=make_parameters())
    return _with_many_accounts(genesis, size.accounts)


def touch_accounts(
    chain: TestChain, transfers: int, accounts: int = LARGE.accounts
) -> Iterator[TransactionEnvelope]:
    """Signed transfers, each to another account."""
    first = chain.account("account0")
    for _ in range(transfers):
        number = next(_serial)
        name = HOLDERS[number % len(HOLDERS)]
        receiver = AccountId(first + number * 7_919 % accounts)
        transfer = chain.transfer(name, name, 1)
        yield chain.transaction(
            replace(transfer, to=receiver, amount=AssetAmount(1 + number, CORE_ASSET)),
            signers=[name],
        )


def _with_many_accounts(genesis: Genesis, count: int) -> Genesis:
    names = [f"account{number}" for number in range(count)]
    accounts = tuple(InitialAccount(name, _key(number)) for number, name in enumerate(names))
    section = genesis.pegboard
    assert section is not None
    balances = tuple(InitialAccountBalance(name, "TEST", CORE_EACH) for name in names)
    return replace(
        genesis,
        initial_accounts=genesis.initial_accounts + accounts,
        pegboard=replace(section, account_balances=(section.account_balances or ()) + balances),
    )


def _key(number: int) -> PublicKey:
    """A key of its own for each account, of which nobody knows the secret."""
    return PublicKey(public_key(secret_of("anybody"))[:25] + number.to_bytes(8, "big"))


def _add_votes(state: State, first: AccountId, size: Size) -> None:
    votes = tuple(sorted(witness.vote_id for witness in state.witnesses.in_order()))
    for number in range(size.voters + size.followers):
        account = state.accounts.edit(state.accounts.get(AccountId(first + 10 * number)))
        if number < size.voters:
            own: tuple[VoteId, ...] = votes[: 1 + number % len(votes)]
            account.options = replace(account.options, votes=own, num_witness=1)
        else:
            proxy = AccountId(first + 10 * (number % PROXIES))
            account.options = replace(account.options, voting_account=proxy)


def _add_positions(state: State, usd: AssetId, first: AccountId, count: int) -> None:
    for number in range(count):
        add_position(state, AccountId(first + 10 * number + 5), usd, 1_000, 40_000 + number)
    for name in HOLDERS:
        add_position(state, state.account_named(name).id, usd, DEBT_EACH, 100 * DEBT_EACH)


def _add_orders(state: State, usd: AssetId, count: int) -> None:
    makers = [state.account_named(name).id for name in MAKERS]
    for number in range(count):
        seller = makers[0] if number < count // 5 else makers[number % len(makers)]
        sold = AssetAmount(1_000, CORE_ASSET)
        wanted = AssetAmount(200 + number % 977, usd)
        adjust_balance(state, seller, CORE_ASSET, -sold.amount)
        adjust_core_in_orders(state, seller, CORE_ASSET, sold.amount)
        state.limit_orders.create(
            LimitOrder(
                id=LimitOrderId(state.limit_orders.next_id),
                seller=seller,
                for_sale=sold.amount,
                filled_amount=0,
                sell_price=Price(sold, wanted),
                expiration=MAX_TIMESTAMP,
                deferred_fee=0,
                deferred_paid_fee=AssetAmount(0, CORE_ASSET),
            )
        )
