"""The state of the chain: one table for each type of object, under one undo log.

Objects refer to each other by id only. Everything that consensus depends on is here, and nothing
else; `state_hash` covers all of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

from msgspec import Raw

from node.state.errors import NoSuchObject
from node.state.indexes import GroupIndex, OrderedIndex, TimeIndex, UniqueIndex
from node.state.keys import offer_key, ratio_key
from node.state.objects.accounts import (
    Account,
    AccountBalance,
    AccountStatistics,
    SpecialAuthority,
)
from node.state.objects.assets import Asset, AssetDynamicData, BitassetData, Buyback
from node.state.objects.base import StateObject
from node.state.objects.credit import CreditDeal, CreditDealSummary, CreditOffer
from node.state.objects.custom_authorities import CustomAuthority
from node.state.objects.development import Development
from node.state.objects.finality import Finality
from node.state.objects.governance import (
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
from node.state.objects.tickets import Ticket
from node.state.objects.transactions import BlockSummary, Proposal, TransactionHistory
from node.state.objects.vesting import GenesisBalance, VestingBalance
from node.state.stakes import Stakes
from node.state.table import Table
from node.state.touched import Touched
from node.state.undo import UndoLog
from protocol import ids
from protocol.binary import pack
from protocol.chain_parameters import ChainParameters
from protocol.constants import CORE_ASSET, TAPOS_WINDOW
from protocol.errors import DecodeError
from protocol.ids import (
    AccountId,
    AccountStatisticsId,
    AssetId,
    BalanceId,
    CreditDealId,
    CreditOfferId,
    CustomAuthorityId,
    ForceSettlementId,
    HtlcId,
    LimitOrderId,
    TicketId,
    VestingBalanceId,
    WithdrawPermissionId,
)
from protocol.leb128 import write_varint
from protocol.msgpack_form import Plain, pack_document, to_plain
from protocol.msgpack_read import MsgpackReader, read_list
from protocol.schema import Address, Digest, IdType, TransactionId

K = TypeVar("K", bound=int)
T = TypeVar("T", bound=StateObject)

TABLE_PARTS = 4
"""Of a table in a snapshot: space, type, next instance number, objects."""
NUMBERED = tuple(IdType(*ids.ID_TYPES[one]) for one in (AccountId, AccountStatisticsId, AssetId))
"""Ids that stand in objects of many tables."""
ALL = ()
"""The only group of an index over a whole table."""


class State:
    """All tables, their indexes, and the undo log."""

    def __init__(self) -> None:
        self.log = UndoLog()
        self.tables: list[Table[int, StateObject]] = []
        self.accounts = self._table(Account, ids.AccountId)
        self.assets = self._table(Asset, ids.AssetId)
        self.force_settlements = self._table(ForceSettlement, ids.ForceSettlementId)
        self.committee_members = self._table(CommitteeMember, ids.CommitteeMemberId)
        self.witnesses = self._table(Witness, ids.WitnessId)
        self.limit_orders = self._table(LimitOrder, ids.LimitOrderId)
        self.call_orders = self._table(CallOrder, ids.CallOrderId)
        self.proposals = self._table(Proposal, ids.ProposalId)
        self.withdraw_permissions = self._table(WithdrawPermission, ids.WithdrawPermissionId)
        self.vesting_balances = self._table(VestingBalance, ids.VestingBalanceId)
        self.workers = self._table(Worker, ids.WorkerId)
        self.genesis_balances = self._table(GenesisBalance, ids.BalanceId)
        self.htlcs = self._table(Htlc, ids.HtlcId)
        self.custom_authorities = self._table(CustomAuthority, ids.CustomAuthorityId)
        self.tickets = self._table(Ticket, ids.TicketId)
        self.liquidity_pools = self._table(LiquidityPool, ids.LiquidityPoolId)
        self.samet_funds = self._table(SametFund, ids.SametFundId)
        self.credit_offers = self._table(CreditOffer, ids.CreditOfferId)
        self.credit_deals = self._table(CreditDeal, ids.CreditDealId)
        self.global_properties = self._table(GlobalProperties, ids.GlobalPropertyId)
        self.dynamic_properties = self._table(DynamicGlobalProperties, ids.DynamicGlobalPropertyId)
        self.asset_dynamic_data = self._table(AssetDynamicData, ids.AssetDynamicDataId)
        self.bitassets = self._table(BitassetData, ids.AssetBitassetDataId)
        self.balances = self._table(AccountBalance, ids.AccountBalanceId)
        self.statistics = self._table(AccountStatistics, ids.AccountStatisticsId)
        self.transactions = self._table(TransactionHistory, ids.TransactionHistoryId)
        self.block_summaries = self._table(BlockSummary, ids.BlockSummaryId)
        self.chain_properties = self._table(ChainProperties, ids.ChainPropertyId)
        self.witness_schedules = self._table(WitnessSchedule, ids.WitnessScheduleId)
        self.budget_records = self._table(BudgetRecord, ids.BudgetRecordId)
        self.special_authorities = self._table(SpecialAuthority, ids.SpecialAuthorityId)
        self.buybacks = self._table(Buyback, ids.BuybackId)
        self.collateral_bids = self._table(CollateralBid, ids.CollateralBidId)
        self.credit_deal_summaries = self._table(CreditDealSummary, ids.CreditDealSummaryId)
        self.finalities = self._table(Finality, ids.FinalityId)
        self.developments = self._table(Development, ids.DevelopmentId)
        self.table_of_type = {(table.space, table.type): table for table in self.tables}
        self._touched_balances = Touched(self.balances)
        self._touched_statistics = Touched(self.statistics)
        self.stakes = Stakes(self.accounts, self.statistics, self.vesting_balances)
        self._add_account_indexes()
        self._add_market_indexes()
        self._add_credit_indexes()
        self._add_time_indexes()

    def _table(self, cls: type[T], id_type: Callable[[int], K]) -> Table[K, T]:
        """An empty table, the next one of `tables`."""
        table = Table(cls, id_type, self.log)
        self.tables.append(cast("Table[int, StateObject]", table))
        return table

    def _add_account_indexes(self) -> None:
        self.account_by_name = UniqueIndex[str, Account](lambda item: item.name)
        self.accounts.add_index(self.account_by_name)
        self.special_authority_of = UniqueIndex[AccountId, SpecialAuthority](
            lambda item: item.account
        )
        self.special_authorities.add_index(self.special_authority_of)
        self.asset_by_symbol = UniqueIndex[str, Asset](lambda item: item.symbol)
        self.assets.add_index(self.asset_by_symbol)
        self.balances_of_account = GroupIndex[AccountId, AssetId, AccountBalance](
            lambda item: item.owner, lambda item: item.asset_type
        )
        self.balances.add_index(self.balances_of_account)
        self.witness_by_account = UniqueIndex[AccountId, Witness](lambda item: item.witness_account)
        self.witnesses.add_index(self.witness_by_account)
        self.committee_member_by_account = UniqueIndex[AccountId, CommitteeMember](
            lambda item: item.committee_member_account
        )
        self.committee_members.add_index(self.committee_member_by_account)
        self.vesting_of_account = GroupIndex[AccountId, VestingBalanceId, VestingBalance](
            lambda item: item.owner, lambda item: item.id
        )
        self.vesting_balances.add_index(self.vesting_of_account)
        self.vesting_by_purpose = OrderedIndex[tuple[AccountId, AssetId, int], VestingBalance](
            lambda item: (item.owner, item.balance.asset_id, item.balance_type),
            lambda item: item.id,
        )
        """By owner, asset and what it is for; finds the one that collects fee shares (R2.15)."""
        self.vesting_balances.add_index(self.vesting_by_purpose)
        self.genesis_balances_of = GroupIndex[Address, tuple[AssetId, BalanceId], GenesisBalance](
            lambda item: item.owner, lambda item: (item.balance.asset_id, item.id)
        )
        self.genesis_balances.add_index(self.genesis_balances_of)
        self.permissions_given = GroupIndex[AccountId, WithdrawPermissionId, WithdrawPermission](
            lambda item: item.withdraw_from_account, lambda item: item.id
        )
        self.withdraw_permissions.add_index(self.permissions_given)
        self.permissions_received = GroupIndex[AccountId, WithdrawPermissionId, WithdrawPermission](
            lambda item: item.authorized_account, lambda item: item.id
        )
        self.withdraw_permissions.add_index(self.permissions_received)
        self.htlcs_from = GroupIndex[AccountId, HtlcId, Htlc](
            lambda item: item.transfer.from_, lambda item: item.id
        )
        self.htlcs.add_index(self.htlcs_from)
        self.htlcs_to = GroupIndex[AccountId, HtlcId, Htlc](
            lambda item: item.transfer.to, lambda item: item.id
        )
        self.htlcs.add_index(self.htlcs_to)
        self.custom_authorities_of_account = GroupIndex[
            AccountId, CustomAuthorityId, CustomAuthority
        ](lambda item: item.account, lambda item: item.id)
        self.custom_authorities.add_index(self.custom_authorities_of_account)
        self.custom_authorities_for = GroupIndex[
            tuple[AccountId, int], CustomAuthorityId, CustomAuthority
        ](lambda item: (item.account, item.operation_type), lambda item: item.id)
        """By account and type of operation: asked for with every signature (C4.5)."""
        self.custom_authorities.add_index(self.custom_authorities_for)
        self.tickets_of_account = GroupIndex[AccountId, TicketId, Ticket](
            lambda item: item.account, lambda item: item.id
        )
        self.tickets.add_index(self.tickets_of_account)

    def _add_market_indexes(self) -> None:
        self.book = OrderedIndex[tuple[AssetId, AssetId], LimitOrder](
            _market_of, lambda item: offer_key(item.sell_price)
        )
        """By (asset sold, asset wanted): best offer first, older first at one price (R2.3)."""
        self.limit_orders.add_index(self.book)
        self.orders_of_account = GroupIndex[AccountId, LimitOrderId, LimitOrder](
            lambda item: item.seller, lambda item: item.id
        )
        self.limit_orders.add_index(self.orders_of_account)
        self.positions_of_account = GroupIndex[AccountId, AssetId, CallOrder](
            lambda item: item.borrower, lambda item: item.debt_asset
        )
        self.call_orders.add_index(self.positions_of_account)
        self.positions = OrderedIndex[AssetId, CallOrder](
            lambda item: item.debt_asset,
            lambda item: ratio_key(item.collateral, item.debt),
            mutable=True,
        )
        """By debt asset: least collateralised first, older first at one ratio (R4.1)."""
        self.call_orders.add_index(self.positions)
        self.settlements = OrderedIndex[AssetId, ForceSettlement](
            lambda item: item.balance.asset_id, lambda item: item.settlement_date
        )
        """By asset: earliest date first (R5.4)."""
        self.force_settlements.add_index(self.settlements)
        self.settlements_of_account = GroupIndex[AccountId, ForceSettlementId, ForceSettlement](
            lambda item: item.owner, lambda item: item.id
        )
        self.force_settlements.add_index(self.settlements_of_account)
        self.bids_of_account = GroupIndex[AccountId, AssetId, CollateralBid](
            lambda item: item.bidder, lambda item: item.debt_covered.asset_id
        )
        self.collateral_bids.add_index(self.bids_of_account)
        self.bids = OrderedIndex[AssetId, CollateralBid](
            lambda item: item.debt_covered.asset_id,
            lambda item: -ratio_key(item.additional_collateral.amount, item.debt_covered.amount),
        )
        """By debt asset: most additional collateral per debt first (R6.5)."""
        self.collateral_bids.add_index(self.bids)
        self.bitassets_to_look_at = OrderedIndex[bool, BitassetData](
            lambda item: item.were_requests_done, lambda item: item.asset_id, mutable=True
        )
        """By whether the next boundary looks at them whatever its block touches (BK1a)."""
        self.bitassets.add_index(self.bitassets_to_look_at)
        self.bitassets_by_feed_end = OrderedIndex[bool, BitassetData](
            BitassetData.has_feed, BitassetData.feed_end, mutable=True
        )
        """By whether they have a feed: the first to run out first (R1.17)."""
        self.bitassets.add_index(self.bitassets_by_feed_end)
        self.bitassets_by_rate_due = OrderedIndex[bool, BitassetData](
            BitassetData.is_rate_due, lambda item: item.id, mutable=True
        )
        """By whether their core exchange rate is to be copied at the next boundary (R1.21)."""
        self.bitassets.add_index(self.bitassets_by_rate_due)
        self.funds_by_open = OrderedIndex[bool, SametFund](
            lambda item: item.unpaid_amount > 0, lambda item: item.id, mutable=True
        )
        """By whether something of it is lent now: nothing may be when a transaction ends (U7)."""
        self.samet_funds.add_index(self.funds_by_open)

    def _add_credit_indexes(self) -> None:
        """What O8 looks for, and what accounts and clients ask for (O1, O9)."""
        self.credit_offers_by_end = OrderedIndex[bool, CreditOffer](
            lambda item: item.enabled, lambda item: item.auto_disable_time, mutable=True
        )
        """By whether they are enabled: the next one to be disabled first (O8)."""
        self.credit_offers.add_index(self.credit_offers_by_end)
        self.credit_offers_of_account = GroupIndex[AccountId, CreditOfferId, CreditOffer](
            lambda item: item.owner_account, lambda item: item.id
        )
        self.credit_offers.add_index(self.credit_offers_of_account)
        self.credit_offers_of_asset = GroupIndex[AssetId, CreditOfferId, CreditOffer](
            lambda item: item.asset_type, lambda item: item.id
        )
        self.credit_offers.add_index(self.credit_offers_of_asset)
        self.credit_deals_by_end = TimeIndex[CreditDeal](lambda item: item.latest_repay_time)
        self.credit_deals.add_index(self.credit_deals_by_end)
        self.credit_deals_of_offer = GroupIndex[CreditOfferId, CreditDealId, CreditDeal](
            lambda item: item.offer_id, lambda item: item.id
        )
        self.credit_deals_of_owner = GroupIndex[AccountId, CreditDealId, CreditDeal](
            lambda item: item.offer_owner, lambda item: item.id
        )
        self.credit_deals_of_borrower = GroupIndex[AccountId, CreditDealId, CreditDeal](
            lambda item: item.borrower, lambda item: item.id
        )
        self.credit_deals_of_debt = GroupIndex[AssetId, CreditDealId, CreditDeal](
            lambda item: item.debt_asset, lambda item: item.id
        )
        self.credit_deals_of_collateral = GroupIndex[AssetId, CreditDealId, CreditDeal](
            lambda item: item.collateral_asset, lambda item: item.id
        )
        for index in (
            self.credit_deals_of_offer,
            self.credit_deals_of_owner,
            self.credit_deals_of_borrower,
            self.credit_deals_of_debt,
            self.credit_deals_of_collateral,
        ):
            self.credit_deals.add_index(cast("GroupIndex[int, CreditDealId, CreditDeal]", index))
        self.credit_summaries_of_offer = GroupIndex[CreditOfferId, AccountId, CreditDealSummary](
            lambda item: item.offer_id, lambda item: item.borrower
        )
        """By offer: the summary of each borrower."""
        self.credit_deal_summaries.add_index(self.credit_summaries_of_offer)

    def _add_time_indexes(self) -> None:
        self.transaction_by_id = UniqueIndex[TransactionId, TransactionHistory](
            lambda item: item.trx_id
        )
        self.transactions.add_index(self.transaction_by_id)
        self.transaction_expirations = TimeIndex[TransactionHistory](lambda item: item.expiration)
        self.transactions.add_index(self.transaction_expirations)
        self.order_expirations = TimeIndex[LimitOrder](lambda item: item.expiration)
        self.limit_orders.add_index(self.order_expirations)
        self.proposal_expirations = TimeIndex[Proposal](lambda item: item.expiration_time)
        self.proposals.add_index(self.proposal_expirations)
        self.permission_expirations = OrderedIndex[tuple[()], WithdrawPermission](
            lambda item: ALL, lambda item: item.expiration, mutable=True
        )
        self.withdraw_permissions.add_index(self.permission_expirations)
        self.htlc_expirations = OrderedIndex[tuple[()], Htlc](
            lambda item: ALL, lambda item: item.expiration, mutable=True
        )
        """Earliest end first, older first at one end (H5.1)."""
        self.htlcs.add_index(self.htlc_expirations)
        self.custom_authority_ends = OrderedIndex[tuple[()], CustomAuthority](
            lambda item: ALL, lambda item: item.valid_to, mutable=True
        )
        self.custom_authorities.add_index(self.custom_authority_ends)
        self.ticket_updates = OrderedIndex[tuple[()], Ticket](
            lambda item: ALL, lambda item: item.next_auto_update_time, mutable=True
        )
        """Earliest first, older first at one time (K3.1)."""
        self.tickets.add_index(self.ticket_updates)

    @property
    def properties(self) -> GlobalProperties:
        """Chain parameters and elected producers (2.0.0)."""
        return self.global_properties.rows[0]

    @property
    def parameters(self) -> ChainParameters:
        """The chain parameters in force."""
        return self.global_properties.rows[0].parameters

    @property
    def dynamic(self) -> DynamicGlobalProperties:
        """The head of the chain (2.1.0)."""
        return self.dynamic_properties.rows[0]

    @property
    def chain(self) -> ChainProperties:
        """What genesis fixed for good (2.11.0)."""
        return self.chain_properties.rows[0]

    @property
    def finality(self) -> Finality | None:
        """Justified blocks and voting sets (2.200.0); None where BitShares' rule holds (F10)."""
        return self.finalities.rows.get(0)

    @property
    def development(self) -> Development | None:
        """What only a development chain has (2.201.0)."""
        return self.developments.rows.get(0)

    def kept_tables(self) -> list[Table[int, StateObject]]:
        """The tables that hashes and snapshots are of: a table of ours only if it is in use."""
        unused = [table for table in (self.finalities, self.developments) if not table.rows]
        return [table for table in self.tables if table not in unused]

    def account_named(self, name: str) -> Account:
        """The account of a name; raises `NoSuchObject`."""
        account = self.account_by_name.find(name)
        if account is None:
            raise NoSuchObject("no such account", rule="R0.1", value=name)
        return account

    def asset_named(self, symbol: str) -> Asset:
        """The asset of an on-chain symbol; raises `NoSuchObject`."""
        asset = self.asset_by_symbol.find(symbol)
        if asset is None:
            raise NoSuchObject("no such asset", rule="R0.1", value=symbol)
        return asset

    def bitasset_of(self, asset_id: AssetId) -> BitassetData | None:
        """The BitAsset data of an asset, or None for any other asset."""
        data_id = self.assets.get(asset_id).bitasset_data_id
        return None if data_id is None else self.bitassets.get(data_id)

    def figures_of(self, asset_id: AssetId) -> AssetDynamicData:
        """The supply, fees and fee pool of an asset."""
        return self.asset_dynamic_data.get(self.assets.get(asset_id).dynamic_asset_data_id)

    def balance_of(self, account: AccountId, asset_id: AssetId) -> int:
        """What an account holds of an asset; 0 when it never held any."""
        found = self.balances_of_account.find(account, asset_id)
        return 0 if found is None else found.balance

    def statistics_of(self, account: AccountId) -> AccountStatistics:
        """The statistics of an account."""
        return self.statistics.get(self.accounts.get(account).statistics)

    def block_summary(self, block_num: int) -> BlockSummary | None:
        """What is remembered of a block, as long as it is in the window of references (R9.3)."""
        return self.block_summaries.rows.get(block_num % TAPOS_WINDOW)

    def take_moved_statistics(self) -> list[AccountStatistics]:
        """Figures of the accounts whose CORE balance or own figures may have changed since this
        was last asked for, ascending: all those that maintenance has to look at (R8.11, R8.20)."""
        found: set[int] = set(self._touched_statistics.take())
        for instance in self._touched_balances.take():
            balance = self.balances.rows.get(instance)
            if balance is not None and balance.asset_type == CORE_ASSET:
                found.add(self.accounts.get(balance.owner).statistics)
        figures = map(self.statistics.rows.get, sorted(found))
        return [one for one in figures if one is not None]

    def disregard_moved_statistics(self) -> None:
        """Take all figures as looked at: since they were taken only maintenance wrote into them."""
        self._touched_statistics.disregard()

    def look_through(self) -> None:
        """Note of a restored state what the undo log would have told of it."""
        for figures in self.statistics.rows.values():
            name = self.accounts.get(figures.owner).name
            if figures.name == name:
                figures.name = name  # the same object: half of what the names take
        self.stakes.look_through()
        self._touched_statistics.note(
            one.id
            for one in self.statistics.rows.values()
            if one.pending_fees
            or one.pending_vested_fees
            or one.core_in_balance != self.balance_of(one.owner, CORE_ASSET)
        )

    def state_hash(self) -> Digest:
        """SHA256 over every object of every table and all instance counters, in order of ids."""
        digest = hashlib.sha256()
        for head, objects in self._packed_tables():
            digest.update(head)
            for packed in objects:
                digest.update(packed)
        return Digest(digest.digest())

    def _packed_tables(self) -> Iterator[tuple[bytes, Iterator[bytes]]]:
        for table in sorted(self.kept_tables(), key=lambda table: (table.space, table.type)):
            head = table_head(table, table.next_id, len(table))
            yield head, (pack(item) for item in table.in_order())

    def dump(self) -> Plain:
        """The whole state as plain lists, for a snapshot; no session may be open."""
        assert self.log.depth == 0
        return [
            [
                table.space,
                table.type,
                table.next_id,
                [to_plain(item) for item in table.in_order()],
            ]
            for table in self.kept_tables()
        ]

    @classmethod
    def restore(cls, data: Plain) -> State:
        """The state of a snapshot; raises `DecodeError`."""
        return cls.read(pack_document(data))

    @classmethod
    def read(cls, data: bytes) -> State:
        """The state of a snapshot as it is packed, without its plain form in memory; raises
        `DecodeError`."""
        state, reader = cls(), state_reader()
        for space, type_, next_instance, items in read_list(data, tuple[int, int, int, Raw]):
            table = state.table_of_type.get((space, type_))
            if table is None:
                raise DecodeError("no such table", value=f"{space}.{type_}")
            for item in read_list(items, Raw):
                table.load(reader.read(table.cls, item))
            table.next_id = next_instance
        state.look_through()
        return state


def state_reader() -> MsgpackReader:
    """Reads objects of a state; equal values of them are one object, a third of what they take."""
    return MsgpackReader(NUMBERED)


def _market_of(order: LimitOrder) -> tuple[AssetId, AssetId]:
    """What an order sells and what it wants."""
    price = order.sell_price
    return price.base.asset_id, price.quote.asset_id


def table_head(table: Table[int, StateObject], next_instance: int, count: int) -> bytes:
    """What the state hash takes in before the objects of a table."""
    head = bytearray((table.space, table.type))
    write_varint(head, next_instance)
    write_varint(head, count)
    return bytes(head)
