"""The calls of bitshares-core's own cli_wallet, replayed over the socket of a live node (Y9.3)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from node.presets import TEST_NETWORK_ID, development_key
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.authority import key_authority
from protocol.binary import pack
from protocol.constants import CORE_ASSET
from protocol.crypto.addresses import addresses_of
from protocol.crypto.hashes import sha256
from protocol.crypto.keys import address_text, key_text, public_key
from protocol.crypto.memo import encrypt_memo
from protocol.ids import HtlcId, LimitOrderId, account_text, asset_text, parse_vote_id
from protocol.operations.account import AccountCreate, AccountOptions, AccountUpdate
from protocol.operations.asset import NEW_ASSET, AssetCreate, AssetIssue
from protocol.operations.asset_options import AssetOptions
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.custom import Custom
from protocol.operations.htlc import HtlcCreate, HtlcExtend, HtlcRedeem, hash_of_preimage
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.memo import Memo
from protocol.operations.transfer import Transfer
from protocol.schema import MAX_TIMESTAMP, Record
from tests.clients.cli_wallet import NEWEST, PREFIX, CliWallet, kinds_of, wrong_times
from tests.clients.raw import RawSocket

pytestmark = [pytest.mark.clients, pytest.mark.functional]

Json = Any
ME, OTHER = "carol", "bob"


class StoredMap(Record):
    """What `account_store_map` packs into a custom operation (Y3.1)."""

    tag: bytes
    remove: bool
    catalog: str
    key_values: tuple[tuple[str, str | None], ...]


@pytest.fixture(scope="module")
def wallet(open_tap: Callable[[str], int]) -> Iterator[CliWallet]:
    """A wallet that has started, with carol's key."""
    with RawSocket(open_tap("raw frames")) as socket:
        found = CliWallet(socket, ME)
        found.start("1.2.0", "1.2.3")
        yield found
        assert found.database("cancel_all_subscriptions") is None


@pytest.fixture(scope="module")
def me(wallet: CliWallet) -> str:
    return account_text(wallet.account(ME))


def test_it_starts_and_hears_of_heads(wallet: CliWallet) -> None:
    """Y9.1: on its chain, with every API that it opens, and told of the next block."""
    assert wallet.chain_id == TEST_NETWORK_ID.hex()
    assert len(set(wallet.apis.values())) == 4
    assert len(bytes.fromhex(wallet.next_head())) == 20


def test_what_info_and_lists_show(wallet: CliWallet) -> None:
    """Y9.2, Y9.3: `info`, `get_block`, `list_accounts`, `list_assets`, `get_object`."""
    head = wallet.database("get_dynamic_global_properties")
    assert head["recent_slots_filled"].isdecimal()
    assert wallet.database("get_chain_properties")["chain_id"] == wallet.chain_id
    assert wallet.database("get_global_properties")["active_witnesses"]
    block = wallet.database("get_block", head["head_block_number"] - 1)
    assert len(bytes.fromhex(block["witness_signature"])) == 65
    assert wallet.database("get_block", 1 << 30) is None
    count = wallet.database("get_account_count")
    accounts = wallet.database("lookup_accounts", "", 1_000, None)
    assert len(accounts) == min(count, 1_000)
    assert accounts == sorted(accounts)
    assert len(wallet.database("list_assets", "", 100)) == wallet.database("get_asset_count")
    [usd] = wallet.database("get_objects", [asset_text(wallet.asset("USD"))], None)
    assert usd["symbol"] == "USD"
    answers = [head, block, usd, *wallet.database("get_objects", ["2.0.0", "2.1.0"], None)]
    assert [*wrong_times(answers)] == []


