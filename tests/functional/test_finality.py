"""Four real witness processes: any one may be killed, and blocks go on to become irreversible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from node.app import replay_node
from node.chain.vote_pool import Equivocation
from node.cli.client import as_int, as_list, as_object
from node.cli.up import WITNESSES_DEFAULT
from node.core.proofs import PROOFS_FILE, dump_proofs
from node.presets import WITNESSES
from node.storage.guard import RECORD_FILE
from protocol.block import NO_BLOCK
from protocol.finality import Vote
from protocol.schema import BlockId, PublicKey, Signature
from tests.support.live_network import LiveNetwork, LiveNode, wait_for

pytestmark = pytest.mark.functional

NAMES = WITNESSES[:WITNESSES_DEFAULT]
ROUND = len(NAMES)

LIE = Signature(b"\x1f" + bytes(64))
"""Of votes in a proof that an earlier process has kept."""


class Heights(NamedTuple):
    """What one answer of a node says."""

    head: int
    irreversible: int

    @property
    def lag(self) -> int:
        """How many blocks can still be taken back."""
        return self.head - self.irreversible


def heights(node: LiveNode) -> Heights:
    """Head and last irreversible block, as clients read them."""
    assert node.client is not None
    found = as_object(node.client.call("database", "get_dynamic_global_properties"))
    return Heights(as_int(found["head_block_number"]), as_int(found["last_irreversible_block_num"]))


@pytest.fixture
def network(tmp_path: Path) -> Iterator[LiveNetwork]:
    """What `pegboard up` starts by itself, each node with an API; nothing runs yet."""
    live = LiveNetwork.create(tmp_path / "net", WITNESSES_DEFAULT, 1)
    try:
        yield live
    finally:
        live.stop_all()


def wait_until_quiet(network: LiveNetwork, names: tuple[str, ...], above: int) -> int:
    """Until all these nodes call all but the newest two blocks irreversible; the least of them."""
    nodes = [network.nodes[name] for name in names]

    def quiet() -> int | None:
        found = [heights(node) for node in nodes]
        lowest = min(one.irreversible for one in found)
        return lowest if lowest > above and all(one.lag == 2 for one in found) else None

    return wait_for(quiet, f"`head - 2` above {above}", 60, nodes)


def test_any_one_witness_may_be_killed_and_irreversibility_goes_on(network: LiveNetwork) -> None:
    """S2, F2, F4, F12: a round more is irreversible while one is gone, and with its old record it
    votes again; a fresh node finds the evidence in the headers."""
    for name in NAMES:
        network.nodes[name].start()
    last = wait_until_quiet(network, NAMES, above=2)
    for victim in NAMES:
        network.nodes[victim].kill()
        others = tuple(name for name in NAMES if name != victim)
        last = wait_until_quiet(network, others, above=last + ROUND)
        network.nodes[victim].start()
        last = wait_until_quiet(network, NAMES, above=last)

    fresh = network.nodes["api"]
    assert not (fresh.directory / "data" / RECORD_FILE).exists()
    lies = [Vote(NO_BLOCK, BlockId(bytes([0, 0, 0, 1, at]) + bytes(15)), LIE) for at in (1, 2)]
    (fresh.directory / "data").mkdir(exist_ok=True)
    known = dump_proofs([Equivocation("votes", PublicKey(b"\x02" * 33), *lies)])
    (fresh.directory / "data" / PROOFS_FILE).write_bytes(known)
    fresh.start()
    last = wait_until_quiet(network, (*NAMES, "api"), above=last)
    client = fresh.client
    assert client is not None
    [proof] = as_list(client.call("pegboard", "get_equivocations"))
    assert as_object(as_object(proof)["second"])["target"] == lies[1].target.hex()
    header = as_object(client.call("database", "get_block_header", last + 2))
    [(_, certificate)] = [as_list(item) for item in as_list(header["extensions"])]
    votes = as_list(as_object(certificate)["signatures"])
    assert len(votes) == 3, "no more than the quorum of four"
    network.wait_until_agreed((*NAMES, "api"), above=last)
    assert {node.stop() for node in network.nodes.values()} == {0}
    assert replay_node(fresh.plan.settings, paranoid=True).chain.last_irreversible_num >= last


def test_two_of_four_are_not_enough_and_then_they_are_three(network: LiveNetwork) -> None:
    """S2, F2, F9: blocks go on without irreversibility, which catches up with one more."""
    for name in NAMES:
        network.nodes[name].start()
    wait_until_quiet(network, NAMES, above=2)
    for victim in NAMES[2:]:
        network.nodes[victim].kill()
    before = heights(network.nodes[NAMES[0]])
    stuck = network.nodes[NAMES[0]]
    wait_for(lambda: heights(stuck).head > before.head + 4, "blocks", 60, [stuck])
    assert heights(stuck).irreversible <= before.head
    network.nodes[NAMES[2]].start()
    wait_until_quiet(network, NAMES[:3], above=before.head + 4)
