"""Makes bitshares-signing trade: URL, chain id, key, two accounts and a symbol come in.

The package has its nodes, its chain and its folder as constants of one module; they are set before
the rest is loaded, and it is not changed. Its reader of the order book is left out: it divides the
texts that bitshares-core answers, and fails on them too. It prints for people; the last line is
for the test.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from old_secp256k1 import give_back  # type: ignore[import-not-found]

PACKAGE = "bitshares_signing"
CORE = "BTS"


def load(url: str, chain_id: str) -> tuple[Any, Any]:
    """The package and its module of calls, for a node and its chain."""
    package = find_spec(PACKAGE)
    assert package is not None
    assert package.submodule_search_locations is not None
    name = f"{PACKAGE}.config"
    place = spec_from_file_location(name, Path(package.submodule_search_locations[0], "config.py"))
    assert place is not None
    assert place.loader is not None
    config: Any = module_from_spec(place)
    sys.modules[name] = config
    place.loader.exec_module(config)
    config.NODES, config.ID = [url], chain_id
    config.PATH = str(Path.cwd())
    give_back()
    return import_module(PACKAGE), import_module(f"{PACKAGE}.rpc")


def main() -> None:
    """Run what the client can do on this chain, in order."""
    url, chain_id, wif, me, other_id, symbol = sys.argv[1:]
    client, rpc = load(url, chain_id)
    Path("pipe").mkdir()
    socket = rpc.wss_handshake()
    info = {"wif": wif, "account_name": me, "asset_name": CORE, "currency_name": symbol}
    order = client.prototype_order(info, nodes=[url], rpc=socket)
    pair = order["header"]

    def run(**edict: object) -> object:
        return client.broker({**order, "header": dict(pair), "edicts": [edict]})

    found: dict[str, object] = {"login": run(op="login")}
    found["sell"] = run(op="sell", amount=2.5, price=1_000.0)
    found["transfer"] = run(op="transfer", amount=1.5, account_id=other_id)
    orders = rpc.rpc_open_orders(socket, me, pair)
    found["open"] = list(orders)
    found["cancel"] = run(op="cancel", ids=list(orders))
    found["left"] = rpc.rpc_open_orders(socket, me, pair)
    found["balances"] = rpc.rpc_balances(socket, me)
    found["fees"] = rpc.rpc_tx_fees(socket, pair["account_id"])
    found["ticker"] = rpc.rpc_ticker(socket, CORE, symbol)["raw"]
    print()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
