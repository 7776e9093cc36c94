"""What only a development chain carries out: changes of state around the rules, in blocks.

They travel as `Custom` operations of `TEMP_ACCOUNT`, for which nobody has to sign, so that every
client can read the blocks. On other chains they are what any custom operation is, and refused for
their fee. Because a block holds them, a replay, a peer and the history see what happened (R9.10).
"""

from __future__ import annotations

from typing import Final

from protocol.asset import NO_FEE, AssetAmount
from protocol.binary import pack, unpack
from protocol.checks import require
from protocol.constants import MAX_SUPPLY, TEMP_ACCOUNT
from protocol.errors import DecodeError
from protocol.ids import AccountId
from protocol.operations.base import Operation
from protocol.operations.custom import DEVELOPMENT_MARK, Custom
from protocol.schema import Record


class SetBalance(Record):
    """Let an account hold an amount of an asset; the asset's supply grows or shrinks with it."""

    account: AccountId
    amount: AssetAmount
    """What it holds afterwards, in smallest units."""


class Impersonate(Record):
    """Let operations of an account pass without its signatures from now on, or not any more."""

    account: AccountId
    is_on: bool


Action = SetBalance | Impersonate

_KINDS: Final[tuple[type[SetBalance] | type[Impersonate], ...]] = (SetBalance, Impersonate)


def to_operation(action: Action) -> Custom:
    """The operation that carries an action."""
    data = DEVELOPMENT_MARK + bytes((_KINDS.index(type(action)),)) + pack(action)
    return Custom(NO_FEE, TEMP_ACCOUNT, (), 0, data)


def action_in(op: Operation) -> Action | None:
    """The action that an operation carries, if any; raises `DecodeError`, `ValidationError`."""
    if not (isinstance(op, Custom) and op.is_for_development()):
        return None
    kind, data = op.data[len(DEVELOPMENT_MARK) :][:1], op.data[len(DEVELOPMENT_MARK) + 1 :]
    if not kind or kind[0] >= len(_KINDS):
        raise DecodeError("no action of a development chain", rule="R9.10", value=kind.hex())
    action = unpack(_KINDS[kind[0]], data)
    if isinstance(action, SetBalance):
        require(
            0 <= action.amount.amount <= MAX_SUPPLY,
            "no balance",
            rule="R9.10",
            value=action.amount.amount,
            limit=MAX_SUPPLY,
        )
    return action
