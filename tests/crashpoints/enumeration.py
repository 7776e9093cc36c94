"""Every crash of a recording, as far as some of its files go: each different outcome once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.crashpoints.disk import Disk, Image
from tests.crashpoints.trace import Step, Sync, SyncNames


class Point(NamedTuple):
    """The files after a crash, and the number of the step that was the last one."""

    step: int
    image: Image


@dataclass(slots=True)
class Enumeration:
    """How much is tried, and how much was."""

    cap: int
    """Subsets of a window of unflushed writes."""
    share: float = 1.0
    """Part of all crashes."""
    rng: Random = field(default_factory=lambda: Random("crashpoints"))
    points: int = 0
    crashes: int = 0

    def points_of(
        self,
        steps: Sequence[Step],
        start: str = "",
        before: Image | None = None,
        promised: Callable[[int], object] = lambda step: None,
    ) -> Iterator[Point]:
        """Crashes after each step of the files whose names begin like that.

        `before` is there from the first step on. The same files count again when more was
        `promised` by a step.
        """
        disk, seen = Disk(before or {}), set[tuple[bytes, object]]()
        chosen = steps_of(steps, start)
        for place, (number, step) in enumerate(chosen):
            disk.carry(step)
            ends = place + 1 == len(chosen)
            is_window = ends or isinstance(chosen[place + 1][1], Sync | SyncNames)
            self.points += 1
            for crash in disk.crashes(step, self.rng, is_window=is_window, cap=self.cap):
                if self.rng.random() >= self.share:
                    continue
                self.crashes += 1
                image = disk.image(crash)
                key = (digest(image), promised(number))
                if key not in seen:
                    seen.add(key)
                    yield Point(number, image)


def steps_of(steps: Sequence[Step], start: str) -> list[tuple[int, Step]]:
    """Numbered steps of the files whose names begin like that, and of their directories."""
    return [(number, step) for number, step in enumerate(steps) if _is_of(step, start)]


def _is_of(step: Step, start: str) -> bool:
    if isinstance(step, SyncNames):
        return not start or step.name == "." or start.startswith(f"{step.name}/")
    return f"{step.name}/".startswith((start, f".{start}"))


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory for files that need no disk: in memory, where there is such a place."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def put(image: Image, directory: Path) -> None:
    """Write the files of an image into a directory of their own."""
    directory.mkdir(parents=True)
    for name, data in image.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def read(directory: Path) -> Image:
    """The files of a directory but for locks and what SQLite makes anew."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.name.endswith((".lock", "-shm"))
    }


def digest(image: Image) -> bytes:
    """What tells two images apart."""
    state = blake2b(digest_size=16)
    for name, data in sorted(image.items()):
        state.update(b"%s %d " % (name.encode(), len(data)))
        state.update(data)
    return state.digest()
