"""Database API: any object by its id."""

from __future__ import annotations

from node.api.arguments import Boolean, ObjectIds
from node.api.call import Answer, Call, Listing
from node.api.views import view_operation_record
from protocol.ids import ObjectId, OperationHistoryId
from protocol.json_form import JsonValue


def get_objects(call: Call, ids: ObjectIds, subscribe: Boolean = True) -> Answer:
    """Objects in the order asked for, null for those that do not exist; reading subscribes."""
    if subscribe:
        call.session.subscriptions.note_objects(ids)
    return Listing(lambda: (_find(call, found) for found in ids))


def _find(call: Call, found: ObjectId) -> JsonValue:
    if found.is_of(OperationHistoryId):
        record = call.backend.history.operation(found.instance)
        return None if record is None else view_operation_record(call.backend, record)
    table = call.state.table_of_type.get((found.space, found.type))
    item = None if table is None else table.find(found.instance)
    return None if item is None else call.view(item)


METHODS = (get_objects,)
