"""How an invariant that does not hold is told (section 10)."""

from __future__ import annotations

from node.state.errors import InvariantViolated
from protocol.errors import EncodeError
from protocol.ids import ObjectId


def violated(rule: str, what: str, value: object, limit: object) -> InvariantViolated:
    """The error of an invariant: what was found, and what should have been."""
    return InvariantViolated(what, rule=rule, value=value, limit=limit)


def too_wide(found: ObjectId, error: EncodeError) -> InvariantViolated:
    """The error of I19 for an object with a field beyond its declared width."""
    return violated("I19", f"{found}.{error.what}", error.value, error.limit)
