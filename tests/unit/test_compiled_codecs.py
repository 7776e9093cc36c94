"""The derived functions that `scripts/compile` compiles: their module does what the sources do.

It is Python, and runs here as it is; `scripts/compile --check` runs it compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from node.state.objects.market import LimitOrder
from protocol import binary_source
from protocol.asset import AssetAmount
from protocol.binary import MALFORMED, Reader, malformed, pack_as, read_source_of
from protocol.binary_source import Source, digest_of, values_source_of
from protocol.block import OperationResults, SignedBlockHeader
from protocol.errors import DecodeError
from protocol.ids import AccountId, AssetId, ObjectId
from protocol.operations.limit_order import FillOrder, LimitOrderCreate, LimitOrderUpdate
from protocol.operations.memo import Memo
from protocol.operations.results import VoidResult
from protocol.operations.transfer import Transfer
from protocol.schema import PublicKey, Signature, wire_type
from protocol.transaction import SignedTransaction
from protocol.widths import width_source_of

# Scripts are no package to the type checker.
codecs: Any = import_module("scripts.compiled.codecs")

Factories = dict[str, Callable[[dict[str, object]], object]]

KEY = PublicKey(bytes(range(33)))
FEE = AssetAmount(-(2**63), AssetId(127))
MEMO = Memo(KEY, KEY, 2**64 - 1, bytes(200))
PLAIN = Transfer(FEE, AccountId(128), AccountId(2**48 - 1), AssetAmount(2**63 - 1, AssetId(0)))
ORDER = LimitOrderCreate(FEE, AccountId(2**14), FEE, FEE, 2**32 - 1, True)
VALUES: list[tuple[Any, object]] = [
    (Transfer, PLAIN),
    (Transfer, Transfer(FEE, AccountId(1), AccountId(2), FEE, MEMO)),
    (LimitOrderCreate, ORDER),
    (OperationResults, (VoidResult(), ObjectId(1, 7, 2**48 - 1), FEE)),
    (OperationResults, (ObjectId(1, 7, 5),)),
    (
        SignedTransaction,
        SignedTransaction(2**16 - 1, 2**32 - 1, 2**31, (PLAIN, ORDER), (), (Signature(bytes(65)),)),
    ),
]


@pytest.fixture(scope="module")
def factories(tmp_path_factory: pytest.TempPathFactory) -> Factories:
    """What the module that a build compiles has, run by Python."""
    tree = tmp_path_factory.mktemp("tree")
    (tree / "protocol").mkdir()
    module: dict[str, Any] = {"__name__": "codecs"}
    exec(compile((tree / codecs.write(tree)).read_text(), "codecs", "exec"), module)
    made: Factories = module["FACTORIES"]
    return made


def test_what_transfers_and_orders_run_through_is_compiled(factories: Factories) -> None:
    """By the very text that is derived where it runs, whatever was derived before."""
    assert (Path(codecs.REPO) / codecs.MODULE).exists(), "the sources have a module to replace"
    classes = (SignedTransaction, SignedBlockHeader, OperationResults, Transfer)
    orders = (LimitOrderCreate, LimitOrderUpdate, FillOrder, VoidResult, ObjectId)
    sources: list[Source] = [read_source_of(wire_type(cls)) for cls in (*classes, *orders)]
    sources += [values_source_of(LimitOrder), width_source_of(LimitOrder)]
    assert [source.text for source in sources if digest_of(source.text) not in factories] == []


@pytest.mark.parametrize(("annotation", "value"), VALUES)
def test_a_compiled_reader_reads_and_refuses_the_same(
    factories: Factories, annotation: Any, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The value, and at each byte where the bytes may end or be wrong, the same refusal."""
    plain, compiled = both(annotation, factories, monkeypatch)
    data = pack_as(annotation, value)
    assert compiled(data, 0, 0) == plain(data, 0, 0) == (value, len(data))
    assert compiled(b"before" + data, 6, 0) == (value, len(data) + 6)
    for end in range(len(data)):
        changed = data[:end] + b"\xff" + data[end + 1 :]
        for wrong in (data[:end], changed):
            assert outcome(compiled, wrong) == outcome(plain, wrong)


def both(
    annotation: Any, factories: Factories, monkeypatch: pytest.MonkeyPatch
) -> tuple[Reader, Reader]:
    """A reader as it is derived, and as it is compiled."""
    made = []
    for known in ({}, factories):
        monkeypatch.setattr(binary_source, "FACTORIES", known)
        made.append(read_source_of(wire_type(annotation)).build())
    assert "make_" in made[1].__qualname__
    return made[0], made[1]


def outcome(reader: Reader, data: bytes) -> object:
    """What a reader makes of bytes: a value, or the text of a refusal."""
    try:
        return reader(data, 0, 0)
    except MALFORMED as error:
        return str(malformed("bytes", data, error))
    except DecodeError as error:
        return str(error)
