"""Authorities: how much weight of which keys and accounts a decision needs (R9.5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from protocol.constants import NULL_ACCOUNT
from protocol.ids import AccountId
from protocol.schema import SORTED, Address, PublicKey, Record, UInt16, UInt32


class Authority(Record):
    """Satisfied once the weights of what has approved reach the threshold (R9.5)."""

    weight_threshold: UInt32
    """Weight that is needed; 0 is satisfied by nothing at all."""
    account_auths: Annotated[tuple[tuple[AccountId, UInt16], ...], SORTED] = ()
    """Accounts whose own authority counts, each with its weight."""
    key_auths: Annotated[tuple[tuple[PublicKey, UInt16], ...], SORTED] = ()
    """Keys whose signature counts, each with its weight."""
    address_auths: Annotated[tuple[tuple[Address, UInt16], ...], SORTED] = ()
    """Addresses of old key formats, each with its weight; new accounts may have none."""

    def size(self) -> int:
        """Number of entries; at most `maximum_authority_membership` (R9.5)."""
        return len(self.account_auths) + len(self.key_auths) + len(self.address_auths)

    def total_weight(self) -> int:
        """Weight of all entries together."""
        return (
            sum(weight for _, weight in self.account_auths)
            + sum(weight for _, weight in self.key_auths)
            + sum(weight for _, weight in self.address_auths)
        )

    def is_impossible(self) -> bool:
        """Whether even all entries together do not reach the threshold (R9.5)."""
        return self.total_weight() < self.weight_threshold


NULL_AUTHORITY = Authority(1, ((NULL_ACCOUNT, 1),))
"""Satisfied by nobody: the null account never signs (R9.8)."""


def key_authority(*keys: PublicKey) -> Authority:
    """All of these keys must sign; `key_authority(key)` is the authority of a simple account."""
    return all_keys_authority(keys)


def all_keys_authority(keys: Iterable[PublicKey]) -> Authority:
    """One weight for each key, all of them needed."""
    entries = tuple((key, 1) for key in sorted(set(keys)))
    return Authority(len(entries), key_auths=entries)
