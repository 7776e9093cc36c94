"""The directory of a development network: its genesis, and settings and keys of each node.

DIR/network.json        what `pegboard up` made here
DIR/genesis.json
DIR/init0/node.toml     one directory a node; `api` serves clients and produces nothing
DIR/init0/keys/         signing.wif and active.wif, mode 0600
DIR/init0/data/         blocks, snapshots, and the record of what was signed
DIR/init0/node.log
DIR/fork/               of a forked chain: the state that it goes on from
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from node.cli.exits import SetupRefused
from node.cli.fork_file import ForkFile
from node.config import (
    ApiSettings,
    DevelopmentSettings,
    FeedSettings,
    NodeSettings,
    PeerSettings,
    ProductionMode,
    ProductionSettings,
    WitnessSettings,
    read_origin,
    split_address,
    write_settings,
)
from node.core.startup import FORK_DIRECTORY
from node.presets import (
    BLOCK_INTERVAL_S,
    PEGS,
    PRESETS,
    WITNESSES,
    build_genesis,
    development_key,
    genesis_text,
    known_signing_key,
)
from node.services.opened import open_stores
from node.storage.durable import Draft, make_directory
from node.storage.guard import RECORD_FILE, empty_record
from node.storage.key_files import DIRECTORY_MODE
from node.storage.snapshots import SnapshotFiles
from node.witness.feed_text import publication_interval_s
from protocol.crypto.keys import PrivateKey, public_key, wif
from protocol.errors import PegboardError
from protocol.genesis import Genesis, chain_id, load_genesis
from protocol.genesis_form import NO_CHAIN_ID
from protocol.schema import Record

MARKER = "network.json"
GENESIS = "genesis.json"
GENESIS_PATH = f"../{GENESIS}"
"""As the settings of a node name it."""
SETTINGS = "node.toml"
LOG = "node.log"
API_NODE = "api"
DEVELOPMENT_NODE = "dev"
FORMAT_VERSION = 1
EPHEMERAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
EPHEMERAL_FIRST = 49_152
"""Of the ports that a system other than Linux gives to outgoing connections (RFC 6335)."""
LISTENED_FIRST = 16_384
PORT_TRIES = 1_000
PORTS_HELD_MAX = 256

_held: deque[socket.socket] = deque()
"""Sockets that keep ports of `free_ports` from other processes, newest last."""


class Wanted(Record):
    """What the options ask for; None takes what lies in the directory, or the default."""

    preset: str | None = None
    genesis: Genesis | None = None
    """A genesis of the user's own, in place of a preset."""
    witness_count: int | None = None
    block_interval_s: int | None = None
    fork: ForkFile | None = None
    """A state of bitshares-core to go on from, in place of a genesis."""
    trigger: str | None = None
    """Which rule calls positions, "bid" or "feed" (R4.2)."""


class Network(Record):
    """A network as it lies on disk."""

    directory: Path
    preset: str
    """Empty for a genesis of the user's own."""
    genesis: Genesis

    @property
    def witness_count(self) -> int:
        """Witnesses that produce from the start."""
        return self.genesis.initial_active_witnesses

    @property
    def block_interval_s(self) -> int:
        """Seconds between two blocks."""
        return self.genesis.initial_parameters.block_interval

    @property
    def witnesses(self) -> tuple[str, ...]:
        """Accounts of the candidates whose signing keys everybody knows."""
        return tuple(self.signing_keys)

    @property
    def signing_keys(self) -> dict[str, PrivateKey]:
        """The block keys that everybody knows, by account."""
        candidates = (
            (item.owner_name, known_signing_key(item.owner_name, item.block_signing_key))
            for item in self.genesis.initial_witness_candidates
        )
        return {name: secret for name, secret in candidates if secret is not None}

    @property
    def peg_symbols(self) -> tuple[str, ...]:
        """BitAssets that there is a default price for."""
        assets = self.genesis.initial_assets
        return tuple(item.symbol for item in assets if item.is_bitasset and item.symbol in PEGS)


class NodePlan(Record):
    """One process of a network."""

    name: str
    settings: Path
    log: Path


