"""Fresh markets in this process: each is restored from one that was prepared once.

Preparing makes a genesis with a faucet and witnesses only, and publishes the preset's prices; the
state is kept as plain lists for as long as the process lives.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from msgspec.structs import replace

from node.presets import ACCOUNTS, BLOCK_INTERVAL_S, PEGS, TEMPLATE_TIME, build_genesis
from pegboard.amounts import Number, to_hundredths
from pegboard.development_chain import DevelopmentChain, find_preset
from pegboard.local_ledger import LocalLedger
from pegboard.quotes import Quote
from pegboard.vocabulary import Market
from protocol.durations import parse_duration
from protocol.genesis_checks import check_genesis
from protocol.genesis_form import Genesis, InitialAssetSettings
from protocol.ids import AssetId
from protocol.msgpack_form import Plain
from protocol.operations.bitasset_options import RESPONSE_NAMES, ResponseName

MAKER = "maker"
"""The account of the market maker."""
MAKER_CORE = 100_000_000
"""Whole core tokens that it has."""
PREPARED_MAX = 64
"""Kinds of markets that are kept prepared."""


class Prepared(NamedTuple):
    """What a fresh market starts from."""

    genesis: Genesis
    snapshot: Plain
    said: dict[AssetId, Quote]


class Settling(NamedTuple):
    """What differs from the preset in how BitAssets are settled; shares of 10,000."""

    delay_s: int | None
    offset: int | None
    volume: int | None
    response: int | None = None
    """A `BlackSwanResponse`."""

    def change(self, asset: InitialAssetSettings) -> InitialAssetSettings:
        """An asset that is settled so."""
        options = asset.bitasset_options
        if options is None:
            return asset
        asked = {
            "force_settlement_delay_sec": self.delay_s,
            "force_settlement_offset_percent": self.offset,
            "maximum_force_settlement_volume": self.volume,
        }
        changes: dict[str, object] = {
            name: value for name, value in asked.items() if value is not None
        }
        if self.response is not None:
            changes["extensions"] = replace(
                options.extensions, black_swan_response_method=self.response
            )
        return replace(asset, bitasset_options=replace(options, **changes))


class Changes(NamedTuple):
    """What differs from the preset in the rules of a market."""

    trigger: str
    strict_release: bool
    settling: Settling
    settle_match: bool | None = None

    def change(self, genesis: Genesis) -> Genesis:
        """A genesis with these rules."""
        section = genesis.pegboard
        assert section is not None
        return replace(
            genesis,
            pegboard=replace(
                section,
                margin_call_trigger=self.trigger,
                strict_release=self.strict_release,
                settle_match=self.settle_match,
                assets=tuple(self.settling.change(one) for one in section.assets or ()),
            ),
        )


def read_settling(
    delay: str | None,
    offset: Number | None,
    volume: Number | None,
    black_swan: ResponseName | None = None,
) -> Settling:
    """What differs, as people write it; `black_swan` is one of `RESPONSE_NAMES`.

    Raises `DecodeError`, `BadAmount`.
    """
    return Settling(
        None if delay is None else parse_duration(delay),
        None if offset is None else to_hundredths(offset),
        None if volume is None else to_hundredths(volume),
        None if black_swan is None else RESPONSE_NAMES.index(black_swan),
    )


def market(
    *,
    seed: int = 0,
    preset: str = "testnet",
    trigger: Literal["bid", "feed"] = "bid",
    block_interval_s: int = BLOCK_INTERVAL_S,
    witnesses: int = 1,
    maker: bool = True,
    strict_release: bool = False,
    settlement_delay: str | None = None,
    settlement_offset: Number | None = None,
    settlement_volume: Number | None = None,
    black_swan: ResponseName | None = None,
    settle_match: bool | None = None,
) -> Market:
    """A market of its own, in this process: no network, no disk, no clock.

        with pegboard.market(seed=7) as m:
            alice = m.account("alice", core=10_000)

    BitAssets and prices are those of the preset; accounts are made by `Market.account`. `trigger`
    says what calls positions (R4.2). With `maker`, the account of that name bids and asks one
    percent around the feed, as deep as what others owe; without it the books are empty until
    somebody fills them, and nobody is called. With `strict_release`, collateral leaves a position
    only as debt is paid back (R3.6).

    A settlement waits for `settlement_delay`, "24h", pays `settlement_offset` less than the feed,
    "1%", and all of a maintenance interval at most `settlement_volume` of the supply, "20%", in
    every BitAsset (R5.2, R5.4); without them as the preset has it. `black_swan` says what becomes
    of positions that cannot pay: all are settled, none, or that one to a fund or an order (BS1).
    With `settle_match` margin calls take settlement requests where no bid will do (SM1); by default
    they do under the trigger "feed". Raises `ValidationError`, `DecodeError`.
    """
    settling = read_settling(settlement_delay, settlement_offset, settlement_volume, black_swan)
    options = {
        "preset": preset,
        "trigger": trigger,
        "block_interval_s": block_interval_s,
        "witnesses": witnesses,
        "maker": maker,
        "strict_release": strict_release,
        "settlement_delay": settlement_delay,
        "settlement_offset": settlement_offset,
        "settlement_volume": settlement_volume,
        "black_swan": black_swan,
        "settle_match": settle_match,
    }
    options = {name: value for name, value in options.items() if value is not None}
    changes = Changes(trigger, strict_release, settling, settle_match)
    prepared = _prepare(preset, changes, block_interval_s, witnesses)
    chain = DevelopmentChain(prepared.genesis, {}, snapshot=prepared.snapshot)
    made = Market(LocalLedger(chain), seed=seed, options=options)
    made.quotes.said.update(prepared.said)
    if maker:
        made.hire("maker", MAKER)
        made.notes.clear()
    return made


@lru_cache(PREPARED_MAX)
def _prepare(preset: str, changes: Changes, block_interval_s: int, witnesses: int) -> Prepared:
    plain = build_genesis(
        find_preset(preset),
        initial_timestamp=TEMPLATE_TIME,
        block_interval_s=block_interval_s,
        witness_count=witnesses,
    )
    genesis = changes.change(_without_people(plain))
    check_genesis(genesis)
    chain = DevelopmentChain(genesis, {})
    made = Market(LocalLedger(chain))
    for symbol, peg in PEGS.items():
        made.feed(symbol, peg.feed.removeprefix("fixed:"))
    made.account(MAKER, core=MAKER_CORE)
    made.block()
    return Prepared(genesis, chain.chain.dump(), made.quotes.said)


def _without_people(genesis: Genesis) -> Genesis:
    """A preset's genesis in which only the faucet and the witnesses have accounts."""
    section, people = genesis.pegboard, ACCOUNTS[1:]
    assert section is not None
    balances = section.account_balances or ()
    return replace(
        genesis,
        initial_accounts=tuple(one for one in genesis.initial_accounts if one.name not in people),
        pegboard=replace(
            section,
            account_balances=tuple(one for one in balances if one.account_name not in people),
        ),
    )
