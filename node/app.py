"""The only wiring: from a settings file to a running node."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from secrets import token_hex
from typing import TYPE_CHECKING

import msgspec
import trio

from node.api.api import Api
from node.api.backend import FeedInfo
from node.chain.vote_pool import Equivocation
from node.clock import SystemClock
from node.compiled import how_it_runs
from node.config import (
    ConfigError,
    read_origin,
    read_seeds,
    split_address,
)
from node.core.chain_reader import ChainReader
from node.core.core import NodeCore
from node.core.own_blocks import draw_listen_ms
from node.core.proofs import CONFLICT_FILE, PROOFS_FILE, load_proofs, read_conflict
from node.core.settings import CoreSettings
from node.core.startup import Started, start_chain
from node.core.time_travel import TimeTravel
from node.exit_codes import Exit
from node.history.database.stored import StoredHistory
from node.p2p.config import PeerConfig
from node.p2p.effects import PeerAddress
from node.p2p.limits import PeerLimits
from node.p2p.manager import PeerManager
from node.p2p.peer_database import PeerDatabase
from node.services.access_rules import AccessRules
from node.services.api_backend import NodeApiBackend
from node.services.api_server import ApiOptions, serve_api
from node.services.connection_table import CONNECTIONS_MAX
from node.services.descriptors import raise_limit, room_for_sockets
from node.services.development import NodeDevelopment
from node.services.development_access import (
    is_development,
    is_development_network,
    refuse_public_keys,
)
from node.services.event_log import configure_log, log
from node.services.garbage import GarbageSchedule
from node.services.node_inputs import NodeInputs
from node.services.node_service import NodeService, NodeStopped
from node.services.opened import Opened, open_history, open_node
from node.services.parent import parent_at_standard_input
from node.services.step_watch import StepWatch
from node.state.database import State
from node.state.errors import InvariantViolated
from node.storage.durable import replace_file
from node.storage.errors import StorageError
from node.storage.key_files import read_key_file, write_key_file
from node.storage.node_key import open_node_key
from node.version import VERSION
from node.witness.feed_publisher import FeedPlan, FeedPublisher
from node.witness.feed_text import FeedContext, parse_feed_source
from protocol.crypto.keys import PrivateKey, parse_wif
from protocol.errors import DecodeError, PegboardError
from protocol.p2p.noise import parse_node_key
from protocol.p2p.noise_transport import NoiseTransport
from protocol.schema import Mutable

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from node.api.teacher import Teacher
    from node.services.follower import Follower
    from node.services.metrics import ReportCounts

TOKEN_BYTES = 32
TOKEN_LENGTH_MIN = 32
NODE_KEY_FILE = "keys/node.key"
PEERS_FILE = "peers.json"
ENDPOINTS_FILE = "endpoints.json"
SAVE_PEERS_EVERY_S = 60
SOCKET_SHARES = 4
"""A quarter of the descriptors each is for clients and for peers that dialled this node; as many
again are for connections that are ending, in a handshake, or dialled (T-R2)."""
ANSWER_S = 0.2
"""For the answer to whoever has a node begin anew."""
HELPER_WAIT_S = 0.000_2
"""For the interpreter's lock, of a thread that comes back from the disk to a busy main thread; it
does so some hundred times for a block, and answers wait for that."""


def run_node(
    settings_path: Path,
    node_key: Path | None = None,
    seeds: tuple[str, ...] = (),
    max_rss_mib: int | None = None,
    *,
    trusted_node: str | None = None,
    has_parent: bool = False,
) -> int:
    """Run a node until it is interrupted; the exit code of the process.

    `node_key` is the file of its key, `max_rss_mib` its limit of memory and `trusted_node` the node
    that it follows instead of what the settings say, `seeds` are dialled beside those of the
    settings. `has_parent` is true where standard input is the other end of the command that
    started it.
    """
    parent = parent_at_standard_input() if has_parent else None
    configure_log()
    sys.setswitchinterval(HELPER_WAIT_S)
    raise_limit()
    try:
        opened = open_node(settings_path, node_key, seeds, max_rss_mib, parent, trusted_node)
    except StorageError as error:
        return _fail(error, error.exit_code)
    except PegboardError as error:
        return _fail(error, Exit.CONFIGURATION)
    exit_code: int = Exit.OK
    try:
        again: StartAgain | None = StartAgain()
        while again is not None:
            again = trio.run(_run, opened, again, instruments=[StepWatch()])
            gc.collect()
    except* KeyboardInterrupt:
        pass
    except* PegboardError as group:
        exit_code = _fail_with(group)
    except* Exception as group:
        log.error("bug", exc_info=group)
        exit_code = Exit.BROKEN
    finally:
        opened.stores.close()
    return exit_code


def replay_node(
    settings_path: Path, *, paranoid: bool = False, with_history: bool = False
) -> Started:
    """Rebuild a node's state from its stored blocks alone, without its snapshots.

    Nothing is written, but for the history if it is to be made anew. Raises `ConfigError`,
    `DecodeError`, a `StorageError`, or `BlockRejected` when the blocks contradict the genesis.
    """
    opened = open_node(settings_path)
    history = None
    try:
        if with_history:
            history = open_history(opened, anew=True)
        return start_chain(
            opened.genesis,
            opened.stores.blocks,
            None,
            paranoid=paranoid,
            history=history,
            checkpoint=opened.checkpoint,
            fork=opened.forked_state,
        )
    finally:
        if history is not None:
            history.close()
        opened.stores.close()


class StartAgain(Mutable, gc=True):
    """A node begins anew in the same process, with an earlier block as its head."""

    block_num: int = 0
    """0 for a first start."""
    paused_by: str | None = None
    """Who has it paused, if anybody."""
    is_asked: trio.Event = msgspec.field(default_factory=trio.Event)

    def ask(self, block_num: int, paused_by: str | None) -> None:
        """Have the node begin anew as soon as it has answered."""
        self.block_num, self.paused_by = block_num, paused_by
        self.is_asked.set()

    def cut(self, opened: Opened) -> None:
        """Go back on disk."""
        if self.block_num:
            head = opened.stores.blocks.id_at(self.block_num)
            assert head is not None, "a block of the main chain"
            opened.stores.go_back(head, 0)


async def _run(opened: Opened, again: StartAgain) -> StartAgain | None:
    """Run a node; what is to be started after it, if anything."""
    _refuse_split(opened.data_dir / CONFLICT_FILE)
    again.cut(opened)
    history = open_history(opened)
    after = StartAgain()
    try:
        await _run_with(opened, history, again, after)
    finally:
        if not history.store.is_shared:
            with suppress(StorageError):
                history.write_all(opened.stores.blocks.irreversible_num())
        history.close()
    return after if after.is_asked.is_set() else None


def _refuse_split(conflict: Path) -> None:
    """A node that has stopped at the proof that its network has split does not go on with one side
    by itself, however often it is started (T-W4)."""
    if conflict.exists():
        reason = read_conflict(conflict.read_bytes())
        advice = f"move {conflict} away once people have decided that this side goes on"
        raise NodeStopped(Exit.BROKEN, f"{reason}; {advice}")


async def _run_with(
    opened: Opened, history: StoredHistory, again: StartAgain, after: StartAgain
) -> None:
    settings = opened.settings
    started = start_chain(
        opened.genesis,
        opened.stores.blocks,
        opened.stores.snapshots,
        paranoid=settings.paranoid,
        history=history,
        checkpoint=opened.checkpoint,
        fork=opened.forked_state,
    )
    clock = SystemClock(settings.clock_offset_ms)
    reader = ChainReader(started.chain, opened.stores.blocks)
    peers = make_peers(opened, reader)
    core = make_core(opened, started, peers, reader)
    may_develop = is_development(settings) or is_development_network(settings, started.chain)
    members = settings.development.members if may_develop else ()
    travel = TimeTravel(core, is_alone=not members)
    if again.block_num:
        travel.moved_ms = started.chain.head_time * 1_000 - clock.wall_ms()
        opened.stores.blocks.keep_clock(travel.moved_ms)
    elif may_develop:
        travel.moved_ms = opened.stores.blocks.clock_offset_ms()
    inputs = NodeInputs(core, clock, travel)
    if (paused_by := again.paused_by) is not None:
        inputs.go(lambda travel, now: travel.hold(now, paused_by))
    start_at = None if history.store.is_shared else after.ask
    backend = NodeApiBackend(
        inputs,
        reader,
        opened.genesis,
        history,
        is_development=is_development(settings),
        may_add_peers=settings.api.allow_add_node,
        feeds=tuple(
            FeedInfo(feed.asset, feed.source, feed.interval_s, feed.publishers)
            for feed in settings.feeds
        ),
        development=NodeDevelopment(inputs, opened.genesis, members, start_at, opened.parent)
        if may_develop
        else None,
    )
    api = Api(backend, core.durability, load_teacher)
    service = NodeService(
        inputs,
        opened.stores,
        history,
        api,
        lambda name, payload: replace_file(opened.data_dir / name, payload),
    )
    _tell_started(started)
    if settings.checkpoint:
        log.warning("checkpoint", id=settings.checkpoint)
    if is_development(settings):
        inputs.make_first_block()
    await _serve(opened, core, service, peers, after)


async def _serve(
    opened: Opened, core: NodeCore, service: NodeService, peers: PeerManager, after: StartAgain
) -> None:
    """Run all that a node does until a signal or a failure ends it, or it is to begin anew."""
    settings = opened.settings
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signals, nursery, service)
        nursery.start_soon(_stop_when_asked, nursery, service, after)
        nursery.start_soon(GarbageSchedule().run)
        has_peers = bool(settings.p2p.listen) and not settings.trusted_node
        listen = split_address(settings.p2p.listen) if has_peers else None
        if settings.trusted_node:
            nursery.start_soon(make_follower(opened, service.inputs).run)
        peer_port = await nursery.start(service.run, listen)
        api_port = 0
        if settings.api.listen:
            host, port = split_address(settings.api.listen)
            options = api_options(opened, host, partial(node_collectors, core, service.reports))
            serve = partial(serve_api, service.api, host, port, options=options)
            api_port = await nursery.start(serve)
        endpoints = {"p2p": peer_port, "api": api_port, "pid": os.getpid()}
        replace_file(opened.data_dir / ENDPOINTS_FILE, json.dumps(endpoints).encode())
        key = peers.config.node_id.hex()
        facts = {"node": settings.node_name, "node_key": key, "inner_modules": how_it_runs()}
        log.info("ready", **facts, **endpoints)
        path = opened.data_dir / PEERS_FILE
        try:
            await _save_peers(path, peers)
        finally:
            with suppress(StorageError):
                replace_file(path, json.dumps(peers.remembered()).encode())


def make_follower(opened: Opened, inputs: NodeInputs) -> Follower:
    """What takes in the blocks of the trusted node; most nodes have none."""
    from node.services.follower import Follower

    chain = inputs.core.chain
    return Follower(
        split_address(opened.settings.trusted_node),
        chain.chain_id,
        opened.genesis.settings().address_prefix,
        lambda: chain.head_num,
        inputs.push_block,
    )


async def _stop_on_signals(nursery: trio.Nursery, service: NodeService) -> None:
    """End a node between two steps of its work, never in the middle of one."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            await service.say_goodbye()
            nursery.cancel_scope.cancel()


