"""Reading all of a kind from a node that goes on: page by page, up to one block, of one chain."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from node.cli.client import JsonObject, NodeClient, as_int, as_list, as_object, as_objects, as_text
from node.cli.exits import CliError, UsageProblem
from node.cli.export_tables import as_of, block_record
from protocol.block import SignedBlockHeader, block_id
from protocol.errors import DecodeError
from protocol.json_form import JsonValue, from_json, parse_time

PAGE = 100
POSITIONS_PAGE = 10_000
RECORDS_MAX = 1 << 40
"""More than a chain has of one kind."""
HEAD, IRREVERSIBLE = "head", "irreversible"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PLACES = {HEAD: "head_block_number", IRREVERSIBLE: "last_irreversible_block_num"}


class ChainMoved(CliError):
    """The chain is not the one any more that the first rows were read from."""

    name = "chain_moved"


class Extent(NamedTuple):
    """Blocks that are exported, both ends included; none where `last` is below `first`."""

    first: int
    last: int
    last_id: str
    """Id of the last one: while the chain has it, nothing before it has changed."""


class History:
    """The blocks of a node and what happened in them, as of the moment it is made."""

    def __init__(self, client: NodeClient, first: str, last: str) -> None:
        """The ends are numbers of blocks, times in UTC, "irreversible" or "head".

        Raises `UsageProblem`, or `ChainMoved` if the chain goes back meanwhile.
        """
        self._client = client
        head = as_object(client.call("database", "get_dynamic_global_properties"))
        info = as_object(client.call("pegboard", "get_node_info"))
        self._first_num = as_int(info["first_block_number"])
        own = range(self._first_num, as_int(head["head_block_number"]) + 1)
        begin, end = _place(first, head), _place(last, head)
        if begin is None:
            begin = own.start + bisect_left(own, _moment(first), key=self._time_of)
        if end is None:
            end = own.start + bisect_right(own, _moment(last), key=self._time_of) - 1
        begin, end = max(begin, own.start), min(end, own.stop - 1)
        self.extent = Extent(begin, end, self.block_id(end))

    def records(self, method: str, *subject: JsonValue) -> Iterator[JsonObject]:
        """What a paged method of the API `pegboard` tells of these blocks, oldest first.

        Raises `ChainMoved` at the end if the chain went back meanwhile.
        """
        extent = self.extent
        start = self._first_record(method, *subject) if extent.first <= extent.last else None
        while start is not None:
            page = self._page(method, *subject, start, PAGE)
            for record in as_objects(page["records"]):
                if as_int(record["block_num"]) > extent.last:
                    self.check()
                    return
                yield record
            start = None if page["next"] is None else as_int(page["next"])
        self.check()

    def blocks(self) -> Iterator[JsonObject]:
        """The blocks themselves; raises `ChainMoved` where one does not follow the one before."""
        first, last, last_id = self.extent
        before = self.block_id(first - 1) if first <= last else ""
        for start in range(first, last + 1, PAGE):
            end = min(start + PAGE - 1, last)
            found = as_list(self._client.call("block", "get_blocks", start, end))
            for num, block in enumerate(found, start):
                header = None if block is None else as_object(block)
                if header is None or header["previous"] != before:
                    raise _moved(num)
                before = _id_of(header)
                yield block_record(num, before, header)
        if first <= last and before != last_id:
            raise _moved(last)

    def check(self) -> None:
        """Raise `ChainMoved` unless the chain still has the last block of the extent."""
        if self.block_id(self.extent.last) != self.extent.last_id:
            raise _moved(self.extent.last)

    def block_id(self, num: int) -> str:
        """The id of a block; raises `ChainMoved` where there is none any more."""
        is_own = num >= self._first_num
        found = self._client.call(
            "database", "get_block_header", num if is_own else self._first_num, True
        )
        if found is None:
            if not is_own:
                return ""
            raise _moved(num)
        return _id_of(as_object(found)) if is_own else as_text(as_object(found)["previous"])

    def _first_record(self, method: str, *subject: JsonValue) -> int:
        """From where on the records are of the extent's blocks: their numbers never fall."""

        def is_there(start: int) -> bool:
            records = as_objects(self._page(method, *subject, start, 1)["records"])
            return not records or as_int(records[0]["block_num"]) >= self.extent.first

        if self.extent.first <= self._first_num:
            return 0
        return bisect_left(range(RECORDS_MAX), True, key=is_there)

    def _page(self, method: str, *arguments: JsonValue) -> JsonObject:
        return as_object(self._client.call("pegboard", method, *arguments))

    def _time_of(self, num: int) -> int:
        """The time of a block; raises `ChainMoved` where there is none any more."""
        found = self._client.call("database", "get_block_header", num)
        if found is None:
            raise _moved(num)
        return parse_time(as_text(as_object(found)["timestamp"]))


class Positions:
    """The positions of a BitAsset as one block left them; its first page is read at once."""

    def __init__(self, client: NodeClient, symbol: str) -> None:
        self._client = client
        self._symbol = symbol
        self._hold: JsonValue = None
        self._first = self._page(0)
        if self._first["next"] is not None:
            self._hold = as_object(client.call("pegboard", "hold_state"))["hold"]
            self._first = self._page(0)

    @property
    def head(self) -> JsonObject:
        """The block: `head_block_number`, `head_block_id`, `head_block_time`."""
        return {name: value for name, value in self._first.items() if name.startswith("head_")}

    def records(self) -> Iterator[JsonObject]:
        """All of them, least collateralised first, each with its block.

        What takes more than a page is read from the state that the node holds meanwhile: a refusal
        says so if the block is taken back before all is read.
        """
        page, head = self._first, self.head
        try:
            while True:
                yield from (as_of(record, head) for record in as_objects(page["records"]))
                if page["next"] is None:
                    return
                page = self._page(as_int(page["next"]))
        finally:
            if self._hold is not None:
                with suppress(CliError):
                    self._client.call("pegboard", "drop_state", self._hold)

    def _page(self, start: int) -> JsonObject:
        arguments = (self._symbol, start, POSITIONS_PAGE, self._hold)
        return as_object(self._client.call("pegboard", "list_positions", *arguments))


def _place(text: str, head: JsonObject) -> int | None:
    """The number of a block that an end names; None for a time."""
    if text in _PLACES:
        return as_int(head[_PLACES[text]])
    return int(text) if text.isascii() and text.isdigit() else None


def _moment(text: str) -> int:
    try:
        return parse_time(f"{text}T00:00:00" if _DATE.fullmatch(text) else text)
    except DecodeError as error:
        raise UsageProblem(
            "neither the number of a block nor a time in UTC",
            value=text,
            limit=f"17, 2026-01-31, 2026-01-31T12:00:00, {HEAD} or {IRREVERSIBLE}",
        ) from error


def _id_of(block: JsonObject) -> str:
    names = ("previous", "timestamp", "witness", "transaction_merkle_root", "extensions")
    fields: JsonObject = {name: block[name] for name in (*names, "witness_signature")}
    return block_id(from_json(SignedBlockHeader, fields, "")).hex()


def _moved(num: int) -> ChainMoved:
    return ChainMoved(
        "the chain went back while it was read, and nothing was written: export again", value=num
    )
