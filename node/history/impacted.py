"""Which accounts an operation concerns: whose history it enters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from operator import attrgetter
from typing import NamedTuple, cast

from protocol.authority import Authority
from protocol.ids import ID_TYPES, AccountId, ObjectId
from protocol.operations.account import AccountCreate, AccountTransfer
from protocol.operations.authorities import SOLE_ACCOUNT_OF, required_authorities
from protocol.operations.base import Operation
from protocol.operations.htlc import HtlcRedeemed, HtlcRefund
from protocol.operations.proposal import ProposalCreate
from protocol.operations.results import ExtendableOperationResult, OperationResult
from protocol.schema import IdType, OptionalType, SequenceType, StructType, WireType, schema_of

_ACCOUNT = ID_TYPES[AccountId]

NOT_CONCERNED: dict[type, str] = {
    AccountTransfer: "new_owner",
    HtlcRedeemed: "redeemer",
    HtlcRefund: "original_htlc_recipient",
}
"""Accounts that an operation names, and that BitShares tells nothing of it (H6.1, H6.2)."""


def accounts_of_operation(op: Operation, result: OperationResult) -> tuple[AccountId, ...]:
    """Accounts that an operation names, creates or needs the authority of, ascending.

    What a result names is concerned as well (G0.4). Those named in options (voters' proxies, feed
    producers, whitelists) do not count, nor do they in BitShares.
    """
    sole, pair = _plain_fields(type(op))
    if sole is not None:
        found: tuple[AccountId, ...] = (sole(op),)
    elif pair is not None:
        first, second = pair(op)
        found = (first, second) if first < second else (second, first)[: 1 + (first != second)]
    else:
        found = tuple(sorted({*_named_accounts(op), *_required_accounts(op)}))
    if isinstance(result, ExtendableOperationResult) and result.impacted_accounts:
        return tuple(sorted({*found, *result.impacted_accounts}))
    if type(op) is AccountCreate and isinstance(result, ObjectId):
        return tuple(sorted({*found, AccountId(result.instance)}))
    return found


def _named_accounts(op: Operation) -> Iterator[AccountId]:
    fields = _account_fields(type(op))
    for name in fields.accounts:
        account: AccountId | None = getattr(op, name)
        if account is not None:
            yield account
    for name in fields.authorities:
        authority: Authority | None = getattr(op, name)
        if authority is not None:
            yield from _members((authority,))
    for name in fields.owned:
        yield from _members(item.owner for item in getattr(op, name))


def _required_accounts(op: Operation) -> Iterator[AccountId]:
    """Whose authority it needs, or what it proposes would need."""
    proposed = (inner.op for inner in op.proposed_ops) if isinstance(op, ProposalCreate) else ()
    for one in (op, *proposed):
        required = required_authorities(one)
        yield from required.active
        yield from required.owner
        yield from _members(required.other)


def _members(authorities: Iterable[Authority]) -> Iterator[AccountId]:
    for authority in authorities:
        yield from (account for account, _ in authority.account_auths)


def account_not_notified(op: Operation) -> AccountId | None:
    """Who has an operation in its history and is not told of the record, as in BitShares.

    Whoever redeems a contract that pays itself is told by its own operation (H6.1).
    """
    return op.to if isinstance(op, HtlcRedeemed) and op.to == op.redeemer else None


Sole = Callable[[Operation], AccountId]
Pair = Callable[[Operation], tuple[AccountId, AccountId]]


class AccountFields(NamedTuple):
    """Names of the fields of an operation that lead to accounts."""

    accounts: tuple[str, ...]
    authorities: tuple[str, ...]
    owned: tuple[str, ...]
    """Lists of what has an `owner`, an authority."""


@cache
def _plain_fields(cls: type) -> tuple[Sole | None, Pair | None]:
    """The getter of the only account, or of the only two, of the most frequent operations."""
    accounts, authorities, owned = _account_fields(cls)
    optional = any(
        isinstance(field.type, OptionalType)
        for field in schema_of(cls).fields
        if field.name in accounts
    )
    if (
        optional
        or authorities
        or owned
        or cls is ProposalCreate
        or cls not in SOLE_ACCOUNT_OF
        or len(accounts) not in (1, 2)
    ):
        return None, None
    if len(accounts) == 1:
        return cast(Sole, attrgetter(*accounts)), None
    return None, cast(Pair, attrgetter(*accounts))


@cache
def _account_fields(cls: type) -> AccountFields:
    accounts, authorities, owned = [], [], []
    for field in schema_of(cls).fields:
        wire = field.type.inner if isinstance(field.type, OptionalType) else field.type
        if field.name == NOT_CONCERNED.get(cls):
            continue
        if isinstance(wire, IdType) and (wire.space, wire.type) == _ACCOUNT:
            accounts.append(field.name)
        elif _is_authority(wire):
            authorities.append(field.name)
        elif isinstance(wire, SequenceType) and _has_owner(wire.inner):
            owned.append(field.name)
    return AccountFields(tuple(accounts), tuple(authorities), tuple(owned))


def _has_owner(wire: WireType) -> bool:
    return isinstance(wire, StructType) and any(
        field.name == "owner" and _is_authority(field.type) for field in schema_of(wire.cls).fields
    )


def _is_authority(wire: WireType) -> bool:
    return isinstance(wire, StructType) and wire.cls is Authority
