"""What `/metrics` tells, in Prometheus' text format: read from the node when it is asked.

No series is labelled by account or order, so their number is bounded by methods, assets and
witnesses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from node.api.api import Api
from node.core.core import NodeCore
from node.market.pricing import call_terms
from node.services.request_runner import SECONDS_BUCKETS, Durations
from node.state.database import State
from node.state.objects.assets import BitassetData
from protocol.ids import witness_text

PARTICIPATION_SLOTS = 128


class ReportCounts(Protocol):
    """How often the node reported an event, by its name."""

    def __getitem__(self, name: str) -> int: ...


class ApiCollector(Collector):
    """The chain as the API sees it, and the API itself."""

    def __init__(self, api: Api, seconds: Durations) -> None:
        self.api = api
        self.seconds = seconds

    def collect(self) -> Iterator[Metric]:
        """Every series, in one state."""
        state, now_s = self.api.backend.state, self.api.backend.now_s()
        yield from chain_metrics(state, now_s)
        yield from asset_metrics(state, now_s)
        yield from self._api_metrics()

    def _api_metrics(self) -> Iterator[Metric]:
        calls = CounterMetricFamily(
            "pegboard_rpc_requests",
            "Calls that were answered; code 0 is success, unknown names are empty",
            labels=("api", "method", "code"),
        )
        for (api, method, code), count in sorted(self.api.calls.items()):
            calls.add_metric((api, method, str(code)), count)
        yield calls
        yield request_seconds(self.seconds)
        sessions = self.api.sessions
        yield GaugeMetricFamily("pegboard_rpc_sessions", "Sessions", len(sessions))
        yield GaugeMetricFamily(
            "pegboard_ws_subscriptions",
            "Objects, accounts, markets and callbacks that sessions follow",
            sum(session.subscriptions.count() for session in sessions),
        )
        yield CounterMetricFamily(
            "pegboard_ws_dropped",
            "Connections that were closed because their client did not read",
            self.api.overflows,
        )


class NodeCollector(Collector):
    """Peers, pending transactions, and what the node core reported."""

    def __init__(self, core: NodeCore, reports: ReportCounts) -> None:
        self.core = core
        self.reports = reports

    def collect(self) -> Iterator[Metric]:
        """Every series."""
        statistics = self.core.peers.statistics()
        peers = GaugeMetricFamily("pegboard_peers", "Connected peers", labels=("direction",))
        outbound = sum(peer.outbound for peer in statistics.peers)
        peers.add_metric(("outbound",), outbound)
        peers.add_metric(("inbound",), len(statistics.peers) - outbound)
        yield peers
        yield GaugeMetricFamily(
            "pegboard_known_addresses", "Addresses of peers", statistics.known_addresses
        )
        yield GaugeMetricFamily(
            "pegboard_pending_transactions",
            "Transactions that wait for a block",
            len(self.core.chain.pending),
        )
        yield CounterMetricFamily(
            "pegboard_fork_switches",
            "Times that the head moved to another fork",
            self.reports["fork_switch"],
        )
        yield CounterMetricFamily(
            "pegboard_blocks_rejected",
            "Blocks of peers that failed",
            self.reports["block_rejected"],
        )


def chain_metrics(state: State, now_s: int) -> Iterator[Metric]:
    """The head of the chain and its producers."""
    head = state.dynamic
    yield GaugeMetricFamily("pegboard_head_block", "Number of the head", head.head_block_number)
    yield GaugeMetricFamily(
        "pegboard_last_irreversible_block",
        "Number of the newest block that no fork can replace",
        head.last_irreversible_block_num,
    )
    yield GaugeMetricFamily("pegboard_head_age_seconds", "Age of the head", now_s - head.time)
    yield GaugeMetricFamily(
        "pegboard_participation_ratio",
        f"Share of the last {PARTICIPATION_SLOTS} slots that have a block",
        head.recent_slots_filled.bit_count() / PARTICIPATION_SLOTS,
    )
    missed = CounterMetricFamily(
        "pegboard_missed_slots", "Slots without the witness' block", labels=("witness",)
    )
    for witness in state.witnesses.in_order():
        missed.add_metric((witness_text(witness.id),), witness.total_missed)
    yield missed


def asset_metrics(state: State, now_s: int) -> Iterator[Metric]:
    """Feeds and positions of every BitAsset that has a feed."""
    ages = GaugeMetricFamily(
        "pegboard_feed_age_seconds", "Age of the median feed", labels=("asset",)
    )
    ratios = GaugeMetricFamily(
        "pegboard_asset_collateral_ratio",
        "Worth of collateral over debt at the feed; quantile 0 is the least of all positions",
        labels=("asset", "quantile"),
    )
    for bitasset in state.bitassets.in_order():
        if bitasset.has_feed():
            symbol = state.assets.get(bitasset.asset_id).symbol
            ages.add_metric((symbol,), now_s - bitasset.current_feed_publication_time)
            ratio = least_collateral_ratio(state, bitasset)
            if ratio is not None:
                ratios.add_metric((symbol, "0"), ratio)
    yield ages
    yield ratios


def least_collateral_ratio(state: State, bitasset: BitassetData) -> float | None:
    """The collateral ratio of the least collateralised position, or None without one."""
    position = state.positions.first(bitasset.asset_id)
    if position is None:
        return None
    price = call_terms(bitasset).settlement_price
    worth = position.collateral * price.base.amount
    return worth / (position.debt * price.quote.amount)


def request_seconds(seconds: Durations) -> Metric:
    """How long requests took."""
    bounds = [*map(str, SECONDS_BUCKETS), "+Inf"]
    return HistogramMetricFamily(
        "pegboard_rpc_seconds",
        "Time that this node worked for one request",
        buckets=list(zip(bounds, accumulate(seconds.counts), strict=True)),
        sum_value=seconds.total_s,
    )


def make_registry(api: Api, seconds: Durations, more: Iterable[Collector]) -> CollectorRegistry:
    """Everything that one process tells."""
    registry = CollectorRegistry()
    for collector in (ApiCollector(api, seconds), *more):
        registry.register(collector)
    ProcessCollector(registry=registry)
    return registry


def metrics_text(registry: CollectorRegistry) -> str:
    """The answer to a scrape."""
    return generate_latest(registry).decode()
