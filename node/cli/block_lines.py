"""One line, or one JSON document, for each block of a running network."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from node.cli.client import JsonObject, as_int, as_list, as_object, as_objects, as_text
from node.cli.remote_chain import RemoteChain
from protocol.ids import CallOrderId, ForceSettlementId, parse_object_id
from protocol.operations import ENTRY_OF
from protocol.operations.bitasset import AssetPublishFeed
from protocol.operations.limit_order import FillOrder
from protocol.schema import Mutable
from protocol.wording import count_of

FILL_ORDER = ENTRY_OF[FillOrder].id
PUBLISH_FEED = ENTRY_OF[AssetPublishFeed].id
BLOCKS_AT_ONCE = 50


class BlockLines(Mutable):
    """Follows a chain through a node's API, from the head that it finds first."""

    chain: RemoteChain
    _next_num: int | None = None
    _names: dict[str, str] = msgspec.field(default_factory=dict)

    def new_blocks(self) -> Iterator[JsonObject]:
        """What happened in each block since the last call, also of a chain that went back."""
        head = self.chain.head()
        head_num = as_int(head["head_block_number"])
        if self._next_num is None:
            self._next_num = max(head_num, 1)
        self._next_num = min(self._next_num, head_num + 1)
        for num in range(self._next_num, min(head_num, self._next_num + BLOCKS_AT_ONCE) + 1):
            block = self.chain.client.call("database", "get_block", num)
            if block is None:
                return
            yield self._summary(num, as_object(block), head)
            self._next_num = num + 1

    def _summary(self, num: int, block: JsonObject, head: JsonObject) -> JsonObject:
        transactions = as_objects(block["transactions"])
        operations = [
            as_int(as_list(operation)[0])
            for transaction in transactions
            for operation in as_list(transaction["operations"])
        ]
        return {
            "event": "block",
            "num": num,
            "time": as_text(block["timestamp"]),
            "witness": self._producer_name(as_text(block["witness"])),
            "transactions": len(transactions),
            "feeds": operations.count(PUBLISH_FEED),
            **self._fills(num),
            "last_irreversible": as_int(head["last_irreversible_block_num"]),
        }

    def _fills(self, num: int) -> JsonObject:
        """Trades, margin calls and settlements of a block: each has two sides, one counts.

        A position that is called takes (R4.4); one that is settled makes (R5.5). In a global
        settlement the positions alone are filled (R6.2).
        """
        records = as_objects(self.chain.client.call("history", "get_block_operation_history", num))
        sides = [
            as_object(as_list(record["op"])[1])
            for record in records
            if as_list(record["op"])[0] == FILL_ORDER
        ]
        positions = [side for side in sides if _is_of(CallOrderId, side)]
        calls = sum(side["is_maker"] is False for side in positions)
        settlements = sum(_is_of(ForceSettlementId, side) for side in sides)
        settled_globally = len(positions) - calls - settlements
        return {
            "trades": (len(sides) - settled_globally) // 2 - calls - settlements,
            "margin_calls": calls,
            "settlements": settlements,
            "positions_settled_globally": settled_globally,
        }

    def _producer_name(self, witness: str) -> str:
        if witness not in self._names:
            account = as_text(self.chain.object(witness)["witness_account"])
            self._names[witness] = self.chain.account_name(account)
        return self._names[witness]


def _is_of(id_type: object, side: JsonObject) -> bool:
    return parse_object_id(as_text(side["order_id"])).is_of(id_type)


def block_line(block: JsonObject) -> str:
    """The line for a block: number, time, producer, what it holds, what is irreversible."""
    parts = [
        count_of(as_int(block["transactions"]), "transaction"),
        *(
            count_of(as_int(block[key]), word)
            for key, word in (
                ("feeds", "feed"),
                ("trades", "trade"),
                ("margin_calls", "margin call"),
                ("settlements", "settlement"),
                ("positions_settled_globally", "globally settled position"),
            )
            if as_int(block[key])
        ),
    ]
    time = as_text(block["time"]).partition("T")[2]
    return (
        f"block {block['num']}  {time}  {block['witness']}  {', '.join(parts)}"
        f"  (irreversible {block['last_irreversible']})"
    )
