"""The state of a bitshares-core chain, put together from the lines of a snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import cast

import msgspec

from node.chain.invariants import check_all
from node.fork.errors import NotCarriedOver, SnapshotIncomplete
from node.fork.forms import FORMS, LEFT_OUT, MUST_BE_EMPTY, Form, Json
from node.state.database import State, state_reader
from node.state.objects.development import Development
from protocol.crypto.keys import key_prefix
from protocol.errors import DecodeError, PegboardError
from protocol.genesis import with_whole_fees
from protocol.ids import DevelopmentId, parse_object_id
from protocol.json_form import from_json
from protocol.msgpack_form import pack_document, to_plain
from protocol.schema import Record

Type = tuple[int, int]
"""Space and type of an object id."""


NEEDED: tuple[Type, ...] = ((1, 2), (1, 3), (1, 6), (2, 0), (2, 1), (2, 8), (2, 11), (2, 12))


class Counts(Record):
    """What became of the objects of a snapshot."""

    carried: dict[str, int]
    """By the name of the type."""
    left_out: dict[str, int]
    """By what they are: histories, which no rule reads."""


class CoreState:
    """Takes in the objects of a snapshot, in any order; `finish` gives the state.

    Raises `DecodeError` for what is no object of bitshares-core, `NotCarriedOver` for one that this
    chain has no place for; both name the object.
    """

    def __init__(self) -> None:
        self.state = State()
        self.prefix = ""
        self._carried: Counter[Type] = Counter()
        self._left_out: Counter[Type] = Counter()
        self._newest: dict[Type, int] = {}
        self._reader = state_reader()

    def take(self, line: bytes, number: int) -> None:
        """An object as the file has it in line `number`."""
        try:
            data = cast(Json, msgspec.json.decode(line))
            found = parse_object_id(cast(str, data["id"]))
        except (ValueError, LookupError, TypeError, PegboardError) as error:
            raise DecodeError(
                f"line {number}: no object of a chain", value=line[:60].decode(errors="replace")
            ) from error
        kind = found.space, found.type
        form = FORMS.get(kind)
        try:
            if form is not None:
                self._load(kind, form, data)
            elif kind in LEFT_OUT:
                self._leave_out(kind, data)
            else:
                self._must_be_empty(kind, data)
        except DecodeError as error:
            what = f"line {number}: {found}: {error.what}"
            raise DecodeError(what, rule=error.rule, value=error.value) from error
        except NotCarriedOver as error:
            raise NotCarriedOver(f"line {number}: {error.what}", value=error.value) from error

    def _load(self, kind: Type, form: Form, data: Json) -> None:
        table = self.state.table_of_type[kind]
        if kind == (2, 8) and not int(cast(str, data["block_id"]), 16):
            return
        if kind == (2, 0):
            data["parameters"] = with_whole_fees(cast(Json, data["parameters"]), self.prefix)
        if not self.prefix:
            self._find_prefix(data)
        item = from_json(form.cls, form.adapt(data), self.prefix)
        if item.id in table.rows:
            raise DecodeError("an object given twice", value=str(table.id_of(item)))
        table.load(self._reader.read(form.cls, pack_document(to_plain(item))))
        self._note(kind, item.id)
        self._carried[kind] += 1

    def _find_prefix(self, data: Json) -> None:
        """Keys are written with the chain's prefix; an account has the first ones."""
        options = data.get("options")
        key = options.get("memo_key") if isinstance(options, dict) else None
        if isinstance(key, str):
            self.prefix = key_prefix(key) or ""

    def _leave_out(self, kind: Type, data: Json) -> None:
        """What is left out still tells of ids that were given, of objects that are no more."""
        self._left_out[kind] += 1
        if kind == (1, 11):
            result = data.get("result")
            if isinstance(result, list) and result[:1] == [1]:
                made = parse_object_id(cast(str, result[1]))
                self._note((made.space, made.type), made.instance)

    def _must_be_empty(self, kind: Type, data: Json) -> None:
        field = MUST_BE_EMPTY.get(kind)
        if field is None or data.get(field) not in (0, "0"):
            raise NotCarriedOver(
                f"{data['id']}: this chain has no such objects", value=str(data)[:80]
            )
        self._left_out[kind] += 1

    def _note(self, kind: Type, instance: int) -> None:
        if instance >= self._newest.get(kind, 0):
            self._newest[kind] = instance

    def finish(self, *, is_everybody: bool = False) -> State:
        """The state, recounted: a snapshot that contradicts itself raises `InvariantViolated`,
        one that lacks what every chain has `SnapshotIncomplete`.

        With `is_everybody` operations of all accounts pass without signatures (R9.10).
        """
        state = self.state
        for kind in NEEDED:
            if not state.table_of_type[kind].rows:
                what = "the snapshot lacks what every chain has: it was cut, or is of none"
                raise SnapshotIncomplete(what, value=f"{kind[0]}.{kind[1]}")
        for table in state.tables:
            newest = self._newest.get((table.space, table.type), -1)
            table.reserve(newest + 1)
        state.developments.load(
            Development(id=DevelopmentId(0), impersonated=(), is_everybody=is_everybody)
        )
        state.developments.reserve(1)
        state.look_through()
        check_all(state)
        return state

    def counts(self) -> Counts:
        """What was carried over and what was left out, so far."""
        return Counts(
            {FORMS[kind].cls.__name__: count for kind, count in sorted(self._carried.items())},
            {
                LEFT_OUT.get(kind, "empty objects"): count
                for kind, count in sorted(self._left_out.items())
            },
        )


def read_lines(lines: Iterable[bytes]) -> CoreState:
    """All objects of a snapshot; a blank line is passed over."""
    found = CoreState()
    for number, line in enumerate(lines, 1):
        if line.strip():
            found.take(line, number)
    return found
