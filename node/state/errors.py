"""Refusals that need the state of the chain: one class for each named reason.

`TransactionRejected` and its reasons leave no trace of the transaction; `BlockRejected` and its
reasons leave no trace of the block. `name` is what clients and logs are told.
"""

from __future__ import annotations

from protocol.errors import PegboardError
from protocol.ids import AccountId, AssetId


class ChainError(PegboardError):
    """A well-formed message breaks a rule of the chain."""

    name = "chain_error"


class TransactionRejected(ChainError):
    """A transaction, operation or proposal that the chain refuses."""

    name = "transaction_rejected"


class BlockRejected(ChainError):
    """A block that the chain refuses."""

    name = "block_rejected"


class WrongChain(ChainError):
    """Stored data of another chain."""

    name = "wrong_chain"


class InvariantViolated(ChainError):
    """The state contradicts itself: a bug of this node, which must stop (section 10)."""

    name = "invariant_violated"


class CutReverted(ChainError):
    """The block whose state was being read is no part of the chain any more."""

    name = "cut_reverted"


# The state.


class NoSuchObject(TransactionRejected):
    """An object id, account name or symbol that does not exist."""

    name = "no_such_object"


class InsufficientBalance(TransactionRejected):
    """I6, R2.1, R3.3: the account holds less than the operation takes."""

    name = "insufficient_balance"
    holder: AccountId | None = None
    asset_id: AssetId | None = None
    """Who holds too little of what; None of what vests or is claimed."""


class NotAuthorized(TransactionRejected):
    """R2.20: a whitelist, blacklist or restriction keeps the account from the asset."""

    name = "not_authorized"


class FeatureNotBuilt(TransactionRejected):
    """A known option of BitShares that this node does not execute."""

    name = "feature_not_built"


class WrongAccount(TransactionRejected):
    """The operation belongs to another account: issuer, owner, producer, member."""

    name = "wrong_account"


class WrongAssetType(TransactionRejected):
    """The operation needs a BitAsset, a user-issued asset or a prediction market."""

    name = "wrong_asset_type"


class NameTaken(TransactionRejected):
    """An account name or symbol that exists already."""

    name = "name_taken"


class BuybackAccountExists(TransactionRejected):
    """Y2.1: another account buys the asset back already."""

    name = "buyback_account_exists"


class LimitExceeded(TransactionRejected):
    """A value beyond a chain parameter or a limit of the asset."""

    name = "limit_exceeded"


class PermissionDenied(TransactionRejected):
    """The issuer permissions of the asset exclude it."""

    name = "permission_denied"


class FeatureDisabled(TransactionRejected):
    """A flag of the asset disables the operation."""

    name = "feature_disabled"


# Fees.


class InsufficientFee(TransactionRejected):
    """R8.17: the fee is worth less CORE than the schedule asks. O6: less is paid to a lender."""

    name = "insufficient_fee"


class InsufficientFeePool(TransactionRejected):
    """R8.17: the fee pool of the asset holds less CORE than the fee is worth."""

    name = "insufficient_fee_pool"


# Orders (R2).


class MarketNotWhitelisted(NotAuthorized):
    """R2.1: the asset on sale names its markets, and this is none of them."""

    name = "market_not_whitelisted"


class MarketBlacklisted(NotAuthorized):
    """R2.1: the asset on sale excludes this market."""

    name = "market_blacklisted"


class SellingAssetUnauthorized(NotAuthorized):
    """R2.1: the seller may not hold the asset that it sells."""

    name = "selling_asset_unauthorized"


class ReceivingAssetUnauthorized(NotAuthorized):
    """R2.1: the seller may not hold the asset that it wants."""

    name = "receiving_asset_unauthorized"


class OrderExpired(TransactionRejected):
    """R2.1: the expiration lies before the head block's time."""

    name = "expired"


class KillUnfilled(TransactionRejected):
    """R2.9: a fill-or-kill order was not filled at once."""

    name = "kill_unfilled"


class OrderNotFound(TransactionRejected):
    """R2.11, G0.3: there is no such order, or not any more."""

    name = "nonexist_order"


class OwnerMismatch(TransactionRejected):
    """R2.11: the order belongs to another account."""

    name = "owner_mismatch"


class PermissionExpired(TransactionRejected):
    """R8.3: the last period of a withdraw permission is over."""

    name = "permission_expired"


