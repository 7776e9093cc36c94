"""Hash time lock contracts: made, redeemed by whoever shows the preimage, given more time (H)."""

from __future__ import annotations

from msgspec.structs import replace

from node.evaluators.lists import check_authorized, check_transferable
from node.evaluators.membership import check_owner
from node.state.balances import check_balance, credit, debit
from node.state.context import Context
from node.state.database import State
from node.state.lock_errors import (
    ExtensionTooLong,
    HtlcNotEnabled,
    NotTheCreator,
    PreimageSizeMismatch,
    PreimageTooLong,
    PreimageWrong,
    TimeoutTooLong,
    TransferRestricted,
)
from node.state.objects.htlc import HashLock, Htlc, HtlcConditions, HtlcTransfer, TimeLock
from protocol.asset import NO_FEE
from protocol.chain_parameters import HtlcOptions
from protocol.errors import SECONDS, TIME
from protocol.ids import ObjectId
from protocol.operations.htlc import (
    HASH_KINDS,
    HtlcCreate,
    HtlcExtend,
    HtlcRedeem,
    HtlcRedeemed,
    hash_of_preimage,
)
from protocol.operations.results import VoidResult
from protocol.schema import MAX_TIMESTAMP

DONE = VoidResult()


def htlc_options(state: State) -> HtlcOptions:
    """The limits that the committee has set; raises `HtlcNotEnabled` where it has not (H1.1)."""
    options = state.parameters.extensions.updatable_htlc_options
    if options is None:
        raise HtlcNotEnabled(
            "this chain has no hash time locks: its parameters have no updatable_htlc_options",
            rule="H1.1",
        )
    return options


def evaluate_htlc_create(ctx: Context, op: HtlcCreate) -> int:
    """When the contract ends, once its limits hold and both sides may hold the asset (H2.2)."""
    state, amount = ctx.state, op.amount
    options = htlc_options(state)
    _check_limits(op, options)
    check_balance(state, op.from_, amount, rule="H2.2")
    asset = state.assets.get(amount.asset_id)
    creator, receiver = state.accounts.get(op.from_), state.accounts.get(op.to)
    check_transferable(asset, creator.id, receiver.id, TransferRestricted)
    check_authorized(creator, asset)
    check_authorized(receiver, asset)
    expiration = ctx.now + op.claim_period_seconds
    if expiration > MAX_TIMESTAMP:
        raise TimeoutTooLong(
            "the contract would end after the end of time",
            rule="H2.3",
            value=expiration,
            limit=MAX_TIMESTAMP,
            unit=TIME,
        )
    return expiration


def _check_limits(op: HtlcCreate, options: HtlcOptions) -> None:
    if op.claim_period_seconds > options.max_timeout_secs:
        raise TimeoutTooLong(
            "the claim period is too long",
            rule="H2.2",
            value=op.claim_period_seconds,
            limit=options.max_timeout_secs,
            unit=SECONDS,
        )
    if op.preimage_size > options.max_preimage_size:
        raise PreimageTooLong(
            "the preimage is too long",
            rule="H2.2",
            value=op.preimage_size,
            limit=options.max_preimage_size,
        )


def apply_htlc_create(ctx: Context, op: HtlcCreate, expiration: int) -> ObjectId:
    """Lock the amount in a new contract (H2.3)."""
    state, amount = ctx.state, op.amount
    debit(state, op.from_, amount)
    htlc = state.htlcs.create(
        Htlc(
            id=state.htlcs.next_id,
            transfer=HtlcTransfer(op.from_, op.to, amount.amount, amount.asset_id),
            conditions=HtlcConditions(
                HashLock(op.preimage_hash, op.preimage_size), TimeLock(expiration)
            ),
            memo=op.extensions.memo,
        )
    )
    return state.htlcs.object_id(htlc.id)


def evaluate_htlc_redeem(ctx: Context, op: HtlcRedeem) -> Htlc:
    """The contract, once the preimage is what it was locked by; whoever shows it (H3.1)."""
    htlc = ctx.state.htlcs.get(op.htlc_id)
    lock = htlc.conditions.hash_lock
    if lock.preimage_size > 0 and len(op.preimage) != lock.preimage_size:
        raise PreimageSizeMismatch(
            "the preimage has another length",
            rule="H3.1",
            value=len(op.preimage),
            limit=lock.preimage_size,
        )
    shown = hash_of_preimage(lock.preimage_hash.tag, op.preimage)
    if shown != lock.preimage_hash:
        raise PreimageWrong(
            f"the {HASH_KINDS[shown.tag].name} of the preimage is another",
            rule="H3.1",
            value=_hash_text(shown.value),
            limit=_hash_text(lock.preimage_hash.value),
        )
    return htlc


def _hash_text(value: object) -> str:
    assert isinstance(value, bytes), value
    return value.hex()


def apply_htlc_redeem(ctx: Context, op: HtlcRedeem, htlc: Htlc) -> VoidResult:
    """Pay the receiver, tell both sides, and end the contract (H3.2)."""
    state, transfer, lock = ctx.state, htlc.transfer, htlc.conditions.hash_lock
    credit(state, transfer.to, htlc.amount)
    ctx.emit(
        HtlcRedeemed(
            fee=NO_FEE,
            htlc_id=htlc.id,
            from_=transfer.from_,
            to=transfer.to,
            redeemer=op.redeemer,
            amount=htlc.amount,
            htlc_preimage_hash=lock.preimage_hash,
            htlc_preimage_size=lock.preimage_size,
            preimage=op.preimage,
        )
    )
    state.htlcs.remove(htlc)
    return DONE


def evaluate_htlc_extend(ctx: Context, op: HtlcExtend) -> Htlc:
    """The contract, once its creator asks, and for no later an end than a new one (H4.1)."""
    state = ctx.state
    htlc = state.htlcs.get(op.htlc_id)
    check_owner(op.update_issuer, htlc.transfer.from_, "contract", error=NotTheCreator, rule="H4.1")
    expiration = htlc.expiration + op.seconds_to_add
    _check_end(expiration, MAX_TIMESTAMP - 1)
    _check_end(expiration, ctx.now + htlc_options(state).max_timeout_secs)
    return htlc


def _check_end(expiration: int, latest: int) -> None:
    if expiration > latest:
        raise ExtensionTooLong(
            "the contract would end too late",
            rule="H4.1",
            value=expiration,
            limit=latest,
            unit=TIME,
        )


def apply_htlc_extend(ctx: Context, op: HtlcExtend, htlc: Htlc) -> VoidResult:
    """Move the end of the contract (H4.1)."""
    ctx.state.htlcs.edit(htlc)
    end = TimeLock(htlc.expiration + op.seconds_to_add)
    htlc.conditions = replace(htlc.conditions, time_lock=end)
    return DONE
