"""Signed transactions that are said again: on another chain, on the same one, or in other bytes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.evaluators import EVALUATORS
from node.state.errors import (
    DuplicateTransaction,
    MissingActiveAuthority,
    MissingOtherAuthority,
    MissingOwnerAuthority,
    TransactionRejected,
)
from protocol.asset import NO_FEE
from protocol.constants import MAX_TRANSACTION_SIGNATURES
from protocol.crypto.hashes import sha256
from protocol.errors import KeyFormatError, ValidationError
from protocol.ids import SametFundId
from protocol.operations import Operation
from protocol.operations.balance import BalanceClaim
from protocol.operations.committee import CommitteeMemberUpdateGlobalParameters
from protocol.operations.samet_fund import SametFundBorrow, SametFundRepay
from protocol.schema import Digest, Signature
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign
from tests.support.chain import TestChain
from tests.support.every_operation import BusyChain
from tests.support.replays import Listener, accepted_forms, twin_of
from tests.support.world import secret_of

MISSING = (MissingActiveAuthority, MissingOwnerAuthority, MissingOtherAuthority)
HISTORIES, TWINS = 12, 60


def loan_within_a_transaction(chain: BusyChain) -> tuple[Operation, ...]:
    """What can only stand together (U7)."""
    lent, fund = chain.amount(100), SametFundId(0)
    return (
        SametFundBorrow(NO_FEE, chain.bob, fund, lent),
        SametFundRepay(NO_FEE, chain.bob, fund, lent, chain.amount(100)),
    )


def test_no_operation_is_taken_that_was_signed_for_another_chain() -> None:
    """T-C1: each kind that is executed, by the right keys, with a reference to a block of this
    chain; the same bytes signed for this chain are taken."""
    chain = BusyChain()
    other = Digest(sha256(chain.chain.chain_id))
    reference, expiration = reference_block(chain.chain.head_id), chain.chain.head_time + 60
    seen: set[type] = set()
    for operations in [*((one,) for one in chain.examples()), loan_within_a_transaction(chain)]:
        names = chain.signers_of(operations)
        owner = ["old"] if isinstance(operations[0], BalanceClaim) else []
        transaction = Transaction(*reference, expiration, operations)
        secrets = [secret_of(name) for name in [*names, *owner]]
        ours, theirs = (
            TransactionEnvelope.from_transaction(sign(transaction, secrets, chain_id))
            for chain_id in (chain.chain.chain_id, other)
        )
        assert ours.id == theirs.id
        chain.chain.simulate(ours)
        with pytest.raises(MISSING):
            chain.chain.simulate(theirs)
        seen.update(map(type, operations))
    assert EVALUATORS.keys() - seen == {CommitteeMemberUpdateGlobalParameters}, "of proposals alone"


def test_nothing_applies_twice_whatever_happens_between() -> None:
    """T-C2: over blocks, forks that win, and restarts, until it has expired."""
    listeners = [Listener(seed) for seed in range(HISTORIES)]
    for listener in listeners:
        listener.run()
    for name in ("refused", "taken", "restarts", "switches"):
        assert sum(getattr(one, name) for one in listeners) > 0, name


def test_no_other_form_of_a_signature_is_taken() -> None:
    """T-C3: the twin with n - s, other recovery ids, other lengths; of many keys."""
    assert accepted_forms(TWINS, seed=1) == 0


def test_a_changed_signature_changes_no_transaction() -> None:
    """T-C3: whoever passes a transaction on can neither give it another id nor a twin's place."""
    chain = TestChain("alice", "bob")
    chain.block()
    envelope = chain.transaction(chain.transfer("alice", "bob", 1))
    [signature] = envelope.transaction.signatures

    def with_signatures(*signatures: Signature) -> TransactionEnvelope:
        return TransactionEnvelope.from_transaction(
            replace(envelope.transaction, signatures=tuple(signatures))
        )

    assert with_signatures(twin_of(signature)).id == envelope.id
    for signatures in (
        (twin_of(signature),),
        (signature, twin_of(signature)),
        (signature, signature),
        (signature,) * (MAX_TRANSACTION_SIGNATURES + 1),
    ):
        with pytest.raises((KeyFormatError, ValidationError, TransactionRejected)):
            chain.chain.push_transaction(with_signatures(*signatures))
    chain.block(envelope)
    with pytest.raises(DuplicateTransaction):
        chain.chain.push_transaction(with_signatures())
