"""What follows from running the market engine at the block boundary, on a whole chain."""

from __future__ import annotations

import pytest

from node.state.errors import BelowRequiredRatio, WouldBlackSwan
from node.state.objects.market import CallOrder
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_ASSET
from protocol.ids import AssetId
from protocol.operations.bitasset import AssetSettle
from protocol.operations.bitasset_options import BitassetOptions
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from protocol.schema import MAX_TIMESTAMP
from tests.support.chain import TestChain


class Story(TestChain):
    """Alice owes 1,000 USD against 2,000 CORE at a feed of 1 USD per CORE; bob holds the USD.

    Her call price is 0.875, and at that feed the SQP is 0.667.
    """

    def __init__(self) -> None:
        options = BitassetOptions(
            force_settlement_delay_sec=10, maximum_force_settlement_volume=10_000
        )
        super().__init__("alice", "bob", "carol", options=options)
        self.block(*self.feed("USD", 1, 1))
        self.block(self.borrow("alice", 1_000, 2_000))
        self.block(self.transfer("alice", "bob", 1_000, "USD"))

    def borrow(self, who: str, debt: int, collateral: int) -> CallOrderUpdate:
        return CallOrderUpdate(
            NO_FEE,
            self.account(who),
            AssetAmount(collateral, CORE_ASSET),
            self.amount(debt, "USD"),
        )

    def order(
        self, who: str, sell: AssetAmount, receive: AssetAmount, expiration: int = MAX_TIMESTAMP
    ) -> LimitOrderCreate:
        return LimitOrderCreate(
            NO_FEE, self.account(who), sell, receive, expiration, fill_or_kill=False
        )

    def bid(self, usd: int, core: int) -> LimitOrderCreate:
        """Bob offers USD for CORE."""
        return self.order("bob", self.amount(usd, "USD"), self.amount(core))

    def position(self, who: str = "alice") -> CallOrder | None:
        return self.state.positions_of_account.find(self.account(who), self.asset("USD"))

    def owes(self, who: str = "alice") -> tuple[int, int]:
        """Debt and collateral of a position."""
        position = self.position(who)
        return (0, 0) if position is None else (position.debt, position.collateral)

    def is_settled(self) -> bool:
        bitasset = self.state.bitasset_of(self.asset("USD"))
        assert bitasset is not None
        return bitasset.is_globally_settled()


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_bid_into_a_margin_call_waits_for_the_boundary(story: Story) -> None:
    """B1: it rests until the end of its own block, and is then taken at its own price."""
    story.block(*story.feed("USD", 4, 5))
    core_before = story.balance("bob")
    story.push(story.bid(100, 130))
    assert story.balance("bob") == core_before
    assert story.owes() == (1_000, 2_000)
    story.block()
    assert story.balance("bob") == core_before + 130
    assert story.owes() == (900, 1_870)


def test_limit_orders_of_a_block_match_before_its_margin_calls(story: Story) -> None:
    """B2: an incoming buyer of USD takes the bid that the margin call would have used."""
    story.block(*story.feed("USD", 4, 5))
    story.push(story.bid(100, 130))
    story.block(story.order("carol", story.amount(130), story.amount(100, "USD")))
    assert story.balance("carol", "USD") == 100
    assert story.owes() == (1_000, 2_000)


def test_a_borrower_may_top_up_in_the_block_in_which_the_feed_moves(story: Story) -> None:
    """B3: a grace of at most one block; without the top-up the same block calls."""
    story.block(story.bid(100, 167))
    assert story.owes() == (1_000, 2_000)
    story.push(*story.feed("USD", 4, 5))
    story.block(story.borrow("alice", 0, 2_000))
    assert story.owes() == (1_000, 4_000)

    other = Story()
    other.block(other.bid(100, 167))
    other.block(*other.feed("USD", 4, 5))
    assert other.owes() == (900, 1_833)


