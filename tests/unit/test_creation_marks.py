"""C17: accounts and assets know the block that created them, and how many members they vote for."""

from __future__ import annotations

from msgspec.structs import replace

from node.api.views import view_object
from protocol.asset import NO_FEE
from protocol.operations.account import AccountUpdate
from protocol.operations.asset import AssetCreate
from protocol.operations.bitasset_options import BitassetOptions
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from tests.support.api import ChainBackend
from tests.support.chain import TestChain
from tests.support.every_operation import BusyChain


def marks(chain: TestChain, name: str, symbol: str) -> set[tuple[int, int]]:
    account, asset = chain.state.account_named(name), chain.state.asset_named(symbol)
    return {
        (account.creation_block_num, account.creation_time),
        (asset.creation_block_num, asset.creation_time),
    }


def test_what_a_block_creates_has_its_number_and_its_own_time() -> None:
    """C17: not its parent's, also after missed slots; genesis counts as block 0."""
    chain = BusyChain()
    create = AssetCreate(NO_FEE, chain.alice, "MORE", 4, chain.options(), BitassetOptions())
    chain.push(chain.register("erin"))
    chain.push(create)
    parent = chain.chain.head_time
    assert marks(chain, "erin", "MORE") == {(chain.chain.head_num + 1, parent)}, "pending"
    chain.block(slot=7)
    assert chain.chain.head_time > parent + 5
    assert marks(chain, "erin", "MORE") == {(chain.chain.head_num, chain.chain.head_time)}
    assert marks(chain, "alice", "USD") == {(0, chain.genesis.initial_timestamp)}


def test_what_a_proposal_creates_has_the_marks_of_the_block_that_executes_it() -> None:
    """C17, R8.23: approved in an operation, or at its expiration."""
    chain = BusyChain()
    for name, symbol, review in (("erin", "MORE", None), ("frank", "MOST", 50)):
        registration = replace(chain.register(name), registrar=chain.bob)
        asset = AssetCreate(NO_FEE, chain.bob, symbol, 4, chain.uia_options())
        expiration = chain.chain.head_time + 100
        proposed = (ProposedOperation(registration), ProposedOperation(asset))
        number = chain.state.proposals.next_id
        chain.block(ProposalCreate(NO_FEE, chain.alice, expiration, proposed, review))
        chain.block(
            ProposalUpdate(NO_FEE, chain.alice, number, active_approvals_to_add=(chain.bob,)),
            slot=3,
        )
        if review is not None:
            chain.block_at(expiration)
        assert marks(chain, name, symbol) == {(chain.chain.head_num, chain.chain.head_time)}
        chain.block()


def test_committee_votes_are_counted_not_wished_for() -> None:
    """Y5, C17: `num_committee_voted` beside `num_committee` of the options."""
    chain = BusyChain()
    kinds = (chain.state.committee_members, chain.state.witnesses)
    votes = tuple(sorted(item.vote_id for table in kinds for item in table.rows.values()))
    account = chain.state.account_named("alice")
    options = replace(account.options, votes=votes, num_committee=1, num_witness=2)
    chain.block(AccountUpdate(NO_FEE, chain.alice, new_options=options))
    shown = view_object(ChainBackend(chain), account)
    assert shown["num_committee_voted"] == len(chain.state.committee_members.rows) == 3
    assert (shown["creation_block_num"], shown["creation_time"]) == (0, "2020-09-13T12:26:40")
    asset = view_object(ChainBackend(chain), chain.state.asset_named("COIN"))
    assert asset["creation_block_num"] == 2
