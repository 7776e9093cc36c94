"""The table of evaluators: which functions execute which operation."""

from __future__ import annotations

from node.evaluators import transfer
from node.evaluators.evaluator import Evaluator, evaluator
from protocol.operations.transfer import OverrideTransfer, Transfer

EVALUATORS: dict[type, Evaluator] = {
    Transfer: evaluator(transfer.evaluate_transfer, transfer.apply_transfer),
    OverrideTransfer: evaluator(
        transfer.evaluate_override_transfer, transfer.apply_override_transfer
    ),
}
"""Class -> evaluator, for every operation that a transaction may hold."""
