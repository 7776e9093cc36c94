"""API `pegboard`: why things are as they are, and what would change them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from msgspec.structs import replace

from node.api.answers import answers
from node.api.arguments import AccountArg, AssetArg, DraftTransaction, Text
from node.api.call import Answer, Call, Steps, Stepwise
from node.api.methods.pegboard import bitasset_of, wording
from node.chain.chain import Chain
from node.explain.order import explain_bid, explain_settlement
from node.explain.order import explain_order as order_explained
from node.explain.past import past_call
from node.explain.position import explain_position as explain
from node.explain.records import (
    OrderExplanation,
    PastCall,
    PositionExplanation,
    TransactionExplanation,
)
from node.explain.refusal import Refused, explain_refusal
from node.history.records import MARGIN_CALLS, NEWEST
from node.state.errors import DuplicateTransaction, NoSuchObject
from node.state.objects.accounts import Account
from node.state.objects.assets import Asset
from protocol.errors import PegboardError
from protocol.ids import CollateralBidId, ForceSettlementId, LimitOrderId, parse_object_id
from protocol.json_form import to_json
from protocol.operations.base import Operation
from protocol.schema import PublicKey
from protocol.transaction import SignedTransaction, TransactionEnvelope, reference_block

CALLS_SEARCHED = 100
CALLS_TOLD = 5


@answers(PositionExplanation)
def explain_position(call: Call, account: AccountArg, asset: AssetArg) -> Answer:
    """The position of an account in a BitAsset: called or not and why, by its trigger; which feed
    and which bid would call it; what it would pay and keep; what settlements would take.

    Pending transactions count. All numbers come from the rules' own functions, played on a copy.
    """
    return Stepwise(_explain_position(call, account, asset))


def _explain_position(call: Call, account: Account, asset: Asset) -> Steps:
    words, bitasset = wording(call), bitasset_of(call, asset)
    past = _past(call, account, asset)
    found = yield from explain(call.state, words, account, asset, bitasset)
    return to_json(replace(found, past=past), call.backend.address_prefix)


def _past(call: Call, account: Account, asset: Asset) -> tuple[PastCall, ...]:
    words, trigger = wording(call), call.state.chain.margin_call_trigger
    records = [
        record
        for record in call.backend.history.events_of(
            MARGIN_CALLS, "account", account.id, newest=NEWEST, limit=CALLS_SEARCHED
        )
        if record.event.debt_before.asset_id == asset.id
    ]
    return tuple(
        past_call(
            record.event, record.block_num, record.block_time, record.operation, trigger, words
        )
        for record in records[:CALLS_TOLD]
    )


@answers(TransactionExplanation)
def explain_transaction(call: Call, transaction: DraftTransaction) -> Answer:
    """Whether a transaction would be taken now; if not, its rule and what would make it pass.

    Nothing is sent. Pending transactions count.
    """
    return Stepwise(_explain_transaction(call, transaction))


def _explain_transaction(call: Call, transaction: SignedTransaction) -> Steps:
    backend, refusal = call.backend, None
    envelope = TransactionEnvelope.from_transaction(transaction)
    try:
        backend.simulate(envelope)
    except PegboardError as error:
        refused = Refused(transaction.operations, _signers(call, envelope), error)
        attempt = partial(_attempt, backend.chain)
        refusal = yield from explain_refusal(call.state, refused, attempt, wording(call))
    found = TransactionExplanation(refusal is None, refusal)
    return to_json(found, backend.address_prefix)


def _signers(call: Call, envelope: TransactionEnvelope) -> Collection[PublicKey]:
    """The keys that have signed; none where a signature is no signature."""
    try:
        return envelope.signature_keys(call.backend.chain_id)
    except PegboardError:
        return ()


def _attempt(chain: Chain, operations: Sequence[Operation]) -> PegboardError | None:
    """What refuses a transaction of some operations, were it signed and its frame right."""
    number, prefix = reference_block(chain.head_id)
    latest = chain.head_time + chain.state.parameters.maximum_time_until_expiration
    transaction = SignedTransaction(number, prefix, latest, tuple(operations))
    try:
        chain.simulate(TransactionEnvelope.from_transaction(transaction), check_signatures=False)
    except DuplicateTransaction:
        return None
    except PegboardError as error:
        return error
    return None


@answers(OrderExplanation)
def explain_order(call: Call, id: Text) -> Answer:  # noqa: A002  # its name on the wire
    """Why an order (1.7.n), a settlement request (1.4.n) or a collateral bid (2.17.n) waits."""
    state, words, found = call.state, wording(call), parse_object_id(id)
    if found.is_of(LimitOrderId):
        order = state.limit_orders.get(LimitOrderId(found.instance))
        answer = order_explained(state, words, order)
    elif found.is_of(ForceSettlementId):
        request = state.force_settlements.get(ForceSettlementId(found.instance))
        answer = explain_settlement(state, words, request)
    elif found.is_of(CollateralBidId):
        bid = state.collateral_bids.get(CollateralBidId(found.instance))
        answer = explain_bid(state, words, bid)
    else:
        raise NoSuchObject(
            "nothing that waits has this id", rule="R0.1", value=id, limit="1.7.n, 1.4.n, 2.17.n"
        )
    return to_json(answer, call.backend.address_prefix)


METHODS = (explain_position, explain_transaction, explain_order)
