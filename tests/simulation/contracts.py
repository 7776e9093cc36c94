"""Dealings between people: pools, loans, locks, mandates, and orders that take profit."""

from __future__ import annotations

from node.presets import development_key
from node.state.objects.credit import CreditDeal, CreditOffer
from node.state.objects.liquidity import LiquidityPool, SametFund
from node.state.objects.tickets import Ticket
from pegboard.faucet import FAUCET
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.authority import Authority
from protocol.constants import CORE_ASSET
from protocol.ids import AssetId
from protocol.operations.credit_offer import (
    CreditDealRepay,
    CreditDealUpdate,
    CreditOfferAccept,
    CreditOfferAcceptExtensions,
    CreditOfferCreate,
    CreditOfferDelete,
    CreditOfferUpdate,
)
from protocol.operations.custom_authority import (
    CustomAuthorityCreate,
    CustomAuthorityDelete,
    CustomAuthorityUpdate,
)
from protocol.operations.htlc import (
    HASH_KINDS,
    HtlcCreate,
    HtlcExtend,
    HtlcRedeem,
    hash_of_preimage,
)
from protocol.operations.limit_order import (
    CreateTakeProfitOrder,
    LimitOrderCreate,
    LimitOrderCreateExtensions,
    LimitOrderUpdate,
)
from protocol.operations.liquidity_pool import (
    LiquidityPoolCreate,
    LiquidityPoolDelete,
    LiquidityPoolDeposit,
    LiquidityPoolExchange,
    LiquidityPoolUpdate,
    LiquidityPoolWithdraw,
)
from protocol.operations.restriction import Restriction, RestrictionFunction
from protocol.operations.samet_fund import (
    SametFundBorrow,
    SametFundCreate,
    SametFundDelete,
    SametFundRepay,
    SametFundUpdate,
)
from protocol.operations.ticket import TicketCreate, TicketType, TicketUpdate
from protocol.operations.transfer import Transfer
from protocol.schema import Tagged
from tests.simulation.dealings import ISSUER, OTHERS, SHARES, TOKEN, Desk, Move

FUNDS = 2
OFFERS = 3
CONTRACTS = 6
MANDATES = 2
"""So many funds, offers, contracts and mandates there are about."""
RATE = 10**6
"""Of which the fees of loans are a share."""
SECRETS = tuple(f"secret {number}".encode() for number in range(4))
ACCOUNT_ARGUMENT = 7
"""Which kind of argument a restriction compares an account with (BSIP40)."""
RECEIVER = 2
"""The place of the receiver among the fields of a transfer."""


def pools(desk: Desk) -> Move:
    """Make pools, fill them, trade with them, and empty them (L3-L8)."""
    state = desk.state
    free = [one for one in SHARES if state.asset_named(one).for_liquidity_pool is None]
    pool = desk.one_of(state.liquidity_pools.in_order())
    if pool is None or (free and desk.is_rare(4)):
        return _new_pool(desk, (free or [*SHARES])[0])
    if pool.is_empty:
        return _begin(desk, pool)
    who = desk.somebody()
    sides = [pool.asset_a, pool.asset_b]
    match desk.rng.randrange(8):
        case 0 | 1:
            a, b = (desk.part(who, one, 1_000) for one in sides)
            return Move([LiquidityPoolDeposit(NO_FEE, who, pool.id, a, b)])
        case 2 | 3:
            held = state.balance_of(who, pool.share_asset)
            shares = held if desk.is_rare(3) else desk.part(who, pool.share_asset).amount
            given = AssetAmount(max(shares, 1), pool.share_asset)
            return Move([LiquidityPoolWithdraw(NO_FEE, who, pool.id, given)])
        case 4:
            fee, owner = desk.rng.randrange(300), desk.account(ISSUER)
            return Move([LiquidityPoolUpdate(NO_FEE, owner, pool.id, fee, 0)])
        case _:
            sold, wanted = desk.rng.sample(sides, 2)
            least = AssetAmount(desk.rng.randrange(1, 50), wanted)
            return Move(
                [LiquidityPoolExchange(NO_FEE, who, pool.id, desk.part(who, sold, 1_000), least)]
            )


def _new_pool(desk: Desk, share: str) -> Move:
    pairs = {SHARES[0]: ("CORE", TOKEN), SHARES[1]: (TOKEN, SHARES[0])}
    a, b = map(desk.asset, pairs[share])
    owner, fees = desk.account(ISSUER), (desk.rng.randrange(100), desk.rng.randrange(100))
    return Move([LiquidityPoolCreate(NO_FEE, owner, a, b, desk.asset(share), *fees)])


def _begin(desk: Desk, pool: LiquidityPool) -> Move:
    """The owner fills an empty pool, or ends it."""
    owner = desk.account(ISSUER)
    if desk.is_rare():
        return Move([LiquidityPoolDelete(NO_FEE, owner, pool.id)])
    a, b = (desk.part(owner, one, 100) for one in (pool.asset_a, pool.asset_b))
    return Move([LiquidityPoolDeposit(NO_FEE, owner, pool.id, a, b)])


