"""Lets compiled modules in for their sources, as long as these are the ones that were compiled.

A copy of this file, `pegboard_compiled`, and of `pegboard_compiled.pth`, which imports it, stand in
the environment that `scripts/compile` made them for. It imports next to nothing: every Python of
the environment reads it.

It stands where Python asks what a folder holds, beneath all that look for modules: whatever asks,
also the hook of pytest that rewrites assertions, finds the same. So all of the library is let in or
nothing: compiled code takes no interpreted class for a compiled one.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

SWITCH = "PEGBOARD_COMPILED"
"""Environment variable; "0" has everything interpreted."""
LIBRARY = "pegboard__mypyc"
"""The module that holds the code of all others; it stands beside the copy of this file."""
FOLDER = os.path.join(os.path.dirname(__file__), "pegboard_compiled_modules")  # noqa: PTH118, PTH120
"""Extensions by module, and a manifest."""
MANIFEST = "manifest.json"


class CompiledFolder(FileFinder):
    """A folder of sources of which some are compiled."""

    def __init__(self, path: str, files: Mapping[str, str]) -> None:
        """`files` has the extension of each module that is compiled."""
        super().__init__(
            path, (ExtensionFileLoader, EXTENSION_SUFFIXES), (SourceFileLoader, SOURCE_SUFFIXES)
        )
        self.files = files

    def find_spec(self, name: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Where a module of the folder is, or None."""
        file = self.files.get(name)
        if file is None:
            return super().find_spec(name, target)
        from importlib.util import spec_from_file_location

        return spec_from_file_location(name, file, loader=ExtensionFileLoader(name, file))


class Compiled:
    """What is compiled, and for which folders of sources it is right."""

    def __init__(self, folder: str = FOLDER) -> None:
        """Raises `OSError` or `ValueError` where nothing whole is compiled."""
        import json

        with open(os.path.join(folder, MANIFEST)) as file:  # noqa: PTH118, PTH123
            manifest = json.load(file)
        self.sources: Sequence[str] = manifest["sources"]
        self.digest: str = manifest["digest"]
        self.stamps: Mapping[str, str] = manifest.get("stamps", {})
        """By root, what `stamp_of` said of the sources when they had this digest."""
        self.is_of_this_python = (
            manifest["suffix"] == EXTENSION_SUFFIXES[0] and manifest["python"] == sys.version
        )
        self.files: dict[str, dict[str, str]] = {}
        """Extensions by module, for each folder of sources, which is relative to its root."""
        for module, name in manifest["modules"].items():
            place = self.files.setdefault(os.path.dirname(name), {})  # noqa: PTH120
            place[module] = os.path.join(folder, name)  # noqa: PTH118
        self.is_right: dict[str, bool] = {}
        """By root of sources that was asked for: decided once a process."""

    @property
    def is_stale(self) -> bool:
        """Whether sources are interpreted because others were compiled."""
        return not all(self.is_right.values())

    def open(self, path: str) -> CompiledFolder:
        """What a folder holds; `ImportError` for one that has nothing compiled."""
        for place, files in self.files.items():
            if place and path.endswith(os.sep + place) and self._is_right(path[: -len(place) - 1]):
                return CompiledFolder(path, files)
        raise ImportError

    def _is_right(self, root: str) -> bool:
        """Whether the sources at a root are those that were compiled."""
        if root not in self.is_right:
            first = os.path.join(root, self.sources[0])  # noqa: PTH118
            if not os.path.exists(first):  # noqa: PTH110
                return False
            self.is_right[root] = self.is_of_this_python and self._are_same(root)
        return self.is_right[root]

    def _are_same(self, root: str) -> bool:
        """Whether the sources at a root are byte by byte those that were compiled.

        They are read, which takes longer than all else that is done here, unless nobody can have
        written to them since they were read.
        """
        stamp = self.stamps.get(root)
        if stamp and stamp == stamp_of(root, self.sources):
            return True
        return digest_of(root, self.sources) == self.digest


in_place: list[Compiled] = []
"""What this process looks at."""


def digest_of(root: str, sources: Sequence[str]) -> str:
    """What tells one state of the sources from every other; "" where one is not there."""
    import hashlib

    digest = hashlib.sha256()
    try:
        for source in sources:
            with open(os.path.join(root, source), "rb") as file:  # noqa: PTH118, PTH123
                content = file.read()
            digest.update(f"{source} {len(content)}\n".encode())
            digest.update(content)
    except OSError:
        return ""
    return digest.hexdigest()


SETTLED_S = 2.0
"""Times of files come in steps; two writes within one step look alike."""


def stamp_of(root: str, sources: Sequence[str], now_s: float = 0.0) -> str:
    """What changes with every write to the sources, whatever their writer does to their times.

    "" where one is not there, or, if `now_s` is given, was written to within `SETTLED_S` before.
    The system alone sets the time of the last change of a file's content or place.
    """
    parts = []
    try:
        for source in sources:
            found = os.stat(os.path.join(root, source))  # noqa: PTH116, PTH118
            if now_s and found.st_ctime > now_s - SETTLED_S:
                return ""
            parts.append(f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_ctime_ns}")
    except OSError:
        return ""
    return "\n".join(parts)


def install() -> None:
    """Have what folders hold looked for here first, if anything is compiled."""
    if os.environ.get(SWITCH) == "0":
        return
    try:
        compiled = Compiled()
    except (OSError, ValueError, KeyError):
        return
    in_place.append(compiled)
    sys.path_hooks.insert(0, compiled.open)


def is_stale() -> bool:
    """Whether this process interprets sources because others were compiled."""
    return any(compiled.is_stale for compiled in in_place)
