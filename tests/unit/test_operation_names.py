"""Account names, asset symbols, and the bits of flags and permissions."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from protocol.asset import AssetAmount, Price
from protocol.constants import MAX_SUPPLY
from protocol.errors import ValidationError
from protocol.ids import AssetId
from protocol.names import is_cheap_account_name, is_valid_account_name, is_valid_symbol
from protocol.operations import asset_options as bits
from protocol.operations.asset_options import AssetOptions

RATE = Price(AssetAmount(1, AssetId(0)), AssetAmount(2, AssetId(1)))
OPTIONS = AssetOptions(MAX_SUPPLY, 0, MAX_SUPPLY, 0, 0, RATE)


def test_flags_depend_on_the_kind_of_asset() -> None:
    """BSIP48: bits for BitAssets only, and bits that are permissions only."""
    fed = replace(OPTIONS, flags=bits.WITNESS_FED_ASSET)
    fed.validate_flags(is_bitasset=True)
    with pytest.raises(ValidationError):
        fed.validate_flags(is_bitasset=False)
    with pytest.raises(ValidationError):
        replace(OPTIONS, flags=bits.DISABLE_MCR_UPDATE).validate_flags(is_bitasset=True)


def test_enabled_permissions_turn_the_disabling_bits_round() -> None:
    """BSIP48: a set disabling bit takes the permission away."""
    options = replace(OPTIONS, issuer_permissions=bits.WHITE_LIST | bits.LOCK_MAX_SUPPLY)
    enabled = options.enabled_permissions()
    assert enabled & bits.WHITE_LIST
    assert not enabled & bits.CHARGE_MARKET_FEE
    assert not enabled & bits.LOCK_MAX_SUPPLY
    assert enabled & bits.DISABLE_NEW_SUPPLY


@pytest.mark.parametrize("name", ["a", "init0", "alice-b", "a1.b2", "x" * 63, "a--b"])
def test_account_names(name: str) -> None:
    assert is_valid_account_name(name)


@pytest.mark.parametrize(
    "name", ["", "x" * 64, "1a", "a-", "-a", "a..b", ".a", "a.", "A", "a_b", "a.1", "é", "a\n"]
)
def test_no_account_names(name: str) -> None:
    assert not is_valid_account_name(name)


def test_cheap_names() -> None:
    """R8.19: premium is a name of letters with a vowel among them."""
    assert [is_cheap_account_name(name) for name in ("bcd", "init0", "a-b", "a.b")] == [True] * 4
    assert not is_cheap_account_name("alice")
    assert not is_cheap_account_name("my")


def test_symbols() -> None:
    """R2.19: 3 to 16 upper-case letters and digits, one dot, no "BIT" in front."""
    good = ["USD", "GOLD", "A.B", "USD1", "ABCDEFGHIJKLMNOP", "A.1", "XBIT"]
    bad = ["US", "usd", "1USD", "USD.", ".USD", "A.B.C", "BITUSD", "BIT", "A" * 17, "A-B", "USD\n"]
    assert [symbol for symbol in good if not is_valid_symbol(symbol)] == []
    assert [symbol for symbol in bad if is_valid_symbol(symbol)] == []
