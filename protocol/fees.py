"""What an operation must pay (R8.17) and the default schedule (R8.19)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from msgspec.structs import replace

from protocol.asset import NO_FEE, AssetAmount, ceil_div
from protocol.authority import Authority
from protocol.binary import pack, pack_as
from protocol.chain_parameters import ChainParameters
from protocol.constants import (
    COMMITTEE_ACCOUNT,
    CORE_ASSET,
    HUNDRED_PERCENT,
    MAX_DELAY_S,
    MAX_SUPPLY,
    SECONDS_PER_DAY,
)
from protocol.errors import ValidationError
from protocol.fee_schedule import (
    AccountCreateFee,
    AccountUpgradeFee,
    AssetCreateFee,
    ByteFee,
    DailyFee,
    FeeParameters,
    FeeSchedule,
    FlatFee,
    NoFee,
    OutputFee,
    PreimageFee,
    SizedFee,
)
from protocol.ids import MAX_INSTANCE, ProposalId, asset_text
from protocol.names import is_cheap_account_name
from protocol.operations import ENTRY_OF, OPERATIONS, Operation
from protocol.operations.account import (
    AccountCreate,
    AccountTransfer,
    AccountUpdate,
    AccountUpgrade,
)
from protocol.operations.asset import AssetCreate, AssetIssue, AssetUpdate
from protocol.operations.committee import CommitteeMemberUpdateGlobalParameters
from protocol.operations.credit_offer import CreditOfferCreate, CreditOfferUpdate
from protocol.operations.custom import Assert, Custom
from protocol.operations.custom_authority import (
    CustomAuthorityCreate,
    CustomAuthorityUpdate,
)
from protocol.operations.htlc import HtlcCreate, HtlcExtend, HtlcRedeem
from protocol.operations.memo import Memo
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from protocol.operations.restriction import Restriction
from protocol.operations.stealth import BlindTransfer, TransferToBlind
from protocol.operations.ticket import TicketCreate, TicketUpdate
from protocol.operations.transfer import OverrideTransfer, Transfer
from protocol.operations.withdraw_permission import WithdrawPermissionClaim
from protocol.schema import MAX_TIMESTAMP, Record, Tagged, are_equal, schema_of

Parameters = TypeVar("Parameters", bound=FeeParameters)

_ACCOUNT_TRANSFER = ENTRY_OF[AccountTransfer].id
_TICKET_CREATE = ENTRY_OF[TicketCreate].id

_FIXED = frozenset((_TICKET_CREATE, ENTRY_OF[TicketUpdate].id))
"""BitShares charges the default fee of these, whatever the schedule says (K2.4)."""

_FALLBACKS = {45: 3, 47: 16, 48: 11}
"""Operations that came later cost, in an old schedule, what the operation they split off does."""


def _zero_parameters(operation_id: int) -> FeeParameters:
    cls: type = type(OPERATIONS[operation_id].default_fee)
    return cast(FeeParameters, cls(*(0 for _ in schema_of(cls).fields)))


DEFAULT_FEE_SCHEDULE = FeeSchedule(
    tuple(Tagged(tag, OPERATIONS[tag].default_fee) for tag in OPERATIONS)
)
"""What a new chain charges (R8.19)."""

ZERO_FEE_SCHEDULE = FeeSchedule(
    tuple(Tagged(tag, _zero_parameters(tag)) for tag in OPERATIONS), scale=0
)
"""Everything is free."""


class FeeTable:
    """A fee schedule made ready for look-ups; keep it as long as the schedule stays the same."""

    __slots__ = ("_bare_transfer", "_flat", "_parameters", "schedule")

    def __init__(self, schedule: FeeSchedule) -> None:
        self.schedule = schedule
        self._parameters = {tag: cast(FeeParameters, value) for tag, value in schedule.parameters}
        self._flat: dict[type, int] = {}
        """Scaled flat fees, as far as they were asked for: one that cannot exist refuses only the
        operations that it is for."""
        self._bare_transfer: int | None = None

    def required(self, operation: Operation) -> int:
        """The least fee of an operation, in smallest units of CORE (R8.17).

        Raises `ValidationError` when the schedule asks for more than can exist.
        """
        cls = type(operation)
        flat = self._flat.get(cls)
        if flat is not None:
            return flat
        if isinstance(operation, Transfer) and operation.memo is None:
            if self._bare_transfer is None:
                self._bare_transfer = self._scale(self.of(Transfer, SizedFee).fee)
            return self._bare_transfer
        calculate = _CALCULATORS.get(cls)
        if calculate is not None:
            return self._scale(calculate(operation, self))
        flat = self._flat[cls] = self._scale(self._flat_fee(ENTRY_OF[cls].id))
        return flat

    def parameters(self, operation_id: int) -> FeeParameters:
        """The parameters of an operation; the default ones when the schedule has none."""
        if operation_id in _FIXED:
            return OPERATIONS[operation_id].default_fee
        found = self._parameters.get(operation_id)
        return OPERATIONS[operation_id].default_fee if found is None else found

    def of(self, cls: type, kind: type[Parameters]) -> Parameters:
        """The parameters of an operation's class, which are of a kind."""
        found = self.parameters(ENTRY_OF[cls].id)
        assert isinstance(found, kind), found
        return found

    def sub_asset_fee(self) -> int | None:
        """Fee of an asset with a dot in its symbol; None: no special one (R8.19).

        BitShares reuses the parameter of account_transfer, once tickets are in the schedule.
        """
        if _ACCOUNT_TRANSFER not in self._parameters or _TICKET_CREATE not in self._parameters:
            return None
        return self._flat_fee(_ACCOUNT_TRANSFER)

    def _flat_fee(self, operation_id: int) -> int:
        fallback = _FALLBACKS.get(operation_id)
        if operation_id not in self._parameters and fallback in self._parameters:
            operation_id = fallback
        parameters = self.parameters(operation_id)
        if isinstance(parameters, NoFee):
            return 0
        assert isinstance(parameters, FlatFee | SizedFee), parameters
        return parameters.fee

    def _scale(self, fee: int) -> int:
        scaled = fee * self.schedule.scale // HUNDRED_PERCENT
        if scaled > MAX_SUPPLY:
            raise ValidationError(
                "required fee exceeds the largest supply",
                rule="R8.17",
                value=scaled,
                limit=MAX_SUPPLY,
                unit=asset_text(CORE_ASSET),
            )
        return scaled


