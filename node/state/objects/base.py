"""What every object of the state is."""

from __future__ import annotations

from typing import Annotated

import msgspec

from protocol.schema import LOCAL


class StateObject(msgspec.Struct, kw_only=True, eq=False, gc=False):
    """Base of every object of the state: a mutable record with the field `id`.

    Change an object only after `Table.edit`, in the same function; fields hold immutable values.
    """

    id: int
    stamp: Annotated[int, LOCAL] = 0
    """Serial number of the session that saved the object last."""
