"""bitshares-signing, which builds and signs by itself and asks the node for the bytes to compare.

A1 to A3: it sends surplus arguments, "false" for a boolean, and operations of one field.

1.1.0 is driven. 1.3.0 and 1.4.0 sign for nobody: `PrivateKey` of their base58.py takes `[1:33]` of
what `base58_check_decode` gives, which has dropped the version byte already. So of a WIF that
begins with 5 there are 31 bytes left, which secp256k1 refuses, and of one with K or L the public
key is that of another secret, against which the client then checks its own signature in vain.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.cli.client import as_object
from node.cli.network_files import Wanted
from node.presets import development_key
from protocol.crypto.keys import wif
from tests.clients.drive import DRIVERS
from tests.clients.tap import Tally, Tap
from tests.clients.wallet import balance_of, use_wallet
from tests.support.live_network import LiveNode

pytestmark = [pytest.mark.clients, pytest.mark.functional]

ME, OTHER, PEG = "nathan", "bob", "SILVER"
TIMEOUT_S = 180


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    """A chain whose core token is BTS: it keeps two of them back for fees, by that name."""
    wanted = Wanted(preset="bitshares", block_interval_s=1)
    found = LiveNode.development(tmp_path / "dev", "interval", wanted, {PEG: "fixed:0.1"})
    found.start()
    yield found
    assert found.stop() == 0, found.log_tail()


def test_it_logs_in_trades_and_transfers(
    signing_interpreter: Path, node: LiveNode, tally: Tally, tmp_path: Path
) -> None:
    """A1, A2, A3: what its broker signs is in the chain, and its readers read the answers."""
    client = node.client
    assert client is not None
    use_wallet(client.url, ME, "borrow", f"10 bit{PEG}", "--ratio", "3")
    use_wallet(client.url, ME, "sell", "1 BTS", "--for", "1000 bitUSD")
    host, _, port = client.url.removeprefix("http://").partition(":")
    tap = Tap("bitshares-signing", (host, int(port)), tally)
    other = as_object(client.call("database", "get_account_by_name", OTHER))
    before = balance_of(client, OTHER)
    done = subprocess.run(
        [
            str(signing_interpreter),
            str(DRIVERS / "bitshares_signing_driver.py"),
            f"ws://127.0.0.1:{tap.port}",
            str(client.call("database", "get_chain_id")),
            wif(development_key(ME, "active")),
            ME,
            str(other["id"]),
            PEG,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    tap.close()
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-3_000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert [found[name] for name in ("login", "sell", "transfer", "cancel")] == [True] * 4
    assert found["open"] == ["1.7.1"]
    assert found["left"] == []
    assert found["balances"]["BTS"] > 0
    assert found["fees"]["create"] >= 0
    assert len(found["fees"]) == 13
    assert found["ticker"]["base"] == "BTS"
    assert balance_of(client, OTHER) == before + 150_000
