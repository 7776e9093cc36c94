"""T-P1: every kept input goes through its door as it should, and each door's check has teeth."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NoReturn

import pytest

from node import config
from node.api import rpc
from node.chain import genesis as chain_genesis
from node.p2p.effects import ClosePeer
from node.p2p.manager import PeerManager
from node.p2p.peer import Peer
from node.services import access_rules
from protocol import binary, block, genesis
from protocol.errors import PegboardError
from protocol.p2p import message_codec
from protocol.p2p.framing import FrameReader
from protocol.p2p.messages import GoodbyeCode
from protocol.p2p.noise import CipherState
from protocol.p2p.noise_transport import NoiseTransport
from protocol.transaction import TransactionEnvelope
from tests.fuzz import corpus, drawn, settings
from tests.fuzz.campaign import failure, read_figures, starting_inputs
from tests.fuzz.targets import NAMES, Refused, load, typed
from tests.support.shrinking import shrink

RANDOM_INPUTS = 100
LINE_BYTES_MAX = 8_192
FILE_BYTES_MAX = 200_000


@cache
def inputs_of(name: str) -> list[bytes]:
    """Kept inputs of a target, and those that it makes."""
    return starting_inputs(load(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_kept_input_is_judged_well(name: str) -> None:
    """T-P1, T-P3, T-A1: let in and written again as it came, or refused by a typed error."""
    check = load(name).check
    judged = [check(data) for data in inputs_of(name)]
    assert any(judged), "nothing is let in"
    assert not all(judged), "nothing is refused"


@pytest.mark.parametrize("name", NAMES)
def test_changed_inputs_are_judged_well(name: str) -> None:
    """T-P1, T-P3, T-A1: the same of inputs that hypothesis makes of the kept ones."""
    tried = drawn.run(load(name), inputs_of(name), 1, RANDOM_INPUTS)
    assert tried.finding is None
    assert tried.executions == RANDOM_INPUTS


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_is_small(name: str) -> None:
    """Each input once, in its one escaped form, short enough to be read."""
    text = corpus.path_of(name).read_text(encoding="ascii")
    lines = [line for line in text.splitlines() if line and not line.startswith(corpus.COMMENT)]
    assert len(text) <= FILE_BYTES_MAX
    assert len(set(lines)) == len(lines)
    for line in lines:
        assert len(line) <= LINE_BYTES_MAX
        assert corpus.escape(corpus.unescape(line)) == line


class Anything:
    """Equal to everything, as a check that is left out."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


def next_frame_without_limit(reader: FrameReader) -> bytes | None:
    """Takes a length for what it says."""
    if len(reader._buffer) < 4:
        return None
    end = 4 + int.from_bytes(reader._buffer[:4], "big")
    if len(reader._buffer) < end:
        return None
    payload = bytes(reader._buffer[4:end])
    del reader._buffer[:end]
    return payload


def decrypt_without_tag(cipher: CipherState, sealed: bytes, associated: object = None) -> bytes:
    """Reads what nobody sealed."""
    cipher.nonce += 1
    return bytes(sealed[:-16])


def advance_anyhow(peer: Peer, cls: type) -> None:
    """Lets every message through in every state."""


def close_again(peer: Peer, code: GoodbyeCode, reason: str, *, in_log: str = "") -> None:
    """Says that the connection is closed, and forgets to remember it."""
    peer._effects += [ClosePeer(peer.key, code, reason), ClosePeer(peer.key, code, reason)]


def break_down(*arguments: object, **named: object) -> NoReturn:
    """A bug."""
    raise KeyError("planted")


def nothing(*arguments: object, **named: object) -> None:
    """A step that is left out."""


def as_it_is(value: object) -> Any:
    """Shows where an object lies in memory."""
    return repr(object())


FOREIGN_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?(?:@.*)?")

