"""T-E5: the order of sets and dictionaries of a process reaches no state."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]

SCENARIO = """
from msgspec.structs import replace
from protocol.asset import NO_FEE
from protocol.operations.account import AccountUpdate
from tests.support.chain import TestChain

chain = TestChain("alice", "bob", "carol", witnesses=5, bitassets=("USD", "EUR", "GOLD"))
chain.block()
for number, witness in enumerate(chain.state.witnesses.in_order()):
    name = ("alice", "bob", "carol")[number % 3]
    options = replace(chain.state.account_named(name).options, votes=(witness.vote_id,))
    chain.push(AccountUpdate(NO_FEE, chain.account(name), new_options=options))
for symbol in ("GOLD", "USD", "EUR"):
    chain.push(*chain.feed(symbol, 3, 7))
chain.block(chain.transfer("alice", "bob", 5), chain.transfer("bob", "carol", 7))
chain.block_at(chain.state.dynamic.next_maintenance_time)
chain.blocks(5)
print(chain.chain.state_hash().hex())
"""


def test_the_state_does_not_depend_on_the_hash_seed() -> None:
    """T-E5: three processes with different hash seeds come to the same state."""
    found = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", SCENARIO],
            cwd=REPO,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        found.add(done.stdout)
    assert len(found) == 1
    assert len(found.pop().strip()) == 64
