"""What methods answer: the numbers, the forms that arguments may have, and the limits."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.state.objects.governance import TRIGGER_FEED
from node.witness.stall import Awaited, Stall
from protocol.asset import NO_FEE, Price
from protocol.authority import Authority
from protocol.crypto.addresses import addresses_of
from protocol.crypto.keys import address_text, key_text, public_key, wif
from protocol.fees import DEFAULT_FEE_SCHEDULE
from protocol.json_form import to_json
from protocol.operations.account import AccountUpdate
from protocol.operations.bitasset import AssetSettle
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.proposal import ProposalCreate, ProposedOperation
from tests.support.api import ChainBackend, Client, Json, transaction_json
from tests.support.chain import TestChain, make_parameters
from tests.support.world import secret_of

ALICE_CORE = 10**10


@pytest.fixture
def backend() -> ChainBackend:
    """Alice and bob owe 10,000 USD units each against 1,000,000 and 500,000 CORE units."""
    chain = TestChain("alice", "bob", "carol")
    backend = ChainBackend(chain)
    backend.produce(*chain.feed("USD", 1, 10))
    for name, collateral in (("alice", 10**6), ("bob", 5 * 10**5)):
        debt = chain.amount(10**4, "USD")
        borrower = chain.account(name)
        backend.produce(CallOrderUpdate(NO_FEE, borrower, chain.amount(collateral), debt))
    return backend


@pytest.fixture
def client(backend: ChainBackend) -> Client:
    return Client(backend)


def sell_usd(backend: ChainBackend, name: str, usd: int, core: int) -> LimitOrderCreate:
    chain = backend.test_chain
    return LimitOrderCreate(
        NO_FEE, chain.account(name), chain.amount(usd, "USD"), chain.amount(core)
    )


def buy_usd(backend: ChainBackend, name: str, usd: int, core: int) -> LimitOrderCreate:
    chain = backend.test_chain
    return LimitOrderCreate(
        NO_FEE, chain.account(name), chain.amount(core), chain.amount(usd, "USD")
    )


def test_reads_show_pending_transactions(backend: ChainBackend, client: Client) -> None:
    """Trap 15: the balance has changed when the broadcast is answered, before any block."""
    chain = backend.test_chain
    before = client.call("get_account_balances", "carol", ["TEST"])[0]["amount"]
    body = transaction_json(chain.transaction(chain.transfer("alice", "carol", 5)))
    client.call("broadcast_transaction", body, api="network_broadcast")
    after = client.call("get_account_balances", "carol", ["TEST"])[0]["amount"]
    assert int(after) == int(before) + 5


def test_accounts_and_assets_by_name_or_id(client: Client) -> None:
    """CLIENTS: every account and asset argument takes a name or an id."""
    by_name = client.call("get_full_accounts", ["alice"], False)
    by_id = client.call("get_full_accounts", ["1.2.9"], False)
    assert by_name[0][0] == "alice"
    assert by_id[0][0] == "1.2.9"
    assert by_name[0][1] == by_id[0][1]
    for base, quote in (("USD", "TEST"), ("1.3.1", "1.3.0"), ("USD", "1.3.0")):
        assert client.call("get_limit_orders", base, quote, 10) == []
        assert client.call("get_order_book", base, quote, 10)["base"] == base


def test_what_is_missing_is_null_in_its_place(client: Client) -> None:
    """CLIENTS: null in a list for what does not exist; unknown full accounts are left out."""
    assert client.call("lookup_account_names", ["nobody", "1.2.9"])[0] is None
    assert client.call("get_accounts", ["1.2.9999"]) == [None]
    assert client.call("get_account_by_name", "nobody") is None
    assert client.call("lookup_asset_symbols", ["NOPE", "1.3.99"]) == [None, None]
    assert client.call("get_objects", ["1.2.9999", "1.12.0", "9.9.9"]) == [None, None, None]
    assert client.call("get_full_accounts", ["nobody"], False) == []
    assert client.call("get_block", 999) is None
    assert client.call("get_block_header", 0) is None
    assert client.call("get_witness_by_account", "alice") is None


def test_a_malformed_id_is_refused(client: Client) -> None:
    """T-A1: something that looks like an id and is none is no account name either."""
    for text in ("1.2.", "1.2.x", "1.2.-1", "1.2.99999999999999999999"):
        assert client.refuse("get_accounts", [text])["code"] in (10, -32602)


def test_integers_may_be_text(client: Client) -> None:
    """Trap 8: the JavaScript clients send 64 bit integers as strings."""
    assert client.call("get_block", "2") == client.call("get_block", 2)
    assert client.call("list_assets", "USD", "1") == client.call("list_assets", "USD", 1)


def test_a_transaction_in_every_accepted_form_has_the_same_bytes(
    backend: ChainBackend, client: Client
) -> None:
    """Trap 8: `[]` or `{}` for extensions, amounts as text, absent optional fields."""
    chain = backend.test_chain
    body = transaction_json(chain.transaction(sell_usd(backend, "alice", 10, 100), signers=[]))
    expected = client.call("get_transaction_hex", body)
    operation = body["operations"][0][1]
    operation["extensions"] = []
    operation["amount_to_sell"]["amount"] = "10"
    del operation["fee"]["asset_id"]
    operation["fee"]["asset_id"] = "1.3.0"
    body["unknown"] = 1
    assert client.call("get_transaction_hex", body) == expected
    assert expected.startswith(client.call("get_transaction_hex_without_sig", body))


def test_the_python_client_gets_integers_where_it_needs_them(client: Client) -> None:
    """Trap 9: these are used as numbers without a conversion."""
    head = client.call("get_objects", ["2.1.0"])[0]
    assert type(head["head_block_number"]) is int
    assert type(head["last_irreversible_block_num"]) is int
    asset = client.call("lookup_asset_symbols", ["USD"])[0]
    assert type(asset["precision"]) is int
    assert type(asset["options"]["flags"]) is int
    assert "bitasset_data_id" not in client.call("get_assets", ["TEST"])[0]
    parameters = client.call("get_global_properties")["parameters"]
    assert type(parameters["block_interval"]) is int
    feed = client.call("get_objects", ["2.4.0"])[0]["current_feed"]
    assert type(feed["maintenance_collateral_ratio"]) is int
    assert type(feed["maximum_short_squeeze_ratio"]) is int


def test_a_tapos_reference_can_be_taken(client: Client) -> None:
    """Trap 6: the Python client reads the header after the last irreversible block."""
    head = client.call("get_dynamic_global_properties")
    lib = head["last_irreversible_block_num"]
    assert lib < head["head_block_number"]
    assert len(client.call("get_block_header", lib + 1)["previous"]) == 40


def test_hard_coded_objects_exist(client: Client) -> None:
    """Trap 14: names and ids that clients ask for without being told."""
    assert client.call("get_account_by_name", "proxy-to-self")["id"] == "1.2.5"
    assert client.call("get_account_by_name", "witness-account")
    assert client.call("get_account_by_name", "null-account")
    assert None not in client.call("get_objects", ["2.0.0", "2.1.0", "2.11.0", "2.12.0", "2.8.0"])


def test_positions_come_least_collateralised_first(client: Client) -> None:
    """R4.1: bob's ratio is half of alice's; assets are read from `call_price`."""
    orders = client.call("get_call_orders", "USD", 10)
    assert [order["borrower"] for order in orders] == ["1.2.10", "1.2.9"]
    assert orders[0]["call_price"]["base"]["asset_id"] == "1.3.0"
    assert orders[0]["call_price"]["quote"]["asset_id"] == "1.3.1"
    assert client.call("get_call_orders", "USD", 1) == orders[:1]
    assert client.call("get_margin_positions", "alice") == orders[1:]


def test_our_positions_show_call_price_and_ratio(backend: ChainBackend, client: Client) -> None:
    """R1.10: 10,000 USD * 1.75 against 500,000 CORE is 7 / 200; the ratio 5 at 1 / 10."""
    backend.produce(sell_usd(backend, "alice", 100, 1000))
    positions = client.call("get_positions", "USD", api="pegboard")
    assert positions[0]["borrower_name"] == "bob"
    assert positions[0]["call_price"]["base"] == {"amount": 7, "asset_id": "1.3.1"}
    assert positions[0]["call_price"]["quote"] == {"amount": 200, "asset_id": "1.3.0"}
    assert positions[0]["collateral_ratio"] == 5000
    assert positions[0]["is_called"] is False


def test_our_positions_tell_how_far_the_feed_is_from_their_calls(
    backend: ChainBackend, client: Client
) -> None:
    """R4.2: SQP is 1 / 15, bob's call price 7 / 200 and alice's 7 / 400; by the feed 1 / 10."""
    positions = client.call("get_positions", "USD", api="pegboard")
    assert [one["feed_change_to_reach"] for one in positions] == [-4750, -7375]
    chain = backend.state.chain
    chain.margin_call_trigger = TRIGGER_FEED
    positions = client.call("get_positions", "USD", api="pegboard")
    assert [one["feed_change_to_reach"] for one in positions] == [-6500, -8250]


def test_our_market_shows_the_squeeze_and_the_best_bid(
    backend: ChainBackend, client: Client
) -> None:
    """R1.7: SQP is 1 / 10 over 1.5; the highest bid sells the BitAsset (R4.2)."""
    backend.produce(sell_usd(backend, "alice", 100, 2000), sell_usd(backend, "alice", 100, 1500))
    market = client.call("get_asset_market", "USD", api="pegboard")
    assert market["squeeze_protection_price"]["base"]["amount"] == 1
    assert market["squeeze_protection_price"]["quote"]["amount"] == 15
    assert market["highest_bid"]["id"] == "1.7.1"
    assert market["current_supply"] == "20000"
    assert market["position_count"] == 2
    assert market["is_margin_called"] is False
    refusal = client.refuse("get_asset_market", "TEST", api="pegboard")
    assert refusal["data"]["name"] == "not_market_issued"


def test_settlements_come_earliest_first(backend: ChainBackend, client: Client) -> None:
    """R5.4: the queue in its order, with names for people."""
    chain = backend.test_chain
    bob = chain.account("bob")
    for amount in (300, 200):
        backend.produce(AssetSettle(NO_FEE, bob, chain.amount(amount, "USD")))
    requests = client.call("get_settle_orders", "USD", 10)
    assert [request["balance"]["amount"] for request in requests] == [300, 200]
    named = client.call("get_settlements", "USD", api="pegboard")
    assert [request["owner_name"] for request in named] == ["bob", "bob"]


def test_the_order_book_in_decimals(backend: ChainBackend, client: Client) -> None:
    """A7: bids sell the base, asks the quote, amounts with all digits of their asset or none."""
    backend.produce(buy_usd(backend, "alice", 50_000, 1_000_000))
    backend.produce(sell_usd(backend, "bob", 5_000, 150_000))
    book = client.call("get_order_book", "TEST", "USD", 50)
    (bid,) = book["bids"]
    (ask,) = book["asks"]
    assert (bid["price"], bid["base"], bid["quote"]) == ("20", "10", "0.50000")
    assert (ask["price"], ask["base"], ask["quote"]) == ("30", "1.50000", "0.05000")
    assert bid["owner_name"] == "alice"
    mirrored = client.call("get_order_book", "USD", "TEST", 50)
    assert mirrored["bids"][0]["price"] == "0.0333333333333333333"
    assert mirrored["asks"][0]["price"] == "0.05"


def test_a_market_without_trades_is_all_zero(backend: ChainBackend, client: Client) -> None:
    """CLIENTS: the ticker is zero even with open orders."""
    backend.produce(sell_usd(backend, "bob", 5_000, 150_000))
    ticker = client.call("get_ticker", "TEST", "USD")
    numbers = {key: value for key, value in ticker.items() if key not in ("time", "base", "quote")}
    assert set(numbers.values()) == {"0"}
    volume = client.call("get_24_volume", "TEST", "USD")
    assert (volume["base_volume"], volume["quote_volume"]) == ("0", "0")


def test_trades_reach_ticker_history_and_buckets(backend: ChainBackend, client: Client) -> None:
    """CLIENTS: one trade of 1,000 USD units for 12,000 CORE units, seen from both sides."""
    backend.produce(sell_usd(backend, "alice", 1_000, 12_000))
    backend.produce(buy_usd(backend, "bob", 1_000, 12_000))
    ticker = client.call("get_ticker", "TEST", "USD")
    assert (ticker["latest"], ticker["base_volume"], ticker["quote_volume"]) == (
        "12",
        "0.12",
        "0.01",
    )
    mirrored = client.call("get_ticker", "USD", "TEST")
    assert mirrored["latest"] == "0.0833333333333333333"
    assert (mirrored["base_volume"], mirrored["quote_volume"]) == ("0.01", "0.12")
    far, past = "2030-01-01T00:00:00", "2000-01-01T00:00:00"
    (trade,) = client.call("get_trade_history", "TEST", "USD", far, past, 10)
    assert (trade["price"], trade["amount"], trade["value"]) == ("12", "0.01000", "0.12000")
    assert (trade["side1_account_id"], trade["side2_account_id"]) == ("1.2.9", "1.2.10")
    assert trade["type"] == "sell"
    fills = client.call("get_fill_order_history", "USD", "TEST", 10, api="history")
    assert [fill["key"]["sequence"] for fill in fills] == [-1, 0]
    assert [fill["op"]["is_maker"] for fill in fills] == [True, False]
    (bucket,) = client.call("get_market_history", "TEST", "USD", 60, past, far, api="history")
    assert (bucket["open_base"], bucket["open_quote"]) == (12_000, 1_000)
    assert (bucket["base_volume"], bucket["quote_volume"]) == (12_000, 1_000)
    before = client.call("get_trade_history_by_sequence", "TEST", "USD", 1, past, 10)
    assert before == []


def test_account_history_is_newest_first_and_bounded(backend: ChainBackend, client: Client) -> None:
    """CLIENTS: ids above `stop`, at most `limit`; both the sender and the receiver have it."""
    chain = backend.test_chain
    for amount in (1, 2, 3):
        backend.produce(chain.transfer("alice", "carol", amount))

    def read(account: str, stop: str, limit: int, start: str) -> Json:
        return client.call("get_account_history", account, stop, limit, start, api="history")

    history = read("carol", "1.11.0", 100, "1.11.0")
    assert [entry["op"][1]["amount"]["amount"] for entry in history] == [3, 2, 1]
    assert all(entry["op"][0] == 0 and entry["result"] == [0, {}] for entry in history)
    newer = client.call(
        "get_account_history", "1.2.11", history[1]["id"], 100, "1.11.0", api="history"
    )
    assert newer == history[:1]
    one = client.call("get_account_history", "carol", "1.11.0", 1, history[1]["id"], api="history")
    assert one == history[1:2]
    relative = client.call("get_relative_account_history", "carol", 2, 10, 0, api="history")
    assert relative == history[:2]
    assert client.call("get_account_history", "nobody", api="history") == []
    statistics = client.call("get_full_accounts", ["carol"], False)[0][1]["statistics"]
    assert statistics["total_ops"] == 3
    (entry,) = client.call("get_objects", [statistics["most_recent_op"]])
    assert (entry["operation_id"], entry["sequence"]) == (history[0]["id"], 3)
    (before,) = client.call("get_objects", [entry["next"]])
    assert (before["operation_id"], before["account"]) == (history[1]["id"], entry["account"])


def test_fees_by_schedule_and_by_exchange_rate() -> None:
    """R8.17: the schedule's fee, rounded up at another asset's rate; a proposal has two parts."""
    parameters = make_parameters(current_fees=DEFAULT_FEE_SCHEDULE)
    chain = TestChain("alice", "bob", parameters=parameters)
    backend = ChainBackend(chain)
    client = Client(backend)
    transfer = chain.transfer("alice", "bob", 5)
    body = transaction_json(chain.transaction(transfer, signers=[]))["operations"]
    assert client.call("get_required_fees", body, "TEST") == [
        {"amount": 2_000_000, "asset_id": "1.3.0"}
    ]
    usd = chain.state.asset_named("USD")
    rate = Price(chain.amount(3, "USD"), chain.amount(7))
    usd.options = replace(usd.options, core_exchange_rate=rate)
    (fee,) = client.call("get_required_fees", body, "USD")
    assert fee == {"amount": 857_143, "asset_id": "1.3.1"}
    proposal = ProposalCreate(
        NO_FEE, chain.account("alice"), chain.chain.head_time + 100, (ProposedOperation(transfer),)
    )
    body = transaction_json(chain.transaction(proposal, signers=[]))["operations"]
    ((own, proposed),) = client.call("get_required_fees", body, "TEST")
    assert proposed == [{"amount": 2_000_000, "asset_id": "1.3.0"}]
    assert int(own["amount"]) >= 2_000_000


def test_who_has_to_sign(backend: ChainBackend, client: Client) -> None:
    """R9.5: potential keys reach through accounts; required ones are those that help."""
    chain = backend.test_chain
    keys = {name: public_key(secret_of(name)) for name in ("alice", "bob", "carol")}
    texts = {name: key_text(key, "TEST") for name, key in keys.items()}
    shared = Authority(2, ((chain.account("bob"), 1),), ((keys["alice"], 1),))
    backend.produce(AccountUpdate(NO_FEE, chain.account("carol"), active=shared))
    operation = chain.transfer("carol", "bob", 5)
    body = transaction_json(chain.transaction(operation, signers=[]))
    potential = client.call("get_potential_signatures", body)
    assert sorted(potential) == sorted(texts.values())
    available = [texts["alice"], texts["bob"], key_text(public_key(secret_of("x")), "TEST")]
    required = client.call("get_required_signatures", body, available)
    assert sorted(required) == sorted([texts["alice"], texts["bob"]])
    assert client.call("get_potential_address_signatures", body) == []
    signed = transaction_json(chain.transaction(operation, signers=["alice", "bob"]))
    assert client.call("verify_authority", signed) is True
    partly = transaction_json(chain.transaction(operation, signers=["alice"]))
    assert client.refuse("verify_authority", partly)["code"] == 4010001


def test_validation_leaves_no_trace(backend: ChainBackend, client: Client) -> None:
    """R9.3: the results as if it were applied, and then the same balances as before."""
    chain = backend.test_chain
    before = chain.state.state_hash()
    body = transaction_json(chain.transaction(sell_usd(backend, "alice", 10, 100)))
    assert client.call("validate_transaction", body)["operation_results"] == [[1, "1.7.0"]]
    assert chain.state.state_hash() == before


def test_keys_find_their_accounts(backend: ChainBackend, client: Client) -> None:
    """CLIENTS: by any authority or the memo key; a key that was replaced is forgotten."""
    chain = backend.test_chain
    old, new = (key_text(public_key(secret_of(name)), "TEST") for name in ("carol", "other"))
    assert client.call("get_key_references", [old, new]) == [["1.2.11"], []]
    authority = Authority(1, (), ((public_key(secret_of("other")), 1),))
    options = replace(
        chain.state.account_named("carol").options, memo_key=public_key(secret_of("other"))
    )
    carol = chain.account("carol")
    backend.produce(AccountUpdate(NO_FEE, carol, authority, authority, options))
    assert client.call("get_key_references", [old, new]) == [[], ["1.2.11"]]


def test_accounts_in_the_order_of_names(client: Client) -> None:
    """CLIENTS: names and ids from a name on; the limit is inclusive."""
    assert client.call("lookup_accounts", "b", 2) == [["bob", "1.2.10"], ["carol", "1.2.11"]]
    assert client.refuse("lookup_accounts", "", 1001)["code"] == -32602


def test_only_exact_symbols_come_first(client: Client) -> None:
    """CLIENTS: btsdex takes the first of `list_assets(SYMBOL, 1)`."""
    assert client.call("list_assets", "USD", 1)[0]["symbol"] == "USD"
    assert [asset["symbol"] for asset in client.call("list_assets", "", 100)] == ["TEST", "USD"]


def test_balances_all_or_asked_for(client: Client) -> None:
    """CLIENTS: without assets all that is not zero, with assets one each, zero included."""
    asked = client.call("get_account_balances", "carol", ["USD", "TEST"])
    assert asked[0] == {"amount": 0, "asset_id": "1.3.1"}
    assert client.call("get_account_balances", "1.2.11", []) == asked[1:]


def test_blocks_are_made_on_demand_on_a_development_chain(
    backend: ChainBackend, client: Client
) -> None:
    """The `debug` API exists only where the backend says so; the key must be one."""
    key = wif(secret_of("init0"))
    head = client.call("get_dynamic_global_properties")["head_block_number"]
    assert client.call("debug_generate_blocks", key, 3, api="debug") == head + 3
    assert client.refuse("debug_generate_blocks", "5K", 3, api="debug")
    assert client.refuse("debug_generate_blocks", key, 0, api="debug")["code"] == -32602
    backend.is_development = False
    for method, api in (("debug_generate_blocks", "debug"), ("debug", 1)):
        arguments: list[Json] = [key, 1] if api == "debug" else []
        error = client.refuse(method, *arguments, api=api)
        assert error["data"]["name"] == "is_allowed"


def test_the_state_hash_is_of_the_head(backend: ChainBackend, client: Client) -> None:
    """Tools compare nodes by it."""
    told = client.call("get_state_hash", api="pegboard")
    assert told["block_id"] == backend.test_chain.chain.head_id.hex()
    assert told["state_hash"] == backend.state.state_hash().hex()


def test_node_info_tells_what_commands_show(backend: ChainBackend, client: Client) -> None:
    """Prefixes, producers' term, peers, head and irreversible block, and how the chain stalls."""
    info = client.call("get_node_info", api="pegboard")
    assert (info["display_prefix"], info["producer_term"]) == ("bit", "witness")
    assert info["margin_call_trigger"] == "bid"
    assert (info["settle_match"], info["pay_mcop"]) == (False, False)
    backend.state.chain.settle_match = True
    assert client.call("get_node_info", api="pegboard")["settle_match"] is True
    assert info["peers"][0]["address"] == "127.0.0.1:1776"
    assert info["last_irreversible_block_num"] < info["head_block_number"]
    assert (info["stall"], info["split"]) == (None, None)
    backend.split = "10.0.0.1 calls another block irreversible"
    assert client.call("get_node_info", api="pegboard")["split"] == backend.split
    waits_for = Awaited("votes", "2 of 4 vote"), Awaited("peers", "none is connected")
    backend.stall = Stall("irreversibility", 40, 12, waits_for)
    assert client.call("get_node_info", api="pegboard")["stall"] == {
        "what": "irreversibility",
        "waits_for": [
            {"what": "votes", "detail": "2 of 4 vote"},
            {"what": "peers", "detail": "none is connected"},
        ],
    }


