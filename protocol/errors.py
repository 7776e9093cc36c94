"""Refusals of the wire layer: typed, with the numbers as fields.

An error of this module is *expected*: it means that somebody sent something wrong, and it names
the rule, the value and the limit. A bug is an `AssertionError` or any other exception.
"""

from __future__ import annotations

TIME = "time"
SECONDS = "s"
RATIO = "ratio"
PERCENT = "percent"
ACCOUNT = "account"
ASSET = "asset"
UNITS = {
    TIME: "seconds since 1970",
    SECONDS: "seconds",
    RATIO: "thousandths of a collateral ratio",
    PERCENT: "hundredths of a percent",
    ACCOUNT: "the number of an account",
    ASSET: "the number of an asset",
}
"""What integers of a refusal may count, beside the smallest units of an asset."""


class PegboardError(Exception):
    """Base of every expected refusal.

    `what` says what was refused, in a sentence without a final stop; `rule` is the rule book id,
    BSIP or limit id that refuses it; `value` is what was found and `limit` what is allowed. `unit`
    is what these two count where they are integers: smallest units of an asset, by its id
    ("1.3.0"), or one of `UNITS`; "" for a plain number.
    """

    name = "error"

    def __init__(
        self,
        what: str,
        *,
        rule: str = "",
        value: object = None,
        limit: object = None,
        unit: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.rule = rule
        self.value = value
        self.limit = limit
        self.unit = unit

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"

    @property
    def detail(self) -> str:
        """All that the error says, but its name."""
        parts = [self.what]
        if self.value is not None:
            parts.append(f"value {self.value!s:.200}")
        if self.limit is not None:
            parts.append(f"limit {self.limit!s:.200}")
        text = ", ".join(parts)
        return f"{text} ({self.rule})" if self.rule else text


class ProtocolError(PegboardError):
    """Bytes, JSON or a field break the wire format."""

    name = "protocol_error"


class DecodeError(ProtocolError):
    """Bytes or JSON cannot be read as the type that was asked for."""

    name = "decode_error"


class EncodeError(ProtocolError):
    """A value does not fit the declared width or shape of its field."""

    name = "encode_error"


class ValidationError(ProtocolError):
    """A well-formed message breaks a rule that needs no chain state."""

    name = "validation_error"


class PriceOverflow(ValidationError):
    """A product exceeds the largest supply (R1.4)."""

    name = "overflow"


class DuplicateSignature(ValidationError):
    """Two signatures of a transaction are by one key (R9.5)."""

    name = "duplicate_sig"


class KeyFormatError(ProtocolError):
    """A key, signature, WIF, memo or keystore file is malformed or does not belong here."""

    name = "key_format_error"


class DamagedData(PegboardError):
    """What is read is not what was written."""

    name = "damaged_data"
    block: bytes | None = None
    """Id of the block that it was, where that is known."""
