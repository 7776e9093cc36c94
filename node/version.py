"""The version of this installation: what the package's metadata says, as `pegboard --version`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

DISTRIBUTION: Final = "pegboard"
VERSION: Final = version(DISTRIBUTION)
