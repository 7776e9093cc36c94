"""The settings of one node: a TOML file, read strictly into typed settings, and written."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec
import tomli_w

from node.storage.durable import replace_file
from protocol.constants import SECONDS_PER_DAY
from protocol.errors import KeyFormatError, PegboardError
from protocol.p2p.noise import parse_node_key

HISTORY_URLS = ("postgresql://", "postgres://")
"""How a URL of PostgreSQL begins."""

ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?/?")
"""Scheme, host and port of a page; a final stroke is forgiven."""
ADDRESS = re.compile(r"(\[[A-Za-z0-9.:%-]+\]|[A-Za-z0-9._:%-]+):([0-9]{1,5})", re.ASCII)
"""Host, by name or number, and port."""
PORT_MAX = 65_535
UINT32_MAX = (1 << 32) - 1
RSS_MIB_MIN, RSS_MIB_MAX = 128, 1 << 20
"""A node with next to no chain takes half of the least limit."""
DEFAULT_PORTS = {"http": "80", "https": "443"}
"""Which browsers leave out."""

ProductionMode = Literal["slots", "interval", "instant", "manual"]


class ConfigError(PegboardError):
    """A setting is missing, unknown, or out of range; the node exits with code 78."""

    name = "config_error"


class PeerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The peer network."""

    listen: str = "127.0.0.1:0"
    """Address that peers connect to; port 0 takes a free one; "" for none."""
    seeds: tuple[str, ...] = ()
    """Addresses that are dialled until they answer, "host:port", or "key@host:port" with the public
    key of the node there: another that answers is refused."""
    key_file: str = ""
    """File with this node's own key, relative to the settings file; mode 0600, in a directory of
    mode 0700. It is made when it is missing. "" is `keys/node.key` in the data directory."""
    allowed_keys: tuple[str, ...] = ()
    """Public keys of the nodes that may be peers, 64 hexadecimal digits each; empty for all."""


class ApiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The JSON-RPC server."""

    listen: str = ""
    """Address and port; port 0 takes a free one; "" for none. A loopback address, unless..."""
    allow_remote: bool = False
    """...this is set, and `token_file` too: then any address may be served."""
    allow_add_node: bool = False
    """Whether clients may name peers on a node that is no development chain (P15)."""
    token_file: str = ""
    """File with the token that every request must bring as `Authorization: Bearer`, relative to
    the settings file; mode 0600, in a directory of mode 0700. It is made when it is missing.
    "" asks for no token."""
    hosts: tuple[str, ...] = ()
    """Names, without port, under which clients may address this node beside those of loopback."""
    origins: tuple[str, ...] = ()
    """Origins of web pages, such as "https://wallet.example", that may call this node: anything
    that this machine may ask of it, they may."""


class WitnessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A witness whose slots this node fills."""

    account: str
    key_file: str
    """File with the WIF of the block signing key, mode 0600."""
    feed_key_file: str = ""
    """File with the WIF of the account's active key; needed to publish feeds."""


class FeedSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A price that this node's witnesses publish."""

    asset: str
    """On-chain symbol, for example "USD"."""
    source: str
    """A feed source, for example "fixed:0.05" or "csv:prices.csv?every=60s"."""
    interval_s: int = 60
    """Seconds between two publications of one witness."""
    publishers: tuple[str, ...] = ()
    """Accounts that publish it, of this node and of others in its network: only told to clients."""


class ProductionSettings(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True
):
    """How blocks come about."""

    mode: ProductionMode = "slots"
    """"slots": in turn with other nodes, by the clock. The other modes are for one development
    node with all keys: at every "interval", "instant" for each transaction, "manual" on demand."""
    enable_stale: bool = False
    """Produce although the head is old; needed once, to start a new chain."""
    required_participation: int = 33
    """Percent of the last 128 slots that must be filled."""
    never_signed: bool = False
    """The operator's word that the keys of this node have signed nothing on this chain yet: with
    it a missing record of votes is begun anew; without it such a node does not vote before the
    chain has justified all that it may have voted for (F5)."""


