"""The derived functions that are compiled: none, where the sources run as they are.

`scripts/compile` puts a module of its own in the place of this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

FACTORIES: Mapping[str, Callable[[dict[str, object]], object]] = {}
"""By the digest of its source, what makes a derived function of the constants that it refers to."""