def test_groups_of_orders_add_up(backend: ChainBackend, client: Client) -> None:
    """bitshares-ui: orders within 1 % of the best of their group become one line."""
    for usd, core in ((100, 10_000), (100, 10_050), (100, 12_000)):
        backend.produce(sell_usd(backend, "alice", usd, core))
    groups = client.call("get_grouped_limit_orders", "USD", "TEST", 100, None, 10, api="orders")
    assert [group["total_for_sale"] for group in groups] == [200, 100]
    assert groups[0]["max_price"]["quote"]["amount"] == 10_000
    assert groups[0]["min_price"]["quote"]["amount"] == 10_050
    assert (
        client.call("get_grouped_limit_orders", "USD", "TEST", 100, None, 1, api="orders")
        == groups[:1]
    )


def test_governance_lookups(client: Client) -> None:
    """Votes, witnesses and committee members by id, by account and by name."""
    witness = client.call("get_witness_by_account", "init0")
    assert client.call("lookup_vote_ids", [witness["vote_id"], "1:9999"]) == [witness, None]
    names = client.call("lookup_witness_accounts", "init1", 10)
    assert names == [["init1", "1.6.2"], ["init2", "1.6.3"]]
    assert client.call("get_witnesses", ["1.6.1", "1.6.99"]) == [witness, None]
    member = client.call("get_committee_member_by_account", "init0")
    assert client.call("lookup_vote_ids", [member["vote_id"]]) == [member]