def funds(desk: Desk) -> Move:
    """Lend within one transaction, which some forget to repay in it (U2-U7)."""
    state = desk.state
    fund = desk.one_of(state.samet_funds.in_order())
    if fund is None or (len(state.samet_funds) < FUNDS and desk.is_rare(3)):
        owner, asset = desk.account(ISSUER), desk.asset(desk.rng.choice(("CORE", TOKEN)))
        rate = desk.rng.randrange(20_000)
        return Move([SametFundCreate(NO_FEE, owner, asset, desk.some(asset, 10**9).amount, rate)])
    if desk.is_rare():
        return _change_fund(desk, fund)
    who = desk.somebody()
    lent = desk.some(fund.asset_type, fund.balance)
    least = -(-lent.amount * fund.fee_rate // RATE)
    fee = AssetAmount(max(0, least + desk.rng.choice((-1, 0, 0, 0, 5))), fund.asset_type)
    borrow = SametFundBorrow(NO_FEE, who, fund.id, lent)
    if desk.is_rare(4):
        return Move([borrow], is_wrong=True)
    repay = SametFundRepay(NO_FEE, who, fund.id, lent, fee)
    return Move([borrow, repay], is_wrong=fee.amount < least)


def _change_fund(desk: Desk, fund: SametFund) -> Move:
    if desk.is_rare(4):
        return Move([SametFundDelete(NO_FEE, fund.owner_account, fund.id)])
    moved = desk.some(fund.asset_type, fund.balance)
    delta = AssetAmount(moved.amount * desk.rng.choice((1, -1)), moved.asset_id)
    return Move([SametFundUpdate(NO_FEE, fund.owner_account, fund.id, delta, 77)])


def loans(desk: Desk) -> Move:
    """Offer loans, take them, and repay them, or not in time (O2-O8)."""
    state = desk.state
    if desk.rng.randrange(3) == 0:
        return funds(desk)
    offer = desk.one_of(state.credit_offers.in_order())
    if offer is None or (len(state.credit_offers) < OFFERS and desk.is_rare(3)):
        return _new_offer(desk)
    deal = desk.one_of(state.credit_deals.in_order())
    if desk.is_rare():
        return _change_offer(desk, offer)
    if deal is None or desk.rng.randrange(2):
        return _take(desk, offer)
    return _repay(desk, deal)


def _new_offer(desk: Desk) -> Move:
    lent, locked = map(desk.asset, desk.rng.sample(("CORE", TOKEN), 2))
    balance, price = desk.some(lent, 10**9), Price(AssetAmount(2, lent), AssetAmount(3, locked))
    duration_s, open_s = desk.rng.randrange(3, 40), desk.rng.randrange(20, 200)
    terms = (desk.rng.randrange(30_000), duration_s, 0, True, desk.now + open_s)
    owner = desk.account(ISSUER)
    accepted = ((locked, price),)
    return Move([CreditOfferCreate(NO_FEE, owner, lent, balance.amount, *terms, accepted, ())])


def _change_offer(desk: Desk, offer: CreditOffer) -> Move:
    if desk.is_rare(3):
        return Move([CreditOfferDelete(NO_FEE, offer.owner_account, offer.id)])
    moved = desk.some(offer.asset_type).amount * desk.rng.choice((1, -1))
    delta, until = AssetAmount(moved, offer.asset_type), desk.now + desk.rng.randrange(1, 200)
    change = CreditOfferUpdate(
        NO_FEE, offer.owner_account, offer.id, delta, enabled=True, auto_disable_time=until
    )
    return Move([change])


def _take(desk: Desk, offer: CreditOffer) -> Move:
    who = desk.account(desk.rng.choice(OTHERS))
    [(_, price), *_] = offer.acceptable_collateral
    lent = desk.some(offer.asset_type, max(offer.current_balance, 1))
    needed = -(-lent.amount * price.quote.amount // price.base.amount)
    locked = AssetAmount(needed + desk.rng.randrange(3), price.quote.asset_id)
    repayment = CreditOfferAcceptExtensions(desk.rng.choice((None, 0, 1, 2)))
    return Move([CreditOfferAccept(NO_FEE, who, offer.id, lent, locked, RATE, 0, repayment)])


def _repay(desk: Desk, deal: CreditDeal) -> Move:
    if desk.is_rare(4):
        return Move([CreditDealUpdate(NO_FEE, deal.borrower, deal.id, desk.rng.randrange(3))])
    paid = deal.debt if desk.is_rare(2) else desk.some(deal.debt_asset, deal.debt_amount)
    fee = AssetAmount(-(-paid.amount * deal.fee_rate // RATE), deal.debt_asset)
    return Move([CreditDealRepay(NO_FEE, deal.borrower, deal.id, paid, fee)])


def locks(desk: Desk) -> Move:
    """Lock amounts by a hash or for a time, open them, and let them end (H2-H5, K2)."""
    state = desk.state
    if desk.rng.randrange(3) == 0:
        return tickets(desk)
    contract = desk.one_of(state.htlcs.in_order())
    if contract is None or (len(state.htlcs) < CONTRACTS and desk.is_rare(2)):
        giver, taker = map(desk.account, desk.rng.sample((ISSUER, *OTHERS), 2))
        secret, kind = desk.rng.choice(SECRETS), desk.rng.randrange(len(HASH_KINDS))
        held = desk.some(desk.asset(desk.rng.choice(("CORE", TOKEN))))
        terms = (hash_of_preimage(kind, secret), len(secret), desk.rng.randrange(60))
        return Move([HtlcCreate(NO_FEE, giver, taker, held, *terms)])
    if desk.is_rare(5):
        giver, more_s = contract.transfer.from_, desk.rng.randrange(60)
        return Move([HtlcExtend(NO_FEE, contract.id, giver, more_s)])
    lock = contract.conditions.hash_lock.preimage_hash
    [known] = [one for one in SECRETS if hash_of_preimage(lock.tag, one) == lock]
    shown = desk.rng.choice(SECRETS) if desk.is_rare(3) else known
    redeem = HtlcRedeem(NO_FEE, contract.id, desk.somebody(), shown)
    return Move([redeem], is_wrong=shown != known)


def tickets(desk: Desk) -> Move:
    """Lock CORE for votes; the faucet, which elects witnesses, does too (K2)."""
    ticket: Ticket | None = desk.one_of(desk.state.tickets.in_order())
    if ticket is None or desk.is_rare(2):
        owner = desk.account(FAUCET) if desk.is_rare(3) else desk.somebody()
        target = desk.rng.randrange(1, len(TicketType))
        return Move([TicketCreate(NO_FEE, owner, target, desk.part(owner, CORE_ASSET, 100))])
    part = None if desk.is_rare(2) else desk.some(CORE_ASSET, ticket.amount.amount)
    target = desk.rng.randrange(len(TicketType))
    return Move([TicketUpdate(NO_FEE, ticket.id, ticket.account, target, part)])


def mandates(desk: Desk) -> Move:
    """Let somebody else send, to one person only; he tries others too (C2-C4)."""
    state, giver, bot = desk.state, desk.account(ISSUER), OTHERS[0]
    mandate = desk.one_of(state.custom_authorities.in_order())
    if mandate is None or (len(state.custom_authorities) < MANDATES and desk.is_rare()):
        auth = Authority(1, account_auths=((desk.account(bot), 1),))
        receiver = Tagged(ACCOUNT_ARGUMENT, desk.account(OTHERS[1]))
        only = Restriction(RECEIVER, RestrictionFunction.EQ, receiver)
        start = desk.now + desk.rng.choice((-100, -100, 10))
        end = desk.now + desk.rng.randrange(20, 200)
        return Move([CustomAuthorityCreate(NO_FEE, giver, True, start, end, 0, auth, (only,))])
    if desk.is_rare():
        return Move([CustomAuthorityDelete(NO_FEE, giver, mandate.id)])
    if desk.is_rare():
        is_on = not mandate.enabled
        return Move([CustomAuthorityUpdate(NO_FEE, giver, mandate.id, new_enabled=is_on)])
    name = OTHERS[2] if desk.is_rare(4) else OTHERS[1]
    sent = Transfer(NO_FEE, giver, desk.account(name), desk.some(CORE_ASSET, 1_000), None)
    return Move([sent], [development_key(bot, "active")], is_wrong=name != OTHERS[1])


def profits(desk: Desk) -> Move:
    """Trade with orders that trade back by themselves once they are filled (T1-T9)."""
    who, sides = desk.somebody(), ["CORE", TOKEN]
    order = desk.one_of(iter(desk.state.orders_of_account.items(who)))
    if order is not None and desk.is_rare(5):
        less = AssetAmount(-desk.rng.randrange(1, order.for_sale + 1), order.sells)
        return Move([LimitOrderUpdate(NO_FEE, who, order.id, delta_amount_to_sell=less)])
    sold, wanted = map(desk.asset, desk.rng.sample(sides, 2))
    amount = desk.part(who, sold, 1_000)
    least = AssetAmount(max(1, amount.amount * desk.rng.randrange(95, 105) // 100), wanted)
    end = desk.now + desk.rng.randrange(10, 300)
    extensions = LimitOrderCreateExtensions(None if desk.is_rare(3) else (_action(desk, sold),))
    return Move([LimitOrderCreate(NO_FEE, who, amount, least, end, False, extensions)])


def _action(desk: Desk, sold: AssetId) -> CreateTakeProfitOrder:
    asset = CORE_ASSET if desk.is_rare(2) else sold
    spread, size = desk.rng.randrange(1, 400), desk.rng.choice((10_000, 5_000, 1))
    return CreateTakeProfitOrder(asset, spread, size, desk.rng.randrange(1, 300), desk.is_rare(2))
