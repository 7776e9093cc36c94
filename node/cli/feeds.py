"""The prices that the witnesses of a development network publish: chosen, switched off, continued.

A network that runs again continues its prices from where they stood, and a price that would jump
is asked about first: a jump calls positions, and may settle a BitAsset as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from node.cli.exits import SetupRefused, UsageProblem
from node.cli.network_files import (
    API_NODE,
    DEVELOPMENT_NODE,
    GENESIS_PATH,
    SETTINGS,
    Network,
)
from node.config import NodeSettings, read_settings
from node.presets import PEGS
from node.shipped import find_file
from node.storage.block_store import BlockStore
from node.storage.errors import StorageError
from node.witness.feed_source import CsvSeries, PriceRatio, RandomWalk
from node.witness.feed_text import FeedContext, parse_feed_source
from protocol.block import HeaderEnvelope
from protocol.genesis import chain_id
from protocol.schema import Record
from protocol.wording import format_units_ratio

NONE = "none"
"""Switches a feed off, or all of them."""
JUMP_PERCENT_MAX = 5
"""A price may change by so much at once without being asked about."""


class Running(Record):
    """How a network stood when it ran last."""

    sources: Mapping[str, str]
    """Feed sources by symbol."""
    head_time_s: int
    """Time of its head block; 0 where there is none."""


def next_feeds(
    network: Network, options: Sequence[str], *, now_s: int, may_jump: bool
) -> dict[str, str]:
    """The feed sources that a network runs with from now on; see `choose_feeds`."""
    before = read_running(network)
    return choose_feeds(network, options, now_s=now_s, before=before, may_jump=may_jump)


def choose_feeds(
    network: Network,
    options: Sequence[str],
    *,
    now_s: int,
    before: Running | None = None,
    may_jump: bool = False,
) -> dict[str, str]:
    """The feed sources of a network by symbol: the default, or those of before, then the options.

    An option is "USD=walk:seed=7,start=0.1,step=30bp", "USD=none" or "none"; without a symbol a
    source is for the first BitAsset. A CSV file is found from the working directory, or else among
    those that come with the program. Raises `UsageProblem`, `FeedSourceError`, or `SetupRefused`
    for a price that would jump.
    """
    desk = _Desk(network, now_s)
    if before is None:
        feeds = {symbol: PEGS[symbol].feed for symbol in network.peg_symbols}
    else:
        pause_s = max(now_s - before.head_time_s, 0) if before.head_time_s else 0
        feeds = {symbol: desk.shifted(text, pause_s) for symbol, text in before.sources.items()}
    for option in options:
        symbol, source = _read_option(network, option)
        if source == NONE:
            for name in (symbol,) if symbol else (*feeds,):
                feeds.pop(name, None)
            continue
        source = _with_file(source)
        if before is None:
            desk.price(source)
        else:
            source = desk.started_now(source)
            if not may_jump:
                desk.check_jump(symbol, feeds.get(symbol), source)
        feeds[symbol] = source
    return feeds


def read_running(network: Network) -> Running | None:
    """How a network stood when it ran last; None for one that never did."""
    names = (*network.witnesses, DEVELOPMENT_NODE)
    settings = [
        read_settings(path)
        for path in (network.directory / name / SETTINGS for name in names)
        if path.exists()
    ]
    if not settings:
        return None
    heads = (_head_time(network, name) for name in (API_NODE, DEVELOPMENT_NODE, *names[:1]))
    return Running(_sources(settings), max(heads))


def _sources(settings: Sequence[NodeSettings]) -> dict[str, str]:
    return {feed.asset: feed.source for item in settings for feed in item.feeds}


def _head_time(network: Network, node: str) -> int:
    """Time of the last block that a node keeps; 0 where it keeps none that can be read."""
    path = network.directory / node / NodeSettings(GENESIS_PATH).data_dir / "blocks.sqlite"
    if not path.exists():
        return 0
    with suppress(StorageError):
        store = BlockStore(path, chain_id(network.genesis))
        try:
            head = store.head()
            data = None if head is None else store.block(head[1])
            return 0 if data is None else HeaderEnvelope.read(data).header.timestamp
        finally:
            store.close()
    return 0


def _read_option(network: Network, option: str) -> tuple[str, str]:
    """Symbol and source of an option; "none" alone has no symbol."""
    if option == NONE:
        return "", NONE
    symbol, separator, source = option.partition("=")
    if not separator or ":" in symbol:
        symbol, source = next(iter(network.peg_symbols), ""), option
    prefix = network.genesis.settings().display_prefix
    symbol = symbol.removeprefix(prefix) if symbol not in network.peg_symbols else symbol
    if symbol not in network.peg_symbols:
        raise UsageProblem(
            f"no BitAsset with a price; there are {', '.join(network.peg_symbols) or 'none'}",
            value=symbol or option,
        )
    return symbol, source


def _with_file(source: str) -> str:
    kind, _, rest = source.partition(":")
    if kind != "csv":
        return source
    path, mark, how = rest.partition("?")
    return f"csv:{find_file(path)}{mark}{how}"


class _Desk:
    """Reads sources for one network at one time."""

    def __init__(self, network: Network, now_s: int) -> None:
        self._network = network
        self._now_s = now_s
        self._context = FeedContext(
            network.genesis.initial_timestamp,
            network.block_interval_s,
            lambda name: Path(name).read_text(encoding="utf-8"),
        )

    def price(self, source: str) -> PriceRatio:
        """What a source says now; raises `FeedSourceError`."""
        return parse_feed_source(source, self._context).prices.price_at(self._now_s)

    def shifted(self, source: str, pause_s: int) -> str:
        """A source that continues after a pause as if there had been none."""
        start_s = self._start(source)
        return source if start_s is None else _starting(source, start_s + pause_s)

    def started_now(self, source: str) -> str:
        """A source that begins now where it would play from the start of the chain."""
        if self._start(source) is None or "at=" in source:
            return source
        return _starting(source, self._now_s)

    def check_jump(self, symbol: str, present: str | None, source: str) -> None:
        """Raise `SetupRefused` where a price would move by more than a few percent at once."""
        new = self.price(source)
        name = f"{self._network.genesis.settings().display_prefix}{symbol}"
        asked = f"; --allow-jump publishes it, which may call positions or settle {name} globally"
        if present is None:
            raise SetupRefused(
                f"the feed of {name} is off, and may stand elsewhere than what --feed says{asked}",
                rule="R6.1",
                value=_decimal(new),
            )
        old = self.price(present)
        moved = abs(new.base * old.quote - old.base * new.quote) * 100
        if moved > JUMP_PERCENT_MAX * old.base * new.quote:
            raise SetupRefused(
                f"--feed would move the price of {name} from {_decimal(old)} to"
                f" {_decimal(new)} at once, by more than {JUMP_PERCENT_MAX} %{asked}",
                rule="R6.1",
            )

    def _start(self, source: str) -> int | None:
        """When a source that is played from a start began; None for one that is not played."""
        prices = parse_feed_source(source, self._context).prices
        if isinstance(prices, RandomWalk):
            return prices.start_s
        if isinstance(prices, CsvSeries) and prices.row_interval_s is not None:
            return prices.start_s
        return None


def _starting(source: str, start_s: int) -> str:
    """A source with another start."""
    head, mark, options = source.partition("?")
    if not mark and source.startswith("walk:"):
        head, mark, options = "walk", ":", source.removeprefix("walk:")
    separator = "&" if mark == "?" else ","
    parts = [part for part in options.replace(",", "&").split("&") if not part.startswith("at=")]
    return f"{head}{mark or '?'}{separator.join([*parts, f'at={start_s}'])}"


def _decimal(price: PriceRatio) -> str:
    return format_units_ratio(price.base, price.quote, (0, 0))
