"""Keys that everybody has, and memory that nobody else may read (T-X1)."""

from __future__ import annotations

import subprocess
import sys

import pytest
from msgspec.structs import replace

from node.config import ConfigError
from node.presets import BITSHARES_DEVELOPMENT_KEY, PRESETS, build_genesis, development_key
from node.services.development_access import refuse_public_keys
from tests.support.chain import make_genesis
from tests.support.world import secret_of

PUBLIC = [BITSHARES_DEVELOPMENT_KEY, development_key("init3", "signing")]
GUARDED = """
import ctypes, resource
from node.cli import guard_memory
guard_memory()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
"""


@pytest.mark.parametrize("key", PUBLIC)
def test_a_key_that_everybody_has_signs_for_no_chain_of_others(key: object) -> None:
    """T-X1: refused where the genesis has witnesses with keys of their own, and there alone."""
    foreign, own = make_genesis(), secret_of("init0 block")
    with pytest.raises(ConfigError) as refusal:
        refuse_public_keys(foreign, [own, key])  # type: ignore[list-item]
    assert refusal.value.rule == "T-X1"
    refuse_public_keys(foreign, [own])
    preset = build_genesis(next(iter(PRESETS.values())))
    refuse_public_keys(preset, [own, key])  # type: ignore[list-item]
    mixed = replace(
        preset,
        initial_witness_candidates=(
            *preset.initial_witness_candidates,
            *foreign.initial_witness_candidates[:1],
        ),
    )
    with pytest.raises(ConfigError):
        refuse_public_keys(mixed, [key])  # type: ignore[list-item]


@pytest.mark.skipif(sys.platform != "linux", reason="NOT PROVEN HERE: only Linux has prctl")
def test_nobody_reads_the_memory_of_a_process() -> None:
    """T-X1: it dumps no core, and the kernel lets no other process of its user trace it."""
    done = subprocess.run(
        [sys.executable, "-c", GUARDED], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "0", "0"]
