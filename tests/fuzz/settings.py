"""The text of a node's settings."""

from __future__ import annotations

import msgspec
import tomli_w

from node.config import ConfigError, parse_settings, read_origin, read_seeds, split_address
from tests.fuzz.targets import Refused, accepted, typed

MAX_BYTES = 1_024
FULL = f"""
genesis = "genesis.json"
data_dir = "data"
history = "postgresql://user:password@host/database"
clock_offset_ms = -5
[p2p]
listen = "127.0.0.1:1776"
seeds = ["[::1]:1", "{"ab" * 32}@seed.example:2"]
allowed_keys = ["{"cd" * 32}"]
[api]
listen = "127.0.0.1:8090"
hosts = ["node.example"]
origins = ["https://wallet.example", "http://[::1]:80/"]
[production]
mode = "slots"
required_participation = 33
[storage]
snapshot_interval = 1000
[[witnesses]]
account = "init0"
key_file = "init0.wif"
[[feeds]]
asset = "USD"
source = "fixed:0.05"
interval_s = 60
publishers = ["init0"]
"""


def seeds() -> list[bytes]:
    """The shortest settings, some with every section, and some that are wrong."""
    wrong = [b"", b"genesis = 1", b'genesis = "g"\n[p2p]\nseeds = ["ab@host:1"]', b"\xff"]
    return [b'genesis = "g"\n', FULL.strip().encode(), *wrong]


@accepted
def check(data: bytes) -> None:
    """What is read is written as settings that are read the same, and all of it can be used."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Refused from None
    with typed(ConfigError):
        settings = parse_settings(text, "node.toml")
    again = parse_settings(tomli_w.dumps(msgspec.to_builtins(settings)), "node.toml")
    assert again == settings, "other settings when written"
    for host, port in read_seeds(settings.p2p.seeds):
        check_address(host, port)
    for address in (settings.p2p.listen, settings.api.listen):
        if address:
            check_address(*split_address(address))
    for origin in settings.api.origins:
        assert read_origin(read_origin(origin)) == read_origin(origin)


def check_address(host: str, port: int) -> None:
    """An address that a socket could be opened to."""
    assert host
    assert host.isprintable(), f"a host {host!r}"
    assert 0 <= port < 65_536
