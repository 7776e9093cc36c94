"""Database API: hash time lock contracts (H7.1)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Annotated

from node.api.arguments import AccountArg, Boolean, at_most, instance_of
from node.api.call import Answer, Call
from node.api.views import view_object
from node.state.objects.htlc import Htlc
from protocol import ids
from protocol.ids import object_id

HtlcLimit = Annotated[int, at_most(100)]
HtlcId = Annotated[ids.HtlcId, instance_of("HTLC id", ids.HtlcId)]


def get_htlc(call: Call, htlc_id: HtlcId, subscribe: Boolean = True) -> Answer:
    """A contract by its id, or null when it has ended; reading subscribes."""
    if subscribe:
        call.session.subscriptions.note_objects((object_id(ids.HtlcId, htlc_id),))
    htlc = call.state.htlcs.find(htlc_id)
    return None if htlc is None else view_object(call.backend, htlc)


def get_htlc_by_from(call: Call, account: AccountArg, start: HtlcId, limit: HtlcLimit) -> Answer:
    """The contracts that an account has made, by id from an id on."""
    return _views(call, call.state.htlcs_from.items(account.id), start, limit)


def get_htlc_by_to(call: Call, account: AccountArg, start: HtlcId, limit: HtlcLimit) -> Answer:
    """The contracts that pay an account, by id from an id on."""
    return _views(call, call.state.htlcs_to.items(account.id), start, limit)


def list_htlcs(call: Call, start: HtlcId, limit: HtlcLimit) -> Answer:
    """All contracts, by id from an id on."""
    return _views(call, call.state.htlcs.in_order(), start, limit)


def _views(call: Call, found: Iterable[Htlc], start: int, limit: int) -> Answer:
    wanted = islice((item for item in found if item.id >= start), limit)
    return [view_object(call.backend, item) for item in wanted]


METHODS = (get_htlc, get_htlc_by_from, get_htlc_by_to, list_htlcs)
