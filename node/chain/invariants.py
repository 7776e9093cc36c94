"""The invariants of section 10 as full recounts of a state: slow, obvious, complete.

Each one is a function that raises `InvariantViolated` with what differs. Those about single fills
(I9, I10, I12) and about the moment of a settlement (I8, I11) cannot be seen in a state; the tests
of the market check them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from fractions import Fraction

from msgspec.structs import astuple

from node.chain.special_invariants import check_special_accounts
from node.chain.violations import too_wide, violated
from node.market.current_feed import current_feed_of
from node.market.feeds import live_feeds, median_of
from node.market.pricing import pool_of
from node.market.settled_debt import find_settled_debt_order, size_at
from node.state.database import State
from node.state.objects.accounts import NO_TICKETS, TicketFigures
from node.state.objects.assets import NULL_FEED, Asset, BitassetData
from node.state.objects.credit import CreditDeal, CreditOffer
from node.state.objects.custom_authorities import CustomAuthority
from node.state.objects.htlc import Htlc
from node.state.objects.liquidity import LiquidityPool, SametFund
from node.state.objects.market import LimitOrder
from node.state.objects.tickets import NEVER, Ticket
from protocol.asset import AssetAmount, Price
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.errors import EncodeError
from protocol.ids import (
    AccountId,
    AssetId,
    CreditOfferId,
    asset_text,
    balance_text,
    credit_deal_text,
    credit_offer_text,
    custom_authority_text,
    fund_text,
    htlc_text,
    order_text,
    pool_text,
    position_text,
    proposal_text,
    ticket_text,
    transaction_text,
    vesting_text,
)
from protocol.operations.bitasset_options import BlackSwanResponse

SETTLES_INDIVIDUALLY = (
    BlackSwanResponse.INDIVIDUAL_SETTLEMENT_TO_FUND,
    BlackSwanResponse.INDIVIDUAL_SETTLEMENT_TO_ORDER,
)


def check_all(state: State) -> None:
    """Recount everything; raises `InvariantViolated`. No transaction may be half applied."""
    for check in INVARIANTS:
        check(state)


def check_supplies(state: State) -> None:
    """I1, I2, J1: each supply is the sum of all places that hold units of the asset."""
    held: dict[AssetId, int] = defaultdict(int)
    for balance in state.balances.in_order():
        held[balance.asset_type] += balance.balance
    for locked in _locked_amounts(state):
        held[locked.asset_id] += locked.amount
    for order in state.limit_orders.in_order():
        held[order.sells] += order.for_sale * (not order.is_settled_debt)
        held[order.deferred_paid_fee.asset_id] += order.deferred_paid_fee.amount
        held[CORE_ASSET] += order.deferred_fee
    for position in state.call_orders.in_order():
        held[position.collateral_asset] += position.collateral
    _count_loans(state, held)
    for bitasset in state.bitassets.in_order():
        backing = bitasset.options.short_backing_asset
        held[backing] += bitasset.settlement_fund + bitasset.individual_settlement_fund
        held[backing] += state.figures_of(bitasset.asset_id).accumulated_collateral_fees
    _hold_in_pools(state, held)
    for statistics in state.statistics.in_order():
        held[CORE_ASSET] += statistics.pending_fees + statistics.pending_vested_fees
    held[CORE_ASSET] += state.dynamic.witness_budget
    for asset in state.assets.in_order():
        figures = state.figures_of(asset.id)
        held[asset.id] += figures.accumulated_fees
        held[CORE_ASSET] += figures.fee_pool
    for asset in state.assets.in_order():
        supply = state.figures_of(asset.id).current_supply
        if held[asset.id] != supply:
            rule = "I2" if asset.id == CORE_ASSET else "I1"
            raise violated(rule, f"supply of {asset.symbol}", supply, held[asset.id])


def _locked_amounts(state: State) -> Iterator[AssetAmount]:
    """What objects hold that are about one amount."""
    yield from (vesting.balance for vesting in state.vesting_balances.in_order())
    yield from (claimable.balance for claimable in state.genesis_balances.in_order())
    yield from (htlc.amount for htlc in state.htlcs.in_order())
    yield from (ticket.amount for ticket in state.tickets.in_order())
    yield from (request.balance for request in state.force_settlements.in_order())
    yield from (bid.additional_collateral for bid in state.collateral_bids.in_order())


def _hold_in_pools(state: State, held: dict[AssetId, int]) -> None:
    for pool in state.liquidity_pools.in_order():
        held[pool.asset_a] += pool.balance_a
        held[pool.asset_b] += pool.balance_b
    for fund in state.samet_funds.in_order():
        held[fund.asset_type] += fund.balance - fund.unpaid_amount


def _count_loans(state: State, held: dict[AssetId, int]) -> None:
    """J1: what offers have left to lend, and what deals hold."""
    for offer in state.credit_offers.in_order():
        held[offer.asset_type] += offer.current_balance
    for deal in state.credit_deals.in_order():
        held[deal.collateral_asset] += deal.collateral_amount


def check_debts(state: State) -> None:
    """I3: the supply of a live BitAsset is the debt of its positions and its pool."""
    for bitasset in state.bitassets.in_order():
        if bitasset.is_globally_settled():
            continue
        debt = bitasset.individual_settlement_debt + sum(
            position.debt
            for position in state.call_orders.in_order()
            if position.debt_asset == bitasset.asset_id
        )
        supply = state.figures_of(bitasset.asset_id).current_supply
        if debt != supply:
            raise violated(
                "I3", f"supply and debt of {asset_text(bitasset.asset_id)}", supply, debt
            )


def check_global_settlements(state: State) -> None:
    """I4: a globally settled BitAsset has a fund and no positions; a live one has no fund."""
    for bitasset in state.bitassets.in_order():
        asset_id = bitasset.asset_id
        supply = state.figures_of(asset_id).current_supply
        if not bitasset.is_globally_settled():
            if bitasset.settlement_fund:
                raise violated(
                    "I4", f"fund of live {asset_text(asset_id)}", bitasset.settlement_fund, 0
                )
            continue
        if state.positions.count(asset_id):
            count = state.positions.count(asset_id)
            raise violated("I4", f"positions of settled {asset_text(asset_id)}", count, 0)
        if bitasset.settlement_fund == 0 < supply and not bitasset.is_prediction_market:
            raise violated("I4", f"empty fund of settled {asset_text(asset_id)}", 0, supply)


def check_debt_pools(state: State) -> None:
    """J5: each pool of individually settled debt has its fund, and its order where it wants one."""
    for bitasset in state.bitassets.in_order():
        check_debt_pool(state, bitasset)


def check_debt_pool(state: State, bitasset: BitassetData) -> None:
    """J5 for one BitAsset; its current feed is what the median and the pool make of it (BS3)."""
    name, pool = asset_text(bitasset.asset_id), pool_of(bitasset)
    if min(pool) < 0 or (pool.debt > 0) != (pool.fund > 0):
        raise violated("J5", f"pool of {name}", tuple(pool), "both positive or none")
    response = bitasset.options.extensions.response()
    if pool.debt and (bitasset.is_globally_settled() or response not in SETTLES_INDIVIDUALLY):
        raise violated("J5", f"pool of {name} under response {int(response)}", pool.debt, 0)
    order = find_settled_debt_order(state, bitasset.asset_id)
    is_order_due = pool.debt > 0 and not bitasset.has_pool_as_fund()
    if (order is not None) != is_order_due:
        raise violated("J5", f"settled-debt order of {name}", order, is_order_due)
    if order is not None and (
        order.for_sale != size_at(pool, order.sell_price) or order.filled_amount
    ):
        raise violated("J5", f"size of the settled-debt order of {name}", order, tuple(pool))
    expected = current_feed_of(state, bitasset)
    if bitasset.current_feed != expected:
        raise violated("J5", f"current feed of {name}", bitasset.current_feed, expected)


def check_core_in_orders(state: State) -> None:
    """I5: each account's statistic is its CORE in limit orders and in positions."""
    counted: dict[AccountId, int] = defaultdict(int)
    for order in state.limit_orders.in_order():
        if order.sells == CORE_ASSET and not order.is_settled_debt:
            counted[order.seller] += order.for_sale
    for position in state.call_orders.in_order():
        if position.collateral_asset == CORE_ASSET:
            counted[position.borrower] += position.collateral
    for statistics in state.statistics.in_order():
        expected = counted[statistics.owner]
        if statistics.total_core_in_orders != expected:
            raise violated(
                "I5",
                f"CORE in orders of {statistics.name}",
                statistics.total_core_in_orders,
                expected,
            )


