"""Which modules are compiled, and of which sources that depends."""

from __future__ import annotations

from pathlib import Path

REPO = Path(__file__).resolve().parents[2]

SOURCE_FOLDERS = (
    "protocol",
    "node/state",
    "node/market",
    "node/evaluators",
    "node/explain",
    "node/chain",
    "node/witness",
    "node/history",
)
"""All that a compiled module may import of this repository: what is compiled is right for one
state of these folders alone, since types and constants of one module go into the code of another.
"""

COMPILED = {
    "protocol": "asset binary block checks fee_schedule fees leb128 transaction",
    "protocol/crypto": "hashes",
    "protocol/operations": "authorities limit_order results transfer",
    "node/state": "balances context database indexes keys stakes table touched undo",
    "node/state/objects": "accounts assets governance market transactions vesting",
    "node/market": (
        "boundary cover credit current_feed feeds fees htlcs margin_calls matching order_book "
        "positions pricing settled_debt settlement take_profit vesting"
    ),
    "node/evaluators": (
        "asset_rules authority base bitasset call_order evaluator fees limit_order lists "
        "membership samet_fund transfer"
    ),
    "node/chain": (
        "apply_block apply_transaction block_builder budget chain expirations finality "
        "fork_database header_rules invariants_incremental irreversibility pending "
        "pending_footprint pending_session pending_split vote_pool witness_schedule"
    ),
    "node/witness": "producer voter",
    "node/history": "impacted numbering runs",
}
"""What transfers, orders and margin calls run through, as far as mypyc can compile it."""

LEFT_OUT = {
    "protocol/crypto/recovery.py": "its time is that of libsecp256k1",
    "protocol/crypto/signatures.py": "its time is that of libsecp256k1",
    "node/chain/invariants.py": "mypyc compares records of one class by identity",
}
"""What they call as well, and why it is not compiled.

mypyc cannot compile classes with arguments, as in `protocol.schema`, `protocol.ids` and
`node.state.objects.base`, where nothing is called, nor `dataclass(slots=True)` or `cls.__new__`.
"""


def sources(root: Path) -> list[str]:
    """Every source that what is compiled depends on, relative to the repository, in order."""
    found = (path for folder in SOURCE_FOLDERS for path in (root / folder).rglob("*.py"))
    return sorted(path.relative_to(root).as_posix() for path in found)


def compiled(root: Path) -> list[str]:
    """The sources of the modules that are compiled, relative to the repository, in order."""
    names = [f"{folder}/{name}.py" for folder, all_ in COMPILED.items() for name in all_.split()]
    missing = [name for name in names if not (root / name).exists()]
    assert not missing, missing
    return names
