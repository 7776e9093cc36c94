"""Liquidity pools: the database API's lists of them, and the history API's of what was done (L11,
L14)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Annotated

from node.api.arguments import (
    TEXT,
    TIME,
    AccountArg,
    AssetArg,
    Boolean,
    at_most,
    find_asset,
    instance_of,
    integer,
    list_of,
)
from node.api.call import Answer, Call, Listing
from node.api.directory import Directory
from node.api.pool_views import view_pool_operation, view_pool_statistics
from node.api.views import view_object
from node.history.records import NEWEST
from node.state.database import State
from node.state.objects.liquidity import LiquidityPool
from protocol.ids import AssetId, LiquidityPoolId, object_id
from protocol.json_form import JsonValue

LIMIT_MAX = 101
POOL_ID = instance_of("liquidity pool id", LiquidityPoolId)

Limit = Annotated[int, at_most(LIMIT_MAX)]
PoolId = Annotated[LiquidityPoolId, POOL_ID]
PoolIds = Annotated[list[LiquidityPoolId], list_of(POOL_ID, LIMIT_MAX)]
PoolAssets = Annotated[list[str], list_of(TEXT, LIMIT_MAX)]
ShareId = Annotated[int, instance_of("asset id", AssetId)]
Sequence = Annotated[int | None, integer(0, (1 << 63) - 1)]
Moment = Annotated[int | None, TIME]
OperationType = Annotated[int | None, integer(0, (1 << 16) - 1)]
FIRST = LiquidityPoolId(0)


def list_liquidity_pools(
    call: Call, limit: Limit = LIMIT_MAX, start_id: PoolId = FIRST, with_statistics: Boolean = False
) -> Answer:
    """All liquidity pools by id, from an id on."""
    return _list(call, call.state.liquidity_pools.in_order(), limit, start_id, with_statistics)


def _by_asset(
    name: str, what: str, find: Callable[[Directory, State, AssetId], Iterable[LiquidityPool]]
) -> Callable[..., Answer]:
    """A method that lists the pools which the directory finds for one asset."""

    def listing(
        call: Call,
        asset: AssetArg,
        limit: Limit = LIMIT_MAX,
        start_id: PoolId = FIRST,
        with_statistics: Boolean = False,
    ) -> Answer:
        found = find(call.services.directory, call.state, asset.id)
        return _list(call, found, limit, start_id, with_statistics)

    listing.__name__ = name
    listing.__doc__ = f"{what}, by id, from an id on."
    return listing


get_liquidity_pools_by_asset_a = _by_asset(
    "get_liquidity_pools_by_asset_a",
    "Pools whose first asset it is",
    lambda directory, state, asset: directory.pools_with_sides(state, asset, None),
)
get_liquidity_pools_by_asset_b = _by_asset(
    "get_liquidity_pools_by_asset_b",
    "Pools whose second asset it is",
    lambda directory, state, asset: directory.pools_with_sides(state, None, asset),
)
get_liquidity_pools_by_one_asset = _by_asset(
    "get_liquidity_pools_by_one_asset",
    "Pools that hold an asset",
    lambda directory, state, asset: directory.pools_with(state, asset),
)


def get_liquidity_pools_by_both_assets(
    call: Call,
    asset_a: AssetArg,
    asset_b: AssetArg,
    limit: Limit = LIMIT_MAX,
    start_id: PoolId = FIRST,
    with_statistics: Boolean = False,
) -> Answer:
    """Pools of two assets, whichever is named first, by id, from an id on."""
    first, second = sorted((asset_a.id, asset_b.id))
    found = call.services.directory.pools_with_sides(call.state, first, second)
    return _list(call, found, limit, start_id, with_statistics)


def get_liquidity_pools(
    call: Call, ids: PoolIds, subscribe: Boolean = True, with_statistics: Boolean = False
) -> Answer:
    """Pools by id; null for those that do not exist."""
    if subscribe:
        call.session.subscriptions.note_objects(object_id(LiquidityPoolId, one) for one in ids)
    find = call.state.liquidity_pools.find
    return Listing(lambda: (_view(call, find(one), with_statistics) for one in ids))


def get_liquidity_pools_by_share_asset(
    call: Call, assets: PoolAssets, subscribe: Boolean = True, with_statistics: Boolean = False
) -> Answer:
    """Pools by their share assets; null for an asset that does not exist or is no share."""
    pools = [_pool_of_share(call, name) for name in assets]
    if subscribe:
        call.session.subscriptions.note_objects(
            object_id(LiquidityPoolId, pool.id) for pool in pools if pool is not None
        )
    return [_view(call, pool, with_statistics) for pool in pools]


def get_liquidity_pools_by_owner(
    call: Call,
    account: AccountArg,
    limit: Limit = LIMIT_MAX,
    start_id: ShareId = 0,
    with_statistics: Boolean = False,
) -> Answer:
    """Pools of an account, in the order of their share assets, from an asset's id on."""
    state = call.state
    issued = call.services.directory.assets_issued_by(state, account.id)
    pools = (
        state.liquidity_pools.get(asset.for_liquidity_pool)
        for asset in issued
        if asset.for_liquidity_pool is not None and asset.id >= start_id
    )
    return [_view(call, pool, with_statistics) for pool in islice(pools, limit)]


