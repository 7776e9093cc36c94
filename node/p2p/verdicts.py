"""What the core answers about an item that it was handed."""

from __future__ import annotations

from enum import Enum


class BlockRefusal(Enum):
    """Why the core did not take a block."""

    UNLINKABLE = "unlinkable"
    """Its predecessor is not known."""
    INVALID = "invalid"
    """It breaks a rule for good; every chain that holds it is invalid."""
    CORRUPT = "corrupt"
    """The bytes do not match their header; another peer may have the true ones."""
    NOT_NOW = "not now"
    """Not the peer's fault, such as a block a moment ahead of our clock."""
    OTHER_FORK = "on another fork"
    """Right by itself, but on a fork that this node's operators have ruled out (F9)."""


class TransactionRefusal(Enum):
    """Why the core did not take a transaction."""

    INVALID = "invalid"
    """It breaks a rule that needs no state: no honest node passes it on."""
    REFUSED = "refused"
    """The state refuses it, perhaps only ours or only now."""
    NO_ROOM = "no room"
    """It was not looked at: this node has no room for it."""
