"""A node behind a URL in the same words as a market in this process, also for trio.

    from pegboard.client import connect

    with connect("http://127.0.0.1:8090") as m:
        alice = m.account("alice")
        alice.borrow("100 bitUSD", ratio=2.5)

Each transaction is signed here and waited for until it is in a block; `Market.block` makes a block
on a development chain, and waits for one on a network. `connect_trio` has the same words to await.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial, update_wrapper
from typing import Concatenate, Generic, ParamSpec, TypeVar

import trio

from node.cli.client import DEFAULT_URL, NodeClient
from node.cli.remote_chain import RemoteChain
from node.cli.remote_ledger import DeskKeys, RemoteLedger
from pegboard.account import Account
from pegboard.amounts import Number
from pegboard.vocabulary import Market
from protocol.crypto.keys import parse_wif

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
"""What is used in a thread, such as a `Market`."""


def connect(url: str = DEFAULT_URL, *, keys: Sequence[str] = (), seed: int = 0) -> Market:
    """A market on a node: http://host:port or ws://host:port; no call is made yet.

    `keys` are WIF; beside them the development keys of the accounts that are named sign. Raises
    `NodeUnreachable` for what is no URL, `KeyFormatError`; calls raise `CallRefused` with the
    chain's own rule, value and limit.
    """
    chain = RemoteChain(NodeClient(url))
    return Market(RemoteLedger(chain, DeskKeys(map(parse_wif, keys))), seed=seed)


def connect_trio(url: str = DEFAULT_URL, *, keys: Sequence[str] = (), seed: int = 0) -> TrioMarket:
    """The same for trio: every word is to be awaited, and leaves the loop free meanwhile."""
    return TrioMarket(connect(url, keys=keys, seed=seed))


def _in_thread(
    method: Callable[Concatenate[S, P], R],
) -> Callable[Concatenate[_InThread[S], P], Awaitable[R]]:
    """A method of what is used in a thread, to be awaited."""

    async def call(self: _InThread[S], /, *args: P.args, **kwargs: P.kwargs) -> R:
        work = partial(method, self.used, *args, **kwargs)
        return await trio.to_thread.run_sync(work, abandon_on_cancel=True)

    return update_wrapper(call, method)


class _InThread(Generic[S]):
    def __init__(self, used: S) -> None:
        self.used = used


class TrioAccount(_InThread[Account]):
    """`pegboard.Account` with words to await."""

    balance = _in_thread(Account.balance)
    position = _in_thread(Account.position)
    orders = _in_thread(Account.orders)
    borrow = _in_thread(Account.borrow)
    adjust = _in_thread(Account.adjust)
    cover = _in_thread(Account.cover)
    sell = _in_thread(Account.sell)
    buy = _in_thread(Account.buy)
    cancel = _in_thread(Account.cancel)
    settle = _in_thread(Account.settle)
    bid_collateral = _in_thread(Account.bid_collateral)
    transfer = _in_thread(Account.transfer)


class TrioMarket(_InThread[Market]):
    """`pegboard.Market` with words to await."""

    bitasset = _in_thread(Market.bitasset)
    feed = _in_thread(Market.feed)
    publish = _in_thread(Market.publish)
    follow = _in_thread(Market.follow)
    block = _in_thread(Market.block)
    travel = _in_thread(Market.travel)
    price = _in_thread(Market.price)
    borrowed = _in_thread(Market.borrowed)
    positions = _in_thread(Market.positions)
    bids = _in_thread(Market.bids)
    asks = _in_thread(Market.asks)
    settlements = _in_thread(Market.settlements)
    supply = _in_thread(Market.supply)
    shock = _in_thread(Market.shock)
    is_settled = _in_thread(Market.is_settled)
    state_hash = _in_thread(Market.state_hash)

    async def account(
        self, name: str, *, core: Number | None = None, holds: Sequence[str] = ()
    ) -> TrioAccount:
        """`Market.account`, whose words are to be awaited."""
        make = partial(self.used.account, name, core=core, holds=holds)
        return TrioAccount(await trio.to_thread.run_sync(make, abandon_on_cancel=True))

    async def accounts(
        self, names: Sequence[str], *, core: Number | None = None, holds: Sequence[str] = ()
    ) -> list[TrioAccount]:
        """`Market.accounts`, whose words are to be awaited."""
        make = partial(self.used.accounts, names, core=core, holds=holds)
        made = await trio.to_thread.run_sync(make, abandon_on_cancel=True)
        return [TrioAccount(one) for one in made]

    async def find(self, name: str) -> TrioAccount:
        """`Market.find`, whose words are to be awaited."""
        return TrioAccount(await trio.to_thread.run_sync(self.used.find, name))