def open_network(
    directory: Path,
    wanted: Wanted,
    *,
    now_s: int,
    default_witness_count: int = len(WITNESSES),
    default_block_interval_s: int = BLOCK_INTERVAL_S,
) -> tuple[Network, bool]:
    """The network of a directory, made now if there is none; and whether it was made now.

    Raises `SetupRefused` when the directory holds another network, or something else altogether.
    """
    if (directory / MARKER).exists():
        found = read_network(directory)
        _check_wanted(found, wanted)
        return found, False
    if directory.exists() and any(directory.iterdir()):
        raise SetupRefused(f"{directory} is not empty and holds no network")
    if wanted.genesis is not None:
        return _write_network(directory, "", with_trigger(wanted.genesis, wanted.trigger)), True
    if wanted.fork is not None:
        return _write_fork(directory, wanted.fork, now_s), True
    preset = wanted.preset or next(iter(PRESETS))
    witness_count, interval_s = wanted.witness_count, wanted.block_interval_s
    genesis = build_genesis(
        PRESETS[preset],
        initial_timestamp=now_s,
        witness_count=default_witness_count if witness_count is None else witness_count,
        block_interval_s=default_block_interval_s if interval_s is None else interval_s,
        development=True,
    )
    return _write_network(directory, preset, with_trigger(genesis, wanted.trigger)), True


def with_trigger(genesis: Genesis, trigger: str | None) -> Genesis:
    """A genesis in which positions are called by "bid" or "feed"; as it is for None (R4.2)."""
    if trigger in (None, genesis.settings().margin_call_trigger):
        return genesis
    section = msgspec.structs.replace(genesis.pegboard, margin_call_trigger=trigger)
    return msgspec.structs.replace(genesis, pegboard=section, initial_chain_id=NO_CHAIN_ID)


def read_network(directory: Path) -> Network:
    """The network of a directory; raises `SetupRefused` for files that are not as written."""
    try:
        marker = json.loads((directory / MARKER).read_text(encoding="utf-8"))
        version, preset = marker["version"], marker["preset"]
        genesis = load_genesis((directory / GENESIS).read_text(encoding="utf-8"))
    except (OSError, ValueError, LookupError, TypeError, RecursionError, PegboardError) as error:
        raise SetupRefused(f"{directory} holds a damaged network: {error}") from error
    if version != FORMAT_VERSION:
        raise SetupRefused(
            f"{directory} holds a network of another version", value=version, limit=FORMAT_VERSION
        )
    return Network(directory, str(preset), genesis)


def remove_network(directory: Path) -> None:
    """Delete what `open_network` made; never a directory that it did not make."""
    if not directory.exists():
        return
    if not (directory / MARKER).exists() and any(directory.iterdir()):
        raise SetupRefused(f"{directory} holds no network; nothing was deleted")
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != MARKER:
            path.unlink()
    (directory / MARKER).unlink(missing_ok=True)


def witness_groups(network: Network) -> list[tuple[str, ...]]:
    """The witnesses of each process: one alone, unless a genesis has more than any preset."""
    names, count = network.witnesses, min(len(network.witnesses), len(WITNESSES))
    return [names[start::count] for start in range(count)]


def plan_nodes(
    network: Network,
    api: str,
    feeds: Mapping[str, str],
    history: str = "",
    origins: Sequence[str] = (),
) -> list[NodePlan]:
    """Write the settings of every node, with peer ports that are free now; the API's node last.

    `api` is the address of the API; `feeds` maps symbols of BitAssets to feed sources; `history`
    is the URL of the API node's history, "" for a file; `origins` are those of web pages that may
    call the API.
    """
    groups = witness_groups(network)
    ports = free_ports(2 * len(groups) + 1)
    addresses = [f"127.0.0.1:{port}" for port in ports[: len(groups) + 1]]
    apis = [*(f"127.0.0.1:{port}" for port in ports[len(groups) + 1 :]), api]
    development = DevelopmentSettings(tuple(f"http://{address}" for address in apis))
    published = feed_settings(feeds, network.block_interval_s, network.witnesses)
    plans = []
    for names, address, own in zip([*groups, (API_NODE,)], addresses, apis, strict=True):
        name = names[0]
        seeds = tuple(other for other in addresses if other != address)
        peers = PeerSettings(listen=address, seeds=seeds)
        if name == API_NODE:
            settings = NodeSettings(
                GENESIS_PATH,
                p2p=peers,
                api=api_settings(api, origins),
                history=history,
                feeds=published,
                development=development,
            )
        else:
            settings = NodeSettings(
                GENESIS_PATH,
                p2p=peers,
                production=production_settings("slots"),
                witnesses=witness_settings(network, names, feeding=names),
                feeds=published,
                api=api_settings(own, ()),
                development=development,
            )
        plans.append(_write_node(network, name, settings))
    return plans