def test_what_it_asks_about_people(wallet: CliWallet, me: str) -> None:
    """Y9.3: `get_full_account` by the given text, balances, keys, producers, vesting."""
    [[key, full]] = wallet.database("get_full_accounts", [ME], False)
    assert (key, full["account"]["id"]) == (ME, me)
    assert kinds_of(full, ("balances", "htlcs_from", "more_data_available")) == [list, list, dict]
    balances = wallet.database("get_account_balances", me, [])
    assert balances[0]["asset_id"] == "1.3.0"
    secret = public_key(development_key(ME, "active"))
    text = key_text(secret, PREFIX)
    assert wallet.database("is_public_key_registered", text) is True
    assert me in wallet.database("get_key_references", [text])[0]
    addresses = [address_text(one, PREFIX) for one in addresses_of(secret)]
    assert wallet.database("get_balance_objects", addresses) == []
    assert isinstance(wallet.database("get_vesting_balances", me), list)
    for lookup, by_account, by_id in (
        ("lookup_witness_accounts", "get_witness_by_account", "get_witnesses"),
        (
            "lookup_committee_member_accounts",
            "get_committee_member_by_account",
            "get_committee_members",
        ),
    ):
        [name, number] = wallet.database(lookup, "", 1_000)[0]
        found = wallet.database(by_account, name)
        assert wallet.database(by_id, [number]) == [found]
    assert len(wallet.database("get_objects", ["1.14.0", "1.14.1"], None)) == 2


def test_a_transfer_with_a_memo(wallet: CliWallet, me: str) -> None:
    """Y9.3: `transfer`, then `get_account_history` in its three forms."""
    mine, theirs = development_key(ME, "active"), public_key(development_key(OTHER, "active"))
    memo = Memo(public_key(mine), theirs, 7, encrypt_memo(mine, theirs, 7, "for the wallet"))
    sender, receiver = wallet.account(ME), wallet.account(OTHER)
    wallet.sign(Transfer(NO_FEE, sender, receiver, AssetAmount(12_345, CORE_ASSET), memo))
    assert wallet.next_head()
    while not (records := wallet.call("history", "get_account_history", me, NEWEST, 100, NEWEST)):
        assert wallet.next_head()
    assert [*wrong_times(records)] == []
    [statistics] = wallet.database("get_objects", ["2.6." + me.rpartition(".")[2]], None)
    assert kinds_of(statistics, ("total_ops", "removed_ops")) == [int, int]
    page = wallet.call("history", "get_relative_account_history", me, 1, 100, "0")
    assert page[0]["id"] == records[0]["id"]
    some = wallet.call("history", "get_account_history_by_operations", me, [0], 1, 100)
    assert some["operation_history_objs"]
    [operation] = [one for one in records if one["op"][0] == 0][-1:]
    assert wallet.database("get_block", operation["block_num"])["transactions"]


def test_it_registers_votes_and_has_a_proxy(wallet: CliWallet) -> None:
    """Y9.3: `register_account`, `vote_for_witness`, `set_voting_proxy`."""
    me, key = wallet.account(ME), public_key(development_key(ME, "active"))
    rule = key_authority(key)
    wallet.sign(AccountCreate(NO_FEE, me, me, 0, "of-the-wallet", rule, rule, AccountOptions(key)))
    [name, _] = wallet.database("lookup_witness_accounts", "", 1)[0]
    vote = parse_vote_id(wallet.database("get_witness_by_account", name)["vote_id"])
    options = AccountOptions(key, votes=(vote,), num_witness=1)
    wallet.sign(AccountUpdate(NO_FEE, me, new_options=options))
    followed = AccountOptions(key, wallet.account(OTHER))
    wallet.sign(AccountUpdate(NO_FEE, me, new_options=followed))
    wallet.sign(AccountUpdate(NO_FEE, me, new_options=AccountOptions(key)))
    [found] = wallet.database("get_accounts", [account_text(me)], None)
    assert found["options"]["votes"] == []


