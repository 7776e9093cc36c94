"""Witnesses: standing for election, changing URL and signing key."""

from __future__ import annotations

from node.evaluators.membership import check_lifetime_member, check_owner
from node.state.context import Context
from node.state.creation import create_witness
from node.state.errors import NameTaken
from node.state.objects.governance import Witness
from protocol.ids import ObjectId, account_text
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
    witness = create_witness(state, op.witness_account, op.block_signing_key, op.url)
    return state.witnesses.object_id(witness.id)


def evaluate_witness_update(ctx: Context, op: WitnessUpdate) -> Witness:
    """The witness, once it belongs to the account."""
    witness = ctx.state.witnesses.get(op.witness)
    check_owner(op.witness_account, witness.witness_account, "witness")
    return witness


def apply_witness_update(ctx: Context, op: WitnessUpdate, witness: Witness) -> VoidResult:
    """Replace what the operation gives."""
    ctx.state.witnesses.edit(witness)
    if op.new_url is not None:
        witness.url = op.new_url
    if op.new_signing_key is not None:
        witness.signing_key = op.new_signing_key
    return VoidResult()
