"""Which keys sign: enough for every authority, and none too many (R9.5)."""

from __future__ import annotations

import pytest

from node.cli.client import NodeClient
from node.cli.exits import KeyMissing
from node.cli.remote_chain import RemoteAccount, RemoteChain
from node.cli.signers import Signers
from protocol.asset import NO_FEE, AssetAmount
from protocol.authority import Authority, key_authority
from protocol.constants import CORE_ASSET, TEMP_ACCOUNT
from protocol.crypto.hashes import sha256
from protocol.crypto.keys import PrivateKey, public_key
from protocol.ids import AccountId, account_text
from protocol.operations.account import AccountOptions, AccountUpdate
from protocol.operations.transfer import Transfer
from protocol.schema import PublicKey

ALICE, BOB, CAROL, DAVE = (AccountId(number) for number in range(10, 14))


def secret_of(name: str) -> PrivateKey:
    return PrivateKey(sha256(name.encode()))


def key_of(name: str) -> PublicKey:
    return public_key(secret_of(name))


class Keys:
    """A key ring of named secrets."""

    def __init__(self, *names: str) -> None:
        self.secrets = {key_of(name): secret_of(name) for name in names}

    def find(self, key: PublicKey, prefix: str) -> PrivateKey | None:
        """The secret of a key that was named."""
        return self.secrets.get(key)


class FixedChain(RemoteChain):
    """A chain whose accounts are written down; nobody is asked."""

    def __init__(self, accounts: dict[AccountId, Authority]) -> None:
        super().__init__(NodeClient())
        self._info = {"address_prefix": "TEST"}
        for account, active in accounts.items():
            owner = key_authority(key_of(f"owner {account}"))
            options = AccountOptions(key_of("memo"))
            self._accounts[account_text(account)] = RemoteAccount(
                account, f"account{account}", owner, active, options
            )


def signing(chain: RemoteChain, keys: Keys, *payers: AccountId) -> list[PrivateKey]:
    amount = AssetAmount(1, CORE_ASSET)
    operations = [Transfer(NO_FEE, payer, AccountId(1), amount, None) for payer in payers]
    return Signers(chain, keys).secrets_for(operations)


def keys_authority(threshold: int, **weights: int) -> Authority:
    entries = ((key_of(name), weight) for name, weight in weights.items())
    return Authority(threshold, key_auths=tuple(sorted(entries)))


def test_two_of_three_sign_and_no_more() -> None:
    """R9.5: a third signature would be irrelevant, and refused."""
    chain = FixedChain({ALICE: keys_authority(2, a=1, b=1, c=1)})
    assert len(signing(chain, Keys("a", "b", "c"), ALICE)) == 2
    assert len(signing(chain, Keys("a", "c"), ALICE)) == 2
    with pytest.raises(KeyMissing, match="active authority of account10"):
        signing(chain, Keys("b"), ALICE)


def test_heavy_keys_go_first() -> None:
    """R9.5: one key of full weight needs no help from light ones."""
    chain = FixedChain({ALICE: keys_authority(3, light=1, heavy=3)})
    assert signing(chain, Keys("light", "heavy"), ALICE) == [secret_of("heavy")]


def test_a_key_that_signs_already_is_taken_again() -> None:
    """R9.5: two accounts with a key in common need one signature."""
    chain = FixedChain({ALICE: keys_authority(1, common=1), BOB: keys_authority(1, common=1, b=1)})
    assert signing(chain, Keys("common", "b"), ALICE, BOB) == [secret_of("common")]


def test_accounts_inside_authorities_count_to_a_depth_of_two() -> None:
    """R9.5: alice by bob by carol; dave lies one level too deep."""
    chain = FixedChain(
        {
            ALICE: Authority(1, ((BOB, 1),)),
            BOB: Authority(1, ((CAROL, 1),)),
            CAROL: Authority(1, ((DAVE, 1),), ((key_of("carol"), 1),)),
            DAVE: key_authority(key_of("dave")),
        }
    )
    assert signing(chain, Keys("carol"), ALICE) == [secret_of("carol")]
    assert signing(chain, Keys("dave"), BOB) == [secret_of("dave")]
    with pytest.raises(KeyMissing):
        signing(chain, Keys("dave"), ALICE)


def test_the_owner_key_opens_what_the_active_key_does() -> None:
    """R9.6: an active authority is satisfied by the owner's; never the other way round."""
    chain = FixedChain({ALICE: key_authority(key_of("a"))})
    assert signing(chain, Keys("owner 10"), ALICE) == [secret_of("owner 10")]
    update = AccountUpdate(NO_FEE, ALICE, owner=key_authority(key_of("new")))
    with pytest.raises(KeyMissing, match="owner authority"):
        Signers(chain, Keys("a")).secrets_for([update])


def test_anybody_is_the_temp_account() -> None:
    """R9.8: what the temp account may do needs no signature."""
    chain = FixedChain({ALICE: Authority(1, ((TEMP_ACCOUNT, 1),))})
    assert signing(chain, Keys(), ALICE) == []
