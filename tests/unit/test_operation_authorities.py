"""Whose authority an operation requires, and what an authority is worth."""

from __future__ import annotations

from protocol.asset import NO_FEE, AssetAmount
from protocol.authority import NULL_AUTHORITY, Authority, all_keys_authority, key_authority
from protocol.constants import TEMP_ACCOUNT
from protocol.ids import AccountId, AssetId, BalanceId, ProposalId, WithdrawPermissionId
from protocol.json_form import JsonValue, from_json
from protocol.operations.account import (
    AccountCreate,
    AccountCreateExtensions,
    AccountOptions,
    AccountTransfer,
    AccountUpdate,
    BuybackAccountOptions,
)
from protocol.operations.asset import AssetUpdateIssuer
from protocol.operations.authorities import RequiredAuthorities, required_authorities
from protocol.operations.balance import BalanceClaim
from protocol.operations.custom import Custom
from protocol.operations.proposal import ProposalDelete, ProposalUpdate
from protocol.operations.stealth import (
    BlindInput,
    BlindTransfer,
    TransferFromBlind,
    TransferToBlind,
)
from protocol.operations.transfer import Transfer
from protocol.operations.withdraw_permission import WithdrawPermissionClaim
from protocol.schema import BlindingFactor, Commitment, PublicKey

A, B, C = AccountId(7), AccountId(8), AccountId(9)
KEY, OTHER_KEY = PublicKey(b"\x02" * 33), PublicKey(b"\x03" * 33)
OPTIONS = AccountOptions(KEY)


def test_the_fee_payer_signs_with_its_active_authority() -> None:
    """R9.6: unless noted otherwise."""
    assert required_authorities(Transfer(NO_FEE, A, B, NO_FEE)) == RequiredAuthorities((A,))


def test_a_change_of_owner_needs_the_owner() -> None:
    """R9.6: owner when the owner authority changes, else active."""
    authority = key_authority(KEY)
    assert required_authorities(AccountUpdate(NO_FEE, A, active=authority)) == ((A,), (), ())
    assert required_authorities(AccountUpdate(NO_FEE, A, owner=authority)) == ((), (A,), ())
    assert required_authorities(AssetUpdateIssuer(NO_FEE, A, AssetId(4), B)) == ((), (A,), ())


def test_an_account_is_handed_over_by_its_owner() -> None:
    """R9.6: account_transfer replaces the owner authority, so it needs it."""
    assert required_authorities(AccountTransfer(NO_FEE, A, B)) == ((), (A,), ())


def test_who_spends_blinded_balances_signs_for_each() -> None:
    """R9.5, R9.6: nobody's account pays the fee, so the temp account stands for it."""
    mine, yours = key_authority(KEY), key_authority(OTHER_KEY)
    inputs = (
        BlindInput(Commitment(b"\x02" * 33), mine),
        BlindInput(Commitment(b"\x03" * 33), yours),
    )
    expected = RequiredAuthorities((TEMP_ACCOUNT,), other=(mine, yours))
    assert required_authorities(BlindTransfer(NO_FEE, inputs, ())) == expected
    factor = BlindingFactor(bytes(32))
    assert required_authorities(TransferFromBlind(NO_FEE, NO_FEE, A, factor, inputs)) == expected
    assert required_authorities(TransferToBlind(NO_FEE, NO_FEE, A, factor, ())) == ((A,), (), ())


def test_whoever_withdraws_by_a_permission_signs() -> None:
    """R9.6: not the account that gave it."""
    claim = WithdrawPermissionClaim(NO_FEE, WithdrawPermissionId(1), A, B, NO_FEE)
    assert required_authorities(claim) == ((B,), (), ())


def test_the_issuer_signs_a_buyback_account_too() -> None:
    create = AccountCreate(
        NO_FEE,
        B,
        B,
        0,
        "shop",
        NULL_AUTHORITY,
        NULL_AUTHORITY,
        OPTIONS,
        AccountCreateExtensions(
            buyback_options=BuybackAccountOptions(AssetId(4), A, (AssetId(0),))
        ),
    )
    create.validate()
    assert required_authorities(create) == ((A, B), (), ())


def test_a_balance_is_claimed_by_its_key() -> None:
    """R9.6: the key that owns it, beside the account that receives it."""
    claim = BalanceClaim(NO_FEE, A, BalanceId(1), KEY, NO_FEE)
    assert required_authorities(claim) == ((A,), (), (key_authority(KEY),))


def test_custom_names_further_signers() -> None:
    custom = Custom(AssetAmount(1, AssetId(0)), B, (A, B, C), 1, b"")
    assert required_authorities(custom) == ((A, B, C), (), ())


def test_each_approval_needs_the_authority_it_speaks_for() -> None:
    """R9.6: added or removed, active, owner or key; owner includes active."""
    update = ProposalUpdate(
        NO_FEE,
        A,
        ProposalId(1),
        active_approvals_to_add=(B,),
        owner_approvals_to_remove=(A, C),
        key_approvals_to_add=(KEY,),
        key_approvals_to_remove=(OTHER_KEY,),
    )
    required = required_authorities(update)
    assert (required.active, required.owner) == ((B,), (A, C))
    assert required.other == (all_keys_authority([KEY, OTHER_KEY]),)
    assert required.other[0].weight_threshold == 2


def test_a_veto_uses_the_authority_it_names() -> None:
    """R9.6: owner if so flagged."""
    assert required_authorities(
        ProposalDelete(NO_FEE, A, using_owner_authority=False, proposal=ProposalId(1))
    ) == ((A,), (), ())
    assert required_authorities(
        ProposalDelete(NO_FEE, A, using_owner_authority=True, proposal=ProposalId(1))
    ) == ((), (A,), ())


def test_an_impossible_authority() -> None:
    """R9.5: all weights together must reach the threshold."""
    authority = Authority(3, account_auths=((A, 1),), key_auths=((KEY, 1),))
    assert (authority.size(), authority.total_weight()) == (2, 2)
    assert authority.is_impossible()
    assert not Authority(2, authority.account_auths, authority.key_auths).is_impossible()
    assert not Authority(0).is_impossible()


def test_clients_may_leave_the_addresses_out() -> None:
    data: dict[str, JsonValue] = {
        "weight_threshold": 1,
        "account_auths": [["1.2.7", 1]],
        "key_auths": [],
    }
    expected = Authority(1, account_auths=((A, 1),))
    assert from_json(Authority, data, "BTS") == expected
    assert from_json(Authority, data | {"extensions": []}, "BTS") == expected
