"""Stealth transfers: amounts hidden in commitments; in bytes only, not executed by this node.

`validate` checks the structure. That commitments add up and that range proofs hold would need the
curve of the commitments; a node that executes them has to check it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from protocol.asset import AssetAmount
from protocol.authority import Authority
from protocol.checks import check_amount, check_fee, require
from protocol.errors import ASSET
from protocol.ids import AccountId
from protocol.schema import BlindingFactor, Commitment, PublicKey, Record


class BlindInput(Record):
    """A blinded balance that is spent."""

    commitment: Commitment
    """Names the balance and hides its amount."""
    owner: Authority
    """Authority over the balance; has to approve."""


class StealthConfirmation(Record):
    """What the receiver of a blinded balance needs to find and spend it."""

    one_time_key: PublicKey
    to: PublicKey | None
    """Key of the receiver; absent where even that is hidden."""
    encrypted_memo: bytes
    """Amount and blinding factor, for the receiver's eyes."""


class BlindOutput(Record):
    """A blinded balance that is made."""

    commitment: Commitment
    """Names the balance and hides its amount."""
    range_proof: bytes
    """Proves that the amount is not negative; needed where there are several outputs."""
    owner: Authority
    """Authority over the new balance."""
    stealth_memo: StealthConfirmation | None = None


class TransferToBlind(Record):
    """Turn a public amount into blinded balances."""

    fee: AssetAmount
    amount: AssetAmount
    """What leaves the account, in smallest units."""
    from_: AccountId
    """Account that the amount leaves; pays the fee."""
    blinding_factor: BlindingFactor
    """Sum of the blinding factors of the outputs."""
    outputs: tuple[BlindOutput, ...]
    """Ascending by commitment."""

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.amount, "amount")
        require(len(self.outputs) > 0, "no output", value=0, limit=1)
        _check_outputs(self.outputs)


class BlindTransfer(Record):
    """Spend blinded balances for new ones; what they leave over in public is the fee."""

    fee: AssetAmount
    inputs: tuple[BlindInput, ...]
    """Ascending by commitment; their owners have to approve."""
    outputs: tuple[BlindOutput, ...]
    """Ascending by commitment."""

    def validate(self) -> None:
        _check_inputs(self.inputs)
        _check_outputs(self.outputs)


class TransferFromBlind(Record):
    """Turn blinded balances back into a public amount."""

    fee: AssetAmount
    """Paid out of the inputs, in the same asset."""
    amount: AssetAmount
    """What the account receives, in smallest units."""
    to: AccountId
    """Account that receives the amount."""
    blinding_factor: BlindingFactor
    """Sum of the blinding factors of the inputs."""
    inputs: tuple[BlindInput, ...]
    """Ascending by commitment; their owners have to approve."""

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.amount, "amount")
        require(
            self.amount.asset_id == self.fee.asset_id,
            "fee and amount are of two assets",
            value=self.fee.asset_id,
            limit=self.amount.asset_id,
            unit=ASSET,
        )
        _check_inputs(self.inputs)


def _check_inputs(inputs: Sequence[BlindInput]) -> None:
    require(len(inputs) > 0, "no input", value=0, limit=1)
    _check_ascending("inputs", [item.commitment for item in inputs])


def _check_outputs(outputs: Sequence[BlindOutput]) -> None:
    _check_ascending("outputs", [item.commitment for item in outputs])
    for item in outputs:
        require(
            not item.owner.is_impossible(),
            "owner of an output can never be satisfied",
            rule="R9.5",
            value=item.owner.weight_threshold,
            limit=item.owner.total_weight(),
        )


def _check_ascending(field: str, commitments: Sequence[Commitment]) -> None:
    for before, after in pairwise(commitments):
        require(before < after, f"{field} are not ascending by commitment", value=after.hex())
