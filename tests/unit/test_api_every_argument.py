"""C1: no method ignores what it is given. For each parameter there are two values that are both
good, and get different answers, whatever else the arguments are."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest

from node.api.arguments import Parameter, parameters_of
from node.api.methods import funds, pools, unbuilt
from node.api.methods.tables import APIS
from protocol.ids import order_text
from tests.support.api import ChainBackend, Client, Json, transaction_json
from tests.support.arguments import EVERY_PARAMETER, IDS, SAMPLES, kinds_of, sample
from tests.support.busy import a_busy_backend, arguments_of

EMPTY = {method.__name__ for method in unbuilt.METHODS}
"""What this chain does not have: every answer is empty."""
REFUSED = {"debug_push_blocks", "debug_update_object", "debug_stream_json_objects"}
NOT_IN_ANSWERS = {
    "subscribe": "decides whether changes are told, tested in test_api_subscriptions",
    "callback": "is where notices go, tested in test_api_subscriptions",
    "notify_remove_create": "decides what is told, tested in test_api_subscriptions",
    "enable": "decides what is told, tested in test_api_subscriptions",
    "user": "there are no users",
    "password": "there are no users",
    "by": "whose pause it is, tested in test_cli_up",
    "debug_key": "signs the blocks, tested in test_api_sets",
}
"""Parameters that change something else than the answer."""
ELSEWHERE = {
    "subscribe_to_market": "notices, tested in test_api_subscriptions",
    "unsubscribe_from_market": "notices, tested in test_api_subscriptions",
    "add_node": "peers, tested in test_api_sets",
    "broadcast_transaction": "the chain, tested in test_api_envelope",
    "broadcast_transaction_with_callback": "the chain, tested in test_api_subscriptions",
    "broadcast_transaction_synchronous": "the chain, tested in test_api_subscriptions",
    "broadcast_block": "the chain, tested in test_api_core_methods",
    "drop_snapshot": "needs a snapshot, tested in test_cli_time",
    "revert": "needs a snapshot, tested in test_cli_time",
    "rewind": "needs blocks that can be undone, tested in test_cli_time",
    "drop_branch": "needs a branch, tested in test_cli_time",
    "switch_branch": "needs a branch, tested in test_cli_time",
    "set_clock_offset": "the clock, tested in test_time_travel",
    "network_mine": "needs a network, tested in test_cli_up",
    "network_travel": "needs a network, tested in test_cli_up",
    "network_rewind": "needs a network, tested in test_cli_up",
    "drop_state": "needs a state that is held, tested in test_cli_export",
    "faucet": "the chain, tested in test_cli_time",
    "is_impersonated": "needs one who is, tested in test_cli_time",
    "push_packed_blocks": "the chain, tested in test_cli_time",
    "get_storage_info": "needs stored values, tested in test_api_core_methods",
    "explain_margin_call": "needs a margin call, tested in test_history_chain",
    "get_margin_call_history": "needs a margin call, tested in test_history_chain",
    "get_asset_events": "needs a settled asset, tested in test_history_chain",
    "get_vesting_balances": "needs a vesting balance, tested in test_api_database",
    "get_potential_address_signatures": "needs addresses, tested in test_api_signatures",
    "verify_authority": "true or a refusal, tested in test_api_signatures",
    "get_assets_by_issuer": "one account issued one asset, tested in test_api_database",
    "get_asset_market": "there is one BitAsset, any other is refused",
    "get_settlements": "there is one BitAsset, any other is refused",
    "explain_position": "there is one BitAsset, any other is refused",
    "play_lesson": "a market of its own, tested in test_api_lessons",
    "shock": "needs margin calls, tested in test_api_whatif",
    "list_margin_calls": "needs a margin call, tested in test_api_listings",
    "list_positions": "there is one BitAsset, any other is refused",
    "get_positions": "there is one BitAsset, any other is refused",
    "get_recent_transaction_by_id": "tested in test_api_database",
    "explain_sent": "tested in test_explain_waiting",
    "get_balance_objects": "needs balances of genesis, tested in test_api_database",
    "get_vested_balances": "needs balances of genesis, tested in test_api_database",
    "get_collateral_bids": "needs a settled asset, tested in test_api_methods",
    **dict.fromkeys(
        (method.__name__ for method in (*pools.METHODS, *pools.HISTORY_METHODS)),
        "needs pools, tested in test_api_pools",
    ),
    **dict.fromkeys(
        (method.__name__ for method in funds.METHODS), "needs funds, tested in test_samet_chain"
    ),
    "get_top_voters": "needs a count of votes, tested in test_api_database",
}
"""Methods whose effects, or what they look at, is not on the busy chain."""


def values_for(backend: ChainBackend, name: str, parameter: Parameter) -> list[Json]:
    """Good values of a parameter that may make a difference."""
    kind, most = kinds_of(parameter.argument.kind)
    singles = _plain(kind) or _of_the_chain(backend, name, parameter, kind)
    if most:
        return [[], *([one] for one in singles), singles[:2]]
    return singles if parameter.required else [*singles, None]


def _plain(kind: str) -> list[Json]:
    """Values of kinds that need no chain."""
    if kind == "boolean":
        return [False, True]
    if kind.startswith("limit,"):
        return [0, 1, 2, 50]
    if kind.startswith("integer"):
        low = 1 if kind.startswith("integer from 1 ") else 0
        return [low, 2, 1_000] if "10000" in kind else [low, 1, 2, 3, 4, 5, 7, 60, 3600]
    if kind.startswith("time"):
        return ["1970-01-01T00:00:00", "1970-01-01T00:00:01", "2100-01-01T00:00:00", "+1h", "+2h"]
    if kind == "object id":
        return ["2.1.0", "2.0.0", "1.2.9"]
    if kind == "step":
        return [{"blocks": 1}, {"blocks": 2}, {"time": "+1h"}]
    if kind == "shock":
        return [{}, {"feed_change": -5_000}, {"take_bids": 10_000}]
    if kind == "operation":
        return [[0, {}], [10, {}], [5, {"name": "x" * 99}], [22, {}]]
    if kind.lower() in IDS:
        space, type_ = IDS[kind.lower()]
        return [f"{space}.{type_}.{number}" for number in (0, 1, 2, 5, 7, 9, 12)]
    if kind == "price":
        return [a_price(one, other) for one, other in ((1, 1), (10**9, 1), (1, 10**9))]
    return []


def a_price(one: int, other: int) -> Json:
    return {
        "base": {"amount": one, "asset_id": "1.3.1"},
        "quote": {"amount": other, "asset_id": "1.3.0"},
    }


def _of_the_chain(backend: ChainBackend, name: str, parameter: Parameter, kind: str) -> list[Json]:
    head = backend.test_chain.chain
    accounts: list[Json] = ["alice", "bob", "carol", "init1", "committee-account"]
    if kind == "account name or id" or parameter.name in ("account", "names_or_ids", "names"):
        return accounts
    if kind == "asset symbol or id" or name in ("get_assets", "lookup_asset_symbols"):
        return ["USD", "TEST"]
    if name == "explain_order":
        return [order_text(order.id) for order in head.state.limit_orders.in_order()]
    if kind == "block number":
        return [0, 1, 2, head.head_num - 1, head.head_num]
    if kind == "public key":
        keys = Client(backend).call("get_accounts", ["alice", "bob"], False)
        return [account["active"]["key_auths"][0][0] for account in keys]
    if "transaction" in kind:
        return list(_transactions(backend))
    return [*accounts, "USD", "TEST", "", "zzz", "1.3.1", "0:1", "1:2", SAMPLES["public key"]]


def _transactions(backend: ChainBackend) -> Iterator[Json]:
    chain = backend.test_chain
    later = chain.state.dynamic.time + 600
    for sender, receiver in (("alice", "bob"), ("bob", "alice")):
        transfer = chain.transfer(sender, receiver, 3)
        yield transaction_json(chain.transaction(transfer, expiration=later))
        yield transaction_json(chain.transaction(transfer, signers=[], expiration=later))


def results(backend: ChainBackend, api: str, name: str, calls: Iterator[list[Json]]) -> set[str]:
    """The different results of calls, refusals left out."""
    found = set()
    for arguments in calls:
        answer = Client(backend).answer(name, *arguments, api=api)
        if "result" in answer:
            found.add(json.dumps(answer["result"], sort_keys=True))
        if len(found) > 1:
            break
    return found


@pytest.fixture(scope="module")
def busy() -> ChainBackend:
    return a_busy_backend()


@pytest.mark.parametrize(("api", "name", "place"), EVERY_PARAMETER)
def test_every_argument_has_an_effect(busy: ChainBackend, api: str, name: str, place: int) -> None:
    """C1: with all other arguments the same."""
    parameters = parameters_of(APIS[api][name])
    parameter = parameters[place]
    if name in EMPTY | REFUSED | ELSEWHERE.keys() or parameter.name in NOT_IN_ANSWERS:
        return
    backend = a_busy_backend() if api in ("debug", "pegboard_dev") else busy
    base = arguments_of(backend, api, name)
    base += [sample(name, other) for other in parameters[len(base) :]]
    choices = [values_for(backend, name, other) for other in parameters]
    others = [
        [[value] for value in [base[index], *choices[index]]] if index != place else [[None]]
        for index in range(len(parameters))
    ]
    for combination in itertools.islice(itertools.product(*others), 400):
        arguments = [value for (value,) in combination]

        def calls(arguments: list[Json] = arguments) -> Iterator[list[Json]]:
            for value in values_for(backend, name, parameter):
                yield [*arguments[:place], value, *arguments[place + 1 :]]

        if len(results(backend, api, name, calls())) > 1:
            return
    raise AssertionError(f"{parameter.name} of {api}.{name} changes no answer")


def test_the_exceptions_are_still_needed() -> None:
    """Each names a method or parameter that there is."""
    methods = {name: method for table in APIS.values() for name, method in table.items()}
    assert EMPTY | REFUSED | ELSEWHERE.keys() <= methods.keys()
    names = {one.name for method in methods.values() for one in parameters_of(method)}
    assert NOT_IN_ANSWERS.keys() <= names
