"""What people do by the rules of the second chapters, which no scenario's file has words for.

Each kind of dealing is an option of a seed: pools, loans, locks, mandates, BitAssets of all black
swan responses, orders that take profit. Who deals looks at the chain of the node that he reaches,
and decides there what may come next; so what another fork has undone begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from node.presets import PRESETS, initial_account
from node.state.database import State
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET, CORE_UNIT
from protocol.crypto.keys import PrivateKey
from protocol.genesis_form import (
    TRIGGER_FEED,
    VOTING_STAKES,
    Genesis,
    InitialAccountBalance,
    InitialAsset,
    InitialAssetSettings,
)
from protocol.ids import AccountId, AssetId
from protocol.operations import Operation
from protocol.operations.bitasset_options import (
    BitassetOptions,
    BitassetOptionsExtensions,
    BlackSwanResponse,
)
from tests.simulation.options import DEALINGS, Options

ISSUER, *OTHERS = PEOPLE = ("una", "vic", "wes", "xan", "zed")
"""Who deals; the first of them issues the assets."""
TOKEN = "TOKEN"
SHARES = ("SHAREA", "SHAREB")
"""Of the pools of CORE and `TOKEN`, and of `TOKEN` and the first share."""
SWANS = {f"SWAN{response.name[0]}{response.value}": response for response in BlackSwanResponse}
"""BitAssets of each black swan response, which fall often."""
PERSON_CORE = 1_000_000 * CORE_UNIT
PERSON_TOKENS = 10**10
MARKET_FEE = 25
"""What `TOKEN` costs to trade, of 10,000."""
MCFR = 1_050

T = TypeVar("T")


class Move(NamedTuple):
    """A transaction that somebody wants to send."""

    operations: Sequence[Operation]
    secrets: Sequence[PrivateKey] | None = None
    """Who signs; None for those whose authority the operations require."""
    is_wrong: bool = False
    """Whether every node must refuse it, whatever it knows."""


class Desk(NamedTuple):
    """A chain as somebody sees it who is about to deal, and what he draws from."""

    state: State
    rng: Random

    @property
    def now(self) -> int:
        """The head's time in seconds since 1970."""
        return self.state.dynamic.time

    def account(self, name: str) -> AccountId:
        """The account of a name."""
        return self.state.account_named(name).id

    def somebody(self) -> AccountId:
        """One of those who deal."""
        return self.account(self.rng.choice(PEOPLE))

    def asset(self, symbol: str) -> AssetId:
        """The asset of a symbol; "CORE" is the core asset."""
        return CORE_ASSET if symbol == "CORE" else self.state.asset_named(symbol).id

    def some(self, asset: AssetId, most: int = 10**7) -> AssetAmount:
        """An amount of an asset, small ones as often as large ones."""
        return AssetAmount(1 + self.rng.randrange(1 + self.rng.randrange(most)), asset)

    def part(self, owner: AccountId, asset: AssetId, share: int = 4) -> AssetAmount:
        """Up to a part of what somebody holds, and one unit at least."""
        return self.some(asset, 1 + self.state.balance_of(owner, asset) // share)

    def one_of(self, found: Iterator[T]) -> T | None:
        """Any of several, if there are some."""
        listed = list(found)
        return self.rng.choice(listed) if listed else None

    def is_rare(self, times: int = 8) -> bool:
        """True once in so many times."""
        return self.rng.randrange(times) == 0


Deal = Callable[[Desk], Move]


def settle(genesis: Genesis, options: Options) -> Genesis:
    """The genesis with those who deal, what they hold and what they issue; or as it is."""
    section = genesis.pegboard
    if options.matched:
        trigger = TRIGGER_FEED if options.matched > 1 else section.margin_call_trigger
        section = replace(section, settle_match=True, pay_mcop=True, margin_call_trigger=trigger)
    if options.ticket_votes:
        section = replace(section, voting_stake=VOTING_STAKES[-1])
    if not any(getattr(options, name) for name in DEALINGS):
        return replace(genesis, pegboard=section)
    section = replace(
        section,
        assets=(*(section.assets or ()), *_settings()),
        account_balances=(*(section.account_balances or ()), *_balances()),
    )
    return replace(
        genesis,
        pegboard=section,
        initial_accounts=(*genesis.initial_accounts, *map(initial_account, PEOPLE)),
        initial_assets=(*genesis.initial_assets, *_assets()),
    )


def _assets() -> Iterator[InitialAsset]:
    for symbol in (TOKEN, *SHARES):
        yield InitialAsset(symbol, ISSUER, precision=4)
    for symbol in SWANS:
        yield InitialAsset(symbol, ISSUER, precision=4, is_bitasset=True)


def _settings() -> Iterator[InitialAssetSettings]:
    yield InitialAssetSettings(TOKEN, market_fee_percent=MARKET_FEE)
    for symbol, response in SWANS.items():
        extensions = BitassetOptionsExtensions(
            margin_call_fee_ratio=MCFR, black_swan_response_method=response.value
        )
        yield InitialAssetSettings(
            symbol,
            flags=0,
            bitasset_options=BitassetOptions(
                force_settlement_delay_sec=20,
                maximum_force_settlement_volume=10_000,
                extensions=extensions,
            ),
        )


def _balances() -> Iterator[InitialAccountBalance]:
    for name in PEOPLE:
        yield InitialAccountBalance(name, PRESETS["testnet"].core_symbol, PERSON_CORE)
        yield InitialAccountBalance(name, TOKEN, PERSON_TOKENS)


def dealing_states(state: State) -> set[str]:
    """What there is of all kinds of dealings, as a batch tells it."""
    return {*_contract_states(state), *_market_states(state)}


def _contract_states(state: State) -> Iterator[str]:
    for pool in state.liquidity_pools.in_order():
        yield "empty pool" if pool.is_empty else "pool"
    for offer in state.credit_offers.in_order():
        yield "open offer" if offer.enabled else "closed offer"
    for deal in state.credit_deals.in_order():
        yield f"deal with repayment {deal.auto_repay}"
    for ticket in state.tickets.in_order():
        yield f"ticket for {ticket.target_type}"
    for name in ("samet_funds", "htlcs", "custom_authorities", "force_settlements"):
        if len(getattr(state, name)):
            yield name.replace("_", " ")


def _market_states(state: State) -> Iterator[str]:
    for bitasset in state.bitassets.in_order():
        response = bitasset.options.extensions.response()
        if bitasset.individual_settlement_debt:
            yield f"pool of response {response.value}"
        elif bitasset.current_feed != bitasset.median_feed:
            yield f"capped feed of response {response.value}"
        if bitasset.is_globally_settled():
            yield "global settlement"
    for order in state.limit_orders.in_order():
        if order.take_profit_order_id is not None:
            yield "linked orders"
        elif order.on_fill:
            yield "order with an action"
