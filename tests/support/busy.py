"""A chain on which every method of the API finds something, and what to ask it for."""

from __future__ import annotations

from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.authority import Authority
from protocol.chain_parameters import (
    ChainParametersExtensions,
    CustomAuthorityOptions,
    HtlcOptions,
)
from protocol.ids import AccountId, CreditOfferId
from protocol.operations.bitasset import AssetSettle
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.credit_offer import CreditOfferAccept, CreditOfferCreate
from protocol.operations.custom_authority import CustomAuthorityCreate
from protocol.operations.htlc import HtlcCreate, hash_of_preimage
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.proposal import ProposalCreate, ProposedOperation
from protocol.operations.ticket import TicketCreate
from protocol.operations.withdraw_permission import WithdrawPermissionCreate
from protocol.operations.worker import BurnWorkerInitializer, WorkerCreate
from tests.support.api import ChainBackend, Json, transaction_json
from tests.support.arguments import sample_arguments
from tests.support.chain import TestChain, make_parameters


def a_busy_backend() -> ChainBackend:
    """Positions, orders, trades, settlements, permissions, work, proposals and contracts of alice
    and bob."""
    options = ChainParametersExtensions(HtlcOptions(86_400, 100), CustomAuthorityOptions())
    parameters = make_parameters(extensions=options)
    chain = TestChain("alice", "bob", "carol", parameters=parameters)
    backend = ChainBackend(chain)
    alice, bob, carol = (chain.account(name) for name in ("alice", "bob", "carol"))
    backend.produce(*chain.feed("USD", 1, 10))
    backend.produce(
        CallOrderUpdate(NO_FEE, alice, chain.amount(10**6), chain.amount(10**4, "USD")),
        CallOrderUpdate(NO_FEE, bob, chain.amount(10**6), chain.amount(10**4, "USD")),
    )
    backend.produce(LimitOrderCreate(NO_FEE, alice, chain.amount(5000, "USD"), chain.amount(60000)))
    now = chain.state.dynamic.time
    backend.produce(
        LimitOrderCreate(NO_FEE, bob, chain.amount(18000), chain.amount(1500, "USD")),
        LimitOrderCreate(NO_FEE, bob, chain.amount(12000), chain.amount(1000, "USD")),
        LimitOrderCreate(NO_FEE, bob, chain.amount(3000), chain.amount(2500, "USD")),
        AssetSettle(NO_FEE, bob, chain.amount(200, "USD")),
        chain.transfer("alice", "carol", 5),
        WithdrawPermissionCreate(NO_FEE, alice, carol, chain.amount(100), 60, 5, now + 1000),
        WorkerCreate(NO_FEE, alice, now + 60, now + 90, 7, "Docs", "", BurnWorkerInitializer()),
        ProposalCreate(
            NO_FEE, bob, now + 600, (ProposedOperation(chain.transfer("alice", "bob", 5)),)
        ),
    )
    lock = hash_of_preimage(2, b"key")
    backend.produce(
        *(
            HtlcCreate(NO_FEE, creator, to, chain.amount(5 + creator), lock, 3, 3_600)
            for creator, to in ((alice, bob), (alice, bob), (bob, alice), (bob, alice))
        )
    )
    backend.produce(
        *(
            TicketCreate(NO_FEE, account, target, chain.amount(5 + target))
            for account, target in ((alice, 1), (alice, 2), (bob, 3), (bob, 4))
        )
    )
    backend.produce(
        *(
            CustomAuthorityCreate(
                NO_FEE, account, True, 0, now + 86_400, kind, Authority(1, ((carol, 1),)), ()
            )
            for account, kind in ((alice, 14), (alice, 15), (bob, 14), (bob, 15))
        )
    )
    backend.produce(chain.transfer("carol", "alice", 1), *chain.feed("USD", 1, 11))
    backend.produce(
        *chain.feed("USD", 1, 12),
        LimitOrderCreate(NO_FEE, bob, chain.amount(1000), chain.amount(600, "USD")),
        LimitOrderCreate(NO_FEE, bob, chain.amount(1001), chain.amount(600, "USD")),
    )
    _lend(backend, alice, bob, chain.amount(100), chain.amount(1_000, "USD"))
    _lend(backend, bob, alice, chain.amount(1_000, "USD"), chain.amount(100))
    chain.push(LimitOrderCreate(NO_FEE, carol, chain.amount(10), chain.amount(5, "USD")))
    return backend


def _lend(
    backend: ChainBackend,
    owner: AccountId,
    borrower: AccountId,
    lent: AssetAmount,
    locked: AssetAmount,
) -> None:
    """Two offers of an amount, and two deals by the first."""
    state, price = backend.test_chain.state, Price(lent, locked)
    first, end = state.credit_offers.next_id, state.dynamic.time + 10**6
    accepted = ((locked.asset_id, price),)
    terms = (lent.asset_id, lent.amount, 0, 10**6, 0, True, end, accepted, ())
    backend.produce(*(CreditOfferCreate(NO_FEE, owner, *terms) for _ in range(2)))
    part = AssetAmount(lent.amount // 10, lent.asset_id)
    offer = CreditOfferId(first)
    loan = CreditOfferAccept(NO_FEE, borrower, offer, part, locked, 0, 0)
    backend.produce(loan, loan)


def arguments_of(backend: ChainBackend, api: str, name: str) -> list[Json]:
    """Arguments of a method that have something to find on the busy chain."""
    chain = backend.test_chain
    transfer = chain.transaction(
        chain.transfer("alice", "bob", 3), expiration=chain.state.dynamic.time + 600
    )
    own: dict[str, list[Json]] = {
        "get_block": [chain.chain.head_num - 1],
        "get_transaction": [chain.chain.head_num - 1, 0],
        "get_blocks": [1, chain.chain.head_num],
        "get_block_operation_history": [chain.chain.head_num - 1],
        "get_trade_history": ["TEST", "USD", "1970-01-01T00:00:00", "1970-01-01T00:00:00"],
        "get_trade_history_by_sequence": ["TEST", "USD", 0, "1970-01-01T00:00:00"],
        "get_market_history": ["TEST", "USD", 60, "2000-01-01T00:00:00", "2100-01-01T00:00:00"],
        "get_account_history_operations": ["alice", 0, "1.11.0", "1.11.0", 100],
        "get_account_history_by_operations": ["alice", [], 1, 100],
        "get_relative_account_history": ["alice"],
        "get_account_history": ["alice"],
        "get_objects": [["2.0.0", "2.1.0", "2.4.0"]],
        "verify_authority": [transaction_json(transfer)],
        "validate_transaction": [transaction_json(transfer)],
        "list_assets": ["", 100],
        "lookup_accounts": ["", 100],
    }
    return own.get(name, sample_arguments(api, name))
