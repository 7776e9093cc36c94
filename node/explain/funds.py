"""What might make a loan of a SameT fund pass, beside other numbers in it (U3, U5, U7)."""

from __future__ import annotations

from collections.abc import Iterator

from node.evaluators.samet_fund import fund_fee
from node.explain.candidates import Candidate
from node.explain.records import Remedy
from node.explain.wording import Wording
from node.state.database import State
from node.state.errors import LimitExceeded, UnpaidSametDebt
from protocol.asset import NO_FEE, AssetAmount
from protocol.errors import PegboardError
from protocol.fees import with_required_fee
from protocol.ids import fund_text
from protocol.operations.base import Operation
from protocol.operations.samet_fund import (
    SametFundBorrow,
    SametFundDelete,
    SametFundRepay,
    SametFundUpdate,
)


def fund_candidates(
    state: State, op: Operation, error: PegboardError, words: Wording
) -> Iterator[Candidate]:
    """A loan that is repaid at once, and a fund that is deleted rather than emptied."""
    if isinstance(op, SametFundBorrow) and isinstance(error, UnpaidSametDebt):
        fund = state.samet_funds.find(op.fund_id)
        if fund is not None:
            lent = op.borrow_amount
            fee = AssetAmount(fund_fee(lent.amount, fund.fee_rate), lent.asset_id)
            free = SametFundRepay(NO_FEE, op.borrower, op.fund_id, lent, fee)
            repay = with_required_fee(free, state.parameters.current_fees)
            text = (
                f"repay {words.amount(lent)} and a fee of {words.amount(fee)}"
                f" to {fund_text(op.fund_id)} in the same transaction"
            )
            yield Candidate(Remedy(text, "", lent), (op, repay))
    elif isinstance(op, SametFundUpdate) and isinstance(error, LimitExceeded):
        delta = op.delta_amount
        if delta is not None and delta.amount < 0:
            free_delete = SametFundDelete(NO_FEE, op.owner_account, op.fund_id)
            delete = with_required_fee(free_delete, state.parameters.current_fees)
            yield Candidate(Remedy("delete the fund", "", operation=delete), (delete,))