def check_amounts(state: State) -> None:
    """I6: positions and orders are positive and not dust; no amount is negative or too large."""
    for position in state.call_orders.in_order():
        if position.collateral <= 0 or position.debt <= 0:
            raise violated("I6", f"position {position_text(position.id)}", position, "positive")
    for order in state.limit_orders.in_order():
        check_order_is_not_dust(order)
    for balance in state.balances.in_order():
        if not 0 <= balance.balance <= MAX_SUPPLY:
            raise violated("I6", f"balance {balance_text(balance.id)}", balance.balance, MAX_SUPPLY)
    for vesting in state.vesting_balances.in_order():
        if not 0 <= vesting.balance.amount <= MAX_SUPPLY:
            raise violated(
                "I6", f"vesting balance {vesting_text(vesting.id)}", vesting.balance, MAX_SUPPLY
            )
    for statistics in state.statistics.in_order():
        if min(statistics.pending_fees, statistics.pending_vested_fees) < 0:
            raise violated("I6", f"pending fees of {statistics.name}", statistics, 0)
    for asset in state.assets.in_order():
        check_figures(state, asset)


def check_order_is_not_dust(order: LimitOrder) -> None:
    """I6: an order has something for sale that buys at least one unit at its own price."""
    price = order.sell_price
    if order.for_sale * price.quote.amount // price.base.amount <= 0:
        raise violated("I6", f"dust in order {order_text(order.id)}", order.for_sale, str(price))


