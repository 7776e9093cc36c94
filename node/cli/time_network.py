"""All processes of a development network, taken through time together.

Each is asked over its own API: all pause, all move, all set their clocks to one and the same
distance from the machine's, and all go on. Whoever dies in between leaves pauses that end by
themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from secrets import token_hex

from node.api.moments import parse_moment
from node.cli.client import (
    CallRefused,
    JsonObject,
    NodeClient,
    as_int,
    as_list,
    as_object,
    as_objects,
    as_text,
)
from node.cli.exits import CliError, NodeUnreachable, UsageProblem
from node.clock import monotonic_s, sleep_s
from node.exit_codes import Exit
from protocol.json_form import JsonValue, parse_time

API = "pegboard_dev"
AGREEMENT_TIMEOUT_S = 20
"""To pause all at the same head: one may have a block that is on its way to another."""
PAUSE_S = 0.1
PAUSED_BY_ANOTHER = "paused_by_another"
"""The refusal of a node that another command takes through time."""
REPLAY_TIMEOUT_S = 600
BLOCK_TIMEOUT_S = 60
BLOCKS_AT_ONCE = 100
"""Blocks of one call, so that the node serves others in between."""
HEAD = ("head_block_number", "head_block_id", "head_block_time")
PLACES = {
    "snapshot": ("get_snapshots", "revert"),
    "branch": ("get_branches", "switch_branch"),
}
"""What lists the places to come back to, and what does it."""


class NoCommonHead(CliError):
    """The processes of a network follow different blocks."""

    name = "no_common_head"


class NobodyProduces(CliError):
    """No process of a network has a key for a slot soon."""

    name = "no_signing_key"


class NoCommonPlace(CliError):
    """Not all processes of a network remember a snapshot or a branch."""

    name = "no_common_place"


class StillReplaying(CliError):
    """A node that went far back is not there again in time."""

    name = "still_replaying"
    exit_code = Exit.UNREACHABLE


class TimeNetwork:
    """The node that a command talks to, and all that have to go through time with it."""

    def __init__(self, client: NodeClient) -> None:
        urls = [as_text(url) for url in as_list(client.call(API, "get_members"))]
        self.api = client
        self.is_alone = not urls
        self.members = [NodeClient(url, timeout_s=client.timeout_s) for url in urls] or [client]
        self._name = token_hex(8)
        """By which no other command ends the pause of this one, nor this one another's."""

    def each(self, method: str, *arguments: JsonValue) -> list[JsonValue]:
        """The answers of all processes to a call, in their order; raises the first refusal."""
        return [member.call(API, method, *arguments) for member in self.members]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """All processes stand still at one head meanwhile; raises `NoCommonHead`."""
        try:
            self._pause()
            yield
            self._set_clocks()
        finally:
            self._resume()

    def move(self, method: str, *arguments: JsonValue) -> JsonObject:
        """Go back by a method of each process; the answer of the API's node, once all are there.

        Raises `StillReplaying`.
        """
        with self.paused():
            return self.move_paused(method, *arguments)

    def move_paused(self, method: str, *arguments: JsonValue) -> JsonObject:
        """The same, of processes that stand still already."""
        answers = [as_object(answer) for answer in self.each(method, *arguments)]
        for member, answer in zip(self.members, answers, strict=True):
            if answer["is_replaying"]:
                answer |= self._wait_for_head(member, as_int(answer["head_block_number"]))
        heads = {as_text(answer["head_block_id"]) for answer in answers}
        if len(heads) > 1:
            raise NoCommonHead("the processes stand at different blocks", value=sorted(heads))
        return answers[-1]

    def come_back(self, what: str, place: JsonValue) -> JsonObject:
        """Come back to a snapshot or a branch that all processes have, or none moves.

        Raises like `move`, and `NoCommonPlace`.
        """
        plural, method = PLACES[what]
        known = [as_objects(answer) for answer in self.each(plural)]
        blocks = [
            {as_text(one["block_id"]) for one in places if one[what] == place} for places in known
        ]
        if any(found != blocks[0] for found in blocks):
            raise NoCommonPlace(f"a process has forgotten the {what}, as restarts do", value=place)
        return self.move(method, place)

    def mine(self, count: int) -> JsonObject:
        """Make blocks at once, each by the process whose turn it is; the new head."""
        head: JsonObject = {}
        if self.is_alone:
            for start in range(0, count, BLOCKS_AT_ONCE):
                head = as_object(self.api.call(API, "mine", min(BLOCKS_AT_ONCE, count - start)))
            return head
        with self.paused():
            for made in range(count):
                if made % BLOCKS_AT_ONCE == 0:
                    self.stay_paused()
                head = self._make_block()
            clock = as_object(self.members[-1].call(API, "get_clock"))
            ahead_s = _seconds(head["head_block_time"]) - _seconds(clock["time"])
            offset_ms = as_int(clock["offset_ms"]) + max(0, ahead_s) * 1_000
            self.members[-1].call(API, "set_clock_offset", offset_ms)
        return head

    def travel(self, time: str) -> JsonObject:
        """Let time go by until a moment, or by a distance; the first block that is made there."""
        if self.is_alone:
            return as_object(self.api.call(API, "travel_to", time))
        now_s = _seconds(as_object(self.api.call(API, "get_clock"))["time"])
        wanted_s = parse_moment(time).after(now_s)
        if wanted_s <= now_s:
            raise UsageProblem(
                "time travel leads forward; `revert` and `rewind` lead back", value=time
            )
        self._shift((wanted_s - now_s) * 1_000)
        deadline_s = monotonic_s() + BLOCK_TIMEOUT_S
        while True:
            head = as_object(self.api.call("pegboard", "get_node_info"))
            if _seconds(head["head_block_time"]) >= wanted_s or monotonic_s() >= deadline_s:
                return {name: head[name] for name in HEAD}
            sleep_s(PAUSE_S)

    def rewind(self, num: int) -> JsonObject:
        """Make a block the head again."""
        return self.move("rewind", num)

    def stay_paused(self) -> None:
        """Prolong the pause, which ends by itself after a minute."""
        for member in self.members:
            with suppress(NodeUnreachable):
                member.call(API, "pause", self._name)

    def _make_block(self) -> JsonObject:
        """Have whoever has the next slot make its block, and all others take it; the new head."""
        slots = self.each("get_next_slot")
        turns = [(_seconds(slot), place) for place, slot in enumerate(slots) if slot is not None]
        if not turns:
            raise NobodyProduces("no process has a key for a slot soon", rule="R8.5")
        producer = self.members[min(turns)[1]]
        head = as_object(producer.call(API, "generate_blocks", 1))
        blocks = producer.call(API, "get_packed_blocks", head["head_block_number"], 1)
        for member in self.members:
            if member is not producer:
                member.call(API, "push_packed_blocks", blocks)
        return head

    def _shift(self, by_ms: int) -> None:
        """Move all clocks forward by so much."""
        with self.paused():
            clock = as_object(self.members[-1].call(API, "get_clock"))
            offset = as_int(clock["offset_ms"]) + by_ms
            self.each("set_clock_offset", offset)

    def _pause(self) -> None:
        """Pause all at one head, once they show one: a pause ends connections, and without them
        nobody comes to agree."""
        deadline_s = monotonic_s() + AGREEMENT_TIMEOUT_S
        while True:
            heads = self._heads("pegboard", "get_node_info")
            if len(heads) == 1:
                try:
                    heads = self._heads(API, "pause", self._name)
                except CallRefused as error:
                    if error.name != PAUSED_BY_ANOTHER or monotonic_s() >= deadline_s:
                        raise
                    heads = set()
                if len(heads) == 1:
                    return
                self._resume()
            if monotonic_s() >= deadline_s:
                raise NoCommonHead("the processes follow different blocks", value=sorted(heads))
            sleep_s(PAUSE_S)

    def _heads(self, api: str, method: str, *arguments: JsonValue) -> set[str]:
        """The heads that all tell of."""
        answers = [as_object(member.call(api, method, *arguments)) for member in self.members]
        return {as_text(answer["head_block_id"]) for answer in answers}

    def _set_clocks(self) -> None:
        """Let all clocks show what that of the API's node shows."""
        clock = as_object(self.members[-1].call(API, "get_clock"))
        self.each("set_clock_offset", clock["offset_ms"])

    def _resume(self) -> None:
        for member in self.members:
            with suppress(NodeUnreachable):
                member.call(API, "resume", self._name)

    def _wait_for_head(self, member: NodeClient, below_num: int) -> JsonObject:
        """Where a node stands that starts again, once it stands below the head that it had."""
        deadline_s = monotonic_s() + REPLAY_TIMEOUT_S
        while monotonic_s() < deadline_s:
            with suppress(NodeUnreachable):
                info = as_object(member.call("pegboard", "get_node_info"))
                if as_int(info["head_block_number"]) < below_num:
                    return {name: info[name] for name in HEAD}
            sleep_s(PAUSE_S)
            self.stay_paused()
        raise StillReplaying(
            "the node is not back from its stores",
            value=member.url,
            limit=f"{REPLAY_TIMEOUT_S} s",
        )


def _seconds(time: JsonValue) -> int:
    """A time that a node told, in seconds since 1970."""
    return parse_time(as_text(time))
