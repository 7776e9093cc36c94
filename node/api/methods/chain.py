"""Database API: the chain itself, its blocks, and those who run it."""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import AccountArg, BlockNum, Text, Texts, at_most
from node.api.call import Answer, Call
from node.api.governance import proposals_of, view_votes, witnesses_of
from node.api.views import account_text, view_block, view_header, view_object
from node.state.errors import NoSuchObject
from node.state.undo import StateObject
from protocol import constants
from protocol.ids import AccountId, parse_vote_id
from protocol.json_form import JsonValue

LookupLimit = Annotated[int, at_most(1_000)]


def get_chain_id(call: Call) -> Answer:
    """The chain id, which every signature commits to, in hexadecimal."""
    return call.backend.chain_id.hex()


def get_chain_properties(call: Call) -> Answer:
    """What genesis fixed (2.11.0)."""
    return view_object(call.backend, call.state.chain)


def get_global_properties(call: Call) -> Answer:
    """Chain parameters and elected producers (2.0.0)."""
    return view_object(call.backend, call.state.properties)


def get_dynamic_global_properties(call: Call) -> Answer:
    """The head of the chain (2.1.0)."""
    return view_object(call.backend, call.state.dynamic)


def get_config(call: Call) -> Answer:
    """Constants of the protocol, by BitShares' names."""
    core = call.state.assets.get(constants.CORE_ASSET)
    return {
        "GRAPHENE_SYMBOL": core.symbol,
        "GRAPHENE_ADDRESS_PREFIX": call.backend.address_prefix,
        "GRAPHENE_MAX_SHARE_SUPPLY": str(constants.MAX_SUPPLY),
        "GRAPHENE_BLOCKCHAIN_PRECISION": constants.CORE_UNIT,
        "GRAPHENE_BLOCKCHAIN_PRECISION_DIGITS": constants.CORE_PRECISION,
        "GRAPHENE_100_PERCENT": constants.HUNDRED_PERCENT,
        "GRAPHENE_1_PERCENT": constants.ONE_PERCENT,
        "GRAPHENE_COLLATERAL_RATIO_DENOM": constants.RATIO_DENOMINATOR,
        "GRAPHENE_MIN_COLLATERAL_RATIO": constants.MIN_COLLATERAL_RATIO,
        "GRAPHENE_MAX_COLLATERAL_RATIO": constants.MAX_COLLATERAL_RATIO,
        "GRAPHENE_IRREVERSIBLE_THRESHOLD": constants.IRREVERSIBLE_THRESHOLD,
        "GRAPHENE_COMMITTEE_ACCOUNT": account_text(constants.COMMITTEE_ACCOUNT),
        "GRAPHENE_WITNESS_ACCOUNT": account_text(constants.WITNESS_ACCOUNT),
        "GRAPHENE_RELAXED_COMMITTEE_ACCOUNT": account_text(constants.RELAXED_COMMITTEE_ACCOUNT),
        "GRAPHENE_NULL_ACCOUNT": account_text(constants.NULL_ACCOUNT),
        "GRAPHENE_TEMP_ACCOUNT": account_text(constants.TEMP_ACCOUNT),
        "GRAPHENE_PROXY_TO_SELF_ACCOUNT": account_text(constants.PROXY_TO_SELF_ACCOUNT),
    }


def get_block(call: Call, block_num: BlockNum) -> Answer:
    """A block of the main chain; null above the head and for 0."""
    envelope = call.backend.block_at(block_num)
    return None if envelope is None else view_block(call.backend, envelope)


def get_block_header(call: Call, block_num: BlockNum) -> Answer:
    """A block's header without its signature; null above the head and for 0."""
    envelope = call.backend.block_at(block_num)
    return None if envelope is None else view_header(call.backend, envelope)


def get_transaction(call: Call, block_num: BlockNum, trx_in_block: BlockNum) -> Answer:
    """One transaction of a block, with what its operations answered."""
    envelope = call.backend.block_at(block_num)
    if envelope is None:
        raise NoSuchObject("no such block", value=block_num)
    transactions = view_block(call.backend, envelope)["transactions"]
    assert isinstance(transactions, list)
    if trx_in_block >= len(transactions):
        raise NoSuchObject("no such transaction", value=trx_in_block, limit=len(transactions))
    return transactions[trx_in_block]


def get_witnesses(call: Call, witness_ids: Texts) -> Answer:
    """Witnesses by id; null for those that do not exist."""
    wanted = {f"1.6.{item.id}": item for item in call.state.witnesses.in_order()}
    return [_view(call, wanted.get(text)) for text in witness_ids]


def get_witness_by_account(call: Call, account: AccountArg) -> Answer:
    """The witness that an account is, or null."""
    return _view(call, call.state.witness_by_account.find(account.id))


def get_witness_count(call: Call) -> Answer:
    """How many witnesses there are, elected or not."""
    return len(call.state.witnesses)


def lookup_witness_accounts(call: Call, lower_bound_name: Text, limit: LookupLimit) -> Answer:
    """Names and ids of witnesses by name, from a name on."""
    witnesses = [(item.witness_account, f"1.6.{item.id}") for item in witnesses_of(call)]
    return _by_name(call, witnesses, lower_bound_name, limit)


def get_committee_member_by_account(call: Call, account: AccountArg) -> Answer:
    """The committee member that an account is, or null."""
    return _view(call, call.state.committee_member_by_account.find(account.id))


def lookup_committee_member_accounts(
    call: Call, lower_bound_name: Text, limit: LookupLimit
) -> Answer:
    """Names and ids of committee members by name, from a name on."""
    members = [
        (item.committee_member_account, f"1.5.{item.id}")
        for item in call.state.committee_members.in_order()
    ]
    return _by_name(call, members, lower_bound_name, limit)


def get_all_workers(call: Call) -> Answer:
    """Every worker."""
    return [_view(call, item) for item in call.state.workers.in_order()]


def get_workers_by_account(call: Call, account: AccountArg) -> Answer:
    """The workers that pay an account."""
    return [
        _view(call, item)
        for item in call.state.workers.in_order()
        if item.worker_account == account.id
    ]


def get_proposed_transactions(call: Call, account: AccountArg) -> Answer:
    """Proposals that need an account's approval."""
    return [_view(call, item) for item in proposals_of(call, account)]


def lookup_vote_ids(call: Call, votes: Texts) -> Answer:
    """The committee members, witnesses and workers that vote ids name; null for unknown ones."""
    return view_votes(call, [parse_vote_id(text) for text in votes])


def _by_name(
    call: Call, found: list[tuple[AccountId, str]], lower_bound: str, limit: int
) -> Answer:
    named = sorted((call.state.accounts.get(account).name, text) for account, text in found)
    pairs: list[JsonValue] = [[name, text] for name, text in named if name >= lower_bound]
    return pairs[:limit]


def _view(call: Call, item: StateObject | None) -> JsonValue:
    return None if item is None else view_object(call.backend, item)


METHODS = (
    get_chain_id,
    get_chain_properties,
    get_global_properties,
    get_dynamic_global_properties,
    get_config,
    get_block,
    get_block_header,
    get_transaction,
    get_witnesses,
    get_witness_by_account,
    get_witness_count,
    lookup_witness_accounts,
    get_committee_member_by_account,
    lookup_committee_member_accounts,
    get_all_workers,
    get_workers_by_account,
    get_proposed_transactions,
    lookup_vote_ids,
)
