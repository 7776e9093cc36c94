"""Methods of the database API that wallets and explorers call beside those of every client."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.api.methods.tables import APIS
from node.api.recent_transactions import RecentTransactions
from protocol.asset import NO_FEE
from protocol.authority import Authority
from protocol.constants import CORE_ASSET
from protocol.crypto.addresses import addresses_of
from protocol.crypto.keys import key_text, public_key
from protocol.genesis import InitialBalance, InitialVestingBalance
from protocol.ids import (
    OperationHistoryId,
    WitnessId,
    account_text,
    asset_text,
    operation_text,
    parse_id,
)
from protocol.operations.account import AccountUpdate
from protocol.operations.bitasset import AssetSettle
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.worker import BurnWorkerInitializer, WorkerCreate
from protocol.transaction import TransactionEnvelope
from tests.support.api import ChainBackend, Client, Json
from tests.support.chain import TestChain, make_genesis
from tests.support.world import GENESIS_TIME, secret_of


@pytest.fixture
def backend() -> ChainBackend:
    backend = ChainBackend(TestChain("alice", "bob", "carol"))
    backend.produce()
    return backend


@pytest.fixture
def client(backend: ChainBackend) -> Client:
    return Client(backend)


def key_of(name: str) -> str:
    return key_text(public_key(secret_of(name)), "TEST")


def sell(chain: TestChain, core: int, usd: int) -> LimitOrderCreate:
    """Alice offers CORE for USD."""
    seller = chain.account("alice")
    return LimitOrderCreate(NO_FEE, seller, chain.amount(core), chain.amount(usd, "USD"))


def ids(objects: Json) -> list[str]:
    return [item["id"] for item in objects]


def test_headers_with_and_without_signature(client: Client) -> None:
    """BitShares: the signature is a key only when it is asked for."""
    plain = client.call("get_block_header", 1)
    assert "witness_signature" not in plain
    signed = client.call("get_block_header", 1, True)
    signature = signed.pop("witness_signature")
    assert (signed, len(signature)) == (plain, 130)
    assert signature == client.call("get_block", 1)["witness_signature"]


def test_headers_in_a_batch(client: Client) -> None:
    """A map as BitShares writes it: pairs, ascending, each number once; null beyond the head."""
    header = client.call("get_block_header", 1)
    batch = client.call("get_block_header_batch", [99, 1, 1, 0])
    assert batch == [[0, None], [1, header], [99, None]]
    ((_, signed),) = client.call("get_block_header_batch", [1], True)
    assert len(signed["witness_signature"]) == 130
    assert client.refuse("get_block_header_batch", [1] * 1_001)["code"] == -32602
    assert client.refuse("get_block_header_batch", ["x"])["code"] == -32602


def test_a_recent_transaction_is_found_by_its_id(backend: ChainBackend, client: Client) -> None:
    """R9.3: pending or in a block, until it expires."""
    chain = backend.test_chain
    envelope = chain.transaction(chain.transfer("alice", "bob", 5))
    text = envelope.id.hex()
    assert client.call("get_recent_transaction_by_id", text) is None
    backend.broadcast(envelope)
    pending = client.call("get_recent_transaction_by_id", text)
    assert pending["signatures"] == [envelope.transaction.signatures[0].hex()]
    backend.produce()
    assert client.call("get_recent_transaction_by_id", text) == pending
    slot = chain.chain.slot_at(envelope.transaction.expiration) + 2
    backend.produce(slot=slot)
    assert client.call("get_recent_transaction_by_id", text) is None
    assert client.refuse("get_recent_transaction_by_id", "00")["code"] == -32602


def test_transactions_of_blocks_from_elsewhere_are_remembered(
    backend: ChainBackend, client: Client
) -> None:
    """They were never pending at this node."""
    chain = backend.test_chain
    applied = backend.produce(chain.transfer("alice", "bob", 5))
    ((envelope, _),) = applied.envelope.transactions
    found = client.call("get_recent_transaction_by_id", envelope.id.hex())
    assert found["operations"] == client.call("get_block", 2)["transactions"][0]["operations"]


def test_few_transactions_are_remembered(backend: ChainBackend) -> None:
    """T-A2: the oldest makes room; one that is seen again counts as new."""
    chain = backend.test_chain
    recent = RecentTransactions(2)
    first, second, third = (
        chain.transaction(chain.transfer("alice", "bob", amount)) for amount in (1, 2, 3)
    )
    for envelope in (first, second, third):
        chain.chain.push_transaction(envelope)
    for envelope in (first, second, first, third):
        recent.remember(chain.chain, envelope)
    found = [recent.find(chain.chain, item.id) for item in (first, second, third)]
    assert found == [first, None, third]
    for _ in range(2):
        recent.remember_block(chain.block().envelope)
    blocks = [chain.block(chain.transfer("alice", "bob", 10 + at)).envelope for at in range(3)]
    for block in blocks:
        recent.remember_block(block)
    assert len(recent) <= 2 + recent.maximum
    sent = [block.transactions[0][0] for block in blocks]
    assert [recent.find(chain.chain, one.id) for one in sent] == [None, *sent[1:]]


def test_what_is_over_is_remembered_no_more(backend: ChainBackend) -> None:
    """T-R1: once a transaction has expired nobody is told of it, and none is kept for long."""
    chain, recent = backend.test_chain, RecentTransactions()
    now_s = chain.chain.head_time

    def seen(amount: int, seconds: int) -> TransactionEnvelope:
        pay = chain.transfer("alice", "bob", amount)
        envelope = chain.transaction(pay, expiration=now_s + seconds)
        chain.chain.push_transaction(envelope)
        recent.remember(chain.chain, envelope)
        return envelope

    kept = [seen(amount, seconds) for amount, seconds in ((1, 60), (2, 61), (3, 9_000), (4, 62))]
    assert len(recent) == 4
    chain.blocks(1)
    chain.block_at(now_s + 100)
    later = [seen(amount, 9_000 + amount) for amount in (5, 6)]
    assert [recent.find(chain.chain, one.id) for one in (kept[2], *later)] == [kept[2], *later]
    assert len(recent) == 3


def test_the_next_id_of_a_type(backend: ChainBackend, client: Client) -> None:
    """Y5, A4: after what is pending, or after the last block."""
    chain = backend.test_chain
    assert client.call("get_next_object_id", 1, 7, True) == "1.7.0"
    chain.push(sell(chain, 10, 1))
    assert client.call("get_next_object_id", 1, 7, True) == "1.7.1"
    assert client.call("get_next_object_id", 1, 7, False) == "1.7.0"
    backend.produce()
    assert client.call("get_next_object_id", 1, 7, False) == "1.7.1"
    assert client.call("get_next_object_id", 1, 2, False) == "1.2.12"
    history = client.call("get_account_history", "alice", api="history")
    following = OperationHistoryId(parse_id(OperationHistoryId, history[0]["id"]) + 1)
    assert client.call("get_next_object_id", 1, 11, False) == operation_text(following)
    assert client.refuse("get_next_object_id", 9, 9, True)["data"]["name"] == "no_such_object"
    assert client.refuse("get_next_object_id", 256, 1, True)["code"] == -32602


def test_account_ids(backend: ChainBackend, client: Client) -> None:
    """By name or id; an unknown name is an error here, not null."""
    alice = account_text(backend.test_chain.account("alice"))
    assert client.call("get_account_id_from_string", "alice") == alice
    assert client.call("get_account_id_from_string", alice) == alice
    assert client.refuse("get_account_id_from_string", "nobody")["code"] == 10


def test_keys_that_are_registered(client: Client) -> None:
    """BitShares: what is no key is not registered either."""
    assert client.call("is_public_key_registered", key_of("alice")) is True
    for text in (key_of("stranger"), "", "TEST5", key_of("alice").replace("TEST", "BTS")):
        assert client.call("is_public_key_registered", text) is False
    assert client.refuse("is_public_key_registered", [5])["code"] == -32602


def test_the_accounts_with_most_votes(backend: ChainBackend, client: Client) -> None:
    """R8.11: as of the last maintenance, most stake first; nobody has any before."""
    chain = backend.test_chain
    assert client.call("get_top_voters", 10) == []
    vote = chain.state.witnesses.get(WitnessId(1)).vote_id
    for name in ("alice", "bob"):
        account = chain.state.account_named(name)
        options = replace(account.options, num_witness=1, votes=(vote,))
        backend.produce(AccountUpdate(NO_FEE, account.id, new_options=options))
    backend.produce(chain.transfer("alice", "bob", 1_000))
    backend.produce(slot=800)
    names = [item["name"] for item in client.call("get_top_voters", 10)]
    assert names[:2] == ["bob", "alice"]
    assert len(client.call("get_top_voters", 1)) == 1
    assert client.refuse("get_top_voters", 201)["code"] == -32602


def test_what_has_vested_of_genesis_balances() -> None:
    """R8.16: half of it after half of the time, and all of a balance without vesting."""
    owner = addresses_of(public_key(secret_of("wallet")))[0]
    genesis = replace(
        make_genesis("alice"),
        initial_balances=(InitialBalance(owner, "TEST", 500),),
        initial_vesting_balances=(
            InitialVestingBalance(owner, "TEST", 1_000, GENESIS_TIME, 1_000, 1_000),
        ),
    )
    backend = ChainBackend(TestChain(genesis=genesis))
    client = Client(backend)
    backend.produce(slot=100)
    assert backend.state.dynamic.time == GENESIS_TIME + 500
    vested = client.call("get_vested_balances", ["1.15.1", "1.15.0"])
    assert vested == [
        {"amount": 500, "asset_id": asset_text(CORE_ASSET)},
        {"amount": 500, "asset_id": asset_text(CORE_ASSET)},
    ]
    backend.produce(slot=50)
    assert client.call("get_vested_balances", ["1.15.1"])[0]["amount"] == 750
    assert client.refuse("get_vested_balances", ["1.15.9"])["data"]["name"] == "no_such_object"
    assert client.refuse("get_vested_balances", ["1.13.0"])["code"] == -32602


def test_whether_keys_suffice_for_an_account(backend: ChainBackend, client: Client) -> None:
    """R9.5: true only when they reach the threshold and none of them is in vain."""
    chain = backend.test_chain
    keys = tuple((public_key(secret_of(name)), 1) for name in ("alice", "bob"))
    shared = Authority(2, (), tuple(sorted(keys)))
    backend.produce(AccountUpdate(NO_FEE, chain.account("carol"), active=shared))
    cases = {
        ("alice", "bob"): True,
        ("alice",): False,
        ("carol",): True,
        ("alice", "bob", "stranger"): False,
        (): False,
    }
    for names, suffice in cases.items():
        signers: list[Json] = [key_of(name) for name in names]
        assert client.call("verify_account_authority", "carol", signers) is suffice, names
    assert client.call("verify_account_authority", "committee-account", []) is False
    assert client.refuse("verify_account_authority", "nobody", [])["code"] == 10
    assert client.refuse("verify_account_authority", "carol", [key_of("x")] * 101)["code"] == -32602


def test_committee_members_and_counts(client: Client) -> None:
    """By id; null for unknown ones, and no guess for ids of another type."""
    member = client.call("get_committee_member_by_account", "init0")
    assert client.call("get_committee_members", [member["id"], "1.5.99"]) == [member, None]
    assert client.call("get_committee_count") == 3
    assert client.call("get_worker_count") == 0
    for method in ("get_committee_members", "get_witnesses"):
        assert client.refuse(method, ["1.2.0"])["code"] == -32602


def test_workers_whose_time_has_ended(backend: ChainBackend, client: Client) -> None:
    """BitShares: all of them, or only those that are, or that are not, expired."""
    chain = backend.test_chain
    alice, now = chain.account("alice"), chain.state.dynamic.time
    for days in (1, 2):
        begin, end = now + 86_400 * days, now + 86_400 * (days + 1)
        backend.produce(
            WorkerCreate(NO_FEE, alice, begin, end, 7, "Docs", "", BurnWorkerInitializer())
        )
    backend.produce(slot=86_400 * 2 // 5 + 10)
    assert ids(client.call("get_all_workers")) == ["1.14.0", "1.14.1"]
    assert ids(client.call("get_all_workers", None)) == ["1.14.0", "1.14.1"]
    assert ids(client.call("get_all_workers", True)) == ["1.14.0"]
    assert ids(client.call("get_all_workers", False)) == ["1.14.1"]
    assert client.call("get_worker_count") == 2


def test_orders_of_an_account_in_a_market(backend: ChainBackend, client: Client) -> None:
    """R2.3: one side, best price first, older first at one price; pages by order and by price."""
    chain = backend.test_chain
    for core, usd in ((100, 10), (100, 5), (200, 10), (100, 20)):
        backend.produce(sell(chain, core, usd))

    def page(*arguments: Json) -> list[str]:
        return ids(client.call("get_account_limit_orders", "alice", "TEST", "USD", *arguments))

    assert page() == ["1.7.1", "1.7.2", "1.7.0", "1.7.3"]
    assert page(2) == ["1.7.1", "1.7.2"]
    assert page(101, "1.7.2") == ["1.7.2", "1.7.0", "1.7.3"]
    price = {
        "base": {"amount": 200, "asset_id": "1.3.0"},
        "quote": {"amount": 10, "asset_id": "1.3.1"},
    }
    assert page(101, None, price) == ["1.7.1", "1.7.2", "1.7.0", "1.7.3"]
    assert page(101, "1.7.99", price) == ["1.7.0", "1.7.3"], "the order is gone, its price is given"
    opposite = client.call("get_account_limit_orders", "alice", "USD", "TEST")
    assert opposite == [], "alice sells no USD"


def test_pages_of_orders_that_make_no_sense(backend: ChainBackend, client: Client) -> None:
    """An order of nobody without a price, a price of another market, and one that divides by 0."""
    backend.produce(sell(backend.test_chain, 100, 10))
    zero = {
        "base": {"amount": 1, "asset_id": "1.3.0"},
        "quote": {"amount": 0, "asset_id": "1.3.1"},
    }
    inverse = {"base": zero["quote"] | {"amount": 1}, "quote": zero["base"]}
    market = ("alice", "TEST", "USD")
    wrong: list[list[Json]] = [[102], [101, "1.7.9"], [101, None, zero], [101, None, inverse]]
    for arguments in wrong:
        assert client.refuse("get_account_limit_orders", *market, *arguments)
    for price in (zero, inverse):
        assert client.refuse(
            "get_grouped_limit_orders", "TEST", "USD", 100, price, 10, api="orders"
        )


def test_groups_from_a_price_on(backend: ChainBackend, client: Client) -> None:
    """BitShares: the first group is the one that reaches down to the price."""
    chain = backend.test_chain
    for core in (1_000, 995, 900, 800):
        backend.produce(sell(chain, core, 100))

    def groups(*arguments: Json) -> list[int]:
        method = ("get_grouped_limit_orders", "TEST", "USD", 100)
        found = client.call(*method, *arguments, api="orders")
        return [item["total_for_sale"] for item in found]

    def at(core: int) -> Json:
        quote = {"amount": 100, "asset_id": "1.3.1"}
        return {"base": {"amount": core, "asset_id": "1.3.0"}, "quote": quote}

    assert groups() == [1_995, 900, 800]
    assert groups(at(995), 10) == [1_995, 900, 800]
    assert groups(at(994), 10) == [900, 800]
    assert groups(at(900), 1) == [900]
    assert groups(None, 0) == []
    assert client.refuse("get_grouped_limit_orders", "TEST", "USD", 100, None, 102, api="orders")


def test_positions_and_settlements_in_pages(backend: ChainBackend, client: Client) -> None:
    """BitShares: from an id on, at most 300."""
    chain = backend.test_chain
    alice, debt = chain.account("alice"), chain.amount(10**4, "USD")
    backend.produce(*chain.feed("USD", 1, 10))
    backend.produce(CallOrderUpdate(NO_FEE, alice, chain.amount(10**6), debt))
    for _ in range(2):
        backend.produce(AssetSettle(NO_FEE, alice, chain.amount(100, "USD")))
    assert len(client.call("get_call_orders_by_account", "alice", "1.3.0", 300)) == 1
    assert client.call("get_call_orders_by_account", "alice", "1.3.2", 300) == []
    assert client.call("get_call_orders_by_account", "alice", "1.3.0", 0) == []
    assert len(client.call("get_margin_positions", "alice")) == 1
    assert ids(client.call("get_settle_orders_by_account", "alice", "1.4.0", 1)) == ["1.4.0"]
    assert ids(client.call("get_settle_orders_by_account", "alice", "1.4.1", 9)) == ["1.4.1"]
    for method, start in (
        ("get_call_orders_by_account", "1.3.0"),
        ("get_settle_orders_by_account", "1.4.0"),
    ):
        assert client.refuse(method, "alice", start, 301)["code"] == -32602
        assert client.refuse(method, "alice", "1.7.0", 300)["code"] == -32602


EMPTY_LISTS: dict[str, list[Json]] = {
    "list_credit_offers": [101, "1.21.0"],
    "get_credit_offers_by_owner": ["alice"],
    "get_credit_offers_by_asset": ["USD"],
    "list_credit_deals": [101, "1.22.0"],
    "get_credit_deals_by_offer_id": ["1.21.0"],
    "get_credit_deals_by_offer_owner": ["alice"],
    "get_credit_deals_by_borrower": ["alice"],
    "get_credit_deals_by_debt_asset": ["USD"],
    "get_credit_deals_by_collateral_asset": ["TEST"],
    "get_htlc_by_from": ["alice", "1.16.0", 100],
    "get_htlc_by_to": ["alice", "1.16.0", 100],
    "list_htlcs": ["1.16.0", 100],
    "list_tickets": [101, "1.18.0"],
    "get_tickets_by_account": ["alice"],
    "get_blinded_balances": [["02" * 33]],
}


@pytest.mark.parametrize("method", EMPTY_LISTS)
def test_nobody_uses_what_is_not_built(client: Client, method: str) -> None:
    """CLIENTS: bitshares-ui asks for them; it is told of a chain without any."""
    assert client.call(method, *EMPTY_LISTS[method]) == []


def test_what_is_not_built_is_null_in_its_place(client: Client) -> None:
    """CLIENTS: as many answers as questions."""
    assert client.call("get_htlc", "1.16.0") is None


def test_arguments_of_what_is_not_built_are_read(client: Client) -> None:
    """T-A2: an unknown account, an id of another type and a limit are refused all the same."""
    assert client.refuse("get_tickets_by_account", "nobody")["code"] == 10
    assert client.refuse("get_credit_offers_by_asset", "NOPE")["code"] == 10
    assert client.refuse("list_htlcs", "1.16.0", 101)["code"] == -32602
    assert client.refuse("list_tickets", 1, "1.19.0")["code"] == -32602


BITSHARES_METHODS = """
get_objects set_subscribe_callback set_auto_subscription set_pending_transaction_callback
set_block_applied_callback cancel_all_subscriptions get_block_header get_block_header_batch
get_block get_transaction get_recent_transaction_by_id get_chain_properties get_global_properties
get_config get_chain_id get_dynamic_global_properties get_next_object_id get_key_references
is_public_key_registered get_account_id_from_string get_accounts get_full_accounts get_top_voters
get_account_by_name get_account_references lookup_account_names lookup_accounts get_account_count
get_account_balances get_named_account_balances get_balance_objects get_vested_balances
get_vesting_balances get_assets list_assets lookup_asset_symbols get_asset_count
get_assets_by_issuer get_asset_id_from_string get_order_book get_limit_orders
get_limit_orders_by_account get_account_limit_orders get_call_orders get_call_orders_by_account
get_settle_orders get_settle_orders_by_account get_margin_positions get_collateral_bids
subscribe_to_market unsubscribe_from_market get_ticker get_24_volume get_top_markets
get_trade_history get_trade_history_by_sequence list_liquidity_pools
get_liquidity_pools_by_asset_a get_liquidity_pools_by_asset_b get_liquidity_pools_by_one_asset
get_liquidity_pools_by_both_assets get_liquidity_pools get_liquidity_pools_by_share_asset
get_liquidity_pools_by_owner list_samet_funds get_samet_funds_by_owner get_samet_funds_by_asset
list_credit_offers get_credit_offers_by_owner get_credit_offers_by_asset list_credit_deals
get_credit_deals_by_offer_id get_credit_deals_by_offer_owner get_credit_deals_by_borrower
get_credit_deals_by_debt_asset get_credit_deals_by_collateral_asset get_witnesses
get_witness_by_account lookup_witness_accounts get_witness_count get_committee_members
get_committee_member_by_account lookup_committee_member_accounts get_committee_count
get_all_workers get_workers_by_account get_worker_count lookup_vote_ids get_transaction_hex
get_transaction_hex_without_sig get_required_signatures get_potential_signatures
get_potential_address_signatures verify_authority verify_account_authority validate_transaction
get_required_fees get_proposed_transactions get_blinded_balances
get_withdraw_permissions_by_giver get_withdraw_permissions_by_recipient get_htlc get_htlc_by_from
get_htlc_by_to list_htlcs list_tickets get_tickets_by_account
"""


def test_the_database_api_has_the_methods_of_bitshares() -> None:
    """A4: none is missing, and none of ours hides among them."""
    assert set(APIS["database"]) == set(BITSHARES_METHODS.split())


OTHER_METHODS = {
    "login": """login logout get_info get_config get_available_api_sets network_broadcast database
        history network_node crypto block asset orders debug custom_operations""",
    "history": """get_account_history get_account_history_by_time get_account_history_operations
        get_relative_account_history get_block_operation_history get_block_operations_by_time
        get_fill_order_history get_market_history get_market_history_buckets
        get_account_history_by_operations get_liquidity_pool_history
        get_liquidity_pool_history_by_sequence""",
    "network_broadcast": """broadcast_transaction broadcast_transaction_with_callback
        broadcast_transaction_synchronous broadcast_block""",
    "network_node": """get_info add_node get_connected_peers get_potential_peers
        get_advanced_node_parameters set_advanced_node_parameters""",
    "block": "get_blocks",
    "asset": "get_asset_holders get_asset_holders_count get_all_asset_holders",
    "orders": "get_tracked_groups get_grouped_limit_orders",
    "crypto": """blind blind_sum verify_sum verify_range range_proof_sign verify_range_proof_rewind
        range_get_info""",
    "custom_operations": "get_storage_info",
    "debug": """debug_push_blocks debug_generate_blocks debug_update_object
        debug_stream_json_objects debug_stream_json_objects_flush""",
}
"""The methods of bitshares-core's other APIs, from `app/api.hpp` and `debug_api.hpp`."""


@pytest.mark.parametrize("api", OTHER_METHODS)
def test_every_api_has_the_methods_of_bitshares(api: str) -> None:
    """A4: none is missing."""
    assert set(OTHER_METHODS[api].split()) <= set(APIS[api])
