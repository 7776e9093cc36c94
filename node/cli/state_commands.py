"""`pegboard set-balance`, `impersonate`, `faucet`, `dump`, `load`: the state of a chain."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli.chain_file import ChainFile, read_chain, write_chain
from node.cli.client import JsonObject, NodeClient, as_int, as_list, as_object, as_text
from node.cli.exits import CliError
from node.cli.keyring import WalletFiles, default_wallet_directory, password_reader, random_key
from node.cli.program import command_name
from node.cli.sessions import Session, chain_options
from node.cli.time_network import API, TimeNetwork
from node.cli.wallet_sessions import PASSWORD_FD, WALLET
from node.exit_codes import Exit
from node.presets import development_key
from protocol.block import BlockEnvelope
from protocol.crypto.keys import key_text, public_key
from protocol.ids import asset_text
from protocol.json_form import JsonValue, format_time, parse_time
from protocol.wording import count_of

BLOCKS_AT_ONCE = 100
"""Blocks of one call, to read them or to send them."""


class OtherChain(CliError):
    """The file is of another chain than the node's."""

    name = "other_chain"
    exit_code = Exit.CONFIGURATION


class OtherState(CliError):
    """The blocks of a file have not made the state that it names."""

    name = "other_state"
    exit_code = Exit.DAMAGED


@click.command()
@click.argument("account")
@click.argument("amount")
@chain_options
def set_balance(session: Session, account: str, amount: str) -> None:
    """Let ACCOUNT hold AMOUNT, whatever it held before, from the next block on.

    The supply of the asset grows or shrinks with it. Units of a BitAsset are debts: borrow them.

    \b
    pegboard set-balance alice "5000 TEST"
    """
    chain = session.chain
    wanted = chain.parse_amount(amount)
    asset = asset_text(wanted.asset_id)
    name = chain.account(account).name
    answer = as_object(chain.client.call(API, "set_balance", name, asset, wanted.amount))
    change = chain.asset(asset).format(as_int(answer["supply_change"]))
    lines = [
        f"{name} holds {chain.asset(asset).format(wanted.amount)}",
        f"the supply changes by {change}",
    ]
    session.output.answer(answer, lines)


@click.command()
@click.argument("account")
@click.option("--stop", is_flag=True, help="Ask for its signatures again.")
@chain_options
def impersonate(session: Session, account: str, stop: bool) -> None:
    """Let operations of ACCOUNT pass without its signatures, until --stop.

    It stands in a block, and holds in all processes of the network, also after a restart.

    \b
    pegboard impersonate committee-account
    pegboard impersonate committee-account --stop
    """
    name = session.chain.account(account).name
    transaction = session.chain.client.call(API, "impersonate", name, not stop)
    verb = "asks for signatures again" if stop else "acts without signatures"
    document: JsonObject = {"transaction": transaction, "account": name, "impersonated": not stop}
    session.output.answer(document, [f"{name} {verb}"])


