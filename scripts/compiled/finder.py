"""Lets compiled modules in for their sources, as long as these are the ones that were compiled.

A copy of this file, `pegboard_compiled`, and of `pegboard_compiled.pth`, which imports it, stand in
the environment that `scripts/compile` made them for. It imports next to nothing: every Python of
the environment reads it.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

SWITCH = "PEGBOARD_COMPILED"
"""Environment variable; "0" has everything interpreted."""
LIBRARY = "pegboard__mypyc"
"""The module that holds the code of all others."""
FOLDER = os.path.join(os.path.dirname(__file__), "pegboard_compiled_modules")  # noqa: PTH118, PTH120
"""Extensions by module, and a manifest."""
MANIFEST = "manifest.json"


class CompiledFinder:
    """Finds the compiled form of a module where every source is as it was.

    That is decided once a process, at the first module asked for: the library is made as a whole,
    so either all of it is right or nothing.
    """

    def __init__(self, folder: str = FOLDER) -> None:
        self.folder = folder
        self.modules: dict[str, str] | None = None
        """File of each module, relative to the folder; None before the first was asked for."""
        self.is_stale = False
        """Whether something is compiled that is not of these sources."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What Python's import asks for: where a module is, or None to have it looked for."""
        if name != LIBRARY and not (path and name.startswith(("protocol.", "node."))):
            return None
        if self.modules is None:
            if not path:
                return None
            self.modules = self._decide(path[0], name.count("."))
        file = self.modules.get(name)
        if file is None:
            return None
        from importlib.util import spec_from_file_location

        return spec_from_file_location(name, os.path.join(self.folder, file))  # noqa: PTH118

    def _decide(self, package: str, depth: int) -> dict[str, str]:
        """The modules that are compiled for the sources that a package belongs to, or none."""
        import json

        try:
            with open(os.path.join(self.folder, MANIFEST)) as file:  # noqa: PTH118, PTH123
                manifest = json.load(file)
        except (OSError, ValueError):
            return {}
        root = package
        for _ in range(depth):
            root = os.path.dirname(root)  # noqa: PTH120
        self.is_stale = (
            manifest["suffix"] != EXTENSION_SUFFIXES[0]
            or manifest["python"] != sys.version
            or manifest["digest"] != digest_of(root, manifest["sources"])
        )
        return {} if self.is_stale else manifest["modules"]


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


def install() -> None:
    """Have modules looked for here first."""
    if os.environ.get(SWITCH) != "0":
        sys.meta_path.insert(0, CompiledFinder())


def is_stale() -> bool:
    """Whether this process interprets sources because others were compiled."""
    return any(isinstance(one, CompiledFinder) and one.is_stale for one in sys.meta_path)
