"""Whether signatures and approvals satisfy the authorities that operations require (R9.5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from node.state.database import State
from node.state.errors import (
    InvalidCommitteeApproval,
    IrrelevantSignature,
    MissingActiveAuthority,
    MissingOtherAuthority,
    MissingOwnerAuthority,
)
from protocol.authority import Authority
from protocol.constants import COMMITTEE_ACCOUNT, TEMP_ACCOUNT
from protocol.crypto.addresses import addresses_of
from protocol.ids import AccountId, account_text, custom_authority_text
from protocol.operations import ENTRY_OF, fee_payer
from protocol.operations.authorities import SOLE_ACCOUNT_OF, required_authorities
from protocol.operations.base import Operation
from protocol.restrictions import predicate_of
from protocol.schema import Address, PublicKey

_sole_account_of = SOLE_ACCOUNT_OF.get


class ApprovalCheck:
    """Collects what has approved while authorities are checked, and which keys that took.

    Accounts in an authority count by their active or their owner authority, down to
    `max_authority_depth` (R9.5). An account that failed at some depth is not tried again at that
    depth or deeper until another account is approved, so that the work stays polynomial whatever
    the graph of accounts; a second trial could not use more keys than the first one did (T-C4).
    """

    __slots__ = ("approved", "failed", "keys", "keys_by_address", "max_depth", "state", "used")

    def __init__(
        self, state: State, keys: Collection[PublicKey], approved: Iterable[AccountId] = ()
    ) -> None:
        self.state = state
        self.keys = frozenset(keys)
        self.used: set[PublicKey] = set()
        self.approved: set[AccountId] = {TEMP_ACCOUNT, *approved}
        self.failed: dict[AccountId, int] = {}
        self.max_depth = state.parameters.max_authority_depth
        self.keys_by_address: dict[Address, PublicKey] | None = None

    def is_account_satisfied(self, account_id: AccountId) -> bool:
        """Whether an account's active authority, or else its owner authority, is satisfied.

        Raises `NoSuchObject`.
        """
        if account_id in self.approved:
            return True
        account = self.state.accounts.get(account_id)
        return self.is_satisfied(account.active) or self.is_satisfied(account.owner)

    def is_satisfied(self, authority: Authority, depth: int = 0) -> bool:
        """Whether keys and accounts that approve reach the threshold; stops as soon as they do."""
        threshold = authority.weight_threshold
        total = 0
        for key, weight in authority.key_auths:
            if key in self.keys:
                self.used.add(key)
                total += weight
                if total >= threshold:
                    return True
        for address, weight in authority.address_auths:
            if self._has_signed(address):
                total += weight
                if total >= threshold:
                    return True
        for account, weight in authority.account_auths:
            if account in self.approved or self._approves(account, depth):
                total += weight
                if total >= threshold:
                    return True
        return total >= threshold

    def unused_keys(self) -> list[PublicKey]:
        """Keys that signed without need, in ascending order."""
        return sorted(self.keys - self.used)

    def _approves(self, account_id: AccountId, depth: int) -> bool:
        if self.failed.get(account_id, self.max_depth) <= depth:
            return False
        approved_before = len(self.approved)
        account = self.state.accounts.find(account_id)
        if account is not None and (
            self.is_satisfied(account.active, depth + 1)
            or self.is_satisfied(account.owner, depth + 1)
        ):
            self.approved.add(account_id)
            self.failed.clear()
            return True
        if len(self.approved) == approved_before:
            self.failed[account_id] = depth
        return False

    def _has_signed(self, address: Address) -> bool:
        if self.keys_by_address is None:
            self.keys_by_address = {
                form: key for key in sorted(self.keys) for form in addresses_of(key)
            }
        key = self.keys_by_address.get(address)
        if key is None:
            return False
        self.used.add(key)
        return True


class CustomAuthorities:
    """Looks for custom authorities that approve operations in an account's place (C4.1).

    They are tried before the account's own authority, with the same check, so that what they have
    used or approved stays so, whether they are satisfied or not (C4.2, C4.3).
    """

    __slots__ = ("_by_account", "_check", "_looked_at")

    def __init__(self, check: ApprovalCheck) -> None:
        self._check = check
        self._by_account = check.state.custom_authorities_for
        self._looked_at: dict[AccountId, list[str]] = {}

    def cover(self, op: Operation, account_id: AccountId) -> bool:
        """Whether one that is effective, and whose restrictions hold, is satisfied; without any
        signature where it is everybody's (C4.6)."""
        if not self._by_account.groups:
            return False
        number = ENTRY_OF[type(op)].id
        now = self._check.state.dynamic.time
        for custom in self._by_account.items((account_id, number)):
            if not custom.is_effective(now):
                continue
            failing = predicate_of(number, custom.restrictions)(op)
            if failing is None and self._check.is_satisfied(custom.auth):
                return True
            why = "not signed" if failing is None else f"restriction {_path_text(failing)}"
            looked_at = self._looked_at.setdefault(account_id, [])
            looked_at.append(f"{custom_authority_text(custom.id)}: {why}")
        return False

    def rejected(self, account_id: AccountId) -> str | None:
        """The effective ones of an account that were looked at, each with why it did not do:
        its authority, or the restriction that does not hold by its number and the places inside
        it (C4.4)."""
        looked_at = self._looked_at.get(account_id)
        return "; ".join(looked_at) if looked_at else None


