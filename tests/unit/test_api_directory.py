"""Look-ups that the state has no index for agree with a scan of the whole table."""

from __future__ import annotations

from msgspec.structs import replace

from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.authority import Authority
from protocol.constants import CORE_ASSET
from protocol.crypto.keys import public_key
from protocol.ids import AccountId, AssetId, account_text, asset_text, proposal_text
from protocol.operations.account import AccountUpdate
from protocol.operations.asset import AssetCreate, AssetUpdateIssuer
from protocol.operations.proposal import ProposalCreate, ProposedOperation
from tests.support.api import ChainBackend, Client, transaction_json
from tests.support.chain import TestChain
from tests.support.world import secret_of


def make() -> tuple[TestChain, ChainBackend, Client]:
    chain = TestChain("alice", "bob", "carol")
    backend = ChainBackend(chain)
    return chain, backend, Client(backend)


def scan(chain: TestChain, account: AccountId) -> tuple[list[str], list[str], list[str]]:
    """Accounts naming an account, assets it issued, proposals it must approve: the slow way."""
    state = chain.state
    naming = [
        account_text(other.id)
        for other in state.accounts.in_order()
        if account in dict((*other.owner.account_auths, *other.active.account_auths))
    ]
    issued = [asset_text(asset.id) for asset in state.assets.in_order() if asset.issuer == account]
    waiting = [
        proposal_text(item.id)
        for item in state.proposals.in_order()
        if account in item.required_active_approvals + item.required_owner_approvals
    ]
    return naming, issued, waiting


def look_up(client: Client, account: AccountId) -> tuple[list[str], list[str], list[str]]:
    """The same through the API."""
    name = account_text(account)
    ((_, full),) = client.call("get_full_accounts", [name], False)
    issued = [asset["id"] for asset in client.call("get_assets_by_issuer", name)]
    waiting = [item["id"] for item in client.call("get_proposed_transactions", name)]
    assert full["assets"] == issued
    assert [item["id"] for item in full["proposals"]] == waiting
    return client.call("get_account_references", name), issued, waiting


def check(chain: TestChain, client: Client) -> None:
    for account in chain.state.accounts.in_order():
        assert look_up(client, account.id) == scan(chain, account.id)
    symbols = sorted(asset.symbol for asset in chain.state.assets.in_order())
    assert [asset["symbol"] for asset in client.call("list_assets", "", 100)] == symbols


def new_asset(chain: TestChain, symbol: str) -> AssetCreate:
    rate = Price(AssetAmount(1, CORE_ASSET), AssetAmount(1, AssetId(1)))
    core_options = chain.state.assets.get(CORE_ASSET).options
    options = replace(core_options, max_supply=10**12, core_exchange_rate=rate)
    return AssetCreate(NO_FEE, chain.account("alice"), symbol, 4, options)


def test_look_ups_follow_every_change() -> None:
    """T-A2: no scan of a table, and the answers of a scan: created, changed, taken back."""
    chain, backend, client = make()
    alice, bob, carol = (chain.account(name) for name in ("alice", "bob", "carol"))
    backend.produce(new_asset(chain, "ZETA"), new_asset(chain, "ALPHA"))
    check(chain, client)
    transfer = ProposedOperation(chain.transfer("alice", "bob", 1))
    proposal = ProposalCreate(NO_FEE, bob, chain.chain.head_time + 100, (transfer,))
    backend.produce(proposal)
    assert look_up(client, alice) == ([], ["1.3.2", "1.3.3"], ["1.10.0"])
    joint = Authority(1, ((bob, 1),), ((public_key(secret_of("carol")), 1),))
    backend.produce(AccountUpdate(NO_FEE, carol, None, joint))
    assert look_up(client, bob)[0] == [account_text(carol)]
    check(chain, client)
    backend.produce(AssetUpdateIssuer(NO_FEE, alice, chain.asset("ZETA"), bob))
    backend.produce(AccountUpdate(NO_FEE, carol, None, Authority(1, (), joint.key_auths)), slot=40)
    assert look_up(client, alice) == ([], ["1.3.3"], [])
    check(chain, client)


def test_objects_of_pending_transactions_are_found() -> None:
    """Trap 15: an asset and a proposal are there as soon as their broadcast is answered."""
    chain, _, client = make()
    transfer = ProposedOperation(chain.transfer("alice", "bob", 1))
    expiration = chain.chain.head_time + 100
    proposal = ProposalCreate(NO_FEE, chain.account("bob"), expiration, (transfer,))
    for operation in (new_asset(chain, "ALPHA"), proposal):
        body = transaction_json(chain.transaction(operation))
        client.call("broadcast_transaction", body, api="network_broadcast")
    assert look_up(client, chain.account("alice")) == ([], ["1.3.2"], ["1.10.0"])
