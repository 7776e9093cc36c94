"""Mistakes that the type checker finds: every line below is wrong, and says how mypy sees it.

Nothing here runs. `mypy --strict` fails on an ignore that is not needed, so a mistake that were to
pass one day fails `scripts/check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from node.state.events import AssetEvent, GloballySettledEvent, RevivedEvent
from protocol.ids import AccountId, account_text, asset_text, parse_id

if TYPE_CHECKING:
    from node.state.database import State
    from node.state.objects.accounts import Account
    from node.state.table import Table
    from node.state.undo import UndoLog
    from protocol.ids import AssetId


def look_up_by_the_id_of_another_type(state: State, account: AccountId, asset: AssetId) -> None:
    """Tables and indexes know what they are keyed by."""
    state.accounts.get(asset)  # type: ignore[arg-type]
    state.accounts.find(17)  # type: ignore[arg-type]
    state.accounts.at[asset]  # type: ignore[index]
    state.statistics.get(account)  # type: ignore[arg-type]
    state.limit_orders.object_id(account)  # type: ignore[arg-type]
    state.balance_of(asset, account)  # type: ignore[arg-type]
    state.balances_of_account.find(asset, account)  # type: ignore[arg-type]
    state.positions_of_account.find(account, 7)  # type: ignore[arg-type]
    state.account_by_name.find(account)  # type: ignore[arg-type]
    state.balances_of_account.items(asset)  # type: ignore[arg-type]
    state.positions.first(account)  # type: ignore[arg-type]
    state.book.items((asset, account))  # type: ignore[arg-type]
    state.settlements.up_to(account, 0)  # type: ignore[arg-type]


def mix_objects_of_two_tables(state: State, account: Account) -> None:
    """An object goes into its own table only."""
    state.assets.create(account)  # type: ignore[arg-type]
    state.assets.edit(account)  # type: ignore[arg-type]
    asset_id: AssetId = state.accounts.next_id  # type: ignore[assignment]
    state.assets.get(asset_id)


def write_and_read_the_id_of_another_type(account: AccountId, asset: AssetId) -> None:
    """A text of an id, and the id of a text, are of the type that is named."""
    account_text(asset)  # type: ignore[arg-type]
    asset_text(account)  # type: ignore[arg-type]
    account_text(17)  # type: ignore[arg-type]
    asset = parse_id(AccountId, "1.2.17")  # type: ignore[assignment]


def forget_a_kind_of_event(event: AssetEvent) -> str:
    """Who reads events names each kind."""
    match event:
        case GloballySettledEvent():
            return "settled"
        case RevivedEvent():
            return "revived"
        case _:
            assert_never(event)  # type: ignore[arg-type]


def give_a_table_the_ids_of_another(cls: type[Account], log: UndoLog) -> None:
    """What a table is declared to hold is what it is made of."""
    table: Table[AssetId, Account] = Table(cls, AccountId, log)  # type: ignore[arg-type]
    assert table