def plan_development_node(
    network: Network,
    mode: ProductionMode,
    api: str,
    feeds: Mapping[str, str],
    origins: Sequence[str] = (),
) -> NodePlan:
    """Write the settings of one node that holds all development keys and has no peers."""
    feeding = network.witnesses[:1]
    settings = NodeSettings(
        GENESIS_PATH,
        p2p=PeerSettings(listen=""),
        api=api_settings(api, origins),
        production=production_settings(mode),
        witnesses=witness_settings(network, network.witnesses, feeding=feeding),
        feeds=feed_settings(feeds, network.block_interval_s, feeding),
    )
    return _write_node(network, DEVELOPMENT_NODE, settings)


def api_settings(api: str, origins: Sequence[str]) -> ApiSettings:
    """An API at an address, open to web pages of some origins; raises `ConfigError`."""
    return ApiSettings(listen=api, origins=tuple(map(read_origin, origins)))


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface on which nobody listens now.

    The system gives them to no outgoing connection before they are listened at, and on Linux no
    other process finds them free while this one lives: its nodes may start, and start again.
    """
    with ExitStack() as stack:
        ports: list[int] = []
        for port in _ports_to_try():
            item = stack.enter_context(socket.socket())
            with suppress(OSError):
                item.bind(("127.0.0.1", port))
                ports.append(item.getsockname()[1])
            if len(ports) == count:
                break
    if sys.platform == "linux":
        for port in ports:
            _hold(port)
    return ports


def _hold(port: int) -> None:
    """Stay bound to a port and do not listen, which on Linux keeps out who does not reuse ports."""
    item = socket.socket()
    _held.append(item)
    item.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with suppress(OSError):  # somebody was quicker; a node that starts there says so
        item.bind(("127.0.0.1", port))
    while len(_held) > PORTS_HELD_MAX:
        _held.popleft().close()


def _ports_to_try() -> Iterator[int]:
    """Ports below those of outgoing connections, as chance has it; then any that the system has."""
    try:
        first = int(EPHEMERAL_PORTS.read_text(encoding="ascii").split()[0])
    except OSError:
        first = EPHEMERAL_FIRST
    for _ in range(PORT_TRIES if first > LISTENED_FIRST else 0):
        yield secrets.choice(range(LISTENED_FIRST, first))
    while True:
        yield 0


def check_free(address: str) -> None:
    """Raise `SetupRefused` when somebody listens at an address, "host:port", already."""
    host, port = split_address(address)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as item:
        item.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            item.bind((host, port))
        except OSError as error:
            raise SetupRefused(
                f"cannot listen there: {error.strerror}; choose another with --api", value=address
            ) from error


def production_settings(mode: ProductionMode) -> ProductionSettings:
    """How a node of a development network produces: also after a long pause, also alone."""
    return ProductionSettings(mode, enable_stale=True, required_participation=0)


def witness_settings(
    network: Network, names: Sequence[str], *, feeding: Sequence[str]
) -> tuple[WitnessSettings, ...]:
    """The settings of witnesses; those of `feeding` publish feeds if their active key is known."""
    accounts = {item.name: item for item in network.genesis.initial_accounts}

    def can_feed(name: str) -> bool:
        active = public_key(development_key(name, "active"))
        return name in feeding and accounts[name].effective_active_key() == active

    return tuple(
        WitnessSettings(
            name,
            key_file=f"../{name}/keys/signing.wif",
            feed_key_file=f"../{name}/keys/active.wif" if can_feed(name) else "",
        )
        for name in names
    )


def feed_settings(
    feeds: Mapping[str, str], block_interval_s: int, publishers: Sequence[str]
) -> tuple[FeedSettings, ...]:
    """The settings of feeds, and who publishes them in the network."""
    return tuple(
        FeedSettings(
            symbol,
            source,
            publication_interval_s(source, block_interval_s),
            tuple(publishers),
        )
        for symbol, source in feeds.items()
    )


def _check_wanted(found: Network, wanted: Wanted) -> None:
    pairs: list[tuple[str, object, object]] = [
        ("--preset", wanted.preset, found.preset or "none"),
        ("-n", wanted.witness_count, found.witness_count),
        ("--block-interval", wanted.block_interval_s, found.block_interval_s),
        ("--trigger", wanted.trigger, found.genesis.settings().margin_call_trigger),
    ]
    if wanted.genesis is not None:
        asked = with_trigger(wanted.genesis, wanted.trigger)
        is_same = _is_same_chain(asked, found.genesis)
        pairs.append(("--genesis", "this chain" if is_same else "another", "this chain"))
    if wanted.fork is not None:
        point = found.genesis.pegboard.fork
        is_same = point is not None and point.source == wanted.fork.digest()
        pairs.append(("--fork", "this state" if is_same else "another", "this state"))
    for option, value, have in pairs:
        if value is not None and value != have:
            raise SetupRefused(
                f"{found.directory} holds another network; use --fresh or another --data-dir",
                value=f"{option} {value}",
                limit=f"{option} {have}",
            )


def _is_same_chain(asked: Genesis, found: Genesis) -> bool:
    """Whether two geneses say the same, and have the same id if the one asked for has one."""
    has_id = asked.pegboard.chain_id is not None or any(asked.initial_chain_id)
    same_id = not has_id or chain_id(asked) == chain_id(found)
    return same_id and _bare_text(asked) == _bare_text(found)


def _bare_text(genesis: Genesis) -> str:
    """What a genesis says, apart from its id."""
    section = msgspec.structs.replace(genesis.pegboard, chain_id=None)
    return genesis_text(
        msgspec.structs.replace(genesis, initial_chain_id=NO_CHAIN_ID, pegboard=section)
    )


def _write_fork(directory: Path, file: ForkFile, now_s: int) -> Network:
    """A network that goes on from a state, and in its time: so does its clock."""
    forked = file.load()
    genesis, point = forked.genesis, forked.genesis.pegboard.fork
    assert point is not None, "a forked chain says where it goes on"

    def put_state(draft: Path) -> None:
        snapshots = SnapshotFiles(draft / FORK_DIRECTORY, chain_id(genesis))
        snapshots.save(point.block_num, point.block_id, *forked.parts)
        data = draft / DEVELOPMENT_NODE / "data"
        stores = open_stores(data, genesis)
        stores.blocks.keep_clock((genesis.initial_timestamp - now_s) * 1_000)
        stores.close()

    return _write_network(directory, "", genesis, put_state)


def _write_network(
    directory: Path, preset: str, genesis: Genesis, add: Callable[[Path], None] | None = None
) -> Network:
    """Put a new network in place of nothing or an empty directory, all at once.

    `add` puts more into it.
    """
    draft = Draft(directory)
    text = genesis_text(genesis)
    draft.put(GENESIS, text.encode())
    network = Network(directory, preset, load_genesis(text))
    record = empty_record(chain_id(network.genesis))
    for witness, signing_key in network.signing_keys.items():
        secrets = {"signing": signing_key, "active": development_key(witness, "active")}
        for role, secret in secrets.items():
            text = wif(secret) + "\n"
            draft.put(f"{witness}/keys/{role}.wif", text.encode(), DIRECTORY_MODE)
        draft.put(f"{witness}/data/{RECORD_FILE}", record)
    if add is not None:
        add(draft.path)
    marker = {"version": FORMAT_VERSION, "preset": preset}
    draft.put(MARKER, json.dumps(marker).encode())
    draft.publish()
    return network


def _write_node(network: Network, name: str, settings: NodeSettings) -> NodePlan:
    directory = network.directory / name
    make_directory(directory)
    write_settings(directory / SETTINGS, msgspec.structs.replace(settings, node_name=name))
    return NodePlan(name, directory / SETTINGS, directory / LOG)
