"""C10: what stands beside a global settlement in its block, before it, after it, at its boundary.

R6.3, R6.7: the BitAsset is settled after the block, unless a feed came after the settlement.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.operations.base import Operation
from protocol.operations.bitasset import (
    AssetGlobalSettle,
    AssetSettle,
    AssetUpdateBitasset,
    AssetUpdateFeedProducers,
    BidCollateral,
)
from protocol.operations.bitasset_options import BitassetOptions, BitassetOptionsExtensions
from tests.support.every_operation import BusyChain


def settle(chain: BusyChain) -> Operation:
    """At 9 CORE: far above the initial ratio at a feed of 2 CORE."""
    live = chain.asset("LIVE")
    return AssetGlobalSettle(
        NO_FEE, chain.alice, live, Price(AssetAmount(1, live), chain.amount(9))
    )


def publish(chain: BusyChain) -> Operation:
    return chain.publish("LIVE", 10, 21)


def change_options(chain: BusyChain) -> Operation:
    options = BitassetOptions(10**9, extensions=BitassetOptionsExtensions(1900))
    return AssetUpdateBitasset(NO_FEE, chain.alice, chain.asset("LIVE"), options)


def change_producers(chain: BusyChain) -> Operation:
    return AssetUpdateFeedProducers(NO_FEE, chain.alice, chain.asset("LIVE"), (chain.alice,))


def request(chain: BusyChain) -> Operation:
    return AssetSettle(NO_FEE, chain.bob, chain.amount(1000, "LIVE"))


def borrow(chain: BusyChain) -> Operation:
    return chain.borrow("LIVE", 1000, 10_000)


def is_settled(chain: BusyChain) -> bool:
    data = chain.state.bitasset_of(chain.asset("LIVE"))
    assert data is not None
    assert not data.median_updated
    return data.is_globally_settled()


@pytest.mark.parametrize(
    "before", [publish, change_options, change_producers, request, borrow], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("is_maintenance", [False, True])
def test_what_comes_before_a_settlement_does_not_revive(
    before: Callable[[BusyChain], Operation], is_maintenance: bool
) -> None:
    """C10, R6.7: a changed median least of all; a later feed that changes it does."""
    chain = BusyChain()
    chain.push(before(chain))
    chain.push(settle(chain))
    if is_maintenance:
        chain.block_at(chain.state.dynamic.next_maintenance_time)
    else:
        chain.block()
    assert is_settled(chain)
    chain.blocks(2)
    assert is_settled(chain)
    chain.block(chain.publish("LIVE", 100, 211))
    assert not is_settled(chain)


def test_a_feed_after_the_settlement_revives_in_the_same_block() -> None:
    """C10, R6.7: as it does in a later one."""
    chain = BusyChain()
    chain.block(publish(chain), settle(chain), chain.publish("LIVE", 100, 211))
    assert not is_settled(chain)


def test_a_feed_that_expires_at_the_boundary_of_the_settlement_does_not_revive() -> None:
    """C10, R6.7, R1.17: the median changes after the operation, in its block."""
    chain = BusyChain()
    live = chain.asset("LIVE")
    producers = (chain.alice, chain.bob)
    chain.block(AssetUpdateFeedProducers(NO_FEE, chain.alice, live, producers))
    options = BitassetOptions(1000)
    chain.block(AssetUpdateBitasset(NO_FEE, chain.alice, live, options))
    theirs = chain.publish("LIVE", 100, 200)
    chain.block(type(theirs)(NO_FEE, chain.bob, live, theirs.feed))
    published = chain.chain.head_time
    chain.block_at(published + 500)
    chain.block(publish(chain))
    before = chain.state.bitasset_of(live)
    assert before is not None
    median = before.median_feed
    chain.push(settle(chain))
    chain.block_at(published + 1000)
    after = chain.state.bitasset_of(live)
    assert after is not None
    assert after.median_feed != median
    assert is_settled(chain)


@pytest.mark.parametrize("bids_first", [False, True])
def test_bids_of_the_block_of_a_settlement_wait_for_maintenance(bids_first: bool) -> None:
    """C10, R6.5, R6.6: none before the settlement; those after it revive at maintenance only."""
    chain = BusyChain()
    bid = BidCollateral(NO_FEE, chain.bob, chain.amount(10**13), chain.amount(10**12, "LIVE"))
    if bids_first:
        with pytest.raises(Exception, match="not globally settled"):
            chain.push(bid)
    chain.block(settle(chain), bid)
    assert is_settled(chain)
    chain.block_at(chain.state.dynamic.next_maintenance_time)
    assert not is_settled(chain)
