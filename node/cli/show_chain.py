"""`pegboard show`: the chain itself, its producers, an account, a block, a transaction."""

from __future__ import annotations

import re

import click

from node.cli.client import JsonObject, as_int, as_list, as_object, as_objects, as_text
from node.cli.consequences import assets_in, event_lines
from node.cli.descriptions import describe_operation, describe_record
from node.cli.exits import UsageProblem
from node.cli.holdings import show_holdings
from node.cli.output import table
from node.cli.remote_chain import NoSuchName, RemoteChain, parse_decimal
from node.cli.sessions import Session, chain_options
from protocol.json_form import JsonValue, from_json
from protocol.schema import TransactionId
from protocol.transaction import SignedTransaction, TransactionEnvelope
from protocol.wording import count_of

WITNESSES_MAX = 1000
BLOCKS_AT_ONCE = 100
SEARCHED_BLOCKS = 10_000
"""Blocks that are searched for a transaction's id."""


@click.command()
@chain_options
def chain(session: Session) -> None:
    """The chain and the node: head, irreversible block, peers, options."""
    info = dict(session.chain.info())
    client = session.chain.client
    state = as_object(client.call("pegboard", "get_state_hash"))
    info["state_hash"] = state["state_hash"]
    peers = as_objects(info["peers"])
    facts = [
        ("chain id", info["chain_id"]),
        ("core token", info["core_symbol"]),
        ("head", f"{info['head_block_number']} at {info['head_block_time']}"),
        ("head id", info["head_block_id"]),
        ("state hash", f"{state['state_hash']} (block {state['block_num']})"),
        ("irreversible", info["last_irreversible_block_num"]),
        ("participation", f"{as_int(info['participation']) * 100 // 128} %"),
        ("margin call trigger", info["margin_call_trigger"]),
        ("strict release", str(info["strict_release"]).lower()),
        ("settle match", str(info["settle_match"]).lower()),
        ("pay MCOP", str(info["pay_mcop"]).lower()),
        ("voting stake", info["voting_stake"]),
        ("node", f"pegboard {info['version']}"),
        ("peers", ", ".join(as_text(peer["version"]) for peer in peers) or "none"),
    ]
    rows = [(name, str(value)) for name, value in facts]
    if info["stall"] is not None:
        stall = as_object(info["stall"])
        awaited = [f"{one['what']}: {one['detail']}" for one in as_objects(stall["waits_for"])]
        rows.append((f"no {stall['what']}; waits for", "; ".join(awaited)))
    if info["split"] is not None:
        rows.append(("split", as_text(info["split"])))
    session.output.answer(info, table(("", ""), rows)[1:])


def _producers(session: Session) -> None:
    """The block producers, most votes first, and what they have produced."""
    client = session.chain.client
    properties = as_object(client.call("database", "get_global_properties"))
    active = as_list(properties["active_witnesses"])
    listed = as_list(client.call("database", "lookup_witness_accounts", "", WITNESSES_MAX))
    names = {as_text(as_list(item)[1]): as_text(as_list(item)[0]) for item in listed}
    ids: list[JsonValue] = [*names]
    found = as_objects(client.call("database", "get_witnesses", ids))
    found.sort(key=lambda item: (-as_int(item["total_votes"]), as_text(item["id"])))
    document: list[JsonValue] = []
    rows = []
    for item in found:
        witness = as_text(item["id"])
        is_active = witness in active
        document.append({**item, "name": names[witness], "is_active": is_active})
        rows.append(
            (
                names[witness],
                witness,
                "yes" if is_active else "no",
                session.chain.core.format(as_int(item["total_votes"]), with_symbol=False),
                str(item["last_confirmed_block_num"]),
                str(item["total_missed"]),
            )
        )
    columns = (session.chain.producer_term, "id", "active", ">votes", ">last block", ">missed")
    session.output.answer(document, table(columns, rows))


@click.command()
@chain_options
def witnesses(session: Session) -> None:
    """The block producers, most votes first, and what they have produced."""
    _producers(session)


@click.command()
@chain_options
def delegates(session: Session) -> None:
    """The same as `witnesses`, by the name that some chains give them."""
    _producers(session)


