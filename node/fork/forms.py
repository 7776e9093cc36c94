"""bitshares-core's objects as its `snapshot` plugin writes them, field by field, and ours.

The plugin writes each object as the API shows it. So a row here says only what differs: fields that
are derived and therefore dropped, fields that must hold what a chain without some feature has, and
values that are written otherwise. A field that no row names is an error: nothing is lost silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import msgspec

from node.fork.errors import NotCarriedOver
from node.state.objects.accounts import (
    Account,
    AccountBalance,
    AccountStatistics,
    SpecialAuthority,
    TicketFigures,
    VotingPower,
)
from node.state.objects.assets import Asset, AssetDynamicData, BitassetData, Buyback
from node.state.objects.base import StateObject
from node.state.objects.credit import CreditDeal, CreditDealSummary, CreditOffer
from node.state.objects.custom_authorities import CustomAuthority
from node.state.objects.governance import (
    TRIGGER_FEED,
    VOTING_TICKETS,
    BudgetRecord,
    ChainProperties,
    CommitteeMember,
    DynamicGlobalProperties,
    GlobalProperties,
    Witness,
    WitnessSchedule,
    Worker,
)
from node.state.objects.htlc import Htlc
from node.state.objects.liquidity import LiquidityPool, SametFund
from node.state.objects.market import CallOrder, CollateralBid, ForceSettlement, LimitOrder
from node.state.objects.permissions import WithdrawPermission
from node.state.objects.tickets import STATUS_NAMES, Ticket
from node.state.objects.transactions import BlockSummary, Proposal, TransactionHistory
from node.state.objects.vesting import BALANCE_NAMES, GenesisBalance, VestingBalance
from protocol.errors import DecodeError
from protocol.json_form import JsonValue, from_json_as, to_json
from protocol.operations import account
from protocol.operations.ticket import TicketType
from protocol.schema import Record, schema_of

Json = dict[str, JsonValue]
NOTHING: tuple[JsonValue, ...] = (0, "0", None, False, [], {}, [0, {}])
"""What a field says of a feature that nobody uses."""


class Form(Record, gc=True):
    """How objects of one type are read."""

    cls: type[StateObject]
    derived: frozenset[str] = frozenset()
    """Fields that follow from others, or that only bitshares-core's plugins read."""
    unused: frozenset[str] = frozenset()
    """Fields that must say nothing."""
    reads: Mapping[str, Callable[[JsonValue], Json]] = msgspec.field(default_factory=dict)
    """Fields that come to others of ours."""
    gathers: Callable[[Json], Json] | None = None
    """Puts fields together that are records of ours; it may change what it is given."""
    added: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    """Our fields that bitshares-core has not got, as a chain begins with them."""

    def _read(self, data: Json, name: str, value: JsonValue) -> Json:
        try:
            return self.reads[name](value)
        except (LookupError, TypeError) as error:
            raise DecodeError(f".{name}: malformed", value=str(value)[:80]) from error
        except NotCarriedOver as error:
            raise _refused(data, name, value, error.what) from error

    def adapt(self, data: Json) -> Json:
        """An object of the file in our own form; raises `NotCarriedOver`."""
        if self.gathers is not None:
            data = self.gathers(data)
        adapted = dict(self.added)
        own = _names_of(self.cls)
        for name, value in data.items():
            if name in self.reads:
                adapted |= self._read(data, name, value)
            elif name in self.unused:
                if value not in NOTHING:
                    raise _refused(data, name, value, "in use, and not known here")
            elif name in own:
                adapted[name] = value
            elif name not in self.derived:
                raise _refused(data, name, value, "not known here")
        return adapted


def _refused(data: Json, name: str, value: JsonValue, what: str) -> NotCarriedOver:
    return NotCarriedOver(f"{data['id']}.{name}: {what}", value=str(value)[:80])


_known_names: dict[type[StateObject], frozenset[str]] = {}


def _names_of(cls: type[StateObject]) -> frozenset[str]:
    found = _known_names.get(cls)
    if found is None:
        fields = schema_of(cast(type, cls)).fields
        found = _known_names[cls] = frozenset(one.json_name for one in fields)
    return found


def _call_price(value: JsonValue) -> Json:
    """A position's two assets stand in its call price, collateral first."""
    price = cast("dict[str, dict[str, JsonValue]]", value)
    return {
        "collateral_asset": price["base"]["asset_id"],
        "debt_asset": price["quote"]["asset_id"],
    }


def _inverse_swan_price(value: JsonValue) -> Json:
    price = cast(Json, value)
    return {"additional_collateral": price["base"], "debt_covered": price["quote"]}


TICKET_TYPES = tuple(one.name.lower() for one in TicketType)


def _index(names: Sequence[str], value: JsonValue) -> int:
    """The number of what is written by its name."""
    if not isinstance(value, str) or value not in names:
        raise NotCarriedOver("another name than are known here", value=value)
    return names.index(value)


def _balance_type(value: JsonValue) -> Json:
    return {"balance_type": _index(BALANCE_NAMES, value)}


