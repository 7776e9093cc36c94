"""The faucet: makes the accounts of a market, and gives them what they lack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from node.market.pricing import collateral_at
from node.presets import ACCOUNTS, development_key
from node.state.errors import NoSuchObject
from pegboard.amounts import Number, to_units
from pegboard.ledger import Ledger
from pegboard.reader import Reader
from protocol.asset import NO_FEE, AssetAmount
from protocol.authority import key_authority
from protocol.binary import pack_as
from protocol.constants import CORE_ASSET, RATIO_DENOMINATOR
from protocol.crypto.keys import public_key
from protocol.ids import AccountId, AssetId
from protocol.operations import Operation
from protocol.operations.account import AccountCreate, AccountOptions
from protocol.operations.base import TaggedOperation
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.transfer import Transfer

FAUCET = ACCOUNTS[0]
"""Creates and funds the accounts of a market."""
LENDER_RATIO = 10 * RATIO_DENOMINATOR
"""At which the faucet borrows what an account is to hold from the start."""
ENVELOPE_BYTES = 100
"""What a transaction has around its operations: its head, and the faucet's signature."""


class Faucet:
    """Works on one ledger."""

    def __init__(self, ledger: Ledger, reader: Reader) -> None:
        self._ledger = ledger
        self._reader = reader

    def endow(
        self, names: Sequence[str], core: Number | None, holds: Sequence[str]
    ) -> list[AccountId]:
        """The accounts of some names, made where there are none, with at least these amounts each.

        What is refused takes back its own transaction, and none before it. Raises `BadAmount`
        before anything is done, and `TransactionRejected`.
        """
        wanted = [self._reader.amount(text) for text in holds]
        if core is not None:
            token = self._ledger.asset_at(CORE_ASSET)
            wanted.append(AssetAmount(to_units(core, token.precision), token.id))
        missing = [name for name in dict.fromkeys(names) if self._find(name) is None]
        self._send(map(self._creation, missing))
        found = [self.account(name) for name in names]
        lacking = dict.fromkeys(found) if wanted else ()
        self._send(one for account in lacking for one in self._grants(account, wanted))
        return found

    def account(self, name: str) -> AccountId:
        """The account of a name; raises `NoSuchObject`."""
        found = self._find(name)
        if found is None:
            raise NoSuchObject("no such account", rule="R0.1", value=name)
        return found

    def _find(self, name: str) -> AccountId | None:
        return self._ledger.find_account(name)

    def _creation(self, name: str) -> Operation:
        full = self._ledger.full_name(name)
        owner, active = (public_key(development_key(full, role)) for role in ("owner", "active"))
        registrar = self.account(FAUCET)
        return AccountCreate(
            *(NO_FEE, registrar, registrar, 0, full),
            key_authority(owner),
            key_authority(active),
            AccountOptions(active),
        )

    def _grants(self, account: AccountId, wanted: Sequence[AssetAmount]) -> Iterator[Operation]:
        """What gives an account all that it lacks of some amounts."""
        faucet = self.account(FAUCET)
        most: dict[AssetId, int] = {}
        for one in wanted:
            most[one.asset_id] = max(most.get(one.asset_id, 0), one.amount)
        for asset, amount in most.items():
            given = AssetAmount(amount - self._ledger.balance(account, asset), asset)
            if given.amount <= 0:
                continue
            facts = self._ledger.asset_at(asset)
            if facts.backing is not None:
                collateral = collateral_at(given, LENDER_RATIO, self._reader.feed(facts).price)
                pledged = AssetAmount(collateral, facts.backing)
                yield CallOrderUpdate(NO_FEE, faucet, pledged, given)
            yield Transfer(NO_FEE, faucet, account, given, None)

    def _send(self, operations: Iterable[Operation]) -> None:
        """Send operations in as few transactions as their size allows (R9.3)."""
        left = self._ledger.transaction_size_max() - ENVELOPE_BYTES
        room, batch = left, list[Operation]()
        for operation in operations:
            size = len(pack_as(TaggedOperation, operation))
            if batch and size > room:
                self._ledger.send(*batch)
                room, batch = left, []
            room -= size
            batch.append(operation)
        if batch:
            self._ledger.send(*batch)
