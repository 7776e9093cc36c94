"""The table of evaluators: which functions execute which operation."""

from __future__ import annotations

from node.evaluators import (
    account,
    asset,
    balance,
    bitasset,
    call_order,
    committee,
    credit_deal,
    credit_offer,
    custom,
    custom_authority,
    htlc,
    limit_order,
    liquidity_pool,
    proposal,
    samet_fund,
    ticket,
    transfer,
    vesting,
    withdraw_permission,
    witness,
    worker,
)
from node.evaluators.evaluator import Evaluator, FeeUse, evaluator
from protocol.operations.account import (
    AccountCreate,
    AccountUpdate,
    AccountUpgrade,
    AccountWhitelist,
)
from protocol.operations.asset import (
    AssetClaimFees,
    AssetClaimPool,
    AssetCreate,
    AssetFundFeePool,
    AssetIssue,
    AssetReserve,
    AssetUpdate,
    AssetUpdateIssuer,
)
from protocol.operations.balance import BalanceClaim
from protocol.operations.bitasset import (
    AssetGlobalSettle,
    AssetPublishFeed,
    AssetSettle,
    AssetUpdateBitasset,
    AssetUpdateFeedProducers,
    BidCollateral,
)
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.committee import (
    CommitteeMemberCreate,
    CommitteeMemberUpdate,
    CommitteeMemberUpdateGlobalParameters,
)
from protocol.operations.credit_offer import (
    CreditDealRepay,
    CreditDealUpdate,
    CreditOfferAccept,
    CreditOfferCreate,
    CreditOfferDelete,
    CreditOfferUpdate,
)
from protocol.operations.custom import Assert, Custom
from protocol.operations.custom_authority import (
    CustomAuthorityCreate,
    CustomAuthorityDelete,
    CustomAuthorityUpdate,
)
from protocol.operations.htlc import HtlcCreate, HtlcExtend, HtlcRedeem
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate, LimitOrderUpdate
from protocol.operations.liquidity_pool import (
    LiquidityPoolCreate,
    LiquidityPoolDelete,
    LiquidityPoolDeposit,
    LiquidityPoolExchange,
    LiquidityPoolUpdate,
    LiquidityPoolWithdraw,
)
from protocol.operations.proposal import ProposalCreate, ProposalDelete, ProposalUpdate
from protocol.operations.samet_fund import (
    SametFundBorrow,
    SametFundCreate,
    SametFundDelete,
    SametFundRepay,
    SametFundUpdate,
)
from protocol.operations.ticket import TicketCreate, TicketUpdate
from protocol.operations.transfer import OverrideTransfer, Transfer
from protocol.operations.vesting import VestingBalanceCreate, VestingBalanceWithdraw
from protocol.operations.withdraw_permission import (
    WithdrawPermissionClaim,
    WithdrawPermissionCreate,
    WithdrawPermissionDelete,
    WithdrawPermissionUpdate,
)
from protocol.operations.witness import WitnessCreate, WitnessUpdate
from protocol.operations.worker import WorkerCreate