def test_operations_behind_a_crash_see_its_feed_but_not_its_settlement(story: Story) -> None:
    """B4: later operations of the block are judged by the new median; the swan comes at its end."""
    story.push(*story.feed("USD", 1, 10))
    story.expect(WouldBlackSwan, story.borrow("carol", 100, 300))
    story.expect(BelowRequiredRatio, story.borrow("carol", 100, 1_600))
    assert not story.is_settled()
    story.block()
    assert story.is_settled()


def test_a_request_in_a_block_that_ends_in_a_swan_is_cancelled(story: Story) -> None:
    """R5.8: a swan may be declared while requests wait; their owners get their units back."""
    story.push(*story.feed("USD", 1, 10))
    story.push(AssetSettle(NO_FEE, story.account("bob"), story.amount(400, "USD")))
    assert story.balance("bob", "USD") == 600
    story.block()
    assert story.is_settled()
    assert story.balance("bob", "USD") == 1_000
    assert len(story.state.force_settlements) == 0


def test_the_boundary_runs_in_empty_blocks_too(story: Story) -> None:
    """B6: expiry and due settlements change the state of blocks without transactions, alike."""
    soon = story.chain.head_time + 7
    story.block(
        story.order("carol", story.amount(50), story.amount(100, "USD"), expiration=soon),
        AssetSettle(NO_FEE, story.account("bob"), story.amount(300, "USD")),
    )
    assert len(story.state.limit_orders) == len(story.state.force_settlements) == 1
    story.blocks(3)
    assert len(story.state.limit_orders) == len(story.state.force_settlements) == 0
    assert story.owes() == (700, 1_700)
    twin = story.twin()
    twin.follow(story)
    assert twin.chain.state_hash() == story.chain.state_hash()


def test_the_pending_view_lacks_what_the_boundary_will_do(story: Story) -> None:
    """B8: between blocks a node shows pending operations, not their consequences."""
    story.block(story.bid(100, 167))
    story.push(*story.feed("USD", 4, 5))
    bitasset = story.state.bitasset_of(story.asset("USD"))
    assert bitasset is not None
    assert bitasset.current_feed.settlement_price.base.amount == 4
    assert story.owes() == (1_000, 2_000)
    story.block()
    assert story.owes() == (900, 1_833)


def test_an_underfunded_position_is_refused_though_the_book_could_liquidate_it(
    story: Story,
) -> None:
    """R3.5: the required ratio alone decides; BitShares would call the position at once."""
    story.block(story.bid(1_000, 1_000))
    refusal = story.expect(BelowRequiredRatio, story.borrow("carol", 100, 175))
    assert refusal.rule.startswith("R3.4")
    story.block(story.borrow("carol", 100, 176))
    assert story.owes("carol") == (100, 176)


def test_only_fills_settlements_swans_and_the_owner_change_a_position(story: Story) -> None:
    """R3.8: transfers, feeds, orders and positions of others leave debt and collateral alone."""
    story.block(*story.feed("USD", 9, 10))
    story.block(story.transfer("bob", "carol", 10, "USD"), story.borrow("carol", 100, 500))
    story.block(story.bid(100, 100), story.order("carol", story.amount(9), story.amount(9, "USD")))
    story.blocks(2)
    assert story.owes() == (1_000, 2_000)
    story.block(story.borrow("alice", 0, 5))
    assert story.owes() == (1_000, 2_005)


def test_a_settlement_raises_the_ratio_of_the_position_that_pays(story: Story) -> None:
    """R5.10: at the feed price, a position above it comes out better; nothing is called."""
    story.block(AssetSettle(NO_FEE, story.account("bob"), story.amount(400, "USD")))
    story.blocks(3)
    debt, collateral = story.owes()
    assert (debt, collateral) == (600, 1_600)
    assert collateral * 1_000 > 2_000 * debt
    assert story.position() is not None


def test_inverting_a_price_swaps_its_terms_exactly() -> None:
    """R1.2: no rounding, and twice is nothing."""
    price = Price(AssetAmount(2, AssetId(1)), AssetAmount(4, AssetId(0)))
    assert price.inverse() == Price(price.quote, price.base)
    assert price.inverse().inverse() == price