_TABLES: dict[int, FeeTable] = {}
_TABLES_MAX = 32


def fee_table(schedule: FeeSchedule) -> FeeTable:
    """The look-up form of a schedule, built once for each schedule object.

    A table keeps its schedule alive, so the identity that finds it stays its own.
    """
    table = _TABLES.get(id(schedule))
    if table is None:
        if len(_TABLES) >= _TABLES_MAX:
            _TABLES.clear()
        table = _TABLES[id(schedule)] = FeeTable(schedule)
    return table


def required_fee(operation: Operation, schedule: FeeSchedule) -> int:
    """The least fee of one operation, in smallest units of CORE (R8.17)."""
    return fee_table(schedule).required(operation)


def with_required_fee(operation: Operation, schedule: FeeSchedule) -> Operation:
    """An operation that pays what it has to, in CORE, if its fee is 0 (R8.17)."""
    if not are_equal(operation.fee, NO_FEE):
        return operation
    return with_fee(operation, AssetAmount(required_fee(operation, schedule), CORE_ASSET))


def with_fee(operation: Operation, fee: AssetAmount) -> Operation:
    """The same operation with another fee."""
    return cast(Operation, replace(cast(Record, operation), fee=fee))


def data_fee(size: int, price_per_kbyte: int) -> int:
    """The charge for a number of bytes, rounded down (R8.17)."""
    return size * price_per_kbyte // 1024


