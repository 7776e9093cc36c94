"""`pegboard why` of a block and of a transaction: each effect beside its rule."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from node.cli.client import JsonObject, as_int, as_list, as_object, as_objects, as_text
from node.cli.consequences import assets_in, events_of
from node.cli.descriptions import describe_event, describe_record
from node.cli.exits import FileUnreadable
from node.cli.refusals import tell
from node.cli.remote_chain import NoSuchName, RemoteAsset, RemoteChain
from node.cli.show import find_transaction
from node.explain.effects import Turns, rule_of, rule_of_turn
from node.rules import sentence_of
from protocol.ids import AssetId
from protocol.json_form import JsonValue, from_json_as
from protocol.operations.base import Operation, TaggedOperation

FILE_LENGTH_MAX = 1 << 20


def explain_block(chain: RemoteChain, num: int, index: int | None = None) -> JsonObject:
    """The effects of a block, or of one of its transactions, in order; raises `NoSuchName`."""
    found = chain.client.call("database", "get_block", num)
    if found is None:
        head_num = chain.head()["head_block_number"]
        raise NoSuchName("the chain has no such block yet", value=num, limit=head_num)
    records = as_objects(chain.client.call("history", "get_block_operation_history", num))
    if index is not None:
        records = [record for record in records if as_int(record["trx_in_block"]) == index]
    ops = [_operation(chain, record) for record in records]
    events: list[tuple[RemoteAsset, JsonObject]] = []
    if index is None:
        assets = set().union(*(assets_in(as_list(record["op"])[1]) for record in records))
        events = list(events_of(chain, num, assets))
    turns = Turns(
        settled=_assets_where(events, event="global_settlement"),
        revived_by_bids=_assets_where(events, event="revival", by_bids=True),
    )
    beside: dict[int, list[Operation]] = {}
    for record, op in zip(records, ops, strict=True):
        beside.setdefault(as_int(record["trx_in_block"]), []).append(op)
    effects: list[JsonValue] = [
        _effect(chain, record, op, beside[as_int(record["trx_in_block"])], turns)
        for record, op in zip(records, ops, strict=True)
    ]
    effects += [_turn(chain, asset, event, ops) for asset, event in events]
    timestamp = as_object(found)["timestamp"]
    return {"block_num": num, "timestamp": timestamp, "effects": effects}


def _assets_where(
    events: Iterable[tuple[RemoteAsset, JsonObject]], **fields: JsonValue
) -> frozenset[AssetId]:
    """The assets with an event that has these fields."""
    return frozenset(asset.id for asset, event in events if event.items() >= fields.items())


def explain_sent(chain: RemoteChain, transaction_id: str) -> JsonObject:
    """The effects of a transaction by its id; of a pending one, that it waits for a block."""
    try:
        num, index = find_transaction(chain, transaction_id)
    except NoSuchName:
        call = chain.client.call
        if call("database", "get_recent_transaction_by_id", transaction_id) is None:
            raise
        text = "the transaction waits for a block, or was dropped before it came into one"
        effect: JsonObject = {"is_virtual": False, "text": text, "rule": "B8"}
        return {"block_num": None, "effects": [{**effect, "rule_says": sentence_of("B8")}]}
    return explain_block(chain, num, index)


def _operation(chain: RemoteChain, record: JsonObject) -> Operation:
    return cast(Operation, from_json_as(TaggedOperation, record["op"], chain.prefix))


def _effect(
    chain: RemoteChain, record: JsonObject, op: Operation, beside: list[Operation], turns: Turns
) -> JsonObject:
    is_virtual = bool(record["is_virtual"])
    rule = rule_of(op, is_virtual=is_virtual, beside=beside, turns=turns)
    text = describe_record(chain, record)
    effect: JsonObject = {
        "operation": record["id"],
        "is_virtual": is_virtual,
        "text": text,
        "rule": rule,
        "rule_says": sentence_of(rule),
    }
    if rule == "R4.4":
        found = chain.client.call("pegboard", "explain_margin_call", record["id"])
        effect["explanation"] = as_object(found)["explanation"]
    return effect


def _turn(
    chain: RemoteChain, asset: RemoteAsset, event: JsonObject, ops: list[Operation]
) -> JsonObject:
    rule = rule_of_turn(asset.id, as_text(event["event"]), ops, by_bids=bool(event["by_bids"]))
    text = describe_event(chain, asset, event)
    return {"is_virtual": True, "text": text, "rule": rule, "rule_says": sentence_of(rule)}


def block_lines(found: JsonObject) -> Iterable[str]:
    """The effects for people; a rule's sentence stands where it is first needed."""
    if found["block_num"] is not None:
        yield f"block {found['block_num']} at {found['timestamp']}"
    told: set[str] = set()
    effects = as_objects(found["effects"])
    if not effects:
        yield "nothing happened in it"
    for effect in effects:
        rule = as_text(effect["rule"])
        who = "by the chain: " if effect["is_virtual"] else ""
        yield f"{who}{effect['text']}" + (f" ({rule})" if rule in told else "")
        if rule not in told:
            told.add(rule)
            yield f"    {rule}: {effect['rule_says']}"
        if "explanation" in effect:
            yield f"    {effect['explanation']}"


def explain_file(chain: RemoteChain, path: Path) -> JsonObject:
    """Whether the transaction in a JSON file would be taken, and if not, why."""
    try:
        with path.open(encoding="utf-8") as file:
            data = json.loads(file.read(FILE_LENGTH_MAX))
    except (OSError, ValueError, RecursionError) as error:
        raise FileUnreadable("not a transaction in JSON", value=str(path)) from error
    found = as_object(chain.client.call("pegboard", "explain_transaction", data))
    refusal = found.get("refusal")
    if refusal is not None:
        fields = as_object(refusal)
        for name in ("value", "limit"):
            if name in fields:
                fields[f"{name}_text"] = tell(chain, fields[name], as_text(fields["unit"]))
    return found


def file_lines(found: JsonObject) -> Iterable[str]:
    """The same for people."""
    if found["passes"]:
        yield "It would be taken now."
        return
    refusal = as_object(found["refusal"])
    place = refusal.get("operation")
    where = "" if place is None else f"operation {place}: "
    values = (f"{name} {refusal[f'{name}_text']}" for name in ("value", "limit") if name in refusal)
    yield ", ".join([f"Refused: {where}{refusal['what']}", *values])
    if refusal["rule"]:
        yield f"    {refusal['rule']}: {refusal['rule_says']}"
    remedies = as_objects(refusal["remedies"])
    for index, remedy in enumerate(remedies):
        yield f"{'To pass' if index == 0 else 'or'}: {remedy['text']}"
