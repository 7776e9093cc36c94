"""uptick, the command line over python-bitshares, with a wallet of its own.

Its `borrow` and `newfeed` fail on any chain, since they read the asset from a cache that does not
hold all of it; the position and the feed that it works on are made with python-bitshares.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.cli.client import NodeClient
from node.presets import development_key
from protocol.crypto.keys import wif
from tests.clients.drive import Driver
from tests.support.live_network import wait_for

pytestmark = [pytest.mark.clients, pytest.mark.functional]

COMMAND_TIMEOUT_S = 60
PEG = "CNY"


@dataclass(frozen=True)
class Uptick:
    """The command with a wallet that holds the keys of carol and bob."""

    program: Path
    url: str
    home: Path

    def run(self, *arguments: str) -> str:
        """What a command prints."""
        done = subprocess.run(
            [str(self.program), "--node", self.url, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
            env={**os.environ, "HOME": str(self.home), "UNLOCK": "secret", "COLUMNS": "200"},
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout[-1_000:]}\n{done.stderr[-3_000:]}"
        return done.stdout

    def run_until(self, text: str, *arguments: str) -> None:
        """Repeat a command until it prints a text; trades are listed once they are in a block."""
        wait_for(lambda: text in self.run(*arguments), text, COMMAND_TIMEOUT_S, [])


@pytest.fixture(scope="module")
def uptick(
    python_driver: Driver,
    python_interpreter: Path,
    open_tap: Callable[[str], int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Uptick:
    """A fresh wallet with two keys; carol has a position of 100 at the ratio 3."""
    maker = Driver(
        python_driver.command, python_driver.url, "carol", "bob", PEG, python_driver.environment
    )
    maker.run("publish_feed")
    maker.run("borrow")
    url = f"ws://127.0.0.1:{open_tap('uptick')}"
    found = Uptick(python_interpreter.with_name("uptick"), url, tmp_path_factory.mktemp("uptick"))
    found.run("createwallet", "--password", "secret")
    keys = [wif(development_key(name, "active")) for name in ("carol", "bob")]
    found.run("addkey", *keys)
    return found


def test_read(uptick: Uptick) -> None:
    """Chain, account, balances, keys, witnesses, feeds; raw calls."""
    assert re.search(r"head_block_number +\| [0-9]+", uptick.run("info"))
    assert "lifetime_referrer_name" in uptick.run("info", "carol")
    assert re.search(r"carol +\| [0-9,.]+ TEST", uptick.run("balance", "carol"))
    assert "TEST" in uptick.run("permissions", "carol")
    assert "init1" in uptick.run("witnesses")
    assert "0.100000000 CNY/TEST" in uptick.run("feeds", PEG)
    assert '"chain_id"' in uptick.run("rpc", "get_chain_properties")


def test_transfer(uptick: Uptick, node_client: NodeClient) -> None:
    """With a memo, signed by a key of the encrypted wallet."""
    before = balance(node_client, "bob")
    uptick.run("transfer", "--account", "carol", "bob", "5", "TEST", "a memo")
    assert balance(node_client, "bob") - before == 5_00000


def test_positions(uptick: Uptick) -> None:
    """R3.2: from the ratio 3 to 4 at 0.1; then a request to settle 5."""
    assert "3,000.00000 TEST" in uptick.run("calls", "carol")
    uptick.run("updateratio", PEG, "--ratio", "4", "--account", "carol")
    assert "4,000.00000 TEST" in uptick.run("calls", "carol")
    uptick.run("settle", "--account", "carol", "5", PEG)
    assert re.search(r"carol +\| 5.0000 CNY", uptick.run("settlements", PEG))


def test_orders(uptick: Uptick) -> None:
    """Place, fill, cancel; book, ticker, trades."""
    uptick.run("sell", "--account", "carol", "10", PEG, "12", "TEST")
    listed = uptick.run("openorders", "carol")
    found = re.search(r"(1\.7\.[0-9]+)", listed)
    assert found is not None, listed
    assert "12.0" in uptick.run("orderbook", f"{PEG}:TEST")
    uptick.run("buy", "--account", "bob", "2", PEG, "12", "TEST")
    uptick.run_until("2.0000 CNY", "trades", f"{PEG}:TEST")
    assert re.search(r"latest +\| 12.0+ TEST/CNY", uptick.run("ticker", f"{PEG}:TEST"))
    uptick.run("cancel", "--account", "carol", found[1])
    assert found[1] not in uptick.run("openorders", "carol")


def test_votes_and_history(uptick: Uptick, node_client: NodeClient) -> None:
    """A vote for a witness by name, and the account's own operations."""
    uptick.run("approvewitness", "--account", "carol", "init0")
    account = node_client.call("database", "get_account_by_name", "carol")
    assert isinstance(account, dict)
    options = account["options"]
    assert isinstance(options, dict)
    assert options["votes"] == ["1:0"]
    assert "transfer (0)" in uptick.run("history", "carol")


def balance(node_client: NodeClient, name: str) -> int:
    """Integer units of the core asset that an account has."""
    answer = node_client.call("database", "get_account_balances", name, ["1.3.0"])
    assert isinstance(answer, list)
    assert isinstance(answer[0], dict)
    return int(str(answer[0]["amount"]))
