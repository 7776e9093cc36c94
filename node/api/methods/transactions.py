"""Database API: what a transaction costs, and who has to sign it."""

from __future__ import annotations

from collections.abc import Iterator

from node.api.arguments import AccountArg, AssetArg, DraftTransaction, Keys, Operations, Transaction
from node.api.call import Answer, Call, Steps, Stepwise
from node.api.views import view_amount, view_transaction
from node.evaluators import authority as approvals
from node.state.objects.assets import Asset
from protocol.asset import AssetAmount, multiply_ceil
from protocol.authority import Authority
from protocol.binary import pack
from protocol.constants import COMMITTEE_ACCOUNT, CORE_ASSET
from protocol.crypto.keys import address_text, key_text
from protocol.fees import fee_table
from protocol.ids import AccountId
from protocol.json_form import JsonValue
from protocol.operations.authorities import required_authorities
from protocol.operations.base import Operation
from protocol.operations.proposal import ProposalCreate
from protocol.schema import PublicKey
from protocol.transaction import (
    ProcessedTransaction,
    SignedTransaction,
    TransactionEnvelope,
    unsigned,
)


def get_required_fees(call: Call, ops: Operations, asset: AssetArg) -> Answer:
    """The least fee of each operation, in an asset (R8.17).

    For a proposal: its own fee, and the list of the fees of what it proposes.
    """
    return [_fee(call, op, asset) for op in ops]


def get_required_signatures(
    call: Call, transaction: DraftTransaction, available_keys: Keys
) -> Answer:
    """Those of the available keys that must sign beside those that have, none of them in vain.

    If all together do not suffice: those that help.
    """
    return Stepwise(_required_keys(call, transaction, available_keys))


def get_potential_signatures(call: Call, transaction: DraftTransaction) -> Answer:
    """Every key that could take part in signing."""
    found = {key for authority in _reachable(call, transaction) for key, _ in authority.key_auths}
    return _texts(call, found)


def get_potential_address_signatures(call: Call, transaction: DraftTransaction) -> Answer:
    """Every address whose key could take part in signing."""
    found = {
        address
        for authority in _reachable(call, transaction)
        for address, _ in authority.address_auths
    }
    return [address_text(address, call.backend.address_prefix) for address in sorted(found)]


def verify_authority(call: Call, transaction: DraftTransaction) -> Answer:
    """True if the signatures of a transaction suffice; else its refusal."""
    envelope = TransactionEnvelope.from_transaction(transaction)
    keys = envelope.signature_keys(call.backend.chain_id)
    approvals.verify_authority(call.state, transaction.operations, keys)
    return True


def verify_account_authority(call: Call, account: AccountArg, signers: Keys) -> Answer:
    """Whether keys suffice for what needs an account's active authority, none of them in vain.

    The committee acts by proposals only, so that no keys suffice for it (R8.23).
    """
    if account.id == COMMITTEE_ACCOUNT:
        return False
    check = approvals.ApprovalCheck(call.state, signers)
    return check.is_account_satisfied(account.id) and not check.unused_keys()


def validate_transaction(call: Call, transaction: Transaction) -> Answer:
    """Apply a transaction without a trace; what it would do, or its refusal."""
    envelope = TransactionEnvelope.from_transaction(transaction)
    results = tuple(
        applied.result for applied in call.backend.simulate(envelope) if not applied.is_virtual
    )
    done = ProcessedTransaction(
        transaction.ref_block_num,
        transaction.ref_block_prefix,
        transaction.expiration,
        transaction.operations,
        transaction.extensions,
        transaction.signatures,
        results,
    )
    return view_transaction(call.backend, done)


def get_transaction_hex(call: Call, transaction: DraftTransaction) -> Answer:
    """The binary form of a signed transaction, in hexadecimal."""
    return pack(transaction).hex()


def get_transaction_hex_without_sig(call: Call, transaction: DraftTransaction) -> Answer:
    """The bytes that are signed, the chain id apart, in hexadecimal."""
    return pack(unsigned(transaction)).hex()


def _fee(call: Call, op: Operation, asset: Asset) -> JsonValue:
    core = AssetAmount(fee_table(call.state.parameters.current_fees).required(op), CORE_ASSET)
    fee = core
    if asset.id != CORE_ASSET:
        fee = multiply_ceil(core, asset.options.core_exchange_rate)
    own = view_amount(call.backend, fee)
    if isinstance(op, ProposalCreate):
        return [own, [_fee(call, proposed.op, asset) for proposed in op.proposed_ops]]
    return own


def _required_keys(call: Call, transaction: SignedTransaction, available: list[PublicKey]) -> Steps:
    envelope = TransactionEnvelope.from_transaction(transaction)
    signed = set(envelope.signature_keys(call.backend.chain_id))
    operations = transaction.operations
    if _suffice(call, operations, signed)[0]:
        return []
    is_enough, used = _suffice(call, operations, signed.union(available))
    wanted = used - signed
    for key in sorted(wanted) if is_enough else ():
        yield
        if _suffice(call, operations, signed | wanted - {key})[0]:
            wanted.remove(key)
    return _texts(call, wanted)


def _suffice(
    call: Call, operations: tuple[Operation, ...], keys: set[PublicKey]
) -> tuple[bool, set[PublicKey]]:
    """Whether keys satisfy all that operations require, and which of them help."""
    check = approvals.ApprovalCheck(call.state, keys)
    is_enough = True
    for op in operations:
        required = required_authorities(op)
        for authority in required.other:
            is_enough &= check.is_satisfied(authority)
        for account in required.owner:
            is_enough &= check.is_satisfied(call.state.accounts.get(account).owner)
        for account in required.active:
            is_enough &= check.is_account_satisfied(account)
    return is_enough, check.used


def _reachable(call: Call, transaction: SignedTransaction) -> Iterator[Authority]:
    """What the operations require, and what stands in it, down to the depth that is looked at."""
    seen: set[AccountId] = set()
    depth = call.state.parameters.max_authority_depth
    for op in transaction.operations:
        required = required_authorities(op)
        for authority in required.other:
            yield from _with_members(call, authority, seen, depth)
        for account in required.owner:
            holder = call.state.accounts.get(account)
            yield from _with_members(call, holder.owner, seen, depth)
        for account in required.active:
            holder = call.state.accounts.get(account)
            yield from _with_members(call, holder.active, seen, depth)
            yield from _with_members(call, holder.owner, seen, depth)


def _with_members(
    call: Call, authority: Authority, seen: set[AccountId], depth: int
) -> Iterator[Authority]:
    yield authority
    if depth == 0:
        return
    for account_id, _ in authority.account_auths:
        account = call.state.accounts.find(account_id)
        if account is not None and account_id not in seen:
            seen.add(account_id)
            yield from _with_members(call, account.active, seen, depth - 1)
            yield from _with_members(call, account.owner, seen, depth - 1)


def _texts(call: Call, keys: set[PublicKey]) -> list[JsonValue]:
    return [key_text(key, call.backend.address_prefix) for key in sorted(keys)]


METHODS = (
    get_required_fees,
    get_required_signatures,
    get_potential_signatures,
    get_potential_address_signatures,
    verify_authority,
    verify_account_authority,
    validate_transaction,
    get_transaction_hex,
    get_transaction_hex_without_sig,
)