def test_an_operation_that_nobody_knows_is_refused(client: Client) -> None:
    """T-A1: the argument, the place in it and the number are named."""
    error = client.refuse("get_required_fees", [[200, {}]], "TEST")
    assert error["code"] == -32602
    assert "ops" in error["message"]
    assert error["data"]["value"] == 200


def test_balance_objects_by_address(client: Client) -> None:
    """CLIENTS: an address without a claimable balance has none."""
    address = addresses_of(public_key(secret_of("alice")))[0]
    assert client.call("get_balance_objects", [address_text(address, "TEST")]) == []
    assert client.refuse("get_balance_objects", ["nonsense"])


def test_config_names_the_constants_of_bitshares(client: Client) -> None:
    """CLIENTS: `get_config` is read by explorers."""
    config = client.call("get_config")
    assert config["GRAPHENE_ADDRESS_PREFIX"] == "TEST"
    assert config["GRAPHENE_MAX_SHARE_SUPPLY"] == "1000000000000000"


def test_blocks_in_ranges(client: Client) -> None:
    """API `block`: both ends included, null beyond the head."""
    blocks = client.call("get_blocks", 2, 5, api="block")
    assert blocks[0] == client.call("get_block", 2)
    assert blocks[-1] is None
    assert client.refuse("get_blocks", 1, 101, api="block")["code"] == -32602
    assert client.refuse("get_blocks", 5, 4, api="block")["code"] == -32602
    transaction = client.call("get_transaction", 2, 0)
    assert transaction == client.call("get_block", 2)["transactions"][0]
    assert client.refuse("get_transaction", 2, 9)["data"]["name"] == "no_such_object"


def test_the_block_equals_its_declared_form(backend: ChainBackend, client: Client) -> None:
    """CLIENTS: a block has no id in it, and its signature is 65 bytes."""
    block = client.call("get_block", 2)
    assert block == to_json(backend.blocks[2].block, "TEST")
    assert "id" not in block
    assert len(block["witness_signature"]) == 130