# Positions (R3), settlement (R5), global settlement (R6).


class NotMarketIssued(TransactionRejected):
    """R3.2.1: the asset is not a BitAsset."""

    name = "not_market_issued"


class NewSupplyDisabled(TransactionRejected):
    """R3.2.2: the issuer has ruled out new supply."""

    name = "new_supply_disabled"


class MaxSupplyExceeded(TransactionRejected):
    """R3.2.3: the supply would exceed the most that the asset allows."""

    name = "max_supply_exceeded"


class NotForDevelopment(TransactionRejected):
    """R9.10: the genesis of the chain lets nobody change its state around the rules."""

    name = "not_for_development"


class SupplyIsDebt(TransactionRejected):
    """I3, R9.10: the supply of a BitAsset is what its positions owe; nobody can set a balance."""

    name = "supply_is_debt"


class NegativeSupply(TransactionRejected):
    """R3.2.4: more would be taken out of circulation than exists."""

    name = "negative_supply"


class GloballySettled(TransactionRejected):
    """R3.2.5, R6.4: the BitAsset was settled as a whole, and takes no positions."""

    name = "globally_settled"


class NotGloballySettled(TransactionRejected):
    """R6.5, R7.2: what is asked for is possible only after a global settlement."""

    name = "not_globally_settled"


class WrongCollateralAsset(TransactionRejected):
    """R3.2.6: an amount or price is not in the asset that backs the BitAsset."""

    name = "wrong_collateral_asset"


class MustClaimAllCollateral(TransactionRejected):
    """R3.2.7: a position that owes nothing may not keep collateral."""

    name = "must_claim_all_collateral"


class NonpositivePosition(TransactionRejected):
    """R3.2.7: debt and collateral of a position are positive."""

    name = "nonpositive_position"


class PredictionMarketUnequal(TransactionRejected):
    """R3.2.8: debt and collateral of a prediction market change by one amount."""

    name = "pm_unequal"


class InsufficientFeeds(TransactionRejected):
    """R3.2.8, R5.1: the BitAsset has no settlement price."""

    name = "insufficient_feeds"


class WouldBlackSwan(TransactionRejected):
    """R3.4a: the position could not pay the squeeze protection price."""

    name = "would_black_swan"


class BelowRequiredRatio(TransactionRejected):
    """R3.4b: the position would not stay above max(MCR, ICR)."""

    name = "below_required_ratio"


class StrictRelease(TransactionRejected):
    """R3.6: with strict_release, collateral leaves only as debt is paid back."""

    name = "strict_release"


class InsufficientCollateral(TransactionRejected):
    """R6.3: the least collateralised position cannot pay the global settlement price. O5: a
    credit offer asks for more collateral."""

    name = "insufficient_collateral"


class TooSmall(TransactionRejected):
    """R5.3: the settlement would pay nothing."""

    name = "too_small"


# Credit offers and deals (O).


class OfferDisabled(TransactionRejected):
    """O5: nothing is lent by an offer that is not enabled."""

    name = "offer_disabled"


class OfferInUse(TransactionRejected):
    """O3: an offer that deals owe something to cannot be deleted."""

    name = "offer_in_use"


class CollateralNotAccepted(TransactionRejected):
    """O5: the offer has no price for this collateral."""

    name = "collateral_not_accepted"


class BorrowerNotAccepted(TransactionRejected):
    """O5: the offer lends to accounts that it names, and not to this one."""

    name = "borrower_not_accepted"


class NothingChanges(TransactionRejected):
    """O7: what is asked for is so already."""

    name = "nothing_changes"


class AssertionFailed(TransactionRejected):
    """A predicate of an `assert` operation is false."""

    name = "assert_failed"


# Liquidity pools (L).


class AssetMismatch(TransactionRejected):
    """L6 to L8, U4 to U6: an amount is not of the asset that the pool or fund takes there."""

    name = "asset_mismatch"


class NotForPool(TransactionRejected):
    """L3: the asset is a BitAsset, the share of another pool, or in circulation."""

    name = "not_for_pool"


class PoolNotEmpty(TransactionRejected):
    """L4: there are shares of the pool."""

    name = "pool_not_empty"


class PoolEmpty(TransactionRejected):
    """L7, L8: nobody has deposited anything."""

    name = "pool_empty"


