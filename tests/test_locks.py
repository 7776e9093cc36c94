"""The locks that `scripts/lock` writes are those of `pyproject.toml`, complete and with hashes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPO = Path(__file__).resolve().parent.parent
LOCKS = REPO / "scripts" / "locks"
CLIENTS = REPO / "tests" / "clients"
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())
RUN = [*PROJECT["build-system"]["requires"], *PROJECT["project"]["dependencies"]]
FUZZ = PROJECT["dependency-groups"]["fuzz"]
DOCS = PROJECT["dependency-groups"]["docs"]
EXTRAS = [
    text
    for extra in PROJECT["project"]["optional-dependencies"].values()
    for text in extra
    if not text.startswith("pegboard[")
]
DEV = [*RUN, *PROJECT["dependency-groups"]["dev"], *EXTRAS]

ENTRY = re.compile(r"^([A-Za-z][\w.-]*)==([^\s;]+).*?(?=^[A-Za-z]|\Z)", re.MULTILINE | re.DOTALL)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")


def locked(text: str) -> dict[str, list[str]]:
    """Versions by name of what a lock holds; each must have a hash."""
    found: dict[str, list[str]] = {}
    for entry in ENTRY.finditer(text):
        assert HASH.search(entry[0]), f"{entry[1]} has no hash"
        found.setdefault(canonicalize_name(entry[1]), []).append(entry[2])
    return found


def unmet(requirements: Iterable[str], lock: Mapping[str, list[str]]) -> list[str]:
    """The requirements that a lock lacks, or meets with a version out of range."""
    return [
        text
        for requirement in map(Requirement, requirements)
        for text in [str(requirement)]
        if not (versions := lock.get(canonicalize_name(requirement.name), []))
        or not all(requirement.specifier.contains(version) for version in versions)
    ]


@pytest.mark.parametrize(
    ("name", "requirements"),
    [("run", RUN), ("dev", DEV), ("fuzz", FUZZ), ("docs", DOCS), ("uv", ["uv"])],
)
def test_a_lock_meets_the_declared_ranges(name: str, requirements: list[str]) -> None:
    """T-X2: A new dependency, or another range, needs `scripts/lock`."""
    lock = locked((LOCKS / f"{name}.txt").read_text())
    assert unmet(requirements, lock) == [], "run scripts/lock"


def test_what_is_tested_is_what_runs() -> None:
    """The larger lock has every version of the smaller one."""
    run, dev = (locked((LOCKS / f"{name}.txt").read_text()) for name in ("run", "dev"))
    assert run.items() <= dev.items()


@pytest.mark.parametrize("wanted", sorted(CLIENTS.glob("*.in")), ids=lambda path: path.stem)
def test_a_lock_of_clients_is_their_list(wanted: Path) -> None:
    """Nothing more and nothing less, since nothing else is installed with them."""
    pins = [line for line in wanted.read_text().splitlines() if "==" in line]
    lock = locked(wanted.with_suffix(".txt").read_text())
    assert unmet(pins, lock) == [], "run scripts/lock"
    assert len(pins) == len(lock)


def test_an_unmet_range_is_found() -> None:
    """A package that is missing, and one whose version is out of range."""
    lock = locked(f"one==1.5 \\\n    --hash=sha256:{'0' * 64}\n")
    assert unmet(["one>=1", "One<2"], lock) == []
    assert unmet(["one>=2", "two"], lock) == ["one>=2", "two"]
    with pytest.raises(AssertionError, match="one has no hash"):
        locked("one==1.5\ntwo==2\n")
