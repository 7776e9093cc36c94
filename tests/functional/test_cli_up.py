"""`pegboard up` and `pegboard node --dev` as real processes, from start to end."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from node.cli.client import CallRefused, NodeClient
from node.cli.network_files import free_ports
from node.presets import ACCOUNTS, WITNESSES
from protocol.json_form import parse_time
from tests.functional.through_state import go_through_state
from tests.support.browser import CHROMIUM, Visit, chromium
from tests.support.canary import find_keys
from tests.support.commands import in_process, pegboard, processes_with, running, wait_until_served

pytestmark = pytest.mark.functional


def wait_until_gone(text: str, timeout_s: float = 10) -> bool:
    """Whether no process with a text in its command line is left, after a while at most."""
    deadline = time.monotonic() + timeout_s
    while processes_with(text):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_up_runs_stops_and_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T-A4, T-X1: witnesses, prices, an API, a borrower; Ctrl-C; the same chain again. No key
    of the network stands anywhere else while it runs."""
    directory, temporary = tmp_path / "net", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    [port] = free_ports(1)
    api = f"127.0.0.1:{port}"
    base = ("up", "-n", "2", "--data-dir", str(directory), "--api", api, "--json")
    with running(*base, "--block-interval", "1") as network:
        greeting = network.wait_for(lambda event: event["event"] == "up")
        assert greeting["http"] == f"http://{api}"
        assert [row["name"] for row in greeting["accounts"]] == list(ACCOUNTS)
        network.wait_for(lambda event: event["event"] == "block" and event["feeds"])

        wallet = ("--dev-keys", "-a", "alice", "--url", greeting["http"], "--json")
        borrowed = pegboard("wallet", "borrow", "10 bitUSD", "--ratio", "3", *wallet)
        assert borrowed.returncode == 0, borrowed.stderr
        refused = in_process("wallet", "borrow", "100 bitUSD", "--ratio", "1.1", *wallet)
        assert refused.returncode == 1
        assert json.loads(refused.stderr)["error"]["rule"].startswith("R3.4")

        go_through_state(greeting["http"], tmp_path)
        at = ("--url", greeting["http"], "--json")
        check_exports(at)
        last_num = go_through_time(at, json.loads(borrowed.stdout)["block_num"])

        second = pegboard(*base[:-3], "--api", f"127.0.0.1:{free_ports(1)[0]}")
        assert second.returncode == 75, "two networks in one directory"
        processes = processes_with(str(directory))
        assert len(processes) >= 4, "the command, two witnesses and the API"
        assert find_keys(tmp_path, processes) == []
        assert network.stop(signal.SIGINT) == 0
    assert wait_until_gone(str(directory))

    replayed = pegboard("replay", "--data-dir", str(directory), "--json")
    assert json.loads(replayed.stdout)["head_block_number"] >= last_num
    with running(*base) as network:
        assert network.wait_for_block(last_num + 1)["witness"] in WITNESSES[:2]
        for pid in processes_with(str(directory / "init1" / "node.toml")):
            os.kill(pid, signal.SIGKILL)
        ended = network.wait_for(lambda event: event["event"] == "node_ended")
        assert (ended["node"], ended["exit_code"]) == ("init1", -signal.SIGKILL)
        network.process.kill()
        network.close()
    assert wait_until_gone(str(directory)), "nodes outlive the command that started them"
    assert find_keys(tmp_path, ()) == []


def check_exports(at: tuple[str, ...]) -> None:
    """Positions come from a forked child; blocks and medians while more of them come in."""
    for name in ("positions", "feeds"):
        found = in_process("export", name, "bitUSD", *at)
        assert found.returncode == 0, found.stderr
        rows = list(csv.DictReader(found.stdout.splitlines()))
        assert {row["base"] for row in rows} == {"bitUSD"}
    found = in_process("export", "blocks", *at)
    nums = [int(row["block_num"]) for row in csv.DictReader(found.stdout.splitlines())]
    assert nums == list(range(1, len(nums) + 1)) != []


