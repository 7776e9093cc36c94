"""Database API: SameT funds (U8)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Annotated

from node.api.arguments import AccountArg, AssetArg, at_most, instance_of
from node.api.call import Answer, Call
from node.state.objects.liquidity import SametFund
from protocol.ids import SametFundId

Limit = Annotated[int, at_most(101)]
FundId = Annotated[int, instance_of("SameT fund id", SametFundId)]


def list_samet_funds(call: Call, limit: Limit = 101, start_id: FundId = 0) -> Answer:
    """All SameT funds by id, from an id on."""
    return _list(call, call.state.samet_funds.in_order(), limit, start_id)


def get_samet_funds_by_owner(
    call: Call, account: AccountArg, limit: Limit = 101, start_id: FundId = 0
) -> Answer:
    """SameT funds of an account by id, from an id on."""
    found = call.services.directory.funds_of(call.state, account.id)
    return _list(call, found, limit, start_id)


def get_samet_funds_by_asset(
    call: Call, asset: AssetArg, limit: Limit = 101, start_id: FundId = 0
) -> Answer:
    """SameT funds that lend an asset by id, from an id on."""
    found = call.services.directory.funds_in(call.state, asset.id)
    return _list(call, found, limit, start_id)


def _list(call: Call, funds: Iterable[SametFund], limit: int, start: int) -> Answer:
    return [call.view(fund) for fund in islice((one for one in funds if one.id >= start), limit)]


METHODS = (list_samet_funds, get_samet_funds_by_owner, get_samet_funds_by_asset)