def check_parameters(parameters: ChainParameters) -> None:
    """Refuse parameters with which a chain could not go on, or that nobody could change again.

    To change them takes proposals, whose fees must be such that all CORE could pay them (R8.17).
    Raises `ValidationError`.
    """
    parameters.validate()
    change = CommitteeMemberUpdateGlobalParameters(NO_FEE, parameters)
    proposed = (ProposedOperation(change),)
    propose = ProposalCreate(NO_FEE, COMMITTEE_ACCOUNT, MAX_TIMESTAMP, proposed, MAX_DELAY_S)
    approve = ProposalUpdate(NO_FEE, COMMITTEE_ACCOUNT, ProposalId(MAX_INSTANCE))
    for operation in (propose, approve):
        name = ENTRY_OF[type(operation)].name
        try:
            required_fee(operation, parameters.current_fees)
        except ValidationError as error:
            raise ValidationError(
                f"current_fees: nobody could pay for {name}, which changes parameters",
                rule="R8.17",
                value=error.value,
                limit=error.limit,
            ) from None


def with_parameters(
    schedule: FeeSchedule, operation_id: int, parameters: FeeParameters
) -> FeeSchedule:
    """The schedule with the parameters of one operation replaced or added."""
    assert type(parameters) is type(OPERATIONS[operation_id].default_fee), parameters
    others = (item for item in schedule.parameters if item.tag != operation_id)
    changed = sorted((*others, Tagged(operation_id, parameters)), key=lambda item: item.tag)
    return FeeSchedule(tuple(changed), schedule.scale)


def _memo_fee(operation: Operation, table: FeeTable) -> int:
    assert isinstance(operation, Transfer | OverrideTransfer | WithdrawPermissionClaim)
    parameters = table.of(type(operation), SizedFee)
    if operation.memo is None:
        return parameters.fee
    size = len(pack_as(Memo | None, operation.memo))
    return parameters.fee + data_fee(size, parameters.price_per_kbyte)


def _issue_fee(operation: Operation, table: FeeTable) -> int:
    assert isinstance(operation, AssetIssue)
    parameters = table.of(AssetIssue, SizedFee)
    size = len(pack_as(Memo | None, operation.memo))
    return parameters.fee + data_fee(size, parameters.price_per_kbyte)


def _sized_fee(operation: Operation, table: FeeTable) -> int:
    parameters = table.of(type(operation), SizedFee)
    return parameters.fee + data_fee(len(pack(operation)), parameters.price_per_kbyte)


def _account_update_fee(operation: Operation, table: FeeTable) -> int:
    assert isinstance(operation, AccountUpdate)
    if operation.new_options is not None:
        return _sized_fee(operation, table)
    parameters = table.of(AccountUpdate, SizedFee)
    return parameters.fee


def _account_create_fee(operation: Operation, table: FeeTable) -> int:
    assert isinstance(operation, AccountCreate)
    parameters = table.of(AccountCreate, AccountCreateFee)
    cheap = is_cheap_account_name(operation.name)
    name_fee = parameters.basic_fee if cheap else parameters.premium_fee
    return name_fee + data_fee(len(pack(operation)), parameters.price_per_kbyte)


def _account_upgrade_fee(operation: Operation, table: FeeTable) -> int:
    assert isinstance(operation, AccountUpgrade)
    parameters = table.of(AccountUpgrade, AccountUpgradeFee)
    if operation.upgrade_to_lifetime_member:
        return parameters.membership_lifetime_fee
    return parameters.membership_annual_fee


def _asset_create_fee(operation: Operation, table: FeeTable) -> int:
    assert isinstance(operation, AssetCreate)
    parameters = table.of(AssetCreate, AssetCreateFee)
    symbol_fee = {3: parameters.symbol3, 4: parameters.symbol4}.get(
        len(operation.symbol), parameters.long_symbol
    )
    sub_asset_fee = table.sub_asset_fee() if "." in operation.symbol else None
    if sub_asset_fee is not None:
        symbol_fee = sub_asset_fee
    return symbol_fee + data_fee(len(pack(operation)), parameters.price_per_kbyte)


