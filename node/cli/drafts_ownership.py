"""Operations of a wallet about accounts, assets and votes; see `node.cli.drafts`."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from node.cli.client import as_object, as_text
from node.cli.remote_chain import NoSuchName, RemoteAccount, RemoteAsset, RemoteChain, id_argument
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.authority import key_authority
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.ids import ProposalId, VoteId, parse_vote_id, vote_kind
from protocol.operations import Operation
from protocol.operations.account import (
    COMMITTEE_VOTE,
    WITNESS_VOTE,
    AccountCreate,
    AccountOptions,
    AccountUpdate,
    AccountUpgrade,
    AccountWhitelist,
)
from protocol.operations.asset import NEW_ASSET, AssetCreate
from protocol.operations.asset_options import (
    COMMITTEE_FED_ASSET,
    DEFAULT_UIA_PERMISSIONS,
    ENABLE_BITS_MASK,
    WITNESS_FED_ASSET,
    AssetOptions,
)
from protocol.operations.bitasset import AssetUpdateBitasset, AssetUpdateFeedProducers
from protocol.operations.bitasset_options import RESPONSE_NAMES, BitassetOptions, ResponseName
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from protocol.schema import PublicKey

FED_BY = {"witnesses": WITNESS_FED_ASSET, "committee": COMMITTEE_FED_ASSET, "producers": 0}
"""Who may publish feeds, and the flag that says so (R1.13)."""


def create_account(
    registrar: RemoteAccount, name: str, *, owner: PublicKey, active: PublicKey, memo: PublicKey
) -> AccountCreate:
    """Register an account with one key for each purpose."""
    return AccountCreate(
        NO_FEE,
        registrar.id,
        registrar.id,
        0,
        name,
        key_authority(owner),
        key_authority(active),
        AccountOptions(memo),
    )


def upgrade(account: RemoteAccount) -> AccountUpgrade:
    """Make an account a lifetime member."""
    return AccountUpgrade(NO_FEE, account.id, upgrade_to_lifetime_member=True)


def whitelist(account: RemoteAccount, listed: RemoteAccount, listing: int) -> AccountWhitelist:
    """List an account: bit 1 white, bit 2 black, 0 neither (R2.20)."""
    return AccountWhitelist(NO_FEE, account.id, listed.id, listing)


def create_asset(
    issuer: RemoteAccount,
    symbol: str,
    precision: int,
    *,
    max_supply: int | None = None,
    description: str = "",
    flags: int = 0,
    bitasset: BitassetOptions | None = None,
) -> AssetCreate:
    """A user-issued asset, or with `bitasset` a BitAsset; its issuer keeps all permissions."""
    permissions = DEFAULT_UIA_PERMISSIONS if bitasset is None else ENABLE_BITS_MASK
    options = AssetOptions(
        max_supply=MAX_SUPPLY if max_supply is None else max_supply,
        market_fee_percent=0,
        max_market_fee=MAX_SUPPLY,
        issuer_permissions=permissions,
        flags=flags,
        core_exchange_rate=Price(AssetAmount(1, CORE_ASSET), AssetAmount(1, NEW_ASSET)),
        description=description,
    )
    return AssetCreate(NO_FEE, issuer.id, symbol, precision, options, bitasset)


def change_response(
    issuer: RemoteAccount, asset: RemoteAsset, options: BitassetOptions, response: ResponseName
) -> AssetUpdateBitasset:
    """Have another response to black swans, all other options as they are (BS11)."""
    extensions = replace(
        options.extensions, black_swan_response_method=RESPONSE_NAMES.index(response)
    )
    new = replace(options, extensions=extensions)
    return AssetUpdateBitasset(NO_FEE, issuer.id, asset.id, new)


def name_producers(
    issuer: RemoteAccount, asset: RemoteAsset, producers: Sequence[RemoteAccount]
) -> AssetUpdateFeedProducers:
    """Name the accounts that may publish feeds of a BitAsset (R1.14)."""
    ids = tuple(sorted(producer.id for producer in producers))
    return AssetUpdateFeedProducers(NO_FEE, issuer.id, asset.id, ids)


def vote(
    chain: RemoteChain,
    account: RemoteAccount,
    names: Sequence[str],
    *,
    committee: bool,
    remove: bool,
) -> AccountUpdate:
    """Vote for block producers or committee members, or take votes back (R8.11)."""
    changed = {_vote_id(chain, name, committee=committee) for name in names}
    present = set(account.options.votes)
    votes = tuple(sorted(present - changed if remove else present | changed))
    return AccountUpdate(NO_FEE, account.id, new_options=_with_votes(account.options, votes))


def follow_votes(account: RemoteAccount, proxy: RemoteAccount) -> AccountUpdate:
    """Let another account's votes count for this one."""
    return AccountUpdate(
        NO_FEE, account.id, new_options=replace(account.options, voting_account=proxy.id)
    )


def propose(
    account: RemoteAccount,
    operations: Sequence[Operation],
    *,
    expiration: int,
    review_period_s: int | None,
) -> ProposalCreate:
    """Propose operations for others to approve (R8.23)."""
    return ProposalCreate(
        NO_FEE,
        account.id,
        expiration,
        tuple(ProposedOperation(operation) for operation in operations),
        review_period_s,
    )


def approve(account: RemoteAccount, proposal: str, *, owner: bool, remove: bool) -> ProposalUpdate:
    """Approve a proposal (1.10.n) with an account's active or owner authority, or take it back."""
    update = ProposalUpdate(NO_FEE, account.id, id_argument(ProposalId, proposal))
    accounts = (account.id,)
    if owner and remove:
        return replace(update, owner_approvals_to_remove=accounts)
    if owner:
        return replace(update, owner_approvals_to_add=accounts)
    if remove:
        return replace(update, active_approvals_to_remove=accounts)
    return replace(update, active_approvals_to_add=accounts)


def _vote_id(chain: RemoteChain, name: str, *, committee: bool) -> VoteId:
    method = "get_committee_member_by_account" if committee else "get_witness_by_account"
    found = chain.client.call("database", method, chain.account(name).name)
    if found is None:
        kind = "committee member" if committee else chain.producer_term
        raise NoSuchName(f"not a {kind}", value=name)
    return parse_vote_id(as_text(as_object(found)["vote_id"]))


def _with_votes(options: AccountOptions, votes: tuple[VoteId, ...]) -> AccountOptions:
    """The options with these votes, wanting as many members as are voted for."""
    kinds = [vote_kind(vote) for vote in votes]
    return replace(
        options,
        votes=votes,
        num_witness=kinds.count(WITNESS_VOTE),
        num_committee=kinds.count(COMMITTEE_VOTE),
    )