def check_figures(state: State, asset: Asset) -> None:
    """I6, I13: nothing negative, fee pools included; a BitAsset within its maximum."""
    figures = state.figures_of(asset.id)
    amounts = (
        figures.current_supply,
        figures.accumulated_fees,
        figures.accumulated_collateral_fees,
        figures.fee_pool,
    )
    if min(amounts) < 0:
        raise violated("I6", f"figures of {asset.symbol}", amounts, 0)
    limit = asset.options.max_supply if asset.is_market_issued() else MAX_SUPPLY
    if figures.current_supply > limit:
        raise violated("I6", f"supply of {asset.symbol}", figures.current_supply, limit)


def check_credit(state: State) -> None:
    """J4: what an offer has lent is what its deals owe, in all and borrower by borrower."""
    by_borrower: dict[tuple[CreditOfferId, AccountId], int] = defaultdict(int)
    by_offer: dict[CreditOfferId, int] = defaultdict(int)
    for deal in state.credit_deals.in_order():
        check_deal(deal)
        by_borrower[deal.offer_id, deal.borrower] += deal.debt_amount
        by_offer[deal.offer_id] += deal.debt_amount
    for offer in state.credit_offers.in_order():
        check_offer(offer)
        owed = by_offer.pop(offer.id, 0)
        if offer.lent != owed:
            raise violated("J4", f"lent by {credit_offer_text(offer.id)}", offer.lent, owed)
    if by_offer:
        raise violated("J4", "deals without an offer", dict(by_offer), None)
    summaries = {
        (summary.offer_id, summary.borrower): summary.total_debt_amount
        for summary in state.credit_deal_summaries.in_order()
    }
    if summaries != by_borrower:
        raise violated("J4", "summaries of credit deals", summaries, dict(by_borrower))