def go_through_time(at: tuple[str, ...], borrowed_num: int) -> int:
    """Every process travels, comes back to a snapshot, and starts again farther back, once block 1
    is irreversible and can only be played anew.

    The number of a block beyond all that.
    """

    def go(*arguments: str) -> dict[str, Any]:
        ended = in_process(*arguments, *at)
        assert ended.returncode == 0, ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    while go("show", "chain")["last_irreversible_block_num"] <= 1:
        time.sleep(0.5)
    place = go("snapshot")
    assert place["block_num"] >= borrowed_num
    before = parse_time(go("show", "chain")["head_block_time"])
    assert parse_time(go("travel", "+1d")["head_block_time"]) >= before + 86_400
    back = go("revert")
    assert (back["head_block_id"], back["is_replaying"]) == (place["block_id"], False)
    go_by_the_api(at[1], go("mine", "3"))
    assert go("rewind", "1")["is_replaying"]
    while (head := go("show", "chain"))["head_block_number"] <= borrowed_num:
        time.sleep(0.5)
    return int(head["head_block_number"])


def go_by_the_api(url: str, mined: dict[str, Any]) -> None:
    """R9.10: what a program, and the page by its buttons, asks of one node, all processes do."""
    num = mined["head_block_number"]

    def call(method: str, *arguments: Any, at: str = url) -> Any:
        return NodeClient(at).call("pegboard_dev", method, *arguments)

    def ids_at_num() -> set[str]:
        packed = [call("get_packed_blocks", num, 1, at=one) for one in members]
        return {blocks[0] for blocks in packed if blocks}

    members = call("get_members")
    assert len(members) == 3
    assert len(ids_at_num()) == 1
    with pytest.raises(CallRefused) as caught:
        call("network_travel", "2020-01-01T00:00:00")
    assert caught.value.name == "usage"
    for method, *arguments in (("generate_blocks", 1), ("mine", 1), ("travel_to", "+1h")):
        with pytest.raises(CallRefused, match="network_mine") as caught:
            call(method, *arguments, at=members[0])
        assert caught.value.name == "not_paused"
    call("pause", "me", at=members[0])
    for _ in range(2):
        with pytest.raises(CallRefused, match="somebody else"):
            call("pause", "you", at=members[0])
        call("resume", "you", at=members[0])
    call("resume", "me", at=members[0])
    if CHROMIUM.exists():
        press_buttons(url, num)
    else:
        call("network_travel", "+1h")
        call("network_rewind", num)
    assert len(ids_at_num()) == 1


def press_buttons(url: str, num: int) -> None:
    """The page of a network mines, travels and goes back as that of a lonely node does."""
    with chromium() as browser:
        visit = Visit(browser, url)
        visit.open()
        told = visit.page.locator("#development-told")
        expect(visit.page.locator("#development-refused")).to_have_text(
            "All 3 processes of this network go through time together."
        )
        steps = (("mine", "count", "2"), ("travel", "by", "+1d"), ("rewind", "num", f"{num}"))
        for form, field, value in steps:
            visit.page.fill(f"#{form} [name={field}]", value)
            visit.page.click(f"#{form} button")
            wanted = "taken back. The head is block" if form == "rewind" else "The head is block"
            expect(told).to_contain_text(wanted)
            expect(told).to_have_class("notice")
            visit.page.evaluate("document.getElementById('development-told').textContent = ''")
        expect(visit.page.locator("#told")).to_contain_text(f"went back to block {num}")
        visit.close()


def test_a_dead_api_ends_the_command(tmp_path: Path) -> None:
    """Without its API the network is of no use: `up` says so and stops the rest."""
    directory = tmp_path / "net"
    [port] = free_ports(1)
    arguments = ("-n", "1", "--data-dir", str(directory), "--api", f"127.0.0.1:{port}", "--json")
    with running("up", *arguments) as network:
        network.wait_for(lambda event: event["event"] == "up")
        for pid in processes_with(str(directory / "api" / "node.toml")):
            os.kill(pid, signal.SIGKILL)
        network.wait_for(lambda event: event["event"] == "stopped")
        assert network.close() == 1
    assert wait_until_gone(str(directory))


def test_a_development_node_makes_a_block_for_each_transaction(tmp_path: Path) -> None:
    """T-A4, R8.4: chain time runs ahead of the clock; the demo plays in seconds."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    data = tmp_path / "dev"
    options = ("--data-dir", str(data), "--api", f"127.0.0.1:{port}", "--block-interval", "1")
    with running("node", "--dev", "--mode", "instant", *options) as node:
        assert wait_until_served(url)
        played = pegboard("demo", "margin-call", "--url", url, "--json")
        assert played.returncode == 0, played.stderr + node.error_text()
        assert json.loads(played.stdout.splitlines()[-1])["event"] == "done"
        taken = pegboard("node", "--dev", "--data-dir", str(data), "--api", "127.0.0.1:0")
        assert taken.returncode == 75
        assert node.stop() == 0
