"""A6: what programs look for in the messages of refusals, each as its authors wrote it.

Each refusal is provoked through the API, and the pattern is applied to the message that arrives.
What the same programs look for at the very beginning of a message, as nodes before "Execution
error: " wrote it, is looked for anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from node.api.json_text import joined
from node.api.words import WORDS, core_words
from node.state.errors import InsufficientBalance
from protocol.asset import NO_FEE
from protocol.authority import Authority
from protocol.constants import CORE_ASSET, PROXY_TO_SELF_ACCOUNT
from protocol.errors import PegboardError
from protocol.ids import LimitOrderId
from protocol.operations.account import AccountCreate, AccountOptions
from protocol.operations.base import Operation
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.transaction import TransactionEnvelope
from tests.support.api import ChainBackend, Client, Json, transaction_json
from tests.support.chain import TestChain
from tests.support.world import key_of

BROADCAST = "network_broadcast"
YEAR_S = 366 * 86_400


class Desk:
    """A chain, and a client that is refused."""

    def __init__(self) -> None:
        self.chain = TestChain("alice", "bob")
        self.backend = ChainBackend(self.chain)
        self.backend.produce(*self.chain.feed("USD", 1, 10))
        self.backend.produce()
        self.client = Client(self.backend)

    def refusal(self, method: str, *arguments: Json, api: int | str = 0) -> str:
        """The message that a call is refused with."""
        return str(self.client.refuse(method, *arguments, api=api)["message"])

    def broadcast(self, *operations: Operation, signers: list[str] | None = None) -> str:
        """The message that a transaction of operations is refused with."""
        return self.push(self.chain.transaction(*operations, signers=signers))

    def push(self, envelope: TransactionEnvelope) -> str:
        """The message that a transaction is refused with."""
        return self.refusal("broadcast_transaction", transaction_json(envelope), api=BROADCAST)

    def transfer(self, amount: int, symbol: str = "TEST") -> Transfer:
        return self.chain.transfer("alice", "bob", amount, symbol)

    def order(self, sells: int, receives: int) -> Operation:
        amounts = self.chain.amount(sells), self.chain.amount(receives, "USD")
        return LimitOrderCreate(NO_FEE, self.chain.account("alice"), *amounts)


def sells_nothing(desk: Desk) -> str:
    return desk.broadcast(desk.order(0, 5))


def wants_nothing(desk: Desk) -> str:
    return desk.broadcast(desk.order(5, 0))


def sends_nothing(desk: Desk) -> str:
    return desk.broadcast(desk.transfer(0))


def expired(desk: Desk) -> str:
    return desk.push(
        desk.chain.transaction(desk.transfer(5), expiration=desk.chain.chain.head_time - 1)
    )


def expires_too_late(desk: Desk) -> str:
    late = desk.chain.chain.head_time + YEAR_S
    return desk.push(desk.chain.transaction(desk.transfer(5), expiration=late))


def of_another_fork(desk: Desk) -> str:
    return desk.push(desk.chain.transaction(desk.transfer(5), reference=(1, 7)))


def has_none_of_it(desk: Desk) -> str:
    return desk.broadcast(desk.transfer(5, "USD"))


def has_too_little(desk: Desk) -> str:
    return desk.broadcast(desk.transfer(desk.chain.balance("alice") + 1))


def sells_too_much(desk: Desk) -> str:
    return desk.broadcast(desk.order(desk.chain.balance("alice") + 1, 1))


def order_is_gone(desk: Desk) -> str:
    return desk.broadcast(LimitOrderCancel(NO_FEE, desk.chain.account("alice"), LimitOrderId(99)))


def another_key(desk: Desk) -> str:
    return desk.broadcast(desk.transfer(5), signers=["bob"])


def a_key_too_many(desk: Desk) -> str:
    return desk.broadcast(desk.transfer(5), signers=["alice", "bob"])


def twice(desk: Desk) -> str:
    envelope = desk.chain.transaction(desk.transfer(5))
    desk.client.call("broadcast_transaction", transaction_json(envelope), api=BROADCAST)
    return desk.push(envelope)


def no_operations(desk: Desk) -> str:
    return desk.push(desk.chain.transaction(signers=["alice"]))


def to_oneself(desk: Desk) -> str:
    return desk.broadcast(desk.chain.transfer("alice", "alice", 5))


def a_name(desk: Desk, name: str) -> str:
    owner = Authority(1, (), ((key_of("carol"), 1),))
    options = AccountOptions(key_of("carol"), PROXY_TO_SELF_ACCOUNT, 0, 0, ())
    alice = desk.chain.account("alice")
    return desk.broadcast(AccountCreate(NO_FEE, alice, alice, 0, name, owner, owner, options))


def a_bad_name(desk: Desk) -> str:
    return a_name(desk, "-")


def a_taken_name(desk: Desk) -> str:
    return a_name(desk, "bob")


def an_empty_pool(desk: Desk) -> str:
    operation = replace(desk.transfer(5), fee=desk.chain.amount(10**6, "USD"))
    return desk.broadcast(operation)


def unknown_account(desk: Desk) -> str:
    return desk.refusal("get_account_balances", "nobody", [])


def unknown_asset(desk: Desk) -> str:
    return desk.refusal("get_ticker", "NOPE", "TEST")


def unknown_method(desk: Desk) -> str:
    return desk.refusal("get_everything")


def unknown_number(desk: Desk) -> str:
    return desk.refusal("get_account_history", "alice", api=77)


def not_given(desk: Desk) -> str:
    return desk.refusal("crypto", api=1)


def no_json(desk: Desk) -> str:
    (text,) = desk.client.session.receive("{nothing")
    return str(json.loads(joined(text))["error"]["message"])


@dataclass(frozen=True)
class Pattern:
    """What a program looks for, where, and the call that it looks for it after."""

    source: str
    regex: str
    provoke: Callable[[Desk], str]


DEXBOT = "DEXBot dexbot/orderengines/bitshares_engine.py"
MOBILE = "bitshares-mobile-app ExtensionsActivity.kt, OrgUtils.m"
PYTHON = "python-bitshares bitsharesapi/bitsharesnoderpc.py"
RSQUARED = "R-Squared wallet formatChainError"
BALANCE = (
    r"(?i)Insufficient Balance:\s*([a-z0-9-]+)'s balance of ([\d.]+)\s*([A-Z]+)"
    r"\s*is less than required\s*([\d.]+)\s*([A-Z]+)"
)
PATTERNS = [
    Pattern(DEXBOT, r"Assert Exception: amount_to_sell\.amount > 0", sells_nothing),
    Pattern(DEXBOT, r"now <= trx\.expiration", expired),
    Pattern(
        DEXBOT,
        r"trx\.expiration <= now \+ chain_parameters\.maximum_time_until_expiration",
        expires_too_late,
    ),
    Pattern(DEXBOT, r"Assert Exception: delta\.amount > 0: Insufficient Balance", has_none_of_it),
    Pattern(
        DEXBOT, r"trx\.ref_block_prefix == tapos_block_summary\.block_id\._hash", of_another_fork
    ),
    Pattern(
        DEXBOT,
        r"Assert Exception: maybe_found != nullptr: Unable to find Object 1\.7\.99",
        order_is_gone,
    ),
    Pattern("DEXBot issue 276", r"Assert Exception: min_to_receive\.amount > 0", wants_nothing),
    Pattern("DEXBot issue 85", r"Assert Exception: operations\.size\(\) > 0: A tr", no_operations),
    Pattern("DEXBot dexbot/ui.py", r"amount_to_sell\.amount > 0", sells_nothing),
    Pattern("DEXBot2 chain_client.ts", r"_local_apis", unknown_number),
    Pattern("DEXBot2 chain_client.ts", r"Assert Exception.*api_id", unknown_number),
    Pattern("Lykke's BitShares gateway", r"insufficient_balance", has_too_little),
    Pattern("Lykke's BitShares gateway", r"amount\.amount > 0", sends_nothing),
    Pattern("Lykke's BitShares gateway", r"now <= trx\.expiration", expired),
    Pattern(MOBILE, r"no such account", unknown_account),
    Pattern(MOBILE, r"Insufficient Balance", has_too_little),
    Pattern(MOBILE, r"(?i)no method with", unknown_method),
    Pattern(MOBILE, r"(?i)fee pool balance", an_empty_pool),
    Pattern("astro-ui ChainStore.js", r"Assert Exception: account: no such acc", unknown_account),
    Pattern("astro-ui GrapheneApi.ts", r"is_allowed: Access denied", not_given),
    Pattern("astro-ui ApiInstances.ts", r"Method not found", unknown_method),
    Pattern("bitsharesjs ChainStore.js", r"account: no such account", unknown_account),
    Pattern("bitshares-ui MyOpenOrders.jsx", r"(?i)Insufficient balance", sells_too_much),
    Pattern("bitshares-core limit_order_create", r"insufficient balance", sells_too_much),
    Pattern(RSQUARED, BALANCE, has_too_little),
    Pattern(RSQUARED, BALANCE, has_none_of_it),
    Pattern(RSQUARED, r"(?i)missing\s+(active|owner)\s+auth", another_key),
    Pattern(
        "META1 errorUtils", r"Assert Exception: abo->get_balance\(\) >= -delta", has_too_little
    ),
    Pattern(PYTHON, r"missing required active authority", another_key),
    Pattern(
        PYTHON,
        r"current_account_itr == acnt_indx\.indices\(\)\.get<by_name>\(\)\.end\(\)",
        a_taken_name,
    ),
    Pattern(PYTHON, r"Assert Exception: is_valid_name\( name \)", a_bad_name),
    Pattern(PYTHON, r"(?i)no method with name.*", unknown_method),
    Pattern("ECHO pybits tests", r"Assert Exception: now <= trx\.expiration: ", expired),
    Pattern("BitShares' JSON-RPC tests", r"Invalid JSON message", no_json),
    Pattern("bitshares-core", r"irrelevant signature included.*Unnecessary sig", a_key_too_many),
    Pattern("bitshares-core", r"duplicate transaction: Transaction is already", twice),
    Pattern("Graphene SDKs", r"Assert Exception: from != to: ", to_oneself),
    Pattern("bitshares-core", r"no such asset", unknown_asset),
]


@pytest.mark.parametrize(
    "pattern", PATTERNS, ids=lambda pattern: f"{pattern.source}: {pattern.regex}"
)
def test_a_program_finds_what_it_looks_for(pattern: Pattern) -> None:
    """A6: in the message, behind our own name of the refusal."""
    desk = Desk()
    message = pattern.provoke(desk)
    assert re.search(pattern.regex, message), message
    assert desk.backend.bugs == []


def test_our_own_words_come_first() -> None:
    """A6: the name, the sentence, the numbers and the rule, as before."""
    message = has_too_little(Desk())
    assert message.startswith("Execution error: Assert Exception: insufficient_balance: ")
    assert "(I6); Assert Exception: abo->get_balance()" in message


def names_of(cls: type[PegboardError]) -> set[str]:
    """The names of an error class and all below it."""
    return {cls.name}.union(*(names_of(inner) for inner in cls.__subclasses__()))


def test_every_row_of_the_table_speaks_of_a_refusal_that_there_is() -> None:
    """A6: no name that nobody raises any more, and no template that cannot be filled in."""
    state = Desk().chain.state
    assert {words.name for words in WORDS} <= names_of(PegboardError)
    for words in WORDS:
        what = words.what.replace(r"(\w+)", "amount") or "something else"
        error = InsufficientBalance(what, value=1, limit=2)
        error.name = words.name
        error.holder, error.asset_id = PROXY_TO_SELF_ACCOUNT, CORE_ASSET
        assert core_words(state, error), words
