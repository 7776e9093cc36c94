"""API `pegboard`: why things are as they are, and what would change them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from msgspec.structs import replace

from node.api.answers import answers
from node.api.arguments import (
    AccountArg,
    AssetArg,
    BlockNum,
    DraftTransaction,
    Text,
    TransactionIdArg,
)
from node.api.call import Answer, Call, Steps, Stepwise
from node.api.closed import explain_closed
from node.api.happened import effects_in
from node.api.methods.history import TransactionPlace
from node.api.methods.pegboard import bitasset_of, wording
from node.chain.chain import Chain
from node.explain.order import explain_bid
from node.explain.order import explain_order as order_explained
from node.explain.past import past_call
from node.explain.position import explain_position as explain
from node.explain.records import (
    BlockExplanation,
    Effect,
    OrderExplanation,
    PastCall,
    PositionExplanation,
    TransactionExplanation,
)
from node.explain.refusal import Refused, explain_refusal
from node.explain.requests import explain_settlement
from node.history.records import MARGIN_CALLS, NEWEST
from node.rules import sentence_of
from node.state.errors import DuplicateTransaction, NoSuchObject
from node.state.objects.accounts import Account
from node.state.objects.assets import Asset
from protocol.errors import PegboardError
from protocol.ids import CollateralBidId, ForceSettlementId, LimitOrderId, ObjectId, parse_object_id
from protocol.json_form import to_json
from protocol.operations.base import Operation
from protocol.schema import PublicKey, TransactionId
from protocol.transaction import SignedTransaction, TransactionEnvelope, reference_block

BLOCKS_SEARCHED = 10_000
BLOCKS_A_STEP = 10
WAITS = "B8"
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


@answers(BlockExplanation)
def explain_block(call: Call, block_num: BlockNum, trx_in_block: TransactionPlace = None) -> Answer:
    """What a block did, or one of its transactions alone: each effect in a sentence, in order,
    beside its rule. Effects of the chain itself count to the block."""
    return Stepwise(_block(call, block_num, trx_in_block))


@answers(BlockExplanation)
def explain_sent(call: Call, transaction_id: TransactionIdArg) -> Answer:
    """The same of a transaction by its id, where it is in one of the last 10,000 blocks; of one
    that is pending, that it waits."""
    return Stepwise(_explain_sent(call, transaction_id))


def _explain_sent(call: Call, transaction_id: TransactionId) -> Steps:
    backend, head_num = call.backend, call.state.dynamic.head_block_number
    prefix = backend.address_prefix
    if backend.chain.pending_transaction(transaction_id) is not None:
        text = "the transaction waits for a block"
        waits = Effect(is_virtual=False, text=text, rule=WAITS, rule_says=sentence_of(WAITS) or "")
        return to_json(BlockExplanation(None, None, (waits,)), prefix)
    for num in range(head_num, max(head_num - BLOCKS_SEARCHED, 0), -1):
        block = backend.block_at(num)
        for place, (envelope, _) in enumerate(block.transactions if block is not None else ()):
            if envelope.id == transaction_id:
                return (yield from _block(call, num, place))
        if num % BLOCKS_A_STEP == 0:
            yield
    raise NoSuchObject(
        "no such transaction in the last blocks",
        rule="R0.1",
        value=transaction_id.hex(),
        limit=f"{BLOCKS_SEARCHED:,} blocks",
    )


def _block(call: Call, num: int, place: int | None) -> Steps:
    block = call.backend.block_at(num)
    if block is None:
        head_num = call.state.dynamic.head_block_number
        raise NoSuchObject("no such block", rule="R0.1", value=num, limit=head_num)
    effects = yield from effects_in(call, num, place, wording(call))
    found = BlockExplanation(num, block.header.timestamp, tuple(effects))
    return to_json(found, call.backend.address_prefix)


@answers(OrderExplanation)
def explain_order(call: Call, id: Text) -> Answer:  # noqa: A002  # its name on the wire
    """Why an order (1.7.n), a settlement request (1.4.n) or a collateral bid (2.17.n) waits.

    Of one that is gone, what became of it.
    """
    return Stepwise(_explain_order(call, parse_object_id(id)))


def _explain_order(call: Call, found: ObjectId) -> Steps:
    state, words, instance = call.state, wording(call), found.instance
    answer: OrderExplanation | None = None
    if found.is_of(LimitOrderId):
        if (order := state.limit_orders.find(LimitOrderId(instance))) is not None:
            answer = order_explained(state, words, order)
    elif found.is_of(ForceSettlementId):
        if (request := state.force_settlements.find(ForceSettlementId(instance))) is not None:
            answer = yield from explain_settlement(state, words, request)
    elif found.is_of(CollateralBidId):
        if (bid := state.collateral_bids.find(CollateralBidId(instance))) is not None:
            answer = explain_bid(state, words, bid)
    else:
        raise NoSuchObject(
            "nothing that waits has this id",
            rule="R0.1",
            value=str(found),
            limit="1.7.n, 1.4.n, 2.17.n",
        )
    if answer is None:
        answer = yield from explain_closed(call, found, words)
    return to_json(answer, call.backend.address_prefix)


METHODS = (explain_position, explain_transaction, explain_block, explain_sent, explain_order)
