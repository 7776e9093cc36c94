"""A running network of `up` whose state is changed, written into a file, left and come back to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import trio
from trio_websocket import open_websocket_url

from node.cli.client import NodeClient, as_list, as_object, as_text
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET
from protocol.ids import AccountId, parse_id
from protocol.json_form import parse_time, to_json
from protocol.operations.transfer import Transfer
from protocol.schema import BlockId
from protocol.transaction import SignedTransaction, reference_block
from tests.support.commands import in_process

Json = Any
NOTICE_TIMEOUT_S = 60


class Desk:
    """Commands against a network, in this process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = NodeClient(url, timeout_s=60)
        self.members = [as_text(one) for one in as_list(self.call("get_members"))]

    def call(self, method: str, *arguments: Json, api: str = "pegboard_dev") -> Json:
        return self.client.call(api, method, *arguments)

    def command(self, *arguments: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        ended = in_process(*arguments, "--url", self.url, "--json")
        return ended.returncode, ended.stdout + ended.stderr

    def do(self, *arguments: str) -> Json:
        """What a command that must succeed answers."""
        code, text = self.command(*arguments)
        assert code == 0, text
        return json.loads(text)

    def balance(self, name: str) -> int | None:
        """CORE of an account at the API node; None where there is no such account."""
        account = self.call("get_account_by_name", name, api="database")
        if account is None:
            return None
        [held] = self.call("get_account_balances", account["id"], ["1.3.0"], api="database")
        return int(held["amount"])

    def unsigned_transfer(self, sender: str, receiver: str, amount: int) -> SignedTransaction:
        """A transfer that nobody has signed, with a fee that is more than enough."""
        names = [[sender], [receiver]]
        ids = [self.call("get_accounts", name, api="database")[0]["id"] for name in names]
        head = as_object(self.call("get_dynamic_global_properties", api="database"))
        number, prefix = reference_block(BlockId(bytes.fromhex(as_text(head["head_block_id"]))))
        paid, gives = AssetAmount(1_000_000, CORE_ASSET), AssetAmount(amount, CORE_ASSET)
        giver, taker = (parse_id(AccountId, one) for one in ids)
        op = Transfer(paid, giver, taker, gives, None)
        return SignedTransaction(number, prefix, parse_time(as_text(head["time"])) + 60, (op,))

    def told_by_all(self, *arguments: str) -> tuple[Json, list[Json]]:
        """What a command answers, and what each process tells who follows rewinds meanwhile."""
        return trio.run(self._told_by_all, arguments)

    async def _told_by_all(self, arguments: tuple[str, ...]) -> tuple[Json, list[Json]]:
        told: list[Json] = []
        ready = [trio.Event() for _ in self.members]
        answer = None
        with trio.fail_after(NOTICE_TIMEOUT_S):
            async with trio.open_nursery() as nursery:
                for url, event in zip(self.members, ready, strict=True):
                    nursery.start_soon(_first_notice, url, event, told)
                for event in ready:
                    await event.wait()
                answer = await trio.to_thread.run_sync(self.do, *arguments)
        return answer, told


async def _first_notice(url: str, ready: trio.Event, told: list[Json]) -> None:
    async with open_websocket_url(url.replace("http", "ws", 1)) as socket:
        request = ["pegboard_dev", "set_rewind_callback", [7]]
        await socket.send_message(json.dumps({"id": 1, "method": "call", "params": request}))
        assert "error" not in json.loads(await socket.get_message())
        ready.set()
        callback, [notice] = json.loads(await socket.get_message())["params"]
        assert callback == 7
        told.append(notice)


def go_through_state(url: str, directory: Path) -> None:
    """R9.10: each command once; what one process shows then, all do, and their subscribers know."""
    desk = Desk(url)
    assert len(desk.members) == 3
    desk.do("branch", "calm")
    assert desk.do("faucet", "zoe", "--amount", "7 TEST")["is_new"]
    desk.do("set-balance", "alice", "5000 TEST")
    assert (desk.balance("zoe"), desk.balance("alice")) == (700_000, 500_000_000)

    pay = desk.unsigned_transfer("bob", "zoe", 300_000)
    desk.do("impersonate", "bob")
    send = ("broadcast_transaction_synchronous", to_json(pay, "TEST"))
    assert desk.call(*send, api="network_broadcast")["block_num"]
    desk.do("impersonate", "bob", "--stop")
    assert desk.balance("zoe") == 1_000_000

    file = directory / "zoe.chain"
    head_id = desk.do("dump", str(file))["head_block_id"]
    back, told = desk.told_by_all("branch", "calm", "--switch")
    assert [one["head_block_id"] for one in told] == [back["head_block_id"]] * 3
    assert desk.balance("zoe") is None
    loaded = desk.do("load", str(file))
    assert (loaded["block_id"], loaded["common_block_num"]) == (head_id, back["head_block_number"])
    assert desk.balance("zoe") == 1_000_000
    desk.do("branch", "calm", "--drop")