def _assert_fee(operation: Operation, table: FeeTable) -> int:
    assert isinstance(operation, Assert)
    parameters = table.of(Assert, FlatFee)
    return parameters.fee * len(operation.predicates)


def _output_fee(operation: Operation, table: FeeTable) -> int:
    assert isinstance(operation, TransferToBlind | BlindTransfer)
    parameters = table.of(type(operation), OutputFee)
    return parameters.fee + len(operation.outputs) * parameters.price_per_output


def _htlc_create_fee(operation: Operation, table: FeeTable) -> int:
    """By the day, and for the memo what the memo of a transfer costs (H2.4)."""
    assert isinstance(operation, HtlcCreate)
    fee = _daily_fee(operation, operation.claim_period_seconds, table)
    memo = operation.extensions.memo
    if memo is None:
        return fee
    transfer = table.of(Transfer, SizedFee)
    return fee + data_fee(len(pack_as(Memo | None, memo)), transfer.price_per_kbyte)


def _htlc_extend_fee(operation: Operation, table: FeeTable) -> int:
    assert isinstance(operation, HtlcExtend)
    return _daily_fee(operation, operation.seconds_to_add, table)


def _daily_fee(operation: Operation, seconds: int, table: FeeTable) -> int:
    parameters = table.of(type(operation), DailyFee)
    return parameters.fee + ceil_div(seconds, SECONDS_PER_DAY) * parameters.fee_per_day


def _htlc_redeem_fee(operation: Operation, table: FeeTable) -> int:
    """For each begun 1,024 bytes of the preimage."""
    assert isinstance(operation, HtlcRedeem)
    parameters = table.of(HtlcRedeem, PreimageFee)
    return parameters.fee + ceil_div(len(operation.preimage), 1024) * parameters.fee_per_kb


def _custom_authority_fee(operation: Operation, table: FeeTable) -> int:
    """By the byte: the restrictions and the authority that the operation sets (C2.5)."""
    assert isinstance(operation, CustomAuthorityCreate | CustomAuthorityUpdate)
    parameters = table.of(type(operation), ByteFee)
    authority: Authority | None
    if isinstance(operation, CustomAuthorityCreate):
        restrictions, authority = operation.restrictions, operation.auth
    else:
        restrictions, authority = operation.restrictions_to_add, operation.new_auth
    size = len(pack_as(tuple[Restriction, ...], restrictions))
    if authority is not None:
        size += len(pack(authority))
    return parameters.basic_fee + size * parameters.price_per_byte


_CALCULATORS: dict[type, Callable[[Operation, FeeTable], int]] = {
    Transfer: _memo_fee,
    OverrideTransfer: _memo_fee,
    WithdrawPermissionClaim: _memo_fee,
    AssetIssue: _issue_fee,
    AccountCreate: _account_create_fee,
    AccountUpdate: _account_update_fee,
    AccountUpgrade: _account_upgrade_fee,
    AssetCreate: _asset_create_fee,
    AssetUpdate: _sized_fee,
    ProposalCreate: _sized_fee,
    ProposalUpdate: _sized_fee,
    Custom: _sized_fee,
    Assert: _assert_fee,
    TransferToBlind: _output_fee,
    BlindTransfer: _output_fee,
    HtlcCreate: _htlc_create_fee,
    HtlcRedeem: _htlc_redeem_fee,
    HtlcExtend: _htlc_extend_fee,
    CustomAuthorityCreate: _custom_authority_fee,
    CustomAuthorityUpdate: _custom_authority_fee,
    CreditOfferCreate: _sized_fee,
    CreditOfferUpdate: _sized_fee,
}
"""Class -> unscaled fee, for the operations that do not simply cost their flat fee."""
