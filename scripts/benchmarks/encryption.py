"""(m) Encryption between peers: a handshake, and a megabyte of frames through both ends."""

from __future__ import annotations

import os

from protocol.p2p.noise import KEY_BYTES, NodeKey
from protocol.p2p.noise_transport import NoiseTransport
from protocol.schema import Digest

from .measure import cpu_seconds, print_time

CHAIN = Digest(bytes(32))
MEGABYTE = 1_000_000
FRAME_BYTES = {"frames of 300 bytes": 300, "frames of 3,000 bytes": 3_000, "one frame": MEGABYTE}
HANDSHAKES = 100
ROUNDS = 7


def bench_encryption() -> None:
    """(m): CPU of both ends together, on one core."""
    listener, dialler = NodeKey(os.urandom(KEY_BYTES)), NodeKey(os.urandom(KEY_BYTES))

    def connect() -> tuple[NoiseTransport, NoiseTransport]:
        here = NoiseTransport(dialler, CHAIN, os.urandom, outbound=True)
        there = NoiseTransport(listener, CHAIN, os.urandom, outbound=False)
        there.receive(here.receive(there.receive(here.opening()).reply).reply)
        return here, there

    def shake_hands() -> None:
        for _ in range(HANDSHAKES):
            connect()

    seconds = [cpu_seconds(shake_hands) / HANDSHAKES for _ in range(ROUNDS)]
    print_time("m", "handshake, both ends", seconds)
    here, there = connect()
    for what, size in FRAME_BYTES.items():
        frame = os.urandom(size)

        def carry(frame: bytes = frame) -> None:
            for _ in range(MEGABYTE // len(frame)):
                there.receive(here.send(frame))

        seconds = [cpu_seconds(carry) for _ in range(ROUNDS)]
        print_time("m", f"a megabyte in {what}, sealed and opened", seconds)
