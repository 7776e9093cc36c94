"""Which accounts an operation concerns: whose history it enters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from operator import attrgetter
from typing import cast

from protocol.authority import Authority
from protocol.ids import ID_TYPES, AccountId
from protocol.operations.authorities import required_authorities
from protocol.operations.base import Operation
from protocol.operations.proposal import ProposalCreate
from protocol.schema import IdType, OptionalType, StructType, schema_of

_ACCOUNT = ID_TYPES[AccountId]


def accounts_of_operation(op: Operation) -> tuple[AccountId, ...]:
    """Accounts that an operation names or whose authority it needs, ascending.

    Those named in lists and options (voters' proxies, feed producers, whitelists) do not count,
    nor do they in BitShares.
    """
    sole, pair = _plain_fields(type(op))
    if sole is not None:
        return (sole(op),)
    if pair is not None:
        first, second = pair(op)
        return (first, second) if first < second else (second, first)[: 1 + (first != second)]
    found: set[AccountId] = set(_named_accounts(op))
    if isinstance(op, ProposalCreate):
        for proposed in op.proposed_ops:
            found.update(required_authorities(proposed.op).active)
            found.update(required_authorities(proposed.op).owner)
    return tuple(sorted(found))


def _named_accounts(op: Operation) -> Iterator[AccountId]:
    accounts, authorities = _account_fields(type(op))
    for name in accounts:
        account: AccountId | None = getattr(op, name)
        if account is not None:
            yield account
    for name in authorities:
        authority: Authority | None = getattr(op, name)
        if authority is not None:
            yield from (account for account, _ in authority.account_auths)


Sole = Callable[[Operation], AccountId]
Pair = Callable[[Operation], tuple[AccountId, AccountId]]


@cache
def _plain_fields(cls: type) -> tuple[Sole | None, Pair | None]:
    """The getter of the only account, or of the only two, of the most frequent operations."""
    accounts, authorities = _account_fields(cls)
    optional = any(
        isinstance(field.type, OptionalType)
        for field in schema_of(cls).fields
        if field.name in accounts
    )
    if optional or authorities or cls is ProposalCreate or len(accounts) not in (1, 2):
        return None, None
    if len(accounts) == 1:
        return cast(Sole, attrgetter(*accounts)), None
    return None, cast(Pair, attrgetter(*accounts))


@cache
def _account_fields(cls: type) -> tuple[tuple[str, ...], tuple[str, ...]]:
    accounts, authorities = [], []
    for field in schema_of(cls).fields:
        wire = field.type.inner if isinstance(field.type, OptionalType) else field.type
        if isinstance(wire, IdType) and (wire.space, wire.type) == _ACCOUNT:
            accounts.append(field.name)
        elif isinstance(wire, StructType) and wire.cls is Authority:
            authorities.append(field.name)
    return tuple(accounts), tuple(authorities)
