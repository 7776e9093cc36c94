"""The signing guard, snapshots and key files: whole or absent, and never lax."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from node.storage.durable import Draft
from node.storage.errors import (
    DiskError,
    KeyFileRefused,
    SlotAlreadySigned,
    StorageError,
    StoreDamaged,
    StoreLocked,
    WrongChain,
    WrongFormat,
)
from node.storage.guard import SigningGuard
from node.storage.interface import SignedSlot, SigningStorage, SnapshotFault, SnapshotStorage
from node.storage.key_files import list_key_files, read_key_file, write_key_file
from node.storage.snapshots import SnapshotFiles
from protocol.ids import WitnessId
from protocol.schema import Digest
from tests.support.memory_stores import MemorySigningGuard, MemorySnapshots
from tests.unit.test_block_store import CHAIN, make_block

REPO = Path(__file__).resolve().parents[2]
ALICE, BOB = WitnessId(1), WitnessId(2)


def test_a_draft_takes_its_place_when_all_of_it_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-S2: each file and each directory is flushed before the rename, its parent after it."""
    flushed: list[tuple[str, bool]] = []
    fsync, place = os.fsync, tmp_path / "net"

    def note(descriptor: int) -> None:
        fsync(descriptor)
        flushed.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, place.exists()))

    (tmp_path / ".net.new").mkdir()
    (tmp_path / ".net.new" / "of an earlier try").touch()
    draft = Draft(place)
    monkeypatch.setattr(os, "fsync", note)
    draft.put("init0/keys/a.wif", b"secret", 0o700)
    draft.put("genesis.json", b"{}")
    assert not flushed
    draft.publish()
    names = {".net.new", "init0", "keys", "a.wif", "genesis.json"}
    assert {name for name, is_there in flushed if not is_there} == names
    assert flushed[-1] == (tmp_path.name, True)
    assert {path.name for path in place.rglob("*")} == names - {".net.new"}
    assert read_key_file(place / "init0" / "keys" / "a.wif") == "secret"


def test_a_draft_that_cannot_be_flushed_takes_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-S2, T-S4: whatever fsync fails."""

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    draft = Draft(tmp_path / "net")
    draft.put("genesis.json", b"{}")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskError, match="cannot make net"):
        draft.publish()
    assert not (tmp_path / "net").exists()


@pytest.fixture(params=["disk", "memory"])
def guard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SigningStorage]:
    opened: SigningStorage = (
        SigningGuard(tmp_path / "signed.json", CHAIN)
        if request.param == "disk"
        else MemorySigningGuard()
    )
    yield opened
    opened.close()


def test_a_slot_is_signed_once(guard: SigningStorage) -> None:
    guard.reserve([SignedSlot(ALICE, 1000, 7)])
    guard.reserve([SignedSlot(BOB, 1000, 7)])
    for slot_time_s in (1000, 997, 0):
        with pytest.raises(SlotAlreadySigned) as refusal:
            guard.reserve([SignedSlot(ALICE, slot_time_s, 8)])
        assert refusal.value.value == slot_time_s
    guard.reserve([SignedSlot(ALICE, 1001, 8)])
    assert guard.load() == {ALICE: 1001, BOB: 1000}


def test_the_record_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "signed.json"
    first = SigningGuard(path, CHAIN)
    first.reserve([SignedSlot(ALICE, 1000, 7)])
    with pytest.raises(StoreLocked):
        SigningGuard(path, CHAIN)
    first.close()
    second = SigningGuard(path, CHAIN)
    assert second.load() == {ALICE: 1000}
    with pytest.raises(SlotAlreadySigned):
        second.reserve([SignedSlot(ALICE, 1000, 7)])
    second.close()


def test_the_record_of_another_chain_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signed.json"
    first = SigningGuard(path, CHAIN)
    first.reserve([SignedSlot(ALICE, 1000, 7)])
    first.close()
    with pytest.raises(WrongChain):
        SigningGuard(path, Digest(bytes(32)))


def test_a_damaged_record_signs_nothing(tmp_path: Path) -> None:
    """A record that cannot be trusted is never taken for an empty one."""
    path = tmp_path / "signed.json"
    first = SigningGuard(path, CHAIN)
    first.reserve([SignedSlot(ALICE, 1000, 7)])
    first.close()
    whole = path.read_bytes()
    damaged = [b"", b"[]", b"{}", whole[:-20], whole.replace(b"1000", b"1001")]
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(StoreDamaged, match="sign nothing"):
            SigningGuard(path, CHAIN)
    path.write_bytes(whole)
    SigningGuard(path, CHAIN).close()


def test_a_failed_flush_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T-S4: after a failed fsync nothing more is signed by this process."""
    guard = SigningGuard(tmp_path / "signed.json", CHAIN)
    guard.reserve([SignedSlot(ALICE, 1000, 7)])
    calls = 0

    def failing_fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing_fsync)
    for _ in range(3):
        with pytest.raises(DiskError, match="Input/output error"):
            guard.reserve([SignedSlot(ALICE, 1003, 8)])
    assert calls == 1
    assert guard.load() == {ALICE: 1000}
    guard.close()


