"""Makes Graphene-Metanode watch a market and trade in it: its settings come in as JSON.

It knows BitShares' test network by its chain id; the node, the account, the market, the folder and
the pauses are its own constants, and it is not changed. Its server runs in processes of its own
over an SQLite base; its client reads that base, as the author's bots do. It prints for people; the
line that begins with RESULT is for the test.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Process
from pathlib import Path
from typing import Any

from old_secp256k1 import give_back  # type: ignore[import-not-found]

give_back()

from metanode.graphene_auth import GrapheneAuth  # type: ignore[import-not-found]
from metanode.graphene_constants import (  # type: ignore[import-not-found]
    BitsharesTestnetConfig,
    CoreConstants,
    GrapheneConstants,
    MetanodeConfig,
)
from metanode.graphene_metanode_client import (  # type: ignore[import-not-found]
    GrapheneTrustlessClient,
)
from metanode.graphene_metanode_server import (  # type: ignore[import-not-found]
    GrapheneMetanode,
)
from metanode.graphene_rpc import RemoteProcedureCall  # type: ignore[import-not-found]

Json = Any

CHAIN, CORE = "bitshares testnet", "TEST"
SERVER_LOG = "server.log"
SEEN_TIMEOUT_S = 60
TUNED = {
    "MAVENS": 2,
    "MAVEN_WINDOW": 3,
    "MAVEN_PAUSE": 0.05,
    "ORACLE_PAUSE": 0.02,
    "LATENCY_THRESHER_TIMEOUT": 1,
}
"""Its constants for a public network, turned down for one node in the same machine."""


def configure(settings: Json, folder: Path) -> Any:
    """Its constants for a node, an account and the market of core token and BitAsset."""
    BitsharesTestnetConfig.NODES = [settings["url"]]
    BitsharesTestnetConfig.ACCOUNT = settings["me"]
    BitsharesTestnetConfig.PAIRS = [f"{CORE}-{settings['peg']}"]
    CoreConstants.PATH = str(folder)
    for name, value in TUNED.items():
        setattr(MetanodeConfig, name, value)
    return GrapheneConstants(CHAIN)


def serve(constants: Any) -> None:
    """The server, in a process group of its own, for it leaves children behind."""
    os.setsid()
    log = os.open(SERVER_LOG, os.O_CREAT | os.O_WRONLY)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    GrapheneMetanode(constants).deploy()


@contextmanager
def served(constants: Any) -> Iterator[Any]:
    """Its client, while its server runs."""
    server = Process(target=serve, args=(constants,))
    server.start()
    base = Path(constants.chain.DATABASE)
    try:
        wait_for(lambda: base.exists() and base.stat().st_size, "its base")
        client = GrapheneTrustlessClient(constants)
        wait_for(lambda: client.whitelist, "a node that it takes for good")
        pair = constants.chain.PAIRS[0]
        wait_for(lambda: client.account["fees_account"], "fees")
        wait_for(lambda: client.pairs[pair]["book"], "a book")
        wait_for(lambda: all(row["balance"] for row in client.assets.values()), "balances")
        yield client
    finally:
        assert server.pid is not None
        os.killpg(server.pid, signal.SIGKILL)
        server.join()


def wait_for(look: Callable[[], object], what: str) -> None:
    """Return when its base shows something."""
    deadline = time.monotonic() + SEEN_TIMEOUT_S
    while not look():
        if time.monotonic() > deadline:
            said = Path(SERVER_LOG).read_text(errors="replace")[-2_000:]
            sys.exit(f"the server did not show {what}\n{said}")
        time.sleep(0.05)


def trade(settings: Json, constants: Any, client: Any) -> Json:
    """What it reads, and what became of what it signs."""
    pair = constants.chain.PAIRS[0]
    rpc = RemoteProcedureCall(constants, constants.chain.NODES)
    rpc.printing = False
    auth = GrapheneAuth(constants, settings["keys"][settings["me"]])

    def broker(**edict: object) -> Json:
        order = json.loads(auth.prototype_order(pair))
        order["edicts"] = [edict]
        return auth.broker(order).get("result")

    found: Json = {"login": auth.login()["result"]}
    found["sell"] = broker(op="sell", amount=2.5, price=1_000.0, expiration=0)
    found["buy"] = broker(op="buy", amount=20.0, price=0.5, expiration=0)
    wait_for(lambda: client.pairs[pair]["opens"], "the open order")
    wait_for(lambda: client.pairs[pair]["fills"], "the fill")
    found["opens"] = client.pairs[pair]["opens"]
    found["tied"] = rpc.account_balances()[CORE]["tied"]
    found["book"] = rpc.book(pair)
    found["ids"] = rpc.open_order_ids()
    found["cancel"] = broker(op="cancel", ids=found["ids"])
    wait_for(lambda: not client.pairs[pair]["opens"], "the cancel")
    wait_for(lambda: client.account["cancels"], "the cancel in the history")
    wait_for(lambda: client.pairs[pair]["book"] == as_json(rpc.book(pair)), "the book as it is")
    wait_for(
        lambda: (
            {name: row["balance"] for name, row in client.assets.items()} == rpc.account_balances()
        ),
        "the balances as they are",
    )
    found.update(
        left=rpc.open_order_ids(),
        read=read(rpc, pair),
        base={
            "account": client.account,
            "assets": client.assets,
            "chain": client.chain,
            "nodes": list(client.nodes.values()),
            "objects": client.objects,
            "pair": client.pairs[pair],
            "timing": client.timing,
        },
    )
    return found


def as_json(value: Json) -> Json:
    """A value as its base keeps it: tuples are lists there."""
    return json.loads(json.dumps(value))


def read(rpc: Any, pair: str) -> Json:
    """Each of its remote calls, once, by its own names."""
    return {
        "account": rpc.account_by_name()["id"],
        "balances": rpc.account_balances(),
        "block": rpc.block_number(),
        "time": rpc.blocktime(),
        "chain": rpc.chain_id(),
        "supply": rpc.current_supply(),
        "lifetime": rpc.is_ltm(),
        "assets": rpc.lookup_asset_symbols(),
        "last": rpc.last(pair),
        "history": rpc.market_history(pair),
        "fees": rpc.fees_account(),
        "listed": [asset["symbol"] for asset in rpc.list_assets(pair.split("-")[1])],
        "fills": rpc.fill_order_history(pair),
        "operations": rpc.operations(),
    }


def main() -> None:
    """Run the one chapter that there is."""
    settings = json.load(sys.stdin)
    constants = configure(settings, Path.cwd())
    with served(constants) as client:
        found = trade(settings, constants, client)
    print("\nRESULT " + json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
