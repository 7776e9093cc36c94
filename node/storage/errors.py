"""What a store may refuse, with the exit code of a process that cannot go on."""

from __future__ import annotations

from node.exit_codes import Exit
from protocol.errors import DamagedData, PegboardError


class StorageError(PegboardError):
    """Base of the refusals of a store; `exit_code` is for a process that ends because of one."""

    name = "storage_error"
    exit_code: Exit = Exit.BROKEN


class StoreLocked(StorageError):
    """Another process uses the same data directory."""

    name = "store_locked"
    exit_code = Exit.LOCKED


class WrongChain(StorageError):
    """The file belongs to a chain with another id."""

    name = "wrong_chain"
    exit_code = Exit.CONFIGURATION


class WrongFormat(StorageError):
    """The file has another format version, or is something else altogether."""

    name = "wrong_format"
    exit_code = Exit.DAMAGED


class StoreDamaged(StorageError, DamagedData):
    """What is read is not what was written; the data must come from elsewhere."""

    name = "store_damaged"
    exit_code = Exit.DAMAGED


class DiskError(StorageError):
    """The disk is full or failing. Nothing more is written by this process, and no flush is tried
    again (T-S4): after a failed one the kernel may call lost pages clean."""

    name = "disk_error"
    exit_code = Exit.DISK


class SlotAlreadySigned(StorageError):
    """The witness has signed a block for this slot, or for a later one."""

    name = "slot_already_signed"


class VoteAlreadySigned(StorageError):
    """F5: the key has voted for this height or a higher one, or from a higher source."""

    name = "vote_already_signed"


class KeyFileRefused(StorageError):
    """A key file or its directory is open to others, not ours, a link, or already there."""

    name = "key_file_refused"
    exit_code = Exit.KEYS
