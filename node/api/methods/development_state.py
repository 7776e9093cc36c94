"""API `pegboard_dev`: the state of a development chain, around its rules and as a whole (R9.10)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec.structs import replace

from node.api.arguments import (
    KEY_OR_NULL,
    AccountArg,
    AssetArg,
    BlockNum,
    Boolean,
    Text,
    Texts,
    integer,
)
from node.api.call import Answer, Call, Listing
from node.api.errors import InvalidParams, NotPossible
from node.api.methods.development import development_of
from node.presets import development_key
from node.state.objects.accounts import Account
from protocol.asset import NO_FEE, AssetAmount
from protocol.authority import key_authority
from protocol.block import BlockEnvelope
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.crypto.keys import public_key
from protocol.development import Impersonate, SetBalance, to_operation
from protocol.fees import required_fee
from protocol.ids import AccountId, AssetId, account_text, asset_text
from protocol.json_form import JsonValue
from protocol.operations.account import AccountCreate, AccountOptions
from protocol.operations.base import Operation
from protocol.operations.transfer import Transfer
from protocol.schema import PublicKey

BLOCKS_A_CALL = 100
FUNDERS_LOOKED_AT = 100

Units = Annotated[int, integer(0, MAX_SUPPLY)]
OptionalKey = Annotated[PublicKey | None, KEY_OR_NULL]
Count = Annotated[int, integer(1, BLOCKS_A_CALL)]


def set_balance(call: Call, account: AccountArg, asset: AssetArg, amount: Units) -> Answer:
    """Let an account hold so many smallest units of an asset; the transaction's id.

    The asset's supply grows or shrinks with it (`supply_change`), so that every unit is somewhere.
    Units of a BitAsset are debts and cannot be set: borrow them (R9.10).
    """
    change = amount - call.state.balance_of(account.id, asset.id)
    action = SetBalance(account.id, AssetAmount(amount, asset.id))
    transaction = development_of(call).push([to_operation(action)])
    supply = call.state.figures_of(asset.id).current_supply
    return {
        "transaction": transaction.hex(),
        "supply_change": str(change),
        "current_supply": str(supply),
    }


def impersonate(call: Call, account: AccountArg, on: Boolean = True) -> Answer:
    """Let operations of an account pass without its signatures, or not any more; the transaction's
    id. In all processes of a network, and over restarts, for it stands in a block (R9.10)."""
    action = Impersonate(account.id, on)
    return development_of(call).push([to_operation(action)]).hex()


def get_impersonated(call: Call) -> Answer:
    """Names of the accounts that act without signatures, in the order of their ids."""
    development = call.state.development
    accounts = () if development is None else development.impersonated
    return [call.state.accounts.get(account).name for account in accounts]


def is_impersonated(call: Call, account: AccountArg) -> Answer:
    """Whether operations of an account pass without its signatures: alone, or as all do here."""
    development = call.state.development
    return development is not None and (
        development.is_everybody or account.id in development.impersonated
    )


def faucet(call: Call, name: Text, key: OptionalKey, asset: AssetArg, amount: Units) -> Answer:
    """Register an account with one key for all if there is none of that name, and send it so many
    units of an asset from the richest lifetime member; the transaction's id and who paid.

    Without a key it is the development key of that name, which everybody knows.
    """
    state = call.state
    found = state.account_by_name.find(name)
    funder = _funder(call, asset.id)
    receiver = state.accounts.next_id if found is None else found.id
    operations: list[Operation] = [to_operation(Impersonate(funder.id, True))]
    if found is None:
        known = key or public_key(development_key(name, "active"))
        operations.append(_registration(call, funder, name, known))
    if amount:
        operations.append(
            _paid(
                call,
                Transfer(NO_FEE, funder.id, receiver, AssetAmount(amount, asset.id), None),
            )
        )
    operations.append(to_operation(Impersonate(funder.id, False)))
    transaction = development_of(call).push(operations)
    return {
        "transaction": transaction.hex(),
        "account": account_text(receiver),
        "is_new": found is None,
        "funder": funder.name,
    }


def get_genesis_hash(call: Call) -> Answer:
    """SHA256 of the genesis; chains that bear one id may have begun differently."""
    return development_of(call).genesis_hash.hex()


def get_packed_blocks(call: Call, first: BlockNum, count: Count) -> Answer:
    """Blocks of the main chain from a number on in binary form, as hexadecimal digits; fewer at the
    head."""
    return Listing(lambda: _packed_blocks(call, first, count))


def push_packed_blocks(call: Call, blocks: Texts) -> Answer:
    """Take blocks in that follow the head, as `get_packed_blocks` gave them; how many were new."""
    taken = 0
    development_of(call)
    for text in blocks:
        try:
            data = bytes.fromhex(text)
        except ValueError as error:
            raise InvalidParams("a block is not hexadecimal", value=text[:40]) from error
        before = call.state.dynamic.head_block_number
        call.backend.push_block(BlockEnvelope.from_bytes(data))
        taken += call.state.dynamic.head_block_number > before
    return taken


def _packed_blocks(call: Call, first: int, count: int) -> Iterator[JsonValue]:
    for num in range(max(first, 1), first + count):
        block = call.backend.block_at(num)
        if block is None:
            return
        yield block.packed.hex()


def _funder(call: Call, asset: AssetId) -> Account:
    """Who holds most of an asset, of those that may register accounts."""
    holders = call.services.directory.holders
    for _ in holders.catch_up():
        pass
    for _, owner in holders.ranked(asset, 0, FUNDERS_LOOKED_AT):
        account = call.state.accounts.get(AccountId(owner))
        if account.is_lifetime_member():
            return account
    raise NotPossible("no lifetime member holds any of the asset", value=asset_text(asset))


def _registration(call: Call, funder: Account, name: str, key: PublicKey) -> Operation:
    authority = key_authority(key)
    return _paid(
        call,
        AccountCreate(
            NO_FEE, funder.id, funder.id, 0, name, authority, authority, AccountOptions(key)
        ),
    )


def _paid(call: Call, operation: Transfer | AccountCreate) -> Operation:
    """The operation with the fee that it takes."""
    fee = required_fee(operation, call.state.parameters.current_fees)
    return replace(operation, fee=AssetAmount(fee, CORE_ASSET))


METHODS = (
    set_balance,
    impersonate,
    get_impersonated,
    is_impersonated,
    faucet,
    get_genesis_hash,
    get_packed_blocks,
    push_packed_blocks,
)