class DevelopmentSettings(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A network whose only owner holds all keys, which everybody knows."""

    members: tuple[str, ...] = ()
    """URLs of the APIs of all its processes, on loopback addresses: with them the node's own API
    has the calls of `pegboard_dev`, by which they go through time together."""


class StorageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is kept on disk."""

    snapshot_interval: int = 1_000
    """Blocks between two snapshots of the state."""


class NodeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All settings of a node."""

    genesis: str
    """Genesis file; relative to the settings file."""
    data_dir: str = "data"
    """Directory of blocks, snapshots and the peer list; relative to the settings file."""
    node_name: str = "node"
    history: str = ""
    """PostgreSQL database of the history, "postgresql://user:password@host/name", which nodes of
    one chain may share; "" for an SQLite file in the data directory."""
    custom_operations: bool = True
    """Keep what accounts store with custom operations, for the API of that name."""
    custom_operations_start_block: int = 1
    """The first block of which it is kept."""
    trusted_node: str = ""
    """Address of the API of a node, "host:port", whose irreversible blocks are taken in instead of
    those of peers: such a node has no peers and no witnesses (Y7). "" for none."""
    p2p: PeerSettings = PeerSettings()
    api: ApiSettings = ApiSettings()
    production: ProductionSettings = ProductionSettings()
    storage: StorageSettings = StorageSettings()
    development: DevelopmentSettings = DevelopmentSettings()
    witnesses: tuple[WitnessSettings, ...] = ()
    feeds: tuple[FeedSettings, ...] = ()
    checkpoint: str = ""
    """Id of a block that all operators of a network take for irreversible, because too many of its
    voters are gone for good (F9); "" for none."""
    clock_offset_ms: int = 0
    """Shifts this node's clock; for trying out clock skew."""
    max_rss_mib: int = 0
    """Memory that this process may take, in MiB: at four fifths of it caches are dropped, then
    clients of the API, never the chain (T-R1). 0 for no limit."""
    paranoid: bool = False
    """Recount every invariant after each block (section 10)."""


def read_settings(path: Path) -> NodeSettings:
    """The settings of a TOML file; raises `ConfigError` naming the place and the reason."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return parse_settings(text, str(path))


def parse_settings(text: str, source: str) -> NodeSettings:
    """Settings from TOML text; `source` names it in errors."""
    try:
        settings = msgspec.convert(tomllib.loads(text), NodeSettings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}") from error
    except (ValueError, RecursionError) as error:  # also of endless integers and nested lists
        raise ConfigError(f"{source} is not TOML: {error}") from error
    _check_range(
        "production.required_participation", settings.production.required_participation, 0, 100
    )
    _check_range(
        "custom_operations_start_block", settings.custom_operations_start_block, 1, UINT32_MAX
    )
    _check_range("storage.snapshot_interval", settings.storage.snapshot_interval, 1, 1_000_000)
    if settings.max_rss_mib:
        _check_range("max_rss_mib", settings.max_rss_mib, RSS_MIB_MIN, RSS_MIB_MAX)
    for origin in settings.api.origins:
        read_origin(origin)
    if settings.history and not settings.history.startswith(HISTORY_URLS):
        raise ConfigError(
            "history is no URL of PostgreSQL",
            value=settings.history.partition(":")[0],
            limit=" or ".join(HISTORY_URLS),
        )
    if re.fullmatch(r"([0-9a-f]{40})?", settings.checkpoint) is None:
        raise ConfigError("checkpoint is not the id of a block", value=settings.checkpoint)
    for feed in settings.feeds:
        _check_range(f"interval_s of feed {feed.asset}", feed.interval_s, 1, SECONDS_PER_DAY)
    for key in settings.p2p.allowed_keys:
        _read_node_key("p2p.allowed_keys", key)
    check_follows(settings)
    for address in (settings.p2p.listen, settings.api.listen, settings.trusted_node):
        if address:
            split_address(address)
    read_seeds(settings.p2p.seeds)
    return settings


def check_follows(settings: NodeSettings) -> None:
    """Raise `ConfigError` where a node that follows another one has peers or witnesses (Y7)."""
    if not settings.trusted_node:
        return
    for name, is_there in (
        ("p2p.seeds", bool(settings.p2p.seeds)),
        ("witnesses", bool(settings.witnesses)),
        ("production.mode", settings.production.mode != "slots"),
    ):
        if is_there:
            raise ConfigError(
                f"{name}: a node that follows another one has none",
                rule="Y7",
                value=settings.trusted_node,
            )


def read_seeds(texts: Iterable[str]) -> dict[tuple[str, int], bytes | None]:
    """Host and port of each seed, in order, with the public key of the node there if it is named.

    Raises `ConfigError` for what is no address, no key, or a second key for one address.
    """
    seeds: dict[tuple[str, int], bytes | None] = {}
    for text in texts:
        key_text, _, address_text = text.rpartition("@")
        key = _read_node_key("p2p.seeds", key_text) if "@" in text else None
        address = split_address(address_text)
        other = seeds.setdefault(address, key)
        if other is not None and key not in (None, other):
            raise ConfigError(
                "p2p.seeds: two keys for one address", rule="T-P13", value=text, limit=other.hex()
            )
        seeds[address] = other or key
    return seeds


def read_origin(text: str) -> str:
    """The origin of web pages as browsers write it; raises `ConfigError` for none or for all."""
    found = ORIGIN.fullmatch(text.lower())
    if found is None:
        raise ConfigError(
            "no origin of a web page",
            rule="T-A5",
            value=text,
            limit="such as https://wallet.example",
        )
    scheme, host, port = found.groups()
    return (
        f"{scheme}://{host}" if port in (None, DEFAULT_PORTS.get(scheme)) else found[0].rstrip("/")
    )


def write_settings(path: Path, settings: NodeSettings) -> None:
    """Replace a settings file by one that says what differs from the defaults.

    Raises `ConfigError` for text that a file cannot hold, such as a path that is not Unicode.
    """
    try:
        text = tomli_w.dumps(msgspec.to_builtins(settings)).encode()
    except UnicodeEncodeError as error:
        raise ConfigError("not Unicode text", value=ascii(error.object)) from error
    replace_file(path, text)


def split_address(text: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:8090" or "[::1]:8090"; raises `ConfigError`."""
    found = ADDRESS.fullmatch(text)
    if found is None or int(found[2]) > PORT_MAX:
        raise ConfigError("not an address of the form host:port", value=text)
    return found[1].removeprefix("[").removesuffix("]"), int(found[2])


def _read_node_key(name: str, text: str) -> bytes:
    try:
        return parse_node_key(text)
    except KeyFormatError as error:
        raise ConfigError(f"{name}: {error.what}", value=text, limit="64 digits") from error


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} is out of range", value=value, limit=f"{low}..{high}")
