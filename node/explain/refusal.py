"""Why a transaction is refused, and what would make it pass (R3.4, R9.3, R9.5, I6).

A remedy is worked out by the rules' own functions, or guessed from the numbers of the refusal, and
tried before it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence

from msgspec.structs import replace

from node.evaluators.asset_rules import bitasset_data_of
from node.evaluators.bitasset import publishers_of
from node.evaluators.call_order import NewPosition, check_ratio
from node.explain.candidates import Candidate, Scale, changes
from node.explain.edits import leaves
from node.explain.frame import frame_remedies
from node.explain.funds import fund_candidates
from node.explain.loans import changed_loans, last_end
from node.explain.others import deeds_of_others
from node.explain.pools import pool_candidates
from node.explain.records import Refusal, Remedy
from node.explain.thresholds import highest_where
from node.explain.wording import Wording
from node.market.feeds import live_feeds
from node.rules import sentence_of
from node.state.database import State
from node.state.errors import (
    BelowRequiredRatio,
    InsufficientBalance,
    InsufficientFee,
    InsufficientFeeds,
    NonpositivePosition,
    UnpaidSametDebt,
    WouldBlackSwan,
)
from protocol.asset import AssetAmount, Price
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.errors import SECONDS, TIME, PegboardError
from protocol.fees import with_fee
from protocol.ids import ID_TYPES, AssetId, LiquidityPoolId
from protocol.json_form import format_time
from protocol.operations import fee_payer
from protocol.operations.base import Operation
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.credit_offer import CreditOfferDelete
from protocol.schema import IdType, PublicKey, Record
from protocol.wording import count_of

TRIALS_MAX = 200
"""Candidates that are tried for one refusal."""
REMEDIES_MAX = 4
"""Remedies that are told of one."""
ASSET_KIND = IdType(*ID_TYPES[AssetId])
POOL_KIND = IdType(*ID_TYPES[LiquidityPoolId])

Attempt = Callable[[Sequence[Operation]], PegboardError | None]
"""Tries a transaction of some operations, signed by all, and takes it back: what refuses it."""


class Refused(Record, gc=True):
    """A transaction that was refused."""

    operations: Sequence[Operation]
    keys: Collection[PublicKey]
    """Of those who have signed."""
    error: PegboardError


def explain_refusal(
    state: State, refused: Refused, attempt: Attempt, words: Wording
) -> Generator[None, None, Refusal]:
    """A refusal by its rule, and what would make the transaction pass; gives way between trials."""
    operations, error = refused.operations, refused.error
    place = yield from _refused_place(operations, error, attempt)
    remedies = list(frame_remedies(state, operations, refused.keys, error, words))
    if place is not None and not remedies:
        remedies = yield from _tried(state, operations, place, error, attempt, words)
    return Refusal(
        name=error.name,
        what=error.what,
        rule=error.rule,
        rule_says=sentence_of(error.rule) or "",
        value=None if error.value is None else str(error.value),
        limit=None if error.limit is None else str(error.limit),
        unit=error.unit,
        operation=place,
        remedies=tuple(remedies),
    )


def _refused_place(
    operations: Sequence[Operation], error: PegboardError, attempt: Attempt
) -> Generator[None, None, int | None]:
    """The operation that is refused so, from 0, after those before it; None where none is."""
    passing, refused = 0, len(operations)
    found = attempt(operations) if operations else None
    if found is None:
        return None
    while refused - passing > 1:
        yield
        middle = (passing + refused) // 2
        later = attempt(operations[:middle])
        if later is None or _is_open(later, error):
            passing = middle
        else:
            refused, found = middle, later
    return refused - 1 if _same(found, error) else None


def _is_open(found: PegboardError, error: PegboardError) -> bool:
    """Whether a transaction is refused only because it ends before a loan is repaid (U7)."""
    return isinstance(found, UnpaidSametDebt) and not isinstance(error, UnpaidSametDebt)


def _same(found: PegboardError, error: PegboardError) -> bool:
    """Whether two refusals are one, by what they found too."""
    return (found.name, found.rule, found.value, found.limit) == (
        error.name,
        error.rule,
        error.value,
        error.limit,
    )


def _tried(
    state: State,
    operations: Sequence[Operation],
    place: int,
    error: PegboardError,
    attempt: Attempt,
    words: Wording,
) -> Generator[None, None, list[Remedy]]:
    """The remedies of an operation that hold when they are tried."""
    op, before = operations[place], operations[:place]
    is_first = place == 0 or _same(attempt([op]) or PegboardError(""), error)
    told: list[Remedy] = []
    fields: set[str] = set()
    trials = 0
    for candidate in _candidates(state, op, error, words, is_first=is_first):
        trials += 1
        if trials > TRIALS_MAX or len(told) == REMEDIES_MAX:
            break
        yield
        field = candidate.remedy.field
        if field in fields or attempt((*before, *candidate.operations)) is not None:
            continue
        if candidate.scale is not None:
            candidate = yield from _nearest(before, candidate.scale, attempt)
        told.append(candidate.remedy)
        fields.add(field or candidate.remedy.text)
    return told + list(_for_others(state, op, error, words))


def _nearest(
    before: Sequence[Operation], scale: Scale, attempt: Attempt
) -> Generator[None, None, Candidate]:
    """The number nearest to the refused one that passes as well as the one that was found."""
    refused, found = scale.refused, scale.found
    while abs(found - refused) > 1:
        yield
        middle = (refused + found) // 2
        if attempt((*before, *scale.at(middle).operations)) is None:
            found = middle
        else:
            refused = middle
    return scale.at(found)


def _candidates(
    state: State, op: Operation, error: PegboardError, words: Wording, *, is_first: bool
) -> Iterator[Candidate]:
    is_chain_fee = isinstance(error, InsufficientFee) and error.rule == "R8.17"
    if is_chain_fee and isinstance(error.limit, int):
        fee = AssetAmount(error.limit, CORE_ASSET)
        changed = with_fee(op, fee)
        remedy = Remedy(f"pay a fee of at least {words.amount(fee)}", "fee", fee, changed)
        yield Candidate(remedy, (changed,))
    elif isinstance(op, CallOrderUpdate) and isinstance(
        error, BelowRequiredRatio | WouldBlackSwan | NonpositivePosition
    ):
        if is_first:
            yield from _ratio_candidates(state, op, words)
        return
    yield from changes(state, op, error, words)
    yield from pool_candidates(state, op, error, words)
    for remedy in changed_loans(state, op, error, words):
        assert remedy.operation is not None, remedy
        yield Candidate(remedy, (remedy.operation,))
    yield from fund_candidates(state, op, error, words)
    yield from deeds_of_others(state, op, error, _assets_in(state, op), words)


def _assets_in(state: State, op: Operation) -> list[AssetId]:
    """The assets that an operation is about, and what backs them."""
    found: dict[AssetId, None] = {}
    for leaf in leaves(op):
        if isinstance(leaf.value, AssetAmount):
            found[leaf.value.asset_id] = None
        elif isinstance(leaf.value, Price):
            found[leaf.value.base.asset_id] = found[leaf.value.quote.asset_id] = None
        elif leaf.type == ASSET_KIND and isinstance(leaf.value, int):
            found[AssetId(leaf.value)] = None
        elif leaf.type == POOL_KIND and isinstance(leaf.value, int):
            pool = state.liquidity_pools.find(LiquidityPoolId(leaf.value))
            if pool is not None:
                found |= dict.fromkeys((pool.share_asset, pool.asset_a, pool.asset_b))
    known = [asset for asset in (*found, op.fee.asset_id) if state.assets.find(asset) is not None]
    bitassets = [bitasset for asset in known if (bitasset := state.bitasset_of(asset)) is not None]
    return list(dict.fromkeys((*known, *(one.options.short_backing_asset for one in bitassets))))


def _for_others(
    state: State, op: Operation, error: PegboardError, words: Wording
) -> Iterator[Remedy]:
    """What no trial can show, since it takes a price, a balance or time."""
    value, limit, now = error.value, error.limit, state.dynamic.time
    if isinstance(error, InsufficientBalance) and error.asset_id is not None:
        holder = fee_payer(op) if error.holder is None else error.holder
        if isinstance(value, int) and isinstance(limit, int):
            missing = AssetAmount(limit - value, error.asset_id)
            text = f"{words.account(holder)} needs {words.amount(missing)} more"
            yield Remedy(text, "balance", missing, accounts=(holder,))
    elif isinstance(error, InsufficientFeeds):
        for asset_id in _assets_in(state, op):
            yield from _feeds(state, asset_id, words)
    elif isinstance(op, CreditOfferDelete) and (offer := state.credit_offers.find(op.offer_id)):
        end = last_end(state, offer)
        if end is not None:
            yield Remedy(
                f"wait until its last deal has ended, {format_time(end)} at the latest",
                "time",
                time=end,
            )
    elif error.unit == TIME and value == now and isinstance(limit, int) and limit > now:
        yield _wait(limit)
    elif (
        (error.unit, error.rule) == (SECONDS, "R8.16")
        and isinstance(value, int)
        and isinstance(limit, int)
    ):
        yield _wait(now + limit - value)


def _wait(time: int) -> Remedy:
    return Remedy(f"wait until {format_time(time)}", "time", time=time)


def _feeds(state: State, asset_id: AssetId, words: Wording) -> Iterator[Remedy]:
    """How many more have to publish a price, and who may."""
    bitasset = state.bitasset_of(asset_id)
    if bitasset is None or bitasset.has_feed():
        return
    live = {publisher for publisher, _ in live_feeds(bitasset, state.dynamic.time)}
    missing = max(bitasset.options.minimum_feeds - len(live), 1)
    able = tuple(
        publisher
        for publisher in publishers_of(state, state.assets.get(asset_id), bitasset)
        if publisher not in live
    )
    if not able:
        return
    names = ", ".join(map(words.account, able))
    text = f"{count_of(missing, 'price')} of {words.symbol(asset_id)} more, published by {names}"
    yield Remedy(text, "feeds", accounts=able)


def _ratio_candidates(state: State, op: CallOrderUpdate, words: Wording) -> Iterator[Candidate]:
    """The least collateral and the most debt with which the position would pass."""
    asset = state.assets.get(op.delta_debt.asset_id)
    data = bitasset_data_of(state, asset)
    position = state.positions_of_account.find(op.funding_account, asset.id)
    held = 0 if position is None else position.collateral
    owed = 0 if position is None else position.debt
    collateral, debt = held + op.delta_collateral.amount, owed + op.delta_debt.amount

    def passes(new: NewPosition) -> bool:
        try:
            check_ratio(data, new)
        except PegboardError:
            return False
        return True

    spare = highest_where(
        lambda less: passes(NewPosition(position, MAX_SUPPLY - less, debt)), 0, MAX_SUPPLY - 1
    )
    if spare is not None and debt > 0:
        least = MAX_SUPPLY - spare - held
        amount = replace(op.delta_collateral, amount=least)
        what = "put in at least" if least > 0 else "take out at most"
        text = f"{what} {words.amount(replace(amount, amount=abs(least)))} of collateral"
        changed = replace(op, delta_collateral=amount)
        yield Candidate(Remedy(text, "delta_collateral", amount, changed), (changed,))
    if collateral <= 0:
        return
    most = highest_where(lambda debt: passes(NewPosition(position, collateral, debt)), 1, debt)
    if most is not None and most - owed != 0:
        amount = replace(op.delta_debt, amount=most - owed)
        what = "borrow at most" if amount.amount > 0 else "pay back at least"
        text = f"{what} {words.amount(replace(amount, amount=abs(amount.amount)))}"
        changed = replace(op, delta_debt=amount)
        yield Candidate(Remedy(text, "delta_debt", amount, changed), (changed,))
