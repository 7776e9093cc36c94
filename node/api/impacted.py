"""Which accounts an object concerns: whom its changes notify."""

from __future__ import annotations

from node.state.objects.accounts import (
    Account,
    AccountBalance,
    AccountStatistics,
    SpecialAuthority,
)
from node.state.objects.base import StateObject
from node.state.objects.credit import CreditDeal, CreditDealSummary, CreditOffer
from node.state.objects.custom_authorities import CustomAuthority
from node.state.objects.htlc import Htlc
from node.state.objects.liquidity import SametFund
from node.state.objects.market import CallOrder, CollateralBid, ForceSettlement, LimitOrder
from node.state.objects.permissions import WithdrawPermission
from node.state.objects.tickets import Ticket
from node.state.objects.transactions import Proposal
from node.state.objects.vesting import VestingBalance
from protocol.ids import AccountId


def accounts_of_object(item: StateObject) -> tuple[AccountId, ...]:
    """Accounts whose subscribers are told of a change of an object (G0.4)."""
    if isinstance(item, Account):
        return (item.id,)
    if isinstance(item, AccountStatistics | AccountBalance | VestingBalance | ForceSettlement):
        return (item.owner,)
    if isinstance(item, LimitOrder):
        return (item.seller,)
    if isinstance(item, CallOrder):
        return (item.borrower,)
    if isinstance(item, CollateralBid):
        return (item.bidder,)
    if isinstance(item, WithdrawPermission):
        return (item.withdraw_from_account, item.authorized_account)
    if isinstance(item, CustomAuthority):
        return (item.account, *(account for account, _ in item.auth.account_auths))
    if isinstance(item, Ticket | SpecialAuthority):
        return (item.account,)
    if isinstance(item, Htlc):
        return (item.transfer.from_, item.transfer.to)
    if isinstance(item, CreditOffer | SametFund):
        return (item.owner_account,)
    if isinstance(item, CreditDeal | CreditDealSummary):
        return (item.offer_owner, item.borrower)
    if isinstance(item, Proposal):
        return (*item.required_active_approvals, *item.required_owner_approvals)
    return ()
