"""python-bitshares' own tests, as its wheel installs them, unmodified, against a development node.

They were written for BitShares' main network, so the node runs the preset `bitshares`; the plugin
beside the drivers points their one fixture at it. `fixtures.yaml`, which holds copies of objects of
the main network, is not in the wheel; tests that need those objects are listed with the reason.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from node.cli.network_files import Wanted
from node.presets import WITNESSES, development_key
from protocol.crypto.keys import wif
from tests.clients.drive import DRIVERS
from tests.clients.tap import Tally, Tap
from tests.support.live_network import LiveNode

pytestmark = [pytest.mark.clients, pytest.mark.functional]

RECORD = "bitshares-0.7.1.dist-info/RECORD"
BLOCKS = 105
"""One of the tests wants a chain of more than 100 blocks."""
SUITE_TIMEOUT_S = 120

NOT_HERE = {
    "test_account": "accounts and keys of the main network",
    "test_account_upgrade": "the key of init0",
    "test_accountupdate": "account 1.2.100",
    "test_blacklist": "the key of init0",
    "test_openorders": "account xeroc",
    "test_unlist": "the key of init0",
    "test_whitelist": "account xeroc",
    "test_Committee": "the key of init0",
    "test_allow": "the key of init0",
    "test_approvecommittee": "the key of init0",
    "test_approvewitness": "the key of init0",
    "test_create_account": "the key of init0",
    "test_create_asset": "the key of init0",
    "test_disallow": "the keys of init0's authorities",
    "test_transfer": "account 1.2.101",
    "test_update_memo_key": "the key of init0",
    "test_block": "the time of the main network's first block",
    "test_blockheader": "the time of the main network's first block",
    "test_fee_on_transfer": "asset 1.3.121",
    "test_sign_message": "the memo key of init0",
    "test_verify_message": "the memo key of init0",
    "test_init": "asset 1.3.106",
    "test_finalizeOps_changeproposer_new": "account 1.2.90747",
}
"""Tests that need an object of the main network, and which."""


@pytest.fixture
def development_node(tmp_path: Path) -> Iterator[LiveNode]:
    """The preset `bitshares` with blocks on demand, of which there are more than 100."""
    node = LiveNode.development(tmp_path / "dev", "manual", Wanted(preset="bitshares"))
    try:
        node.start()
        assert node.client is not None
        key = wif(development_key(WITNESSES[0], "signing"))
        node.client.call("debug", "debug_generate_blocks", key, BLOCKS)
        yield node
    finally:
        if node.process is not None:
            node.kill()


@pytest.fixture
def open_suite_tap(development_node: LiveNode, tally: Tally) -> Iterator[Callable[[], int]]:
    """The port that the suite talks to, counted as a client of its own."""
    assert development_node.client is not None
    port = int(development_node.client.url.rpartition(":")[2])
    tap = Tap("python-bitshares' own tests", ("127.0.0.1", port), tally)
    yield lambda: tap.port
    tap.close()


def copy_suite(site_packages: Path, target: Path) -> None:
    """The tests of the wheel, each compared with the checksum that the wheel gives for it.

    Of its folder `testnet` the wheel has but the fixture, which starts a container.
    """
    for line in (site_packages / RECORD).read_text().splitlines():
        name, checksum, _ = line.rsplit(",", 2)
        if not name.startswith("tests/") or not name.endswith(".py") or "testnet" in name:
            continue
        data = (site_packages / name).read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert checksum == f"sha256={digest}", f"{name} is not what bitshares 0.7.1 published"
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(data)
    (target / "tests" / "fixtures.yaml").write_text("accounts: []\nassets: []\nproposals: []\n")


def test_the_published_tests_pass(
    python_interpreter: Path,
    development_node: LiveNode,
    open_suite_tap: Callable[[], int],
    tmp_path: Path,
) -> None:
    """CLIENTS 3: among them 38 operations, each in the bytes that the node gives for its JSON."""
    [site_packages] = (python_interpreter.parent.parent / "lib").glob("python3*/site-packages")
    suite = tmp_path / "suite"
    copy_suite(site_packages, suite)
    assert development_node.client is not None
    report = tmp_path / "report.xml"
    options = ["-q", "-p", "published_plugin", "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run(
        [str(python_interpreter), "-m", "pytest", *options, "tests"],
        cwd=suite,
        capture_output=True,
        text=True,
        timeout=SUITE_TIMEOUT_S,
        check=False,
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "PYTHONPATH": str(DRIVERS),
            "PEGBOARD_URL": f"ws://127.0.0.1:{open_suite_tap()}",
            "PEGBOARD_CHAIN_ID": str(development_node.client.call("database", "get_chain_id")),
        },
    )
    assert report.exists(), done.stdout[-2_000:] + done.stderr[-2_000:]
    cases = ElementTree.parse(report).getroot().iter("testcase")
    failed: dict[str, str] = {}
    passed: list[str] = []
    for case in cases:
        name = f"{case.get('classname')}.{case.get('name')}"
        problem = case.find("failure") if case.find("error") is None else case.find("error")
        if problem is None:
            passed.append(name)
        else:
            failed[name.rpartition(".")[2]] = str(problem.get("message"))
    unexpected = {name: text for name, text in failed.items() if name not in NOT_HERE}
    assert not unexpected
    assert sum("test_transactions" in name for name in passed) == 38
    assert len(passed) == 98