async def _stop_when_asked(nursery: trio.Nursery, service: NodeService, after: StartAgain) -> None:
    await after.is_asked.wait()
    await trio.sleep(ANSWER_S)
    await service.say_goodbye()
    nursery.cancel_scope.cancel()


def make_peers(opened: Opened, reader: ChainReader) -> PeerManager:
    """The encrypted peer layer of a node, with the addresses that it knew when it last ran.

    Raises `KeyFileRefused` or `KeyFormatError` for a bad file of the node key.
    """
    p2p = opened.settings.p2p
    keys = {PeerAddress(*address): key for address, key in read_seeds(p2p.seeds).items()}
    seeds = tuple(keys)
    database = PeerDatabase(seeds)
    load_peers(opened.data_dir / PEERS_FILE, database)
    default = opened.data_dir / NODE_KEY_FILE
    key = open_node_key(opened.directory / p2p.key_file if p2p.key_file else default)
    config = PeerConfig(
        node_id=key.public,
        user_agent=f"pegboard/{VERSION} {opened.settings.node_name}",
        listen_port=split_address(p2p.listen)[1] if p2p.listen else 0,
        seeds=seeds,
        pinned_keys={address: key for address, key in keys.items() if key is not None},
        allowed_keys=frozenset(map(parse_node_key, p2p.allowed_keys)),
        limits=PeerLimits(
            max_inbound=min(PeerLimits().max_inbound, room_for_sockets() // SOCKET_SHARES)
        ),
    )
    return PeerManager(
        reader,
        config,
        new_random(),
        database,
        make_transport=partial(NoiseTransport, key, reader.chain_id, os.urandom),
    )


def new_random() -> Random:
    """Chance that no other process has."""
    return Random(int.from_bytes(os.urandom(8), "big"))


def load_peers(path: Path, database: PeerDatabase) -> None:
    """Add the addresses of a file to a database; one that cannot be read is told and left out."""
    if path.exists():
        try:
            database.load_json(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, RecursionError, PegboardError) as error:
            log.warning("peers_file", reason=str(error))


def make_core(
    opened: Opened, started: Started, peers: PeerManager, reader: ChainReader
) -> NodeCore:
    """The node core of a node, with its keys and feeds."""
    settings = opened.settings
    mode = settings.production.mode
    if settings.production.never_signed:
        opened.stores.guard.begin()
    last_votes = opened.stores.guard.load_votes()
    secrets = [_read_wif(opened.directory / witness.key_file) for witness in settings.witnesses]
    refuse_public_keys(opened.genesis, secrets)
    has_peers = bool(settings.p2p.listen or settings.p2p.seeds)
    return NodeCore(
        started.chain,
        peers,
        CoreSettings(
            instant=mode == "instant",
            by_the_clock=mode in ("slots", "interval"),
            enable_stale=settings.production.enable_stale,
            start_grace_ms=2_000 if has_peers else 0,
            listen_ms=draw_listen_ms(started.chain, new_random(), has_record=last_votes is not None)
            if has_peers
            else 0,
            required_participation=settings.production.required_participation,
            snapshot_interval=settings.storage.snapshot_interval,
        ),
        reader=reader,
        secrets=secrets,
        last_signed=opened.stores.guard.load(),
        last_votes=last_votes,
        feeds=FeedPublisher(_feed_plans(opened, started.chain.state)),
        proofs=_read_proofs(opened.data_dir / PROOFS_FILE),
    )


def _read_proofs(path: Path) -> list[Equivocation]:
    """The proofs of lying that were kept; a file that holds something else is begun anew."""
    try:
        return load_proofs(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, DecodeError) as error:
        log.warning("proofs_file", reason=str(error))
        return []


def api_options(
    opened: Opened, host: str, collectors: Callable[[], Iterable[Collector]]
) -> ApiOptions:
    """How the API is served at an address; raises `ConfigError` or `KeyFileRefused`."""
    api = opened.settings.api
    token = read_token(opened.directory / api.token_file) if api.token_file else ""
    name = f"[{host}]" if ":" in host else host
    return ApiOptions(
        AccessRules(frozenset({*api.hosts, name}), frozenset(map(read_origin, api.origins)), token),
        allow_remote=api.allow_remote,
        connections_max=min(CONNECTIONS_MAX, room_for_sockets() // SOCKET_SHARES),
        max_rss_mib=opened.settings.max_rss_mib,
        collectors=collectors,
    )


def node_collectors(core: NodeCore, reports: ReportCounts) -> Iterable[Collector]:
    """What `/metrics` tells of the node; few nodes are asked, so it is loaded for who asks."""
    from node.services.metrics import NodeCollector

    return (NodeCollector(core, reports),)


def load_teacher() -> Teacher:
    """Who teaches lessons; loaded for the first learner."""
    from pegboard.lessons.told import LessonTeacher

    return LessonTeacher()


def read_token(path: Path) -> str:
    """The token of a file, which is made when it is missing; raises `ConfigError` for a short one.

    `KeyFileRefused` (exit code 77) if others can read it.
    """
    if not path.exists():
        write_key_file(path, token_hex(TOKEN_BYTES) + "\n")
    token = read_key_file(path).strip()
    if len(token) < TOKEN_LENGTH_MIN or not token.isascii():
        raise ConfigError("token too short", value=len(token), limit=TOKEN_LENGTH_MIN)
    return token


def _feed_plans(opened: Opened, state: State) -> list[FeedPlan]:
    context = FeedContext(
        start_s=opened.genesis.initial_timestamp,
        block_interval_s=state.parameters.block_interval,
        read_text=lambda name: (opened.directory / name).read_text(encoding="utf-8"),
    )
    return [
        FeedPlan(
            state.account_named(witness.account).id,
            _read_wif(opened.directory / witness.feed_key_file),
            feed.asset,
            parse_feed_source(feed.source, context),
            feed.interval_s,
        )
        for witness in opened.settings.witnesses
        if witness.feed_key_file
        for feed in opened.settings.feeds
    ]


def _read_wif(path: Path) -> PrivateKey:
    return parse_wif(read_key_file(path).strip())


async def _save_peers(path: Path, peers: PeerManager) -> None:
    while True:
        await trio.sleep(SAVE_PEERS_EVERY_S)
        data = json.dumps(peers.remembered()).encode()
        await trio.to_thread.run_sync(replace_file, path, data)


def _tell_started(started: Started) -> None:
    for skipped in started.skipped_snapshots:
        log.warning("snapshot_skipped", reason=str(skipped))
    log.info(
        "started",
        head=started.chain.head_num,
        replayed=started.replayed,
        chain_id=started.chain.chain_id.hex(),
    )


def _fail(error: BaseException, exit_code: int) -> int:
    log.error("fatal", reason=str(error), exit_code=exit_code)
    return exit_code


def _fail_with(group: BaseExceptionGroup[PegboardError]) -> int:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, NodeStopped | StorageError):
        return _fail(error, error.exit_code)
    if isinstance(error, InvariantViolated):
        return _fail(error, Exit.BROKEN)
    return _fail(error, Exit.CONFIGURATION)
