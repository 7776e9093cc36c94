"""A producing witness while shocks are tried at once over its API: does it miss a slot?

scripts/shocks --positions 10000 --at-once 10 --minutes 1

The positions stand in the genesis. Whoever asks meanwhile is an honest client: its longest wait is
the longest pause of the main loop that anybody could notice.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import NamedTuple

from msgspec.structs import replace

from node.cli.client import (
    CallRefused,
    JsonObject,
    NodeClient,
    as_int,
    as_object,
    as_objects,
    as_text,
)
from node.cli.exits import CliError
from node.cli.network_files import Wanted
from node.presets import PRESETS, build_genesis, development_key
from protocol.crypto.hashes import address_of
from protocol.crypto.keys import public_key
from protocol.genesis import Genesis, InitialAccountBalance, InitialCollateralPosition
from tests.campaigns.siege import client_of, running_witness, watch
from tests.support.live_network import START_TIMEOUT_S, LiveNode, wait_for

DEBT = 10_000
ASK_TIMEOUT_S = 120


def main() -> int:
    """Watch the node alone, then while shocks are tried; 1 if it missed a slot or one failed."""
    parser = argparse.ArgumentParser(prog="scripts/shocks", description=__doc__)
    parser.add_argument("--positions", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=1.0, help="of each phase")
    options = parser.parse_args()
    with (
        TemporaryDirectory() as directory,
        running_market(Path(directory) / "net", options.positions) as node,
    ):
        alone = watch(node, options.minutes * 60)
        print(f"alone: {alone.line()}", flush=True)
        stop = Event()
        with ThreadPoolExecutor(options.at_once) as pool:
            asked = [pool.submit(ask, client_of(node).url, stop) for _ in range(options.at_once)]
            shocked = watch(node, options.minutes * 60)
            stop.set()
            found = [asker.result() for asker in asked]
    took_s = sorted(one for asker in found for one in asker.took_s)
    refused = sum(asker.refused for asker in found)
    what = f"{options.at_once} shocks at once of {options.positions} positions"
    print(f"{what}: {shocked.line()}")
    span = f"{took_s[0]:.2f} to {took_s[-1]:.2f} s" if took_s else "nothing"
    print(f"{len(took_s)} shocks, each took {span}; {refused} refused as too slow")
    return int(shocked.missed > 0 or shocked.unanswered > 0 or refused > 0)


class Asked(NamedTuple):
    """What one client's shocks came to."""

    took_s: list[float]
    refused: int
    """That took longer than the node gives a call."""


def ask(url: str, stop: Event) -> Asked:
    """Ask for one shock after the other."""
    client = NodeClient(url, timeout_s=ASK_TIMEOUT_S)
    took_s: list[float] = []
    refused = 0
    market = as_object(client.call("pegboard", "get_asset_market", "USD"))
    fall = fall_of(as_text(market["asset_id"]), as_int(market["current_supply"]))
    while not stop.is_set() or not (took_s or refused):
        start_s = time.monotonic()
        try:
            found = as_object(client.call("pegboard", "shock", "USD", [fall]))
        except CallRefused as error:
            if error.name != "too_slow":
                raise
            refused += 1
            continue
        took_s.append(time.monotonic() - start_s)
        [outcome] = as_objects(found["shocks"])
        assert as_int(outcome["called"]) > 0
    return Asked(took_s, refused)


def fall_of(usd: str, supply: int) -> JsonObject:
    """The feed falls to 0.07, and one bid at 0.085 buys what those owe who are called by it."""
    sold = supply // 2
    bid: JsonObject = {
        "sells": {"amount": sold, "asset_id": usd},
        "wants": {"amount": sold * 118, "asset_id": "1.3.0"},
    }
    return {"feed_change": -3_000, "add_bids": [bid]}


@contextmanager
def running_market(directory: Path, positions: int) -> Iterator[LiveNode]:
    """The one witness of a network, with an API, so many positions and a price."""
    wanted = Wanted(genesis=make_genesis(positions, int(time.time())))
    feeds = {"USD": "fixed:0.1"}
    with running_witness(directory, wanted, feeds, ASK_TIMEOUT_S) as node:
        wait_for(lambda: has_feed(node), "a feed", START_TIMEOUT_S, [node])
        yield node


def has_feed(node: LiveNode) -> bool:
    """Whether positions can be called."""
    try:
        market = as_object(client_of(node).call("pegboard", "get_asset_market", "USD"))
    except CliError:
        return False
    feed = as_object(market["feed"] or {})
    return feed.get("settlement_price") is not None


def make_genesis(positions: int, now_s: int) -> Genesis:
    """The test network's, of one witness and a block a second, with positions in USD."""
    genesis = build_genesis(
        PRESETS["testnet"],
        initial_timestamp=now_s,
        witness_count=1,
        block_interval_s=1,
        development=True,
    )
    owner = address_of(public_key(development_key("alice", "active")))
    records = tuple(
        InitialCollateralPosition(owner, DEBT * (180 + number % 100), DEBT)
        for number in range(positions)
    )
    owed = InitialAccountBalance("alice", "USD", DEBT * positions)
    section = genesis.pegboard
    return replace(
        genesis,
        pegboard=replace(section, account_balances=(*(section.account_balances or ()), owed)),
        initial_assets=tuple(
            replace(asset, collateral_records=records) if asset.symbol == "USD" else asset
            for asset in genesis.initial_assets
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