def _dynamic_flags(value: JsonValue) -> Json:
    return {"maintenance_flag": value == 1}


TICKET_FIGURES = tuple(one.json_name for one in schema_of(TicketFigures).fields)
POWERS = tuple(one.json_name for one in schema_of(VotingPower).fields)


def _ticket_figures(data: Json) -> Json:
    """What stands in records of ours: figures of tickets, if there are any, and votes' power."""
    figures = {name: data.pop(name, 0) for name in TICKET_FIGURES}
    powers: Json = {name: data.pop(f"vp_{name}", 0) for name in POWERS}
    data["voting_stake"] = data.pop("vp_all", 0)
    data["tickets"] = figures if any(value not in NOTHING for value in figures.values()) else None
    data["voting_power"] = powers
    return data


def _special_authorities(data: Json) -> Json:
    """What stands in a record of ours: whose holders decide for an account, if anybody's (Y1.1)."""
    special: Json = {"top_n_control_flags": data.pop("top_n_control_flags", 0)}
    for side in ("owner", "active"):
        written = data.pop(f"{side}_special_authority", [0, {}])
        found = from_json_as(account.SpecialAuthority, written, "")
        if isinstance(found, account.TopHoldersSpecialAuthority):
            special[side] = to_json(found, "")
    data["special"] = special if any(value not in NOTHING for value in special.values()) else None
    return data


def _transaction(value: JsonValue) -> Json:
    return {"expiration": cast(Json, value)["expiration"]}


FORMS: dict[tuple[int, int], Form] = {
    (1, 2): Form(
        Account,
        derived=frozenset({"num_committee_voted"}),
        gathers=_special_authorities,
    ),
    (1, 3): Form(Asset),
    (1, 4): Form(ForceSettlement),
    (1, 5): Form(CommitteeMember),
    (1, 6): Form(Witness),
    (1, 7): Form(LimitOrder, unused=frozenset({"is_settled_debt"})),
    (1, 8): Form(CallOrder, reads={"call_price": _call_price}),
    (1, 10): Form(Proposal),
    (1, 12): Form(WithdrawPermission),
    (1, 13): Form(VestingBalance, reads={"balance_type": _balance_type}),
    (1, 14): Form(
        Worker,
        derived=frozenset({"vote_against"}),
        unused=frozenset({"total_votes_against"}),
    ),
    (1, 15): Form(GenesisBalance),
    (1, 16): Form(Htlc),
    (1, 17): Form(CustomAuthority),
    (1, 18): Form(
        Ticket,
        reads={
            "target_type": lambda value: {"target_type": _index(TICKET_TYPES, value)},
            "current_type": lambda value: {"current_type": _index(TICKET_TYPES, value)},
            "status": lambda value: {"status": _index(STATUS_NAMES, value)},
        },
    ),
    (1, 19): Form(LiquidityPool),
    (1, 20): Form(SametFund),
    (1, 21): Form(CreditOffer),
    (1, 22): Form(CreditDeal),
    (2, 0): Form(GlobalProperties),
    (2, 1): Form(DynamicGlobalProperties, reads={"dynamic_flags": _dynamic_flags}),
    (2, 3): Form(AssetDynamicData, unused=frozenset({"confidential_supply"})),
    (2, 4): Form(
        BitassetData,
        derived=frozenset(
            {"current_maintenance_collateralization", "current_initial_collateralization"}
        ),
        unused=frozenset({"individual_settlement_debt", "individual_settlement_fund"}),
        added={"individual_settlement_debt": 0, "individual_settlement_fund": 0},
    ),
    (2, 5): Form(AccountBalance, derived=frozenset({"maintenance_flag"})),
    (2, 6): Form(
        AccountStatistics,
        derived=frozenset(
            {
                *("most_recent_op", "total_ops", "removed_ops", "has_cashback_vb", "is_voting"),
            }
        ),
        gathers=_ticket_figures,
    ),
    (2, 7): Form(TransactionHistory, reads={"trx": _transaction}),
    (2, 8): Form(BlockSummary),
    (2, 11): Form(
        ChainProperties,
        added={
            "margin_call_trigger": TRIGGER_FEED,
            "strict_release": False,
            "voting_stake": VOTING_TICKETS,
        },
    ),
    (2, 12): Form(WitnessSchedule),
    (2, 13): Form(BudgetRecord),
    (2, 14): Form(SpecialAuthority),
    (2, 15): Form(Buyback),
    (2, 17): Form(CollateralBid, reads={"inv_swan_price": _inverse_swan_price}),
    (2, 18): Form(CreditDealSummary),
}
"""By space and type of their ids."""

LEFT_OUT = {
    (1, 0): "null objects",
    (1, 11): "operations of the history",
    (2, 9): "entries of accounts' histories",
    (5, 0): "trades of the market history",
    (5, 1): "buckets of the market history",
    (5, 2): "market tickers",
    (5, 3): "marks of the market history",
}
"""What no rule reads; the history here begins with the first block of its own."""

MUST_BE_EMPTY = {(2, 16): "accumulated_fba_fees"}
"""Objects that are carried over by being empty: the field that must be 0."""