EVALUATORS: dict[type, Evaluator] = {
    Transfer: evaluator(transfer.evaluate_transfer, transfer.apply_transfer),
    LimitOrderCreate: evaluator(
        limit_order.evaluate_limit_order_create,
        limit_order.apply_limit_order_create,
        fee_use=FeeUse.DEFER,
    ),
    LimitOrderCancel: evaluator(
        limit_order.evaluate_limit_order_cancel, limit_order.apply_limit_order_cancel
    ),
    LimitOrderUpdate: evaluator(
        limit_order.evaluate_limit_order_update,
        limit_order.apply_limit_order_update,
        fee_use=FeeUse.DEFER,
    ),
    CallOrderUpdate: evaluator(
        call_order.evaluate_call_order_update, call_order.apply_call_order_update
    ),
    AccountCreate: evaluator(account.evaluate_account_create, account.apply_account_create),
    AccountUpdate: evaluator(account.evaluate_account_update, account.apply_account_update),
    AccountWhitelist: evaluator(
        account.evaluate_account_whitelist, account.apply_account_whitelist
    ),
    AccountUpgrade: evaluator(account.evaluate_account_upgrade, account.apply_account_upgrade),
    AssetCreate: evaluator(
        asset.evaluate_asset_create, asset.apply_asset_create, fee_use=FeeUse.SEED_POOL
    ),
    AssetUpdate: evaluator(asset.evaluate_asset_update, asset.apply_asset_update),
    AssetUpdateIssuer: evaluator(
        asset.evaluate_asset_update_issuer, asset.apply_asset_update_issuer
    ),
    AssetIssue: evaluator(asset.evaluate_asset_issue, asset.apply_asset_issue),
    AssetReserve: evaluator(asset.evaluate_asset_reserve, asset.apply_asset_reserve),
    AssetFundFeePool: evaluator(
        asset.evaluate_asset_fund_fee_pool, asset.apply_asset_fund_fee_pool
    ),
    AssetClaimFees: evaluator(asset.evaluate_asset_claim_fees, asset.apply_asset_claim_fees),
    AssetClaimPool: evaluator(asset.evaluate_asset_claim_pool, asset.apply_asset_claim_pool),
    AssetUpdateBitasset: evaluator(
        bitasset.evaluate_asset_update_bitasset, bitasset.apply_asset_update_bitasset
    ),
    AssetUpdateFeedProducers: evaluator(
        bitasset.evaluate_asset_update_feed_producers, bitasset.apply_asset_update_feed_producers
    ),
    AssetPublishFeed: evaluator(
        bitasset.evaluate_asset_publish_feed, bitasset.apply_asset_publish_feed
    ),
    AssetSettle: evaluator(bitasset.evaluate_asset_settle, bitasset.apply_asset_settle),
    AssetGlobalSettle: evaluator(
        bitasset.evaluate_asset_global_settle, bitasset.apply_asset_global_settle
    ),
    BidCollateral: evaluator(bitasset.evaluate_bid_collateral, bitasset.apply_bid_collateral),
    WitnessCreate: evaluator(witness.evaluate_witness_create, witness.apply_witness_create),
    WitnessUpdate: evaluator(witness.evaluate_witness_update, witness.apply_witness_update),
    WithdrawPermissionCreate: evaluator(
        withdraw_permission.evaluate_withdraw_permission_create,
        withdraw_permission.apply_withdraw_permission_create,
    ),
    WithdrawPermissionUpdate: evaluator(
        withdraw_permission.evaluate_withdraw_permission_update,
        withdraw_permission.apply_withdraw_permission_update,
    ),
    WithdrawPermissionClaim: evaluator(
        withdraw_permission.evaluate_withdraw_permission_claim,
        withdraw_permission.apply_withdraw_permission_claim,
    ),
    WithdrawPermissionDelete: evaluator(
        withdraw_permission.evaluate_withdraw_permission_delete,
        withdraw_permission.apply_withdraw_permission_delete,
    ),
    WorkerCreate: evaluator(worker.evaluate_worker_create, worker.apply_worker_create),
    CommitteeMemberCreate: evaluator(
        committee.evaluate_committee_member_create, committee.apply_committee_member_create
    ),
    CommitteeMemberUpdate: evaluator(
        committee.evaluate_committee_member_update, committee.apply_committee_member_update
    ),
    CommitteeMemberUpdateGlobalParameters: evaluator(
        committee.evaluate_update_global_parameters, committee.apply_update_global_parameters
    ),
    ProposalCreate: evaluator(proposal.evaluate_proposal_create, proposal.apply_proposal_create),
    ProposalUpdate: evaluator(proposal.evaluate_proposal_update, proposal.apply_proposal_update),
    ProposalDelete: evaluator(proposal.evaluate_proposal_delete, proposal.apply_proposal_delete),
    VestingBalanceCreate: evaluator(
        vesting.evaluate_vesting_balance_create, vesting.apply_vesting_balance_create
    ),
    VestingBalanceWithdraw: evaluator(
        vesting.evaluate_vesting_balance_withdraw, vesting.apply_vesting_balance_withdraw
    ),
    BalanceClaim: evaluator(balance.evaluate_balance_claim, balance.apply_balance_claim),
    Custom: evaluator(custom.evaluate_custom, custom.apply_custom),
    Assert: evaluator(custom.evaluate_assert, custom.apply_assert),
    OverrideTransfer: evaluator(transfer.evaluate_override_transfer, transfer.apply_transfer),
    HtlcCreate: evaluator(htlc.evaluate_htlc_create, htlc.apply_htlc_create),
    HtlcRedeem: evaluator(htlc.evaluate_htlc_redeem, htlc.apply_htlc_redeem),
    HtlcExtend: evaluator(htlc.evaluate_htlc_extend, htlc.apply_htlc_extend),
    CustomAuthorityCreate: evaluator(
        custom_authority.evaluate_custom_authority_create,
        custom_authority.apply_custom_authority_create,
    ),
    CustomAuthorityUpdate: evaluator(
        custom_authority.evaluate_custom_authority_update,
        custom_authority.apply_custom_authority_update,
    ),
    CustomAuthorityDelete: evaluator(
        custom_authority.evaluate_custom_authority_delete,
        custom_authority.apply_custom_authority_delete,
    ),
    TicketCreate: evaluator(ticket.evaluate_ticket_create, ticket.apply_ticket_create),
    TicketUpdate: evaluator(ticket.evaluate_ticket_update, ticket.apply_ticket_update),
    LiquidityPoolCreate: evaluator(
        liquidity_pool.evaluate_liquidity_pool_create, liquidity_pool.apply_liquidity_pool_create
    ),
    LiquidityPoolDelete: evaluator(
        liquidity_pool.evaluate_liquidity_pool_delete, liquidity_pool.apply_liquidity_pool_delete
    ),
    LiquidityPoolDeposit: evaluator(
        liquidity_pool.evaluate_liquidity_pool_deposit, liquidity_pool.apply_liquidity_pool_deposit
    ),
    LiquidityPoolWithdraw: evaluator(
        liquidity_pool.evaluate_liquidity_pool_withdraw,
        liquidity_pool.apply_liquidity_pool_withdraw,
    ),
    LiquidityPoolExchange: evaluator(
        liquidity_pool.evaluate_liquidity_pool_exchange,
        liquidity_pool.apply_liquidity_pool_exchange,
    ),
    SametFundCreate: evaluator(
        samet_fund.evaluate_samet_fund_create, samet_fund.apply_samet_fund_create
    ),
    SametFundDelete: evaluator(
        samet_fund.evaluate_samet_fund_delete, samet_fund.apply_samet_fund_delete
    ),
    SametFundUpdate: evaluator(
        samet_fund.evaluate_samet_fund_update, samet_fund.apply_samet_fund_update
    ),
    SametFundBorrow: evaluator(
        samet_fund.evaluate_samet_fund_borrow, samet_fund.apply_samet_fund_borrow
    ),
    SametFundRepay: evaluator(
        samet_fund.evaluate_samet_fund_repay, samet_fund.apply_samet_fund_repay
    ),
    LiquidityPoolUpdate: evaluator(
        liquidity_pool.evaluate_liquidity_pool_update, liquidity_pool.apply_liquidity_pool_update
    ),
    CreditOfferCreate: evaluator(
        credit_offer.evaluate_credit_offer_create, credit_offer.apply_credit_offer_create
    ),
    CreditOfferDelete: evaluator(
        credit_offer.evaluate_credit_offer_delete, credit_offer.apply_credit_offer_delete
    ),
    CreditOfferUpdate: evaluator(
        credit_offer.evaluate_credit_offer_update, credit_offer.apply_credit_offer_update
    ),
    CreditOfferAccept: evaluator(
        credit_offer.evaluate_credit_offer_accept, credit_offer.apply_credit_offer_accept
    ),
    CreditDealRepay: evaluator(
        credit_deal.evaluate_credit_deal_repay, credit_deal.apply_credit_deal_repay
    ),
    CreditDealUpdate: evaluator(
        credit_deal.evaluate_credit_deal_update, credit_deal.apply_credit_deal_update
    ),
}
"""Class -> evaluator, for every operation that a transaction or proposal may hold (G0.7)."""
