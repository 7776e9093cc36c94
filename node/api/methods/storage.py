"""API `custom_operations`: what accounts store with operations that the chain itself reads nothing
of (Y3.3)."""

from __future__ import annotations

from typing import Annotated, cast

import msgspec

from node.api.arguments import ACCOUNT, TEXT, at_most, instance_of
from node.api.call import Answer, Call
from node.api.errors import InvalidParams
from node.history.account_storage import StoredItem
from node.state.objects.accounts import Account
from protocol.ids import AccountStorageId, account_storage_text, account_text
from protocol.json_form import JsonValue

OptionalAccount = Annotated[Account | None, ACCOUNT]
OptionalText = Annotated[str | None, TEXT]
StorageLimit = Annotated[int, at_most(101)]
StorageId = Annotated[int, instance_of("account storage id", AccountStorageId)]


def get_storage_info(
    call: Call,
    account: OptionalAccount = None,
    catalog: OptionalText = None,
    key: OptionalText = None,
    limit: StorageLimit = 101,
    start_id: StorageId = 0,
) -> Answer:
    """What is stored, of an account, a catalog or a key in a catalog, by id from an id on."""
    if key is not None and catalog is None:
        raise InvalidParams("a key is looked for in a catalog, which is missing", value=key)
    storage = call.backend.history.storage
    assert storage is not None, "opened"
    owner = None if account is None else account.id
    found = storage.items(owner, catalog, key, start=start_id, limit=limit)
    return [view_item(item) for item in found]


def view_item(item: StoredItem) -> JsonValue:
    """Something that an account stores (7.0.n)."""
    answer: dict[str, JsonValue] = {
        "id": account_storage_text(item.instance),
        "account": account_text(item.account),
        "catalog": item.catalog,
        "key": item.key,
    }
    return (
        answer
        if item.value is None
        else answer | {"value": cast(JsonValue, msgspec.Raw(item.value.encode()))}
    )


METHODS = (get_storage_info,)
