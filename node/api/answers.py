"""Which declared record a method answers with, for the description of the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from protocol.schema import Record

M = TypeVar("M", bound=Callable[..., Any])

_RECORDS: dict[Callable[..., Any], type[Record]] = {}


def answers(record: type[Record]) -> Callable[[M], M]:
    """Declare that a method answers with the JSON form of a record."""

    def declare(method: M) -> M:
        _RECORDS[method] = record
        return method

    return declare


def answer_of(method: Callable[..., Any]) -> type[Record] | None:
    """The record that a method was declared with, if any."""
    return _RECORDS.get(method)
