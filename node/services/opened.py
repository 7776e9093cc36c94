"""What a node has before anything runs: settings, genesis, stores, history."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from node.config import (
    ConfigError,
    NodeSettings,
    check_follows,
    read_seeds,
    read_settings,
    split_address,
)
from node.core.startup import FORK_DIRECTORY
from node.history.database.open import open_database
from node.history.database.store import HistoryStore
from node.history.database.stored import StoredHistory
from node.services.development_access import is_development
from node.services.event_log import log
from node.services.memory_watch import can_watch
from node.services.node_service import Stores
from node.services.parent import Parent
from node.storage.block_store import BlockStore
from node.storage.durable import make_directory
from node.storage.guard import RECORD_FILE, SigningGuard
from node.storage.snapshots import OLDER_BYTES, SnapshotFiles
from protocol.errors import DecodeError
from protocol.genesis import chain_id, load_genesis
from protocol.genesis_form import ForkPoint, Genesis
from protocol.schema import BlockId, Record

HISTORY_FILE = "history.sqlite"


class Opened(Record, gc=True):
    """A node's settings, genesis and stores, before anything runs."""

    settings: NodeSettings
    directory: Path
    """Where the settings file lies; relative paths start there."""
    data_dir: Path
    genesis: Genesis
    stores: Stores
    parent: Parent | None = None
    """The command that started this node, if it ends with that."""

    @property
    def fork(self) -> ForkPoint | None:
        """Where a forked chain goes on."""
        return self.genesis.pegboard.fork

    @property
    def forked_state(self) -> SnapshotFiles | None:
        """The state that a forked chain goes on from, beside its genesis."""
        if self.fork is None:
            return None
        beside = (self.directory / self.settings.genesis).parent
        return SnapshotFiles(beside / FORK_DIRECTORY, chain_id(self.genesis))

    @property
    def checkpoint(self) -> BlockId | None:
        """The block that the operator takes for irreversible (F9)."""
        text = self.settings.checkpoint
        return BlockId(bytes.fromhex(text)) if text else None


def open_node(
    settings_path: Path,
    node_key: Path | None = None,
    seeds: tuple[str, ...] = (),
    max_rss_mib: int | None = None,
    parent: Parent | None = None,
    trusted_node: str | None = None,
) -> Opened:
    """Read settings and genesis, open the stores; raises their typed errors."""
    settings = read_settings(settings_path)
    if max_rss_mib is not None:
        settings = replace(settings, max_rss_mib=max_rss_mib)
    if settings.max_rss_mib and not can_watch():
        raise ConfigError("max_rss_mib needs a system that tells in /proc what a process takes")
    p2p = replace(settings.p2p, seeds=settings.p2p.seeds + seeds)
    if node_key is not None:
        p2p = replace(p2p, key_file=str(node_key.absolute()))
    read_seeds(p2p.seeds)
    settings = replace(settings, p2p=p2p)
    if trusted_node is not None:
        split_address(trusted_node)
        settings = replace(settings, trusted_node=trusted_node)
    check_follows(settings)
    directory = settings_path.resolve().parent
    data_dir = directory / settings.data_dir
    genesis = read_genesis(directory / settings.genesis)
    may_go_back = is_development(settings) or bool(settings.development.members)
    stores = open_stores(data_dir, genesis, OLDER_BYTES if may_go_back else 0)
    return Opened(settings, directory, data_dir, genesis, stores, parent)


def read_genesis(path: Path) -> Genesis:
    """The genesis of a file; raises `ConfigError` or `DecodeError` with the file's name."""
    try:
        return load_genesis(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read genesis {path}: {error}") from error
    except DecodeError as error:
        raise DecodeError(
            f"{path}: {error.what}", rule=error.rule, value=error.value, limit=error.limit
        ) from error


def open_stores(data_dir: Path, genesis: Genesis, older_bytes: int = 0) -> Stores:
    """The stores of a data directory, which is created when missing."""
    make_directory(data_dir)
    chain = chain_id(genesis)
    return Stores(
        BlockStore(data_dir / "blocks.sqlite", chain),
        SigningGuard(data_dir / RECORD_FILE, chain),
        SnapshotFiles(data_dir / "snapshots", chain, older_bytes),
    )


def open_history(opened: Opened, *, anew: bool = False) -> StoredHistory:
    """The history of a node as far as it is stored, or an empty one; raises a `StorageError`."""
    database = open_database(opened.settings.history, opened.data_dir / HISTORY_FILE)
    store = HistoryStore(database, chain_id(opened.genesis), anew=anew)
    history = StoredHistory(
        store,
        opened.stores.blocks,
        custom_operations=opened.settings.custom_operations,
        custom_operations_start_block=opened.settings.custom_operations_start_block,
        begins_after=0 if opened.fork is None else opened.fork.block_num,
    )
    if store.begun_anew is not None and not anew:
        reason = str(store.begun_anew)
        log.warning("history_begun_anew", reason=reason)
    return history
