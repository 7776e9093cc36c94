"""Fresh markets in this process: each is restored from one that was prepared once.

Preparing makes a genesis with a faucet and witnesses only, and publishes the preset's prices; the
state is kept as plain lists for as long as the process lives.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from msgspec.structs import replace

from node.presets import ACCOUNTS, BLOCK_INTERVAL_S, PEGS, TEMPLATE_TIME, build_genesis
from pegboard.development_chain import DevelopmentChain, find_preset
from pegboard.local_ledger import LocalLedger
from pegboard.quotes import Quote
from pegboard.vocabulary import Market
from protocol.genesis_form import Genesis
from protocol.ids import AssetId
from protocol.msgpack_form import Plain

MAKER = "maker"
"""The account of the market maker."""
MAKER_CORE = 100_000_000
"""Whole core tokens that it has."""
PREPARED_MAX = 16
"""Kinds of markets that are kept prepared."""


class Prepared(NamedTuple):
    """What a fresh market starts from."""

    genesis: Genesis
    snapshot: Plain
    said: dict[AssetId, Quote]


def market(
    *,
    seed: int = 0,
    preset: str = "testnet",
    trigger: Literal["bid", "feed"] = "bid",
    block_interval_s: int = BLOCK_INTERVAL_S,
    witnesses: int = 1,
    maker: bool = True,
    strict_release: bool = False,
) -> Market:
    """A market of its own, in this process: no network, no disk, no clock.

        with pegboard.market(seed=7) as m:
            alice = m.account("alice", core=10_000)

    BitAssets and prices are those of the preset; accounts are made by `Market.account`. `trigger`
    says what calls positions (R4.2). With `maker`, the account of that name bids and asks one
    percent around the feed, as deep as what others owe; without it the books are empty until
    somebody fills them, and nobody is called. With `strict_release`, collateral leaves a position
    only as debt is paid back (R3.6). Raises `ValidationError`.
    """
    options = {
        "preset": preset,
        "trigger": trigger,
        "block_interval_s": block_interval_s,
        "witnesses": witnesses,
        "maker": maker,
        "strict_release": strict_release,
    }
    prepared = _prepare(preset, trigger, block_interval_s, witnesses, strict_release)
    chain = DevelopmentChain(prepared.genesis, {}, snapshot=prepared.snapshot)
    made = Market(LocalLedger(chain), seed=seed, options=options)
    made.quotes.said.update(prepared.said)
    if maker:
        made.hire("maker", MAKER)
        made.notes.clear()
    return made


@lru_cache(PREPARED_MAX)
def _prepare(
    preset: str, trigger: str, block_interval_s: int, witnesses: int, strict_release: bool
) -> Prepared:
    genesis = _without_people(
        build_genesis(
            find_preset(preset),
            initial_timestamp=TEMPLATE_TIME,
            block_interval_s=block_interval_s,
            witness_count=witnesses,
        ),
        trigger,
        strict_release=strict_release,
    )
    chain = DevelopmentChain(genesis, {})
    made = Market(LocalLedger(chain))
    for symbol, peg in PEGS.items():
        made.feed(symbol, peg.feed.removeprefix("fixed:"))
    made.account(MAKER, core=MAKER_CORE)
    made.block()
    return Prepared(genesis, chain.chain.dump(), made.quotes.said)


def _without_people(genesis: Genesis, trigger: str, *, strict_release: bool) -> Genesis:
    """A preset's genesis in which only the faucet and the witnesses have accounts."""
    section, people = genesis.pegboard, ACCOUNTS[1:]
    assert section is not None
    balances = section.account_balances or ()
    return replace(
        genesis,
        initial_accounts=tuple(one for one in genesis.initial_accounts if one.name not in people),
        pegboard=replace(
            section,
            margin_call_trigger=trigger,
            strict_release=strict_release,
            account_balances=tuple(one for one in balances if one.account_name not in people),
        ),
    )
