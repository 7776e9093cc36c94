"""Transactions that BitShares' own clients made: bytes, digests, ids and signatures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.binary import pack, unpack
from protocol.crypto.keys import key_text, parse_wif
from protocol.errors import ValidationError
from protocol.json_form import from_json, to_json
from protocol.operations.asset_options import WHITE_LIST
from protocol.operations.bitasset import AssetPublishFeed
from protocol.schema import Digest
from protocol.transaction import SignedTransaction, Transaction, TransactionEnvelope, sign

Vector = dict[str, Any]

VECTORS: list[Vector] = json.loads(
    (Path(__file__).parent / "transactions.json").read_text(encoding="utf-8")
)
ICR_VECTOR = "asset_publish_feed_icr_ext"
"""Both clients drop the extension that its input has; bitshares-core keeps it."""

CLIENTS = [(client, vector) for client in ("js", "python") for vector in VECTORS]
SENT = [(client, vector) for client, vector in CLIENTS if "error" not in vector[client]]

each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
each_sent = pytest.mark.parametrize(
    ("client", "vector"), SENT, ids=lambda part: part if isinstance(part, str) else part["name"]
)


def declared(vector: Vector) -> Transaction:
    """The transaction of a vector as its clients understand it."""
    data = json.loads(json.dumps(vector["tx"]))
    if vector["name"] == ICR_VECTOR:
        data["operations"][0][1]["extensions"] = {}
    return from_json(Transaction, data, vector["prefix"])


@each_vector
def test_json_becomes_the_bytes_of_the_clients(vector: Vector) -> None:
    """R9.7: bitsharesjs is right where the clients disagree."""
    packed = pack(declared(vector))
    assert packed.hex() == vector["js"]["serialized_hex"]
    if vector["agree"]:
        assert packed.hex() == vector["python"]["serialized_hex"]
    assert unpack(Transaction, packed) == declared(vector)


@each_vector
def test_digest_and_id(vector: Vector) -> None:
    """R9.7: the digest commits to the chain, the id does not."""
    transaction = from_json(SignedTransaction, to_json(declared(vector), "BTS"), "BTS")
    envelope = TransactionEnvelope.from_transaction(transaction)
    chain_id = Digest(bytes.fromhex(vector["chain_id"]))
    assert envelope.body.hex() == vector["js"]["serialized_hex"]
    assert envelope.digest(chain_id).hex() == vector["js"]["digest"]
    assert envelope.id.hex() == vector["js"]["txid"]


@each_vector
def test_signing_gives_the_signatures_of_bitsharesjs(vector: Vector) -> None:
    wifs = vector["wif"] if isinstance(vector["wif"], list) else [vector["wif"]]
    chain_id = Digest(bytes.fromhex(vector["chain_id"]))
    signed = sign(declared(vector), [parse_wif(wif) for wif in wifs], chain_id)
    made = [signature.hex() for signature in signed.signatures]
    assert sorted(made) == sorted(vector["js"]["signatures"])


@each_sent
def test_signatures_of_both_clients_recover_to_their_keys(client: str, vector: Vector) -> None:
    sent = from_json(SignedTransaction, vector[client]["tx_json_sent"], vector["prefix"])
    envelope = TransactionEnvelope.from_transaction(sent)
    keys = envelope.signature_keys(Digest(bytes.fromhex(vector["chain_id"])))
    texts = [key_text(key, vector["prefix"]) for key in keys]
    assert sorted(texts) == sorted(vector["public_key"])


@each_sent
def test_what_a_client_sends_decodes_to_what_it_signed(client: str, vector: Vector) -> None:
    sent = from_json(SignedTransaction, vector[client]["tx_json_sent"], vector["prefix"])
    envelope = TransactionEnvelope.from_transaction(sent)
    assert envelope.body.hex() == vector[client]["serialized_hex"]
    assert envelope.id.hex() == vector[client]["txid"]
    again = TransactionEnvelope.from_bytes(envelope.packed())
    assert (again.transaction, again.id, again.size) == (sent, envelope.id, envelope.size)


@each_vector
def test_json_round_trip(vector: Vector) -> None:
    transaction = from_json(Transaction, vector["tx"], vector["prefix"])
    assert from_json(Transaction, to_json(transaction, vector["prefix"]), vector["prefix"]) == (
        transaction
    )


@each_vector
def test_every_operation_is_valid_or_refused_for_its_lists(vector: Vector) -> None:
    """R2.20: the made-up asset vectors have list authorities without the flag."""
    for operation in declared(vector).operations:
        options = getattr(operation, "common_options", None)
        if vector["name"].startswith("asset_update") and hasattr(operation, "new_options"):
            options = operation.new_options
        lists = getattr(options, "whitelist_authorities", ())
        if lists and not getattr(options, "flags", 0) & WHITE_LIST:
            with pytest.raises(ValidationError, match="white_list"):
                operation.validate()
        else:
            operation.validate()


def test_the_initial_collateral_ratio_is_kept() -> None:
    """BSIP77: bitshares-core packs the extension that both clients drop."""
    vector = next(vector for vector in VECTORS if vector["name"] == ICR_VECTOR)
    transaction = from_json(Transaction, vector["tx"], vector["prefix"])
    (operation,) = transaction.operations
    assert isinstance(operation, AssetPublishFeed)
    assert operation.extensions.initial_collateral_ratio == 1800
    dropped = vector["js"]["serialized_hex"]
    assert pack(transaction).hex() == dropped[:-4] + "01000807" + "00"
