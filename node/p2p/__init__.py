"""Peers without I/O: bytes and ticks come in, effects go out; `manager.PeerManager` is the door."""