def _path_text(path: Sequence[int]) -> str:
    return ".".join(map(str, path))


def verify_authority(
    state: State,
    operations: Sequence[Operation],
    keys: Collection[PublicKey],
    allow_committee: bool = False,
    active_approvals: Collection[AccountId] = (),
    owner_approvals: Collection[AccountId] = (),
) -> None:
    """Check that keys and approvals satisfy every authority that the operations require (R9.5).

    Whoever pays a fee may sign with active keys too where the owner authority is required, which
    suffices alone. Transactions give the keys that signed; proposals give their approvals, and may
    speak for the committee account. An active authority that a custom authority stands in for is
    not asked for (C4.1). Raises `MissingActiveAuthority`, `MissingOwnerAuthority`,
    `MissingOtherAuthority`, `InvalidCommitteeApproval` or `IrrelevantSignature`.
    """
    if (
        len(keys) == 1
        and not (active_approvals or owner_approvals)
        and _is_one_key_enough(state, operations, keys)
    ):
        return
    check = ApprovalCheck(state, keys, (*active_approvals, *owner_approvals))
    customs = CustomAuthorities(check)
    active: set[AccountId] = set()
    owner: set[AccountId] = set()
    other: list[Authority] = []
    for op in operations:
        required = required_authorities(op)
        for account_id in sorted({fee_payer(op), *required.active}):
            if not customs.cover(op, account_id):
                active.add(account_id)
        owner.update(required.owner)
        other.extend(required.other)
    if COMMITTEE_ACCOUNT in active and not allow_committee:
        raise InvalidCommitteeApproval(
            "the committee account acts only through proposals", rule="R9.5", value="1.2.0"
        )
    for authority in other:
        if not check.is_satisfied(authority):
            raise MissingOtherAuthority("a required key has not signed", rule="R9.5")
    for account_id in sorted(owner):
        if account_id not in owner_approvals and not check.is_satisfied(
            state.accounts.get(account_id).owner
        ):
            raise MissingOwnerAuthority(
                "owner authority is missing", rule="R9.5", value=account_text(account_id)
            )
    for account_id in sorted(active):
        if not check.is_account_satisfied(account_id):
            limit = customs.rejected(account_id)
            raise MissingActiveAuthority(
                "active authority is missing",
                rule="R9.5",
                value=account_text(account_id),
                limit=limit,
            )
    unused = check.unused_keys()
    if unused:
        raise IrrelevantSignature(
            "signature that no authority needs", rule="R9.5", value=unused[0].hex(), limit=0
        )


def _is_one_key_enough(
    state: State, operations: Sequence[Operation], keys: Collection[PublicKey]
) -> bool:
    """Whether the only key acts for the one account of each operation: the everyday case.

    Not where there are custom authorities, which come first (C4.5).
    """
    customs = state.custom_authorities_for.groups
    for op in operations:
        sole_account = _sole_account_of(type(op))
        if sole_account is None:
            return False
        account_id = sole_account(op)
        if account_id == COMMITTEE_ACCOUNT:
            return False
        if customs and (account_id, ENTRY_OF[type(op)].id) in customs:
            return False
        active = state.accounts.at[account_id].active
        for other, weight in active.key_auths:
            if other in keys and weight >= active.weight_threshold:
                break
        else:
            return False
    return True