def get_liquidity_pool_history(
    call: Call,
    pool_id: PoolId,
    start: Moment = None,
    stop: Moment = None,
    limit: Limit = LIMIT_MAX,
    operation_type: OperationType = None,
) -> Answer:
    """What was done with a pool, newest first, from a time back to a time that is left out."""
    history = call.backend.history
    newest = NEWEST if start is None else history.pool_operations_until(pool_id, start)
    return _history(call, pool_id, newest, stop, limit, operation_type)


def get_liquidity_pool_history_by_sequence(
    call: Call,
    pool_id: PoolId,
    start: Sequence = None,
    stop: Moment = None,
    limit: Limit = LIMIT_MAX,
    operation_type: OperationType = None,
) -> Answer:
    """The same from a number in the pool's history down, which begins with 1."""
    newest = NEWEST if start is None else start
    return _history(call, pool_id, newest, stop, limit, operation_type)


def _history(
    call: Call,
    pool: LiquidityPoolId,
    newest: int,
    stop: int | None,
    limit: int,
    operation_type: int | None,
) -> Answer:
    history = call.backend.history
    oldest = 1 if stop is None else history.pool_operations_until(pool, stop) + 1
    found = history.pool_operations_of(
        pool, operation_type, newest=newest, oldest=oldest, limit=limit
    )
    return Listing(lambda: (view_pool_operation(call.backend, entry) for entry in found))


def _list(
    call: Call, pools: Iterable[LiquidityPool], limit: int, start: int, with_statistics: bool
) -> Answer:
    found = islice((pool for pool in pools if pool.id >= start), limit)
    return [_view(call, pool, with_statistics) for pool in found]


def _view(call: Call, pool: LiquidityPool | None, with_statistics: bool) -> JsonValue:
    if pool is None:
        return None
    answer = view_object(call.backend, pool)
    if with_statistics:
        answer["statistics"] = view_pool_statistics(call.backend, pool.id)
    return answer


def _pool_of_share(call: Call, name: str) -> LiquidityPool | None:
    asset = find_asset(call.backend, name)
    if asset is None or asset.for_liquidity_pool is None:
        return None
    return call.state.liquidity_pools.find(asset.for_liquidity_pool)


METHODS = (
    list_liquidity_pools,
    get_liquidity_pools_by_asset_a,
    get_liquidity_pools_by_asset_b,
    get_liquidity_pools_by_one_asset,
    get_liquidity_pools_by_both_assets,
    get_liquidity_pools,
    get_liquidity_pools_by_share_asset,
    get_liquidity_pools_by_owner,
)

HISTORY_METHODS = (get_liquidity_pool_history, get_liquidity_pool_history_by_sequence)
