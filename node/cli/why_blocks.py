"""`pegboard why` of a block and of a transaction: each effect beside its rule."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from node.cli.client import JsonObject, as_object, as_objects, as_text
from node.cli.exits import FileUnreadable
from node.cli.refusals import tell
from node.cli.remote_chain import RemoteChain

FILE_LENGTH_MAX = 1 << 20


def block_lines(found: JsonObject) -> Iterable[str]:
    """The effects for people; a rule's sentence stands where it is first needed."""
    if "block_num" in found:
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
