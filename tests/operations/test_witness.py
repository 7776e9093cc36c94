"""Witnesses: standing for election, changing URL and signing key."""

from __future__ import annotations

import pytest

from node.state.context import Context
from node.state.errors import NameTaken, NoSuchObject, NotAuthorized, WrongAccount
from protocol.asset import NO_FEE
from protocol.ids import ObjectId, WitnessId, vote_id
from protocol.operations.committee import CommitteeMemberCreate
from protocol.operations.witness import WitnessCreate, WitnessUpdate
from tests.support.state import add_account, apply, expect, make_context, make_state
from tests.support.world import ALICE, BOB, key_of


@pytest.fixture
def ctx() -> Context:
    return make_context(make_state("alice", "bob"))


def test_a_candidate_gets_the_next_vote_id(ctx: Context) -> None:
    """R8.12: witnesses and committee members share one counter."""
    apply(ctx, CommitteeMemberCreate(NO_FEE, BOB, ""))
    result = apply(ctx, WitnessCreate(NO_FEE, ALICE, "https://alice.example", key_of("block")))
    assert result == ObjectId(1, 6, 0)
    witness = ctx.state.witnesses.get(WitnessId(0))
    assert (witness.witness_account, witness.vote_id) == (ALICE, vote_id(1, 1))
    assert (witness.url, witness.signing_key) == ("https://alice.example", key_of("block"))
    assert (witness.total_votes, witness.total_missed, witness.pay_vb) == (0, 0, None)
    assert ctx.state.properties.next_available_vote_id == 2
    assert ctx.state.properties.active_witnesses == ()


def test_an_account_is_a_witness_once(ctx: Context) -> None:
    """R8.12: one witness an account."""
    apply(ctx, WitnessCreate(NO_FEE, ALICE, "", key_of("block")))
    expect(ctx, NameTaken, WitnessCreate(NO_FEE, ALICE, "", key_of("other")))


def test_only_lifetime_members_stand(ctx: Context) -> None:
    """R9.6."""
    basic = add_account(ctx.state, "basic", lifetime=False)
    expect(ctx, NotAuthorized, WitnessCreate(NO_FEE, basic, "", key_of("block")))


def test_an_update_replaces_only_what_it_gives(ctx: Context) -> None:
    """R9.6: URL and key change each for itself."""
    apply(ctx, WitnessCreate(NO_FEE, ALICE, "old", key_of("old")))
    witness = ctx.state.witnesses.get(WitnessId(0))
    apply(ctx, WitnessUpdate(NO_FEE, WitnessId(0), ALICE, new_url="new"))
    assert (witness.url, witness.signing_key) == ("new", key_of("old"))
    apply(ctx, WitnessUpdate(NO_FEE, WitnessId(0), ALICE, new_signing_key=key_of("new")))
    assert (witness.url, witness.signing_key) == ("new", key_of("new"))


def test_only_its_account_updates_a_witness(ctx: Context) -> None:
    """R9.6."""
    apply(ctx, WitnessCreate(NO_FEE, ALICE, "old", key_of("old")))
    error = expect(ctx, WrongAccount, WitnessUpdate(NO_FEE, WitnessId(0), BOB, new_url="new"))
    assert (error.value, error.limit) == ("1.2.7", "1.2.6")
    expect(ctx, NoSuchObject, WitnessUpdate(NO_FEE, WitnessId(1), ALICE, new_url="new"))