GUARDED = """
import sys
from pathlib import Path
from node.storage.guard import SigningGuard
from node.storage.interface import SignedSlot
from protocol.ids import WitnessId
from tests.unit.test_block_store import CHAIN

guard = SigningGuard(Path(sys.argv[1]), CHAIN)
slot = guard.load().get(WitnessId(1), 0)
while True:
    slot += 3
    guard.reserve([SignedSlot(WitnessId(1), slot, slot // 3)])
    sys.stdout.write(f"{slot}\\n")
    sys.stdout.flush()
"""


def test_no_reserved_slot_is_forgotten_by_kill_9(tmp_path: Path) -> None:
    """T-S1: what was reserved before the kill is refused after it."""
    path = tmp_path / "signed.json"
    for lines in (1, 3, 40, 41):
        process = subprocess.Popen(
            [sys.executable, "-c", GUARDED, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPO,
            env=os.environ | {"PYTHONPATH": str(REPO)},
        )
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
        rest, _ = process.communicate()
        guard = SigningGuard(path, CHAIN)
        last_s = int(rest.split()[-1]) if rest.split() else 1
        assert guard.load()[ALICE] >= last_s
        guard.close()


def test_memory_forgets_what_was_not_flushed() -> None:
    guard = MemorySigningGuard(durable_at_once=False)
    guard.reserve([SignedSlot(ALICE, 1000, 7)])
    guard.flush()
    guard.reserve([SignedSlot(ALICE, 1003, 8)])
    guard.crash()
    assert guard.load() == {ALICE: 1000}


@pytest.fixture(params=["disk", "memory"])
def snapshots(request: pytest.FixtureRequest, tmp_path: Path) -> SnapshotStorage:
    if request.param == "disk":
        return SnapshotFiles(tmp_path / "state" / "snapshots", CHAIN)
    return MemorySnapshots()


def test_the_newest_two_snapshots_are_kept(snapshots: SnapshotStorage) -> None:
    assert snapshots.latest() == (None, [])
    for num in (9, 10, 11):
        snapshots.save(num, make_block(num).id, b"state %d" % num)
    assert snapshots.latest() == ((11, make_block(11).id, b"state 11"), [])
    assert snapshots.latest(10) == ((10, make_block(10).id, b"state 10"), [])
    assert snapshots.latest(9) == (None, [])
    snapshots.save(11, make_block(11).id, b"again")
    assert snapshots.latest() == ((11, make_block(11).id, b"again"), [])
    assert snapshots.latest(10) == ((10, make_block(10).id, b"state 10"), [])


def test_a_development_chain_keeps_older_snapshots_within_a_bound(tmp_path: Path) -> None:
    """R9.10: the farther back, the farther apart, so that a journey replays little."""
    size = len(b"state") + 112
    snapshots = SnapshotFiles(tmp_path, CHAIN, older_bytes=9 * size)
    most = 0
    for num in range(1, 101):
        snapshots.save(num, make_block(num).id, b"state")
        most = max(most, len(list(tmp_path.iterdir())))
    kept = sorted(int(path.name[:10]) for path in tmp_path.iterdir())
    assert most <= 11
    assert kept[-3:] == [98, 99, 100]
    assert kept[0] < 50
    gaps = [later - earlier for earlier, later in pairwise(kept)]
    assert gaps == sorted(gaps, reverse=True)
    assert all(snapshots.latest(num)[0] is not None for num in kept)


def test_memory_snapshots_survive_only_when_flushed() -> None:
    snapshots = MemorySnapshots(durable_at_once=False)
    snapshots.save(1, make_block(1).id, b"one")
    snapshots.flush()
    snapshots.save(2, make_block(2).id, b"two")
    snapshots.crash()
    assert snapshots.latest() == ((1, make_block(1).id, b"one"), [])


def _flip_at(position: int) -> Callable[[bytes], bytes]:
    return lambda data: (
        data[:position] + bytes((data[position] ^ 1,)) + data[position % len(data) + 1 :]
    )


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], SnapshotFault]] = {
    "empty": (lambda data: b"", SnapshotFault.DAMAGED),
    "cut": (lambda data: data[:-1], SnapshotFault.DAMAGED),
    "longer": (lambda data: data + b"x", SnapshotFault.DAMAGED),
    "magic": (_flip_at(0), SnapshotFault.WRONG_FORMAT),
    "version": (_flip_at(11), SnapshotFault.WRONG_FORMAT),
    "chain": (_flip_at(12), SnapshotFault.WRONG_CHAIN),
    "num": (_flip_at(47), SnapshotFault.DAMAGED),
    "block id": (_flip_at(60), SnapshotFault.DAMAGED),
    "digest": (_flip_at(80), SnapshotFault.DAMAGED),
    "payload": (_flip_at(120), SnapshotFault.DAMAGED),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_snapshot_is_skipped_with_a_reason(tmp_path: Path, damage: str) -> None:
    """T-S3: a damaged snapshot is passed over for the one before, and named."""
    change, fault = DAMAGES[damage]
    snapshots = SnapshotFiles(tmp_path, CHAIN)
    snapshots.save(1, make_block(1).id, b"old" * 20)
    snapshots.save(2, make_block(2).id, b"new" * 20)
    (path,) = tmp_path.glob("0000000002-*.snapshot")
    path.write_bytes(change(path.read_bytes()))
    found, skipped = snapshots.latest()
    assert found == (1, make_block(1).id, b"old" * 20)
    assert [(entry.name, entry.fault) for entry in skipped] == [(path.name, fault)]


def test_a_renamed_snapshot_is_not_believed(tmp_path: Path) -> None:
    snapshots = SnapshotFiles(tmp_path, CHAIN)
    snapshots.save(1, make_block(1).id, b"state")
    (path,) = tmp_path.glob("*.snapshot")
    path.rename(tmp_path / f"{2:010}-{make_block(2).id.hex()}.snapshot")
    found, skipped = snapshots.latest()
    assert found is None
    assert [entry.fault for entry in skipped] == [SnapshotFault.DAMAGED]


def test_an_unreadable_snapshot_is_skipped(tmp_path: Path) -> None:
    snapshots = SnapshotFiles(tmp_path, CHAIN)
    (tmp_path / f"{2:010}-{make_block(2).id.hex()}.snapshot").mkdir()
    (tmp_path / "notes.txt").write_text("not a snapshot")
    found, skipped = snapshots.latest()
    assert found is None
    assert [entry.fault for entry in skipped] == [SnapshotFault.UNREADABLE]


def test_a_snapshot_left_half_written_does_no_harm(tmp_path: Path) -> None:
    snapshots = SnapshotFiles(tmp_path, CHAIN)
    name = f"{1:010}-{make_block(1).id.hex()}.snapshot"
    (tmp_path / f".{name}.new").write_bytes(b"half")
    assert snapshots.latest() == (None, [])
    snapshots.save(1, make_block(1).id, b"state")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_key_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "alice.json"
    old_mask = os.umask(0)
    try:
        write_key_file(path, "text")
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert read_key_file(path) == "text"
    assert list_key_files(path.parent) == [path]
    assert list_key_files(tmp_path / "nowhere") == []


def test_a_key_file_is_never_replaced(tmp_path: Path) -> None:
    """T-X1: what is there stays, and nothing half written beside it."""
    path = tmp_path / "keys" / "alice.json"
    write_key_file(path, "text")
    with pytest.raises(KeyFileRefused, match="exists already"):
        write_key_file(path, "other")
    assert read_key_file(path) == "text"
    assert list(path.parent.iterdir()) == [path]


def _link_file(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _link_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to("elsewhere")


def _make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


LAX: dict[str, Callable[[Path], object]] = {
    "group may read": lambda path: path.chmod(0o640),
    "others may read": lambda path: path.chmod(0o604),
    "others may write": lambda path: path.chmod(0o602),
    "directory open to the group": lambda path: path.parent.chmod(0o750),
    "directory open to others": lambda path: path.parent.chmod(0o701),
    "file is a link": _link_file,
    "directory is a link": _link_directory,
    "a directory instead": _make_directory,
    "no text": lambda path: path.write_bytes(b"\xff"),
}


@pytest.mark.parametrize("case", LAX)
def test_a_lax_key_file_is_refused(tmp_path: Path, case: str) -> None:
    """T-X1: mode, owner and kind of file and directory, else exit code 77."""
    path = tmp_path / "keys" / "alice.json"
    write_key_file(path, "text")
    LAX[case](path)
    with pytest.raises(KeyFileRefused) as refusal:
        read_key_file(path)
    assert refusal.value.exit_code == 77


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT PROVEN HERE: only root can give files away")
@pytest.mark.parametrize("part", ["file", "directory"])
def test_a_key_of_somebody_else_is_refused(tmp_path: Path, part: str) -> None:
    path = tmp_path / "keys" / "alice.json"
    write_key_file(path, "text")
    os.chown(path if part == "file" else path.parent, 12345, -1)
    with pytest.raises(KeyFileRefused, match="belongs to another user"):
        read_key_file(path)


def test_a_key_is_not_written_into_an_open_directory(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    with pytest.raises(KeyFileRefused):
        write_key_file(directory / "alice.json", "text")
    assert list(directory.iterdir()) == []


def test_a_missing_key_file_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="No such file"):
        read_key_file(tmp_path / "alice.json")


@pytest.mark.parametrize(
    ("error", "code"),
    [(StoreLocked, 75), (WrongChain, 78), (WrongFormat, 65), (StoreDamaged, 65), (DiskError, 74)],
)
def test_exit_codes(error: type[StorageError], code: int) -> None:
    """T-S1 … T-S5: the exit codes of sysexits.h that operators script against."""
    assert error("").exit_code == code
