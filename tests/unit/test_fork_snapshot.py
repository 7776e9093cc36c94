"""What cannot be carried over from a snapshot of bitshares-core is an error that names it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from node.fork.core_state import read_lines
from node.fork.errors import NotCarriedOver, SnapshotIncomplete
from node.fork.forms import FORMS
from node.state.database import State
from node.state.errors import InvariantViolated, MissingActiveAuthority
from node.state.objects.accounts import SpecialAuthorities
from protocol.errors import DecodeError
from protocol.ids import AccountId, AssetId
from protocol.operations.account import TopHoldersSpecialAuthority
from tests.support.core_snapshot import Json, Replay, fork, lines_of_state, snapshot_lines

Change = Callable[[Json], None]


def changed(object_id: str, change: Change) -> list[bytes]:
    """The snapshot with one object changed."""
    lines = list(lines_of_state())
    [at] = [
        n for n, line in enumerate(lines) if line.startswith(b'{"id":"%s"' % object_id.encode())
    ]
    data = json.loads(lines[at])
    change(data)
    lines[at] = json.dumps(data).encode()
    return lines


@pytest.mark.parametrize(
    ("object_id", "field", "value"),
    [
        ("1.3.1", "a_field_of_tomorrow", 0),
        ("1.13.0", "balance_type", "of_tomorrow"),
        ("2.3.1", "confidential_supply", 7),
        ("2.16.0", "accumulated_fba_fees", 1),
    ],
)
def test_what_has_no_place_here_is_named(object_id: str, field: str, value: Json) -> None:
    """Nothing is lost silently: the error says line, object, field and value."""
    lines = changed(object_id, lambda data: data.__setitem__(field, value))
    with pytest.raises(NotCarriedOver, match=rf"line \d+: {re.escape(object_id)}"):
        read_lines(lines)


def test_special_accounts_are_carried_over() -> None:
    """Y1.1, Y2.1: with what they are noted by; notes that differ are a contradiction."""
    holders = {"asset": "1.3.1", "num_top_holders": 3}
    changes: dict[str, Json] = {
        "1.2.17": {"owner_special_authority": [1, holders], "top_n_control_flags": 1},
        "1.2.18": {"allowed_assets": ["1.3.0", "1.3.1"]},
        "1.3.1": {"buyback_account": "1.2.18"},
    }
    lines = []
    for line in lines_of_state():
        data = json.loads(line)
        lines.append(json.dumps(data | changes.get(data["id"], {})).encode())
    notes = [b'{"id":"2.14.4","account":"1.2.17"}', b'{"id":"2.15.2","asset_to_buy":"1.3.1"}']
    state = read_lines([*lines, *notes]).finish()
    special = state.accounts.get(AccountId(17)).special
    authority = TopHoldersSpecialAuthority(AssetId(1), 3)
    assert special == SpecialAuthorities(owner=authority, top_n_control_flags=1)
    assert state.assets.get(AssetId(1)).buyback_account == 18
    assert (state.special_authorities.next_id, state.buybacks.next_id) == (5, 3)
    for missing in (notes[:1], notes[1:]):
        with pytest.raises(InvariantViolated):
            read_lines([*lines, *missing]).finish()
    wrong = changed("1.2.17", lambda data: data.__setitem__("active_special_authority", "x"))
    with pytest.raises(DecodeError):
        read_lines(wrong)


def test_an_object_of_an_unknown_kind_is_refused() -> None:
    """A type of objects that is not known here."""
    with pytest.raises(NotCarriedOver, match=r"line 1: 1\.99\.0"):
        read_lines([b'{"id":"1.99.0","owner":"1.2.3"}'])


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b'{"name":"x"}', b'{"id":"1.2"}', b'"1.2.3"', b"\xff"]
)
def test_what_is_no_object_is_refused_with_its_line(line: bytes) -> None:
    """A file of something else, or one that was damaged."""
    with pytest.raises(DecodeError, match="line 2: no object of a chain"):
        read_lines([lines_of_state()[0], line])


@pytest.mark.parametrize(("field", "value"), [("debt", "many"), ("call_price", 5)])
def test_a_field_that_cannot_be_read_is_named(field: str, value: Json) -> None:
    """The id of an object, and the field, stand in the error."""
    lines = changed("1.8.1", lambda data: data.__setitem__(field, value))
    with pytest.raises(DecodeError, match=rf"line \d+: 1\.8\.1: .*{field}"):
        read_lines(lines)


def test_an_object_given_twice_is_refused() -> None:
    """Two files in one."""
    with pytest.raises(DecodeError, match="given twice"):
        read_lines([lines_of_state()[0], lines_of_state()[0]])


@pytest.mark.parametrize("gone", [b'{"id":"2.0.0"', b'{"id":"2.1.0"', b'{"id":"2.12.0"'])
def test_a_snapshot_that_was_cut_is_refused(gone: bytes) -> None:
    """What every chain has is missing."""
    with pytest.raises(SnapshotIncomplete):
        read_lines(line for line in lines_of_state() if not line.startswith(gone)).finish()


@pytest.mark.parametrize(
    ("object_id", "field"), [("2.5.0", "balance"), ("1.8.1", "debt"), ("1.7.2", "for_sale")]
)
def test_supplies_are_recounted(object_id: str, field: str) -> None:
    """A unit too many anywhere contradicts the supplies (I1, I3)."""
    lines = changed(object_id, lambda data: data.__setitem__(field, int(data[field]) + 1))
    with pytest.raises(InvariantViolated):
        read_lines(lines).finish()


def test_each_kind_of_object_is_carried_over() -> None:
    """A new table needs a row here, or a fork would refuse, or lose, what core has of it."""
    ours = {(2, 200), (2, 201)}
    assert {(table.space, table.type) for table in State().tables} - ours == {*FORMS}


def test_all_is_counted() -> None:
    """Whoever forks is told what came along, and what did not."""
    counts = read_lines(snapshot_lines()).counts()
    assert counts.carried["Account"] == 143
    assert counts.left_out["operations of the history"] == 630


def test_ids_go_on_where_they_ended_there() -> None:
    """Also those of orders that were filled at once, of which only the history tells."""
    state = read_lines(snapshot_lines()).finish()
    orders = max(state.limit_orders.rows)
    assert state.limit_orders.next_id > orders + 1
    assert state.accounts.next_id == max(state.accounts.rows) + 1


def test_signatures_are_asked_for_unless_everybody_is_impersonated() -> None:
    """A fork is a chain like others as long as nobody asks for more (R9.5, R9.10)."""
    chain = fork(is_everybody=False)
    with pytest.raises(MissingActiveAuthority):
        Replay(chain).run()