def test_it_makes_an_asset_and_trades(wallet: CliWallet, me: str) -> None:
    """Y9.3: `create_asset`, `issue_asset`, `sell_asset`, the lists of a market, `cancel_order`."""
    account = wallet.account(ME)
    rate = Price(AssetAmount(1, NEW_ASSET), AssetAmount(1, CORE_ASSET))
    wallet.sign(
        AssetCreate(NO_FEE, account, "WALLETS", 2, AssetOptions(10**15, 0, 10**15, 0, 0, rate))
    )
    asset = wallet.asset("WALLETS")
    wallet.sign(AssetIssue(NO_FEE, account, AssetAmount(500, asset), account))
    sold, wanted = AssetAmount(100, asset), AssetAmount(5_000_000_000, CORE_ASSET)
    wallet.sign(LimitOrderCreate(NO_FEE, account, sold, wanted, MAX_TIMESTAMP, False))
    text = asset_text(asset)
    book = wallet.database("get_order_book", "TEST", "WALLETS", 50)
    assert book["asks"][0]["owner_name"] == ME
    [order] = wallet.database("get_limit_orders", "TEST", "WALLETS", 300)
    mine = wallet.database("get_account_limit_orders", ME, "WALLETS", "TEST", 101, None, None)
    assert mine == [order]
    assert order["sell_price"]["quote"] == {"amount": "5000000000", "asset_id": "1.3.0"}
    wallet.sign(LimitOrderCancel(NO_FEE, account, LimitOrderId(int(order["id"].split(".")[2]))))
    assert wallet.database("get_limit_orders", text, "1.3.0", 300) == []
    start, end = "2020-01-01T00:00:00", "2030-01-01T00:00:00"
    history = wallet.call("history", "get_market_history", "TEST", "WALLETS", 60, start, end)
    assert history == []
    assert account_text(account) == me


def test_it_borrows(wallet: CliWallet) -> None:
    """Y9.3: `borrow_asset`, and the lists of a BitAsset."""
    account, asset = wallet.account(ME), wallet.asset("USD")
    debt, collateral = AssetAmount(10_000, asset), AssetAmount(10_000_000, CORE_ASSET)
    wallet.sign(CallOrderUpdate(NO_FEE, account, collateral, debt))
    positions = wallet.database("get_call_orders", "USD", 300)
    assert account_text(account) in {position["borrower"] for position in positions}
    closing = AssetAmount(-10_000, asset), AssetAmount(-10_000_000, CORE_ASSET)
    wallet.sign(CallOrderUpdate(NO_FEE, account, closing[1], closing[0]))
    assert isinstance(wallet.database("get_settle_orders", "USD", 300), list)
    assert wallet.database("get_collateral_bids", "USD", 100, 0) == []


def test_it_swaps(wallet: CliWallet) -> None:
    """Y9.3, H1.2: `htlc_create`, `htlc_extend`, `htlc_redeem`, and `get_htlc` between them."""
    account, preimage = wallet.account(ME), b"a secret of the wallet"
    lock = hash_of_preimage(2, preimage)
    assert lock.value == sha256(preimage)
    amount = AssetAmount(100_000, CORE_ASSET)
    following = wallet.database("get_next_object_id", 1, 16, True)
    wallet.sign(HtlcCreate(NO_FEE, account, account, amount, lock, len(preimage), 3_600))
    [htlc] = wallet.database("get_objects", [following], None)
    assert htlc["conditions"]["hash_lock"]["preimage_hash"] == [2, sha256(preimage).hex()]
    number = HtlcId(int(following.rpartition(".")[2]))
    wallet.sign(HtlcExtend(NO_FEE, number, account, 60))
    wallet.sign(HtlcRedeem(NO_FEE, number, account, preimage))
    assert wallet.database("get_objects", [following], None) == [None]


def test_it_stores_and_reads(wallet: CliWallet) -> None:
    """Y9.3, Y3.3: `account_store_map`, then `get_account_storage`, with and without a catalog."""
    account = wallet.account(ME)
    written = StoredMap(b"", False, "of the wallet", (("color", json.dumps("green")),))
    wallet.sign(Custom(NO_FEE, account, (), 0, pack(written)))
    while not (found := wallet.call("custom_operations", "get_storage_info", ME, "of the wallet")):
        assert wallet.next_head()
    assert [(item["key"], item["value"]) for item in found] == [("color", "green")]
    assert wallet.call("custom_operations", "get_storage_info", ME, None, None, None, None)


def test_peers_and_development(wallet: CliWallet) -> None:
    """Y9.3: `network_get_connected_peers` answers, `network_add_nodes` and `dbg_*` say why not."""
    wallet.open("network_node")
    assert wallet.call("network_node", "get_connected_peers")
    refusal = wallet.frame(wallet.apis["network_node"], "add_node", "127.0.0.1:1")
    assert "allow_add_node" in refusal["error"]["message"]
    assert "Access denied" in wallet.frame(1, "debug")["error"]["message"]