@click.command()
@click.argument("name")
@click.option("--amount", default="0", show_default=True, help='What it gets, as "1000 TEST".')
@click.option("--random", "is_random", is_flag=True, help="A random key, kept in the wallet.")
@WALLET
@PASSWORD_FD
@chain_options
def faucet(
    session: Session,
    name: str,
    amount: str,
    is_random: bool,
    wallet: Path | None,
    password_fd: int | None,
) -> None:
    """Make a key, the account NAME and its money in one step; an account that is there gets money.

    The key is the development key of that name, which everybody knows and --dev-keys finds, or with
    --random a new one in the wallet. The richest lifetime member pays.

    \b
    pegboard faucet zoe --amount "1000 TEST"
    pegboard wallet transfer bob "1 TEST" --dev-keys -a zoe
    """
    chain = session.chain
    core = as_text(chain.info()["core_symbol"])
    wanted = chain.parse_amount(amount if " " in amount else f"{amount} {core}")
    secret = development_key(name, "active")
    if is_random:
        secret = random_key()
        files = WalletFiles(
            wallet or default_wallet_directory(), password_reader(password_fd, confirm=True)
        )
        files.add(secret, chain=chain.chain_id, role="active", prefix=chain.prefix)
    key = key_text(public_key(secret), chain.prefix)
    answer = as_object(
        chain.client.call(API, "faucet", name, key, asset_text(wanted.asset_id), wanted.amount)
    )
    answer |= {"name": name, "public_key": key}
    made = f"account {name} ({answer['account']})" + (" made" if answer["is_new"] else "")
    got = chain.asset(asset_text(wanted.asset_id)).format(wanted.amount)
    sign = "" if is_random else " --dev-keys"
    session.output.answer(
        answer,
        [
            f"{made}, gets {got} from {answer['funder']}",
            f"act for it with: {command_name()} wallet ...{sign} -a {name}",
        ],
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@chain_options
def dump(session: Session, file: Path) -> None:
    """Write the chain into FILE: its blocks, and the hash of the state that they make.

    `pegboard load` brings a node of the same chain to that head, with all its history.

    \b
    pegboard dump before-the-crash.chain
    """
    client = session.chain.client
    head = as_object(client.call("pegboard", "get_state_hash"))
    first_num = as_int(session.chain.info()["first_block_number"])
    count = as_int(head["block_num"]) - first_num + 1
    blocks = _blocks(client, first_num, count)
    facts: JsonObject = {
        "chain_id": session.chain.chain_id.hex(),
        "genesis_hash": client.call(API, "get_genesis_hash"),
        "first_block_number": first_num,
        "head_block_number": head["block_num"],
        "head_block_id": head["block_id"],
        "head_block_time": format_time(_envelope(blocks[-1]).header.timestamp) if blocks else None,
        "state_hash": head["state_hash"],
    }
    if not blocks or _envelope(blocks[-1]).id.hex() != head["block_id"]:
        raise OtherState("the chain went back while it was read", value=head["block_id"])
    size = write_chain(file, facts, blocks)
    session.output.answer(
        {**facts, "file": str(file), "bytes": size},
        [f"{count_of(count, 'block')} in {file}, head {head['block_id']}"],
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@chain_options
def load(session: Session, file: Path) -> None:
    """Bring the chain to where FILE of `pegboard dump` has it; what it has beyond that is gone.

    All processes of a network go there together. Nothing changes if the file is damaged, or of
    another chain.

    \b
    pegboard load before-the-crash.chain
    """
    found = read_chain(file)
    client = session.chain.client
    ours = {
        "chain_id": session.chain.chain_id.hex(),
        "genesis_hash": client.call(API, "get_genesis_hash"),
    }
    for name, value in ours.items():
        if found.header.get(name) != value:
            raise OtherChain(
                f"{file}, line 1: of another chain: {name}",
                value=found.header.get(name),
                limit=value,
            )
    network = TimeNetwork(client)
    common = _common_num(client, found)
    if common < found.first_num:
        raise OtherChain(f"{file}, line 2: it shares no block with this chain")
    with network.paused():
        network.move_paused("rewind", common)
        _push(network, found, common)
        for member in network.members:
            state = as_object(member.call("pegboard", "get_state_hash"))
            _check_same(found, "head_block_id", state["block_id"])
            _check_same(found, "state_hash", state["state_hash"])
    session.output.answer(
        {**state, "common_block_num": common},
        [f"head {state['block_num']} {state['block_id']}, block {common} was common"],
    )


def _check_same(found: ChainFile, name: str, value: JsonValue) -> None:
    if value != found.header[name]:
        raise OtherState(f"another {name} than the file's", value=value, limit=found.header[name])


def _push(network: TimeNetwork, found: ChainFile, common: int) -> None:
    """Give all processes the blocks above the common one, and their clocks the head's time."""
    clock = as_object(network.members[-1].call(API, "get_clock"))
    ahead_s = parse_time(as_text(found.header["head_block_time"])) - parse_time(
        as_text(clock["time"])
    )
    network.each("set_clock_offset", as_int(clock["offset_ms"]) + ahead_s * 1_000)
    for start in range(common - found.first_num + 1, len(found.blocks), BLOCKS_AT_ONCE):
        network.stay_paused()
        network.each("push_packed_blocks", [*found.blocks[start : start + BLOCKS_AT_ONCE]])


def _blocks(client: NodeClient, first_num: int, count: int) -> list[str]:
    """So many blocks of a node from one on, as hexadecimal digits."""
    blocks: list[str] = []
    while len(blocks) < count:
        part = min(BLOCKS_AT_ONCE, count - len(blocks))
        more = as_list(client.call(API, "get_packed_blocks", first_num + len(blocks), part))
        if not more:
            break
        blocks += map(as_text, more)
    return blocks


def _common_num(client: NodeClient, found: ChainFile) -> int:
    """The number of the newest block that a node and a file share; below all of them for none."""
    low, high = found.first_num - 1, found.first_num - 1 + len(found.blocks)
    while low < high:
        middle = (low + high + 1) // 2
        ours = as_list(client.call(API, "get_packed_blocks", middle, 1))
        if ours and ours[0] == found.blocks[middle - found.first_num]:
            low = middle
        else:
            high = middle - 1
    return low


def _envelope(block: str) -> BlockEnvelope:
    return BlockEnvelope.from_bytes(bytes.fromhex(block))
