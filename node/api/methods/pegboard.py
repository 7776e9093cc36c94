"""API `pegboard`: what this node tells beyond BitShares, for its own tools."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Annotated

from node.api.arguments import AccountArg, AssetArg, at_most, instance_of
from node.api.call import Answer, Call, Steps, Stepwise
from node.api.views import Json, view_object, view_price
from node.explain.next_call import explain_next_call
from node.explain.wording import Wording
from node.market.margin_calls import feed_change_to_reach, is_called
from node.market.pricing import CallTerms, call_price, call_terms, collateral_ratio
from node.state.errors import NotMarketIssued
from node.state.objects.assets import Asset, BitassetData
from node.state.objects.governance import TRIGGER_NAMES, VOTING_NAMES
from node.state.objects.market import CallOrder, LimitOrder
from node.witness.stall import Stall
from protocol.asset import Price
from protocol.block import SignedBlockHeader, block_id
from protocol.constants import CORE_ASSET
from protocol.crypto.keys import key_text
from protocol.finality import Vote
from protocol.ids import (
    CustomAuthorityId,
    account_text,
    asset_text,
    position_text,
    witness_text,
)
from protocol.json_form import JsonValue, format_time, to_json
from protocol.operations.bitasset_options import RESPONSE_NAMES

ListLimit = Annotated[int, at_most(300)]
CustomLimit = Annotated[int, at_most(100)]
CustomId = Annotated[int, instance_of("custom authority id", CustomAuthorityId)]


def get_node_info(call: Call) -> Answer:
    """Version and prefixes of this node, its peers and feeds, its head, the chain's own options.

    `first_block_number` is 1, but for a chain that goes on from another one's state.

    `stall` is null while the chain goes on. Else it says what there is none of, new `blocks` or
    `irreversibility`, and what that waits for: `clock`, `split`, `sync`, `peers`, `production`,
    `witnesses` or `votes`, each with details. `split` is null, or says which peer calls another
    block irreversible than this node does (T-W4).
    """
    backend, state = call.backend, call.state
    info, head = backend.info(), state.dynamic
    peers: list[JsonValue] = [
        {
            "address": peer.address,
            "node_id": peer.node_id.hex(),
            "version": peer.version,
            "head_block_number": peer.head_num,
            "outbound": peer.outbound,
        }
        for peer in info.peers
    ]
    return {
        "version": info.version,
        "chain_id": backend.chain_id.hex(),
        "core_symbol": state.assets.get(CORE_ASSET).symbol,
        "address_prefix": info.address_prefix,
        "display_prefix": info.display_prefix,
        "producer_term": info.producer_term,
        "is_development": backend.is_development,
        "block_mode": info.block_mode,
        "first_block_number": backend.chain.first_num,
        "head_block_number": head.head_block_number,
        "head_block_id": head.head_block_id.hex(),
        "head_block_time": format_time(head.time),
        "last_irreversible_block_num": head.last_irreversible_block_num,
        "participation": head.recent_slots_filled.bit_count(),
        "current_witness": witness_text(head.current_witness),
        "own_witnesses": [witness_text(witness) for witness in info.witnesses],
        "margin_call_trigger": _trigger(call),
        "strict_release": state.chain.strict_release,
        "settle_match": state.chain.settle_match,
        "pay_mcop": state.chain.pay_mcop,
        "voting_stake": VOTING_NAMES[state.chain.voting_stake],
        "stall": _view_stall(info.stall),
        "split": info.split or None,
        "peers": peers,
        "feeds": [
            {
                "asset": feed.asset,
                "source": feed.source,
                "interval_s": feed.interval_s,
                "publishers": list(feed.publishers),
            }
            for feed in info.feeds
        ],
    }


def get_state_hash(call: Call) -> Answer:
    """The hash over the whole state at the head block, without pending transactions."""
    return Stepwise(_state_hash(call))


def get_equivocations(call: Call) -> Answer:
    """The newest proofs that a witness has lied, oldest first: of two `votes` that contradict each
    other each with ids of source and target and the signature, of two `blocks` of one slot each
    with its id and signed header (F11). They are kept over restarts."""
    prefix = call.backend.address_prefix
    return [
        {
            "kind": found.kind,
            "key": key_text(found.key, prefix),
            "first": _view_proof(found.first),
            "second": _view_proof(found.second),
        }
        for found in call.backend.equivocations()
    ]


def get_asset_market(call: Call, asset: AssetArg) -> Answer:
    """How a BitAsset stands: its feed, the prices that follow, the best offers, who is called.

    Prices are BitAsset per backing. The highest bid sells the BitAsset for backing: it is what
    margin calls are matched with (R4.2). Null where there is none. `next_call` tells who is called
    next and what that waits for, in a sentence beside its rule; null where nobody can be. `feed` is
    in force, which a black swan response may set above the median (BS3); `black_swan_response` is
    "global", "none", "fund" or "order", and the individual settlement has debt and fund of the pool
    (BS2).
    """
    bitasset = bitasset_of(call, asset)
    backing = call.state.assets.get(bitasset.options.short_backing_asset)
    supply = call.state.figures_of(asset.id).current_supply
    bid = call.state.book.first((asset.id, backing.id))
    ask = call.state.book.first((backing.id, asset.id))
    reason = explain_next_call(call.state, wording(call), bitasset)
    answer: Json = {
        "asset": asset.symbol,
        "asset_id": asset_text(asset.id),
        "backing_asset": backing.symbol,
        "backing_asset_id": asset_text(backing.id),
        "current_supply": str(supply),
        "force_settled_volume": str(bitasset.force_settled_volume),
        "max_settlement_volume": str(bitasset.max_settlement_volume(supply)),
        "position_count": call.state.positions.count(asset.id),
        "is_prediction_market": bitasset.is_prediction_market,
        "is_globally_settled": bitasset.is_globally_settled(),
        "settlement_fund": str(bitasset.settlement_fund),
        "global_settlement_price": view_price(call.backend, bitasset.settlement_price),
        "black_swan_response": RESPONSE_NAMES[bitasset.options.extensions.response()],
        "individual_settlement_debt": str(bitasset.individual_settlement_debt),
        "individual_settlement_fund": str(bitasset.individual_settlement_fund),
        "median_settlement_price": _price_or_none(call, bitasset.median_feed.settlement_price),
        "feed": to_json(bitasset.current_feed, call.backend.address_prefix),
        "feed_publication_time": format_time(bitasset.current_feed_publication_time),
        "feed_count": len(bitasset.feeds),
        "margin_call_trigger": _trigger(call),
        "highest_bid": _order(call, bid),
        "lowest_ask": _order(call, ask),
        "next_call": None if reason is None else to_json(reason, call.backend.address_prefix),
    }
    return answer | _view_terms(call, bitasset, bid)


def get_positions(call: Call, asset: AssetArg, limit: ListLimit = 100) -> Answer:
    """Positions of a BitAsset, least collateralised first, with call price and ratio.

    `collateral_ratio` is over 1,000 and rounded down; null without a feed. `feed_change_to_reach`
    is by how much the settlement price has to move, in hundredths of a percent rounded down, until
    margin calls can reach the position: not below 0 from there on, null without a feed.
    """
    view = position_viewer(call, asset)
    return [view(position) for position in islice(call.state.positions.items(asset.id), limit)]


def get_settlements(call: Call, asset: AssetArg, limit: ListLimit = 100) -> Answer:
    """Settlement requests of a BitAsset, earliest first, with the names of their owners."""
    bitasset_of(call, asset)
    requests = islice(call.state.settlements.items(asset.id), limit)
    return [
        view_object(call.backend, request)
        | {"owner_name": call.state.accounts.get(request.owner).name}
        for request in requests
    ]


def position_viewer(call: Call, asset: Asset) -> Callable[[CallOrder], JsonValue]:
    """What views the positions of a BitAsset by its feed and highest bid of now."""
    bitasset = bitasset_of(call, asset)
    bid = call.state.book.first((asset.id, bitasset.options.short_backing_asset))
    return position_viewer_by(call, bitasset, bid)


def position_viewer_by(
    call: Call, bitasset: BitassetData, bid: LimitOrder | None
) -> Callable[[CallOrder], JsonValue]:
    """The same by the feed and the bid that are given."""
    terms = call_terms(bitasset) if bitasset.has_feed() else None
    return lambda position: _position(call, position, terms, bid)


def _view_stall(stall: Stall | None) -> JsonValue:
    if stall is None:
        return None
    waits_for: list[JsonValue] = [
        {"what": one.what, "detail": one.detail} for one in stall.waits_for
    ]
    return {"what": stall.what, "waits_for": waits_for}


def _view_proof(proof: Vote | SignedBlockHeader) -> JsonValue:
    if isinstance(proof, Vote):
        return to_json(proof, "")
    return {"id": block_id(proof).hex(), "header": to_json(proof, "")}


def _state_hash(call: Call) -> Steps:
    num, block_id, digest = yield from call.backend.head_state_hash()
    return {"block_num": num, "block_id": block_id.hex(), "state_hash": digest.hex()}


def _view_terms(call: Call, bitasset: BitassetData, bid: LimitOrder | None) -> Json:
    if not bitasset.has_feed():
        return {
            "squeeze_protection_price": None,
            "margin_call_order_price": None,
            "maintenance_collateral_ratio": None,
            "maximum_short_squeeze_ratio": None,
            "is_margin_called": False,
        }
    terms = call_terms(bitasset)
    least = call.state.positions.first(bitasset.asset_id)
    return {
        "squeeze_protection_price": view_price(call.backend, terms.squeeze_protection_price),
        "margin_call_order_price": view_price(call.backend, terms.order_price),
        "maintenance_collateral_ratio": terms.maintenance_ratio,
        "maximum_short_squeeze_ratio": terms.squeeze_ratio,
        "is_margin_called": least is not None and _is_called(call, least, terms, bid),
    }


def _position(
    call: Call, position: CallOrder, terms: CallTerms | None, bid: LimitOrder | None
) -> JsonValue:
    fields: Json = {
        "id": position_text(position.id),
        "borrower": account_text(position.borrower),
        "borrower_name": call.state.accounts.get(position.borrower).name,
        "debt": str(position.debt),
        "debt_asset": asset_text(position.debt_asset),
        "collateral": str(position.collateral),
        "collateral_asset": asset_text(position.collateral_asset),
        "target_collateral_ratio": position.target_collateral_ratio,
        "call_price": None,
        "collateral_ratio": None,
        "feed_change_to_reach": None,
        "is_called": False,
    }
    if terms is not None:
        fields["call_price"] = view_price(
            call.backend, call_price(position, terms.maintenance_ratio)
        )
        fields["collateral_ratio"] = collateral_ratio(
            position.collateral, position.debt, terms.settlement_price
        )
        trigger = call.state.chain.margin_call_trigger
        fields["feed_change_to_reach"] = feed_change_to_reach(trigger, terms, position)
        fields["is_called"] = _is_called(call, position, terms, bid)
    return fields


def _is_called(call: Call, position: CallOrder, terms: CallTerms, bid: LimitOrder | None) -> bool:
    trigger = call.state.chain.margin_call_trigger
    return bid is not None and is_called(trigger, terms, position, bid.sell_price)


def _price_or_none(call: Call, price: Price) -> JsonValue:
    return None if price.is_null() else view_price(call.backend, price)


def _order(call: Call, order: LimitOrder | None) -> JsonValue:
    return None if order is None else view_object(call.backend, order)


def wording(call: Call) -> Wording:
    """Names and amounts as the people of this node's chain write them."""
    info = call.backend.info()
    return Wording(call.state, info.display_prefix, info.address_prefix)


def bitasset_of(call: Call, asset: Asset) -> BitassetData:
    """The data of an asset; raises `NotMarketIssued`."""
    bitasset = call.state.bitasset_of(asset.id)
    if bitasset is None:
        raise NotMarketIssued("not a BitAsset", rule="R3.2.1", value=asset.symbol)
    return bitasset


def _trigger(call: Call) -> str:
    return TRIGGER_NAMES[call.state.chain.margin_call_trigger]


def get_custom_authorities(
    call: Call, account: AccountArg, limit: CustomLimit = 100, start_id: CustomId = 0
) -> Answer:
    """The custom authorities of an account, whether they count now or not, by id from an id on
    (C5.1)."""
    found = call.state.custom_authorities_of_account.items(account.id)
    wanted = [item for item in found if item.id >= start_id]
    return [view_object(call.backend, item) for item in wanted[:limit]]


METHODS = (
    get_node_info,
    get_state_hash,
    get_equivocations,
    get_asset_market,
    get_positions,
    get_settlements,
    get_custom_authorities,
)
