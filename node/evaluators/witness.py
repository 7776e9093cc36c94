"""Witnesses: standing for election, changing URL and signing key."""

from __future__ import annotations

from node.evaluators.membership import check_lifetime_member, next_vote_id
from node.state.context import Context
from node.state.errors import NameTaken, WrongAccount
from node.state.objects.governance import Witness
from protocol.ids import ObjectId, account_text
from protocol.operations.account import WITNESS_VOTE
from protocol.operations.results import VoidResult
from protocol.operations.witness import WitnessCreate, WitnessUpdate


def evaluate_witness_create(ctx: Context, op: WitnessCreate) -> None:
    """A lifetime member that is no witness yet."""
    state = ctx.state
    check_lifetime_member(state.accounts.get(op.witness_account))
    if state.witness_by_account.find(op.witness_account) is not None:
        raise NameTaken(
            "the account is a witness already", rule="R8.12", value=account_text(op.witness_account)
        )


def apply_witness_create(ctx: Context, op: WitnessCreate, checked: None) -> ObjectId:
    """Create the candidate under a new vote id."""
    state = ctx.state
    vote = next_vote_id(state, WITNESS_VOTE)
    witness_id = state.witnesses.next_id
    state.witnesses.create(
        Witness(
            id=witness_id,
            witness_account=op.witness_account,
            last_aslot=0,
            signing_key=op.block_signing_key,
            pay_vb=None,
            vote_id=vote,
            total_votes=0,
            url=op.url,
            total_missed=0,
            last_confirmed_block_num=0,
        )
    )
    return state.witnesses.object_id(witness_id)


def evaluate_witness_update(ctx: Context, op: WitnessUpdate) -> Witness:
    """The witness, once it belongs to the account."""
    witness = ctx.state.witnesses.get(op.witness)
    if witness.witness_account != op.witness_account:
        raise WrongAccount(
            "the witness belongs to another account",
            rule="R9.6",
            value=account_text(op.witness_account),
            limit=account_text(witness.witness_account),
        )
    return witness


def apply_witness_update(ctx: Context, op: WitnessUpdate, witness: Witness) -> VoidResult:
    """Replace what the operation gives."""
    ctx.state.witnesses.edit(witness)
    if op.new_url is not None:
        witness.url = op.new_url
    if op.new_signing_key is not None:
        witness.signing_key = op.new_signing_key
    return VoidResult()