def check_offer(offer: CreditOffer) -> None:
    """J4: an offer counts nothing negative, and has no more than it counts."""
    if not offer.total_balance >= offer.current_balance >= 0:
        raise violated(
            "J4", f"{credit_offer_text(offer.id)}", offer.current_balance, offer.total_balance
        )


def check_deal(deal: CreditDeal) -> None:
    """J4: an open deal owes something, and holds something for it."""
    if deal.debt_amount <= 0 or deal.collateral_amount <= 0:
        raise violated("J4", f"{credit_deal_text(deal.id)}", deal, "positive")


def check_books(state: State) -> None:
    """I7: no two resting orders could trade with each other."""
    markets = sorted({(order.sells, order.receives) for order in state.limit_orders.in_order()})
    for sold, wanted in markets:
        check_market(state, sold, wanted)


def check_market(state: State, sold: AssetId, wanted: AssetId) -> None:
    """I7 for one market: the best offers of both sides do not overlap."""
    best, opposite = state.book.first((sold, wanted)), state.book.first((wanted, sold))
    if best is None or opposite is None:
        return
    if overlap(best.sell_price, opposite.sell_price):
        raise violated(
            "I7",
            f"orders {order_text(best.id)} and {order_text(opposite.id)} cross",
            str(best.sell_price),
            str(opposite.sell_price),
        )


def overlap(price: Price, opposite: Price) -> bool:
    """Whether two offers of opposite directions can trade (R2.4)."""
    return price.base.amount * opposite.base.amount >= price.quote.amount * opposite.quote.amount


def check_links(state: State) -> None:
    """J7: linked orders name each other, are of one seller and of opposite directions."""
    for order in state.limit_orders.in_order():
        check_link(state, order)


def check_link(state: State, order: LimitOrder) -> None:
    """J7 for one order."""
    if order.take_profit_order_id is None:
        return
    other = state.limit_orders.find(order.take_profit_order_id)
    if (
        other is None
        or other.take_profit_order_id != order.id
        or other.seller != order.seller
        or (other.sells, other.receives) != (order.receives, order.sells)
    ):
        raise violated("J7", f"link of {order_text(order.id)}", order.take_profit_order_id, other)


def check_head(state: State) -> None:
    """I14: the last irreversible block lies below the head; no remembered transaction is stale."""
    dynamic = state.dynamic
    last, head = dynamic.last_irreversible_block_num, dynamic.head_block_number
    if last > max(head - 1, 0):
        raise violated("I14", "last irreversible block", last, head - 1)
    for entry in state.transactions.in_order():
        if entry.expiration < dynamic.time:
            raise violated(
                "I14", f"stale transaction {transaction_text(entry.id)}", entry.expiration, head
            )


def check_medians(state: State) -> None:
    """I15: each stored median is that of the feeds that are live now."""
    for bitasset in state.bitassets.in_order():
        live = live_feeds(bitasset, state.dynamic.time)
        is_null = len(live) < bitasset.options.minimum_feeds
        values = [feed for _, (_, feed) in live]
        expected = NULL_FEED if is_null else median_of(values, bitasset.options)
        if bitasset.median_feed != expected:
            raise violated(
                "I15", f"median of {asset_text(bitasset.asset_id)}", bitasset.median_feed, expected
            )


