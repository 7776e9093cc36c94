"""What might make a refused operation pass: changes of it, and what others do before.

A candidate is a guess from the numbers of the refusal; only what then passes is told. So a guess
costs a trial, and cannot mislead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

from msgspec.structs import replace

from node.explain.edits import Leaf, leaves
from node.explain.records import Remedy
from node.explain.wording import Wording
from node.state.database import State
from node.state.errors import (
    FeatureNotBuilt,
    InsufficientBalance,
    NameTaken,
    PermissionDenied,
    TooSmall,
)
from protocol.asset import NO_FEE, AssetAmount, multiply_ceil
from protocol.constants import MAX_AMOUNT
from protocol.errors import ACCOUNT, ASSET, PERCENT, RATIO, SECONDS, TIME, UNITS, PegboardError
from protocol.fees import with_fee, with_required_fee
from protocol.ids import AccountId, AssetId, asset_text
from protocol.json_form import format_time
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetSettle
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderUpdate
from protocol.schema import (
    MAX_TIMESTAMP,
    IdType,
    IntegerType,
    Record,
    ScalarType,
    SequenceType,
)
from protocol.wording import format_decimal

VARINT, TIME_OF = ScalarType("varint"), ScalarType("time")
ANOTHER_NAME = ("2", "X")
"""Ends of names and symbols that may be free."""


class Candidate(NamedTuple):
    """A remedy, and the operations in place of the refused one if it is followed."""

    remedy: Remedy
    operations: tuple[Operation, ...]
    scale: Scale | None = None
    """Of a number: other numbers, between which the nearest is looked for that passes."""


class Scale(Record, gc=True):
    """A number that is refused, one that may pass, and the candidates for those between."""

    refused: int
    found: int
    at: Callable[[int], Candidate]


def changes(
    state: State, op: Operation, error: PegboardError, words: Wording
) -> Iterator[Candidate]:
    """The operation with one of its values changed, the smallest change first."""
    if error.rule == "R8.17":
        yield from _fees(state, op, words)
    for leaf in leaves(op):
        value = leaf.value
        if isinstance(value, AssetAmount):
            if state.assets.find(value.asset_id) is not None:
                yield from _amounts(leaf, value, error, words)
        elif isinstance(leaf.type, IntegerType) or leaf.type in (VARINT, TIME_OF):
            yield from _numbers(leaf, cast(int, value), error)
        for new, text in _others(leaf, error, words):
            yield _changed(leaf, new, text)
        if error.rule == "T1" and leaf.path[-1] == "on_fill":
            yield _changed(leaf, None, f"leave {leaf.name} out")
        if isinstance(error, FeatureNotBuilt) and leaf.path[-1] == error.value:
            yield _changed(leaf, None, f"leave {leaf.name} out")
    if isinstance(error, TooSmall) or error.rule == "R2.17":
        yield from _larger(state, op, words)


def _changed(leaf: Leaf, value: object, text: str) -> Candidate:
    changed = leaf.put(value)
    amount = value if isinstance(value, AssetAmount) else None
    return Candidate(Remedy(text, leaf.name, amount, changed), (changed,))


def _fees(state: State, op: Operation, words: Wording) -> Iterator[Candidate]:
    """No fee, or the one that is asked for."""
    free = with_fee(op, NO_FEE)
    for paid in (free, with_required_fee(free, state.parameters.current_fees)):
        if paid.fee != op.fee:
            text = f"pay a fee of {words.amount(paid.fee)}"
            yield Candidate(Remedy(text, "fee", paid.fee, paid), (paid,))


def _others(leaf: Leaf, error: PegboardError, words: Wording) -> Iterator[tuple[object, str]]:
    """Values that are no numbers, by what the refusal found and allows, each in a sentence."""
    match leaf.type:
        case ScalarType("bool"):
            yield not leaf.value, f"set {leaf.name} to {str(not leaf.value).lower()}"
        case ScalarType("string") if isinstance(error, NameTaken) and leaf.value == error.value:
            for end in ANOTHER_NAME:
                free = f"{leaf.value}{end}"
                yield free, f"take a {leaf.name} that is free, such as {free}"
        case IdType(space, type_):
            yield from _ids(leaf, f"{space}.{type_}.", error, words)
        case SequenceType():
            yield from _lists(leaf, error)
        case IntegerType() if isinstance(error, PermissionDenied):
            yield from _bits(leaf, cast(int, leaf.value), error)
        case _:
            return


def _bits(leaf: Leaf, old: int, error: PegboardError) -> Iterator[tuple[object, str]]:
    """Flags and permissions of which one is not allowed."""
    if leaf.path[-1] in ("flags", "issuer_permissions") and str(error.value).startswith("0x"):
        bit = int(str(error.value), 16)
        yield old ^ bit, f"{'clear' if old & bit else 'set'} bit {bit:#x} of {leaf.name}"


def _shifts(value: object, limit: object) -> list[int]:
    """By how much a number has to change that counts for or against a bound, least first."""
    if not isinstance(value, int) or not isinstance(limit, int):
        return []
    whole = limit - value
    found = {sign * whole + more for sign in (1, -1) for more in (-1, 0, 1)} - {0}
    return sorted(found, key=lambda shift: (abs(shift), shift != whole))


def _numbers(leaf: Leaf, old: int, error: PegboardError) -> Iterator[Candidate]:
    is_amount = error.unit not in UNITS and error.unit != ""
    if error.unit in (ACCOUNT, ASSET) or (error.unit == "" and old != error.value):
        return
    if is_amount and not (isinstance(leaf.type, IntegerType) and leaf.type.signed):
        return

    def at(number: int) -> Candidate:
        bound = "at least" if number > old else "at most"
        text = f"make {leaf.name} {bound} {_number_text(number, leaf, error.unit)}"
        return _changed(leaf, number, text)

    largest = MAX_TIMESTAMP if leaf.type == TIME_OF else MAX_AMOUNT
    for shift in _shifts(error.value, error.limit):
        if 0 <= old + shift <= largest:
            yield at(old + shift)._replace(scale=Scale(old, old + shift, at))


def _number_text(number: int, leaf: Leaf, unit: str) -> str:
    """A number as people read it."""
    if leaf.type == TIME_OF:
        return format_time(number)
    if unit in (SECONDS, TIME):
        return f"{number} s"
    if unit == RATIO:
        return format_decimal(number, 3)
    if unit == PERCENT:
        return f"{format_decimal(number, 2)} %"
    return f"{number:,}"


def _amounts(
    leaf: Leaf, old: AssetAmount, error: PegboardError, words: Wording
) -> Iterator[Candidate]:
    value, limit = error.value, error.limit
    if value == asset_text(old.asset_id) and str(limit).startswith("1.3."):
        new = replace(old, asset_id=AssetId(int(str(limit).rpartition(".")[2])))
        yield _changed(leaf, new, f"make {leaf.name} an amount of {words.symbol(new.asset_id)}")
    if isinstance(value, AssetAmount):
        if value == old and isinstance(limit, AssetAmount):
            new = replace(old, amount=limit.amount)
            yield _changed(leaf, new, f"make {leaf.name} {words.amount(new)}")
        return
    if error.unit != asset_text(old.asset_id) and (error.unit != "" or old.amount != value):
        return

    def at(amount: int) -> Candidate:
        new = replace(old, amount=amount)
        bound = "at least" if amount > old.amount else "at most"
        return _changed(leaf, new, f"make {leaf.name} {bound} {words.amount(new)}")

    found_at = [old.amount + shift for shift in _shifts(value, limit)]
    if isinstance(error, InsufficientBalance):
        found_at.append(1 if old.amount > 0 else -1)
    for found in found_at:
        yield at(found)._replace(scale=Scale(old.amount, found, at))


def _ids(
    leaf: Leaf, kind: str, error: PegboardError, words: Wording
) -> Iterator[tuple[object, str]]:
    if error.value != f"{kind}{leaf.value}" or not str(error.limit).startswith(kind):
        return
    new = int(str(error.limit).removeprefix(kind))
    yield new, f"make {leaf.name} {_id_text(kind, new, words)}"


def _id_text(kind: str, instance: int, words: Wording) -> str:
    if kind == "1.2.":
        return words.account(AccountId(instance))
    return words.symbol(AssetId(instance)) if kind == "1.3." else f"{kind}{instance}"


def _lists(leaf: Leaf, error: PegboardError) -> Iterator[tuple[object, str]]:
    items, value, limit = cast(tuple[object, ...], leaf.value), error.value, error.limit
    if isinstance(limit, int) and len(items) == value and limit < len(items):
        yield items[:limit], f"name {limit} in {leaf.name} at most"
    inner = leaf.type.inner if isinstance(leaf.type, SequenceType) else None
    if isinstance(inner, IdType) and limit is None:
        kind = f"{inner.space}.{inner.type}."
        left = tuple(item for item in items if f"{kind}{item}" != value)
        if len(left) < len(items):
            yield left, f"leave {value} out of {leaf.name}"


def _larger(state: State, op: Operation, words: Wording) -> Iterator[Candidate]:
    """For an amount that is worth nothing: the least that is worth something, or a cancellation."""
    if isinstance(op, AssetSettle):
        bitasset = state.bitasset_of(op.amount.asset_id)
        if bitasset is not None and bitasset.is_globally_settled():
            one = AssetAmount(1, bitasset.options.short_backing_asset)
            least = multiply_ceil(one, bitasset.settlement_price)
            changed = replace(op, amount=least)
            text = f"settle at least {words.amount(least)}"
            yield Candidate(Remedy(text, "amount", least, operation=changed), (changed,))
    elif isinstance(op, LimitOrderUpdate):
        cancel = LimitOrderCancel(op.fee, op.seller, op.order)
        yield Candidate(Remedy("cancel the order", "", operation=cancel), (cancel,))
