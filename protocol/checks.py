"""Small stateless checks that operations, options and parameters share."""

from __future__ import annotations

from protocol.asset import AssetAmount
from protocol.constants import (
    HUNDRED_PERCENT,
    MAX_COLLATERAL_RATIO,
    MAX_SUPPLY,
    MIN_COLLATERAL_RATIO,
    URL_LENGTH_MAX,
)
from protocol.errors import PERCENT, RATIO, ValidationError
from protocol.ids import asset_text


def require(
    condition: bool,
    what: str,
    *,
    rule: str = "R9.3",
    value: object = None,
    limit: object = None,
    unit: str = "",
) -> None:
    """Raise `ValidationError` unless the condition holds."""
    if not condition:
        raise ValidationError(what, rule=rule, value=value, limit=limit, unit=unit)


def check_fee(fee: AssetAmount) -> None:
    """Refuse a negative fee (R8.17)."""
    if fee.amount < 0:
        unit = asset_text(fee.asset_id)
        raise ValidationError("fee is negative", rule="R8.17", value=fee.amount, limit=0, unit=unit)


def check_positive(number: int, field: str, *, rule: str = "R9.3", unit: str = "") -> None:
    """Refuse a number that is zero or negative."""
    if number <= 0:
        raise ValidationError(
            f"{field} must be positive", rule=rule, value=number, limit=1, unit=unit
        )


def check_amount(amount: AssetAmount, field: str, rule: str = "R9.3") -> None:
    """Refuse an amount that is zero or negative."""
    if amount.amount <= 0:
        check_positive(amount.amount, field, rule=rule, unit=asset_text(amount.asset_id))


def check_suppliable(amount: AssetAmount, field: str, *, rule: str = "R9.3") -> None:
    """Refuse an amount that is not within 1 and the largest supply (T-E3)."""
    check_amount(amount, field, rule=rule)
    if amount.amount > MAX_SUPPLY:
        raise ValidationError(
            f"{field} exceeds the largest supply",
            rule=rule,
            value=amount.amount,
            limit=MAX_SUPPLY,
            unit=asset_text(amount.asset_id),
        )


def check_percent(percent: int | None, field: str, *, rule: str) -> None:
    """Refuse a share above 100 %; None, an absent option, passes."""
    if percent is not None and percent > HUNDRED_PERCENT:
        raise ValidationError(
            f"{field} exceeds 100 %",
            rule=rule,
            value=percent,
            limit=HUNDRED_PERCENT,
            unit=PERCENT,
        )


def check_ratio(ratio: int | None, field: str) -> None:
    """Refuse a collateral ratio out of bounds (section 0); None, an absent option, passes."""
    if ratio is not None and not MIN_COLLATERAL_RATIO <= ratio <= MAX_COLLATERAL_RATIO:
        raise ValidationError(
            f"{field} is not within {MIN_COLLATERAL_RATIO}..{MAX_COLLATERAL_RATIO} thousandths",
            rule="R1.12",
            value=ratio,
            limit=MIN_COLLATERAL_RATIO if ratio < MIN_COLLATERAL_RATIO else MAX_COLLATERAL_RATIO,
            unit=RATIO,
        )


def check_url(url: str | None) -> None:
    """Refuse a URL of 127 bytes or more; None, an absent option, passes."""
    if url is not None and len(url.encode()) >= URL_LENGTH_MAX:
        raise ValidationError(
            "URL too long", rule="R9.3", value=len(url.encode()), limit=URL_LENGTH_MAX - 1
        )