def check_indexes(state: State) -> None:
    """I16: positions and book are in the order that sorting by exact ratios gives."""
    positions = sorted(
        state.call_orders.in_order(),
        key=lambda item: (Fraction(item.collateral, item.debt), item.id),
    )
    for asset_id in sorted({position.debt_asset for position in positions}):
        expected = [item.id for item in positions if item.debt_asset == asset_id]
        found = [item.id for item in state.positions.items(asset_id)]
        if found != expected:
            raise violated("I16", f"order of positions of {asset_text(asset_id)}", found, expected)
    orders = sorted(
        state.limit_orders.in_order(),
        key=lambda item: (
            Fraction(item.sell_price.quote.amount, item.sell_price.base.amount),
            item.id,
        ),
    )
    for market in sorted({(order.sells, order.receives) for order in orders}):
        wanted = [item.id for item in orders if (item.sells, item.receives) == market]
        book = [item.id for item in state.book.items(market)]
        if book != wanted:
            raise violated("I16", f"order of the book of {market}", book, wanted)


def check_expirations(state: State) -> None:
    """I17, H8.1, J4, K6.1: nothing is left that should have ended, once there is a block."""
    if state.dynamic.head_block_number == 0:
        return
    now = state.dynamic.time
    for order in state.limit_orders.in_order():
        if order.expiration <= now:
            raise violated("I17", f"expired order {order_text(order.id)}", order.expiration, now)
    for proposal in state.proposals.in_order():
        if proposal.expiration_time <= now:
            raise violated("I17", f"expired proposal {proposal_text(proposal.id)}", now, now)
    for htlc in state.htlcs.in_order():
        if htlc.expiration <= now:
            raise violated("H8.1", f"expired contract {htlc_text(htlc.id)}", htlc.expiration, now)
    for ticket in state.tickets.in_order():
        if ticket.next_auto_update_time <= now and ticket.next_auto_update_time != NEVER:
            due = ticket.next_auto_update_time
            raise violated("K6.1", f"overdue ticket {ticket_text(ticket.id)}", due, now)
    _check_loans_in_time(state, now)


def _check_loans_in_time(state: State, now: int) -> None:
    for offer in state.credit_offers.in_order():
        if offer.enabled and offer.auto_disable_time <= now:
            raise violated(
                "J4", f"{credit_offer_text(offer.id)} enabled", offer.auto_disable_time, now
            )
    for deal in state.credit_deals.in_order():
        if deal.latest_repay_time <= now:
            raise violated("J4", f"{credit_deal_text(deal.id)} due", deal.latest_repay_time, now)


def check_htlcs(state: State) -> None:
    """H8.1: what contracts lock is positive."""
    for htlc in state.htlcs.in_order():
        check_htlc(htlc)


def check_custom_authorities(state: State) -> None:
    """C7.1: restrictions are numbered below the counter, and none outlives its maintenance."""
    counted_at = state.dynamic.last_vote_tally_time
    for custom in state.custom_authorities.in_order():
        check_custom_authority(custom)
        if custom.valid_to < counted_at:
            what = f"end of {custom_authority_text(custom.id)}"
            raise violated("C7.1", what, custom.valid_to, counted_at)


def check_custom_authority(custom: CustomAuthority) -> None:
    """C7.1 for the restrictions of one."""
    numbers = [number for number, _ in custom.restrictions]
    if any(number >= custom.restriction_counter for number in numbers):
        what = f"restrictions of {custom_authority_text(custom.id)}"
        raise violated("C7.1", what, numbers, custom.restriction_counter)


def check_tickets(state: State) -> None:
    """K6.1: figures of accounts and of the chain are those of the tickets, each is worth what its
    type makes of it, and none is overdue."""
    counted: dict[AccountId, list[int]] = defaultdict(lambda: [0] * len(astuple(NO_TICKETS)))
    for ticket in state.tickets.in_order():
        check_ticket(ticket)
        figures = astuple(ticket.figures())
        before = counted[ticket.account]
        counted[ticket.account] = [one + more for one, more in zip(before, figures, strict=True)]
    totals = TicketFigures()
    for statistics in state.statistics.in_order():
        expected = TicketFigures(*counted[statistics.owner])
        found = statistics.tickets or NO_TICKETS
        if found != expected:
            raise violated("K6.1", f"tickets of {statistics.name}", found, expected)
        pob = totals.total_core_pob + found.total_core_pob
        inactive = totals.total_core_inactive + found.total_core_inactive
        totals = TicketFigures(total_core_pob=pob, total_core_inactive=inactive)
    dynamic = state.dynamic
    if (dynamic.total_pob, dynamic.total_inactive) != (
        totals.total_core_pob,
        totals.total_core_inactive,
    ):
        raise violated("K6.1", "CORE locked for ever", dynamic, totals)