@click.command()
@click.argument("name")
@chain_options
def account(session: Session, name: str) -> None:
    """An account: authorities, balances, positions, orders."""
    show_holdings(session, session.chain.account(name), with_authorities=True)


@click.command()
@click.argument("num", type=click.IntRange(1))
@chain_options
def block(session: Session, num: int) -> None:
    """A block with its operations and what the chain did by itself in it."""
    client = session.chain.client
    answer = client.call("database", "get_block", num)
    if answer is None:
        head_num = session.chain.head()["head_block_number"]
        raise NoSuchName("the chain has no such block yet", value=num, limit=head_num)
    found = as_object(answer)
    records = as_objects(client.call("history", "get_block_operation_history", num))
    producer = session.chain.object(as_text(found["witness"]))
    name = session.chain.account_name(as_text(producer["witness_account"]))
    lines = [
        f"block {num} at {found['timestamp']} by {name}",
        f"  previous {found['previous']}",
        f"  {count_of(len(as_list(found['transactions'])), 'transaction')}",
        *_record_lines(session, records),
        *_turns(session, num, records),
    ]
    session.output.answer({**found, "history": [*records]}, lines)


@click.command()
@click.argument("reference")
@click.argument("index", type=click.IntRange(0), required=False)
@chain_options
def tx(session: Session, reference: str, index: int | None) -> None:
    """A transaction: by its id, among the last blocks, or by block number and place in it.

    \b
    pegboard show tx 527fc0c505761ffee74dff8c647b61eab889e9fa
    pegboard show tx 17 0
    """
    if index is None:
        num, index = find_transaction(session.chain, reference)
    else:
        num = parse_decimal(reference, 0)
    found = as_object(session.chain.client.call("database", "get_transaction", num, index))
    transaction_id = id_of_transaction(session.chain, found).hex()
    lines = [
        f"transaction {transaction_id}",
        f"  number {index} of block {num}, expires {found['expiration']}",
    ]
    operations = as_list(found["operations"])
    lines += [f"  {describe_operation(session.chain, item)}" for item in operations]
    document = {"id": transaction_id, "block_num": num, "trx_in_block": index, **found}
    session.output.answer(document, lines)


def find_transaction(chain: RemoteChain, text: str) -> tuple[int, int]:
    """Block number and place of a transaction id, newest blocks first; raises `NoSuchName`."""
    if not re.fullmatch("[0-9a-f]{40}", text):
        raise UsageProblem("not a transaction id", value=text, limit="40 hexadecimal digits")
    head_num = as_int(chain.head()["head_block_number"])
    lowest = max(head_num - SEARCHED_BLOCKS, 0)
    for last in range(head_num, lowest, -BLOCKS_AT_ONCE):
        first = max(last - BLOCKS_AT_ONCE + 1, lowest + 1)
        blocks = as_list(chain.client.call("block", "get_blocks", first, last))
        for num, found in zip(range(last, first - 1, -1), reversed(blocks), strict=True):
            for index, item in enumerate(as_objects(as_object(found)["transactions"])):
                if id_of_transaction(chain, item).hex() == text:
                    return num, index
    raise NoSuchName(
        "no such transaction in the last blocks", value=text, limit=f"{SEARCHED_BLOCKS} blocks"
    )


def id_of_transaction(chain: RemoteChain, data: JsonObject) -> TransactionId:
    """The id of a transaction, from its JSON form."""
    transaction = from_json(SignedTransaction, data, chain.prefix)
    return TransactionEnvelope.from_transaction(transaction).id


def _record_lines(session: Session, records: list[dict[str, JsonValue]]) -> list[str]:
    lines = []
    for record in records:
        text = describe_record(session.chain, record)
        lines.append(f"  {'by the chain: ' if record.get('is_virtual') else ''}{text}")
    return lines


def _turns(session: Session, num: int, records: list[dict[str, JsonValue]]) -> list[str]:
    """Global settlements, revivals and expired feeds of the assets that a block is about."""
    assets = set().union(*(assets_in(as_list(record["op"])[1]) for record in records))
    return [f"  by the chain: {line}" for line in event_lines(session.chain, num, assets)]