PLANTED: list[tuple[str, object, str, object]] = [
    ("frames", message_codec, "encode_message", lambda message: Anything()),
    ("frames", FrameReader, "next_frame", next_frame_without_limit),
    ("handshake", CipherState, "decrypt", decrypt_without_tag),
    ("handshake", NoiseTransport, "_break", nothing),
    ("peers", Peer, "_advance", advance_anyhow),
    ("peers", Peer, "close", close_again),
    ("peers", PeerManager, "_check_fork", break_down),
    ("peers", message_codec, "_codec_of", break_down),
    ("transactions", binary, "MALFORMED", ()),
    ("transactions", TransactionEnvelope, "validate", break_down),
    ("blocks", block, "MALFORMED", ()),
    ("blocks", binary, "MALFORMED", ()),
    ("genesis", genesis, "check_genesis", nothing),
    ("genesis", chain_genesis, "_create_properties", nothing),
    ("requests", rpc, "plain_value", as_it_is),
    ("requests", rpc, "_split_name", break_down),
    ("http", access_rules, "HOST", FOREIGN_HOST),
    ("http", access_rules.AccessRules, "check_names", lambda rules, head: ""),
    ("settings", settings, "read_origin", break_down),
    ("settings", config, "parse_node_key", break_down),
]


@pytest.mark.parametrize(
    ("name", "owner", "part", "fault"), PLANTED, ids=[f"{row[0]}-{row[2]}" for row in PLANTED]
)
def test_a_planted_fault_is_found(
    name: str, owner: object, part: str, fault: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-P1: by the kept inputs alone."""
    target = load(name)
    inputs = inputs_of(name)
    monkeypatch.setattr(owner, part, fault)
    assert any(failure(target.check, data) for data in inputs)


def test_a_refusal_must_say_what_it_refuses() -> None:
    """T-A7: without a name, a text or a limit, or with an address in memory, it is a finding."""

    class Nameless(PegboardError):
        pass

    class Named(PegboardError):
        name = "named"

    for error in (Nameless("x"), Named(" "), Named("x" * 5_000), Named(f"x{object()!r}")):
        with pytest.raises(AssertionError), typed(PegboardError):
            raise error
    with pytest.raises(Refused), typed(PegboardError):
        raise Named("good")
    with pytest.raises(KeyError), typed(PegboardError):
        raise KeyError("a bug")


@pytest.mark.parametrize("data", [b"", b"#", b"a b ", b"\x00\xff\\n\n", bytes(range(256))])
def test_inputs_are_escaped(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of ASCII that is no comment, and gives the bytes back."""
    line = corpus.escape(data)
    assert corpus.unescape(line) == data
    assert line.isascii()
    assert line == line.strip("\n ")
    assert not line.startswith(corpus.COMMENT)


def test_former_findings_stay(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign replaces what stands below the empty line only."""
    monkeypatch.setattr(corpus, "DIRECTORY", tmp_path)
    path = corpus.path_of("frames")
    path.write_text("# A finding.\nold\n\nlost\n")
    assert corpus.write("frames", [b"old", b"found", b"b"]) == 3
    assert path.read_text() == "# A finding.\nold\n\nb\nfound\n"
    assert corpus.read("frames") == [b"old", b"b", b"found"]


def test_findings_are_shrunk() -> None:
    """What is not needed to fail is left out."""
    fails: Callable[[bytes], bool] = partial(lambda needed, data: needed <= set(data), {1, 2})
    assert sorted(shrink(bytes(100) + b"\2" + bytes(50) + b"\1" + bytes(9), fails)) == [1, 2]


def test_figures_are_read() -> None:
    """Of what libFuzzer prints."""
    figures = read_figures(
        "#2\tINITED cov: 3 ft: 4 corp: 1/1b\n#900\tNEW    cov: 31 ft: 84 corp: 24/379b lim: 1\n"
        "Done 1000 runs in 18 second(s)\nstat::peak_rss_mb:              87\n"
    )
    found = (figures.executions, figures.edges, figures.inputs, figures.peak_mb)
    assert found == (1_000, 31, 24, 87)
