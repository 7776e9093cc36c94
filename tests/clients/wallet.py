"""What a test does beside a client: the node's own wallet, and its own look at a balance."""

from __future__ import annotations

import subprocess
import sys

from node.cli.client import NodeClient


def use_wallet(url: str, account: str, *words: str) -> None:
    """Run a command of the wallet for an account."""
    command = [sys.executable, "-m", "node", "wallet", *words, "--dev-keys"]
    whole = [*command, "-a", account, "--url", url]
    done = subprocess.run(whole, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout[-1_000:]}\n{done.stderr[-2_000:]}"


def balance_of(client: NodeClient, name: str, asset_id: str = "1.3.0") -> int:
    """What an account has of an asset, in smallest units."""
    found = client.call("database", "get_named_account_balances", name, [asset_id])
    assert isinstance(found, list)
    [entry] = found
    assert isinstance(entry, dict)
    return int(str(entry["amount"]))
