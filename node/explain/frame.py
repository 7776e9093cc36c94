"""What would make a transaction pass whose frame is refused: its times, its place, its signatures.

R9.3 says what a frame has to be, R9.5 who signs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from node.evaluators.authority import verify_authority
from node.explain.records import Remedy
from node.explain.wording import Wording
from node.state.database import State
from node.state.errors import (
    DuplicateTransaction,
    ExpirationTooFar,
    InvalidCommitteeApproval,
    InvalidReferenceBlock,
    IrrelevantSignature,
    MissingActiveAuthority,
    MissingOtherAuthority,
    MissingOwnerAuthority,
    TransactionExpired,
    TransactionRejected,
)
from protocol.authority import Authority
from protocol.errors import PegboardError
from protocol.ids import AccountId
from protocol.json_form import format_time
from protocol.operations import fee_payer
from protocol.operations.authorities import required_authorities
from protocol.operations.base import Operation
from protocol.schema import PublicKey

AUTHORITY = (
    MissingActiveAuthority,
    MissingOtherAuthority,
    MissingOwnerAuthority,
    IrrelevantSignature,
)


def frame_remedies(
    state: State,
    operations: Sequence[Operation],
    keys: Collection[PublicKey],
    error: PegboardError,
    words: Wording,
) -> Iterator[Remedy]:
    """Remedies for refusals that are about no operation; `keys` have signed."""
    now = state.dynamic.time
    latest = now + state.parameters.maximum_time_until_expiration
    if isinstance(error, TransactionExpired | ExpirationTooFar):
        text = (
            f"let it expire at {format_time(now)} at the earliest, at {format_time(latest)} at the"
            " latest, and sign it anew"
        )
        time = latest if isinstance(error, ExpirationTooFar) else now
        yield Remedy(text, "expiration", time=time)
    elif isinstance(error, DuplicateTransaction):
        text = "nothing: it is there already; with another expiration it is another transaction"
        yield Remedy(text, "expiration", time=latest)
    elif isinstance(error, InvalidReferenceBlock):
        number = state.dynamic.head_block_number
        text = f"refer to a block of this chain, such as the head {number:,}, and sign it anew"
        yield Remedy(text, "ref_block_num")
    elif isinstance(error, InvalidCommitteeApproval):
        text = "propose it: committee members approve a proposal, once its review period is over"
        yield Remedy(text, "proposal")
    elif isinstance(error, AUTHORITY):
        yield from _signatures(state, operations, keys, words)


def _signatures(
    state: State, operations: Sequence[Operation], keys: Collection[PublicKey], words: Wording
) -> Iterator[Remedy]:
    """Who has to sign, by the fewest keys that were found, and whose signatures have to go."""
    wanted = _Signers(state, keys)
    for op in operations:
        required = required_authorities(op)
        for account in required.owner:
            wanted.want(account, state.accounts.get(account).owner)
        for account in (fee_payer(op), *required.active):
            if account not in required.owner:
                wanted.want(account, state.accounts.get(account).active)
        for authority in required.other:
            wanted.want(None, authority)
    chosen = wanted.keys
    try:
        verify_authority(state, operations, chosen)
    except TransactionRejected:
        return
    added, gone = sorted(chosen - set(keys)), sorted(set(keys) - chosen)
    parts = []
    if added:
        who = ", ".join(map(words.account, wanted.accounts)) or "the keys that it names"
        parts.append(f"let {who} sign: {', '.join(map(words.key, added))}")
    if gone:
        parts.append(f"leave out the signature of {', '.join(map(words.key, gone))}")
    yield Remedy(
        " and ".join(parts),
        "signatures",
        accounts=tuple(wanted.accounts),
        keys=tuple(sorted(chosen)),
    )


class _Signers:
    """Collects keys that satisfy authorities, those first that have signed already."""

    def __init__(self, state: State, signed: Collection[PublicKey]) -> None:
        self.state = state
        self.signed = frozenset(signed)
        self.keys: set[PublicKey] = set()
        self.accounts: list[AccountId] = []
        """Those that have not signed yet."""

    def want(self, account: AccountId | None, authority: Authority) -> None:
        """Choose who has to sign for an authority."""
        chosen = self._choose(authority, 0)
        if chosen is None:
            return
        self.keys |= chosen
        if account is not None and account not in self.accounts and not chosen <= self.signed:
            self.accounts.append(account)

    def _choose(self, authority: Authority, depth: int) -> set[PublicKey] | None:
        """The keys of the heaviest entries that reach the threshold; None where nothing does."""
        if depth > self.state.parameters.max_authority_depth:
            return None
        entries: list[tuple[bool, int, set[PublicKey]]] = [
            (key not in self.signed, -weight, {key}) for key, weight in authority.key_auths
        ]
        for account, weight in authority.account_auths:
            chosen = self._choose(self.state.accounts.get(account).active, depth + 1)
            if chosen is not None:
                entries.append((not chosen <= self.signed, -weight, chosen))
        total, found = 0, set[PublicKey]()
        for _, weight, keys in sorted(entries, key=lambda entry: (*entry[:2], sorted(entry[2]))):
            if total >= authority.weight_threshold:
                break
            total -= weight
            found |= keys
        return found if total >= authority.weight_threshold else None