def check_ticket(ticket: Ticket) -> None:
    """K6.1 for one ticket: a positive amount, worth what its type makes of it."""
    is_right = ticket.value == ticket.full_value() or ticket.is_forever()
    if ticket.amount.amount <= 0 or not is_right:
        raise violated("K6.1", f"value of {ticket_text(ticket.id)}", ticket.value, ticket.amount)


def check_htlc(htlc: Htlc) -> None:
    """H8.1 for the amount of one contract."""
    if htlc.amount.amount <= 0:
        raise violated("H8.1", f"contract {htlc_text(htlc.id)}", htlc.amount, "positive")


def check_pools(state: State) -> None:
    """J2: pools, their balances, and the shares of them."""
    for pool in state.liquidity_pools.in_order():
        check_pool(state, pool)
    for asset in state.assets.in_order():
        check_share(state, asset)


def check_pool(state: State, pool: LiquidityPool) -> None:
    """J2 for one pool: it is empty on both sides and of shares, or on none."""
    what, share = pool_text(pool.id), state.assets.get(pool.share_asset)
    if share.for_liquidity_pool != pool.id:
        raise violated("J2", f"pool of the share of {what}", share.for_liquidity_pool, pool.id)
    if pool.asset_a >= pool.asset_b:
        raise violated("J2", f"assets of {what}", asset_text(pool.asset_a), "ascending")
    found = pool.balance_a, pool.balance_b, state.figures_of(share.id).current_supply
    if min(found) < 0 or len({amount == 0 for amount in found}) != 1:
        raise violated("J2", f"balances and shares of {what}", found, "all 0 or all above 0")
    value = pool.balance_a * pool.balance_b
    if pool.virtual_value != value:
        raise violated("J2", f"product of the balances of {what}", pool.virtual_value, value)


def check_share(state: State, asset: Asset) -> None:
    """J2 for one asset: the pool that it names has it as its share."""
    named = asset.for_liquidity_pool
    if named is not None:
        pool = state.liquidity_pools.find(named)
        if pool is None or pool.share_asset != asset.id:
            raise violated("J2", f"pool of {asset.symbol}", pool_text(named), "its own")


def check_funds(state: State) -> None:
    """J3: every fund has something, and none of it is lent between transactions."""
    for fund in state.samet_funds.in_order():
        check_fund(fund)


def check_fund(fund: SametFund) -> None:
    """J3 for one fund."""
    found = fund.balance, fund.unpaid_amount
    if fund.balance <= 0 or fund.unpaid_amount:
        raise violated("J3", f"fund {fund_text(fund.id)}", found, "above 0, and 0")


def check_widths(state: State) -> None:
    """I19: each field of each object is within its declared width."""
    for table in state.tables:
        for item in table.in_order():
            try:
                table.check_width(item, ())
            except EncodeError as error:
                raise too_wide(table.id_of(item), error) from error


INVARIANTS: tuple[Callable[[State], None], ...] = (
    check_supplies,
    check_debts,
    check_global_settlements,
    check_debt_pools,
    check_core_in_orders,
    check_amounts,
    check_credit,
    check_books,
    check_links,
    check_head,
    check_medians,
    check_indexes,
    check_expirations,
    check_htlcs,
    check_pools,
    check_custom_authorities,
    check_special_accounts,
    check_tickets,
    check_funds,
    check_widths,
)