class ZeroOutcome(TransactionRejected):
    """L6 to L8: the amount is too small, or a fee too high, for anything to come of it."""

    name = "zero_outcome"


class UnfillablePrice(TransactionRejected):
    """L8: the pool pays less than the least that is accepted."""

    name = "unfillable_price"


# SameT funds (U).


class UnpaidSametDebt(TransactionRejected):
    """U3, U4, U7: a loan that ends with its transaction is not repaid."""

    name = "unpaid_samet_debt"


class InsufficientFundFee(TransactionRejected):
    """U6: the fee is less than the fund asks for what is repaid."""

    name = "insufficient_fund_fee"


# Transactions (R9.3) and authorities (R9.5).


class DuplicateTransaction(TransactionRejected):
    """R9.3: a transaction with this id waits already, or was applied."""

    name = "duplicate_transaction"


class InvalidReferenceBlock(TransactionRejected):
    """R9.3: TaPoS, the transaction refers to a block of another fork or too old."""

    name = "invalid_reference_block"


class TransactionExpired(TransactionRejected):
    """R9.3: its expiration lies before the head block's time."""

    name = "transaction_expired"


class ExpirationTooFar(TransactionRejected):
    """R9.3: its expiration lies further ahead than the chain's parameters allow."""

    name = "expiration_too_far"


class TransactionTooLarge(TransactionRejected):
    """R9.3: its binary form is longer than the chain's parameters allow."""

    name = "transaction_too_large"


class MissingActiveAuthority(TransactionRejected):
    """R9.5: not enough of those who may act for an account have signed."""

    name = "missing_active_auth"


class MissingOwnerAuthority(TransactionRejected):
    """R9.5: not enough of those who own an account have signed."""

    name = "missing_owner_auth"


class MissingOtherAuthority(TransactionRejected):
    """R9.5: a key that the operation itself names has not signed."""

    name = "missing_other_auth"


class IrrelevantSignature(TransactionRejected):
    """R9.5: a signature that no authority needs."""

    name = "irrelevant_sig"


class InvalidCommitteeApproval(TransactionRejected):
    """R9.5: the committee account acts only through proposals."""

    name = "invalid_committee_approval"


class ProposalRefused(TransactionRejected):
    """R8.23: expiration, review period or approval not allowed."""

    name = "proposal_refused"


class PoolFull(TransactionRejected):
    """The pending pool of this node has no room; try again later."""

    name = "pool_full"


# Blocks (R8.1, R9.2).


class UnlinkableBlock(BlockRejected):
    """R9.2: the previous block is unknown here."""

    name = "unlinkable_block"


class BlockTooOld(BlockRejected):
    """R9.2: the block lies at or below the last irreversible block."""

    name = "block_too_old"


class TooManyForks(BlockRejected):
    """T-W2: one key signed more than two blocks for one slot."""

    name = "too_many_forks"


class BlockTooLarge(BlockRejected):
    """R8.1: its binary form is longer than the chain's parameters allow."""

    name = "block_too_large"


class WrongMerkleRoot(BlockRejected):
    """R8.1: the header commits to other transactions than the block holds."""

    name = "wrong_merkle_root"


class WrongTimestamp(BlockRejected):
    """R8.1: not after the head block, off the slot grid, or too far ahead of the clock."""

    name = "wrong_timestamp"


class FutureBlock(BlockRejected):
    """T-W3: the block lies too far ahead of this node's clock; it may be good later."""

    name = "future_block"


class WrongWitness(BlockRejected):
    """R8.1: another witness is scheduled for the slot."""

    name = "wrong_witness"


class WrongWitnessSignature(BlockRejected):
    """R8.1: not signed, or not by its witness's present key."""

    name = "wrong_witness_signature"


class TooManyMissedBlocks(BlockRejected):
    """R8.9: the head would run too far ahead of the last irreversible block."""

    name = "too_many_missed_blocks"


class WrongCertificate(BlockRejected):
    """F3: the votes in the header do not certify a link of this chain."""

    name = "wrong_certificate"


class AgainstCheckpoint(BlockRejected):
    """F9: another block has this number by the word of this node's operator."""

    name = "against_checkpoint"


class InvalidTransactionInBlock(BlockRejected):
    """R8.1: a transaction of the block is refused."""

    name = "invalid_transaction_in_block"
