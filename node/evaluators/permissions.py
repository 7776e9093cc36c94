"""What an issuer may change about an asset: its permissions and flags (BSIP48)."""

from __future__ import annotations

from node.state.errors import PermissionDenied
from node.state.objects.assets import Asset, BitassetData
from protocol.operations.asset_options import (
    BITASSET_ONLY_MASK,
    DISABLE_BSRM_UPDATE,
    DISABLE_ICR_UPDATE,
    DISABLE_MCR_UPDATE,
    DISABLE_MSSR_UPDATE,
    GLOBAL_SETTLE,
    UIA_PERMISSION_MASK,
    VALID_FLAGS_MASK,
    AssetOptions,
)
from protocol.operations.bitasset_options import BitassetOptions


def check_permission(permitted: bool, what: str, *, value: object = None) -> None:
    """Raise `PermissionDenied` unless the issuer permissions allow it."""
    if not permitted:
        raise PermissionDenied(what, rule="BSIP48", value=value)


def enabled_permissions(asset: Asset, data: BitassetData | None) -> int:
    """Bits that the issuer may change now; a prediction market can always be settled."""
    enabled = asset.options.enabled_permissions()
    is_prediction_market = data is not None and data.is_prediction_market
    return enabled | GLOBAL_SETTLE if is_prediction_market else enabled


def check_permission_bits(
    asset: Asset, data: BitassetData | None, options: AssetOptions, supply: int
) -> None:
    """New permissions fit the kind of asset; while there is supply, none comes back."""
    permissions = options.issuer_permissions
    if data is None:
        check_permission(
            not permissions & BITASSET_ONLY_MASK,
            "permission that only a BitAsset has",
            value=f"{permissions:#x}",
        )
    elif data.is_prediction_market:
        check_permission(
            bool(permissions & GLOBAL_SETTLE) and not permissions & DISABLE_BSRM_UPDATE,
            "a prediction market keeps global_settle and has no black swan response",
            value=f"{permissions:#x}",
        )
    if supply == 0:
        return
    regained = options.enabled_permissions() & ~enabled_permissions(asset, data)
    if data is None:
        regained &= UIA_PERMISSION_MASK
    elif data.is_prediction_market:
        regained &= ~DISABLE_BSRM_UPDATE
    check_permission(
        regained == 0,
        "a permission that was given away stays away while there is supply",
        value=f"{regained:#x}",
    )


def check_flags(asset: Asset, data: BitassetData | None, options: AssetOptions) -> None:
    """Only flags that the issuer has permission for change."""
    valid = UIA_PERMISSION_MASK if data is None else VALID_FLAGS_MASK
    changed = (options.flags ^ asset.options.flags) & valid
    forbidden = changed & ~enabled_permissions(asset, data)
    check_permission(forbidden == 0, "flag may not change", value=f"{forbidden:#x}")


def check_ratio_permissions(asset: Asset, old: BitassetOptions, new: BitassetOptions) -> None:
    """Only ratios, and a response, that the issuer may change do (BSIP75, BSIP77, BS11)."""
    was, will = old.extensions, new.extensions
    permissions = asset.options.issuer_permissions
    for name, before, after, forbidden in (
        (
            "maintenance_collateral_ratio",
            was.maintenance_collateral_ratio,
            will.maintenance_collateral_ratio,
            DISABLE_MCR_UPDATE,
        ),
        (
            "initial_collateral_ratio",
            was.initial_collateral_ratio,
            will.initial_collateral_ratio,
            DISABLE_ICR_UPDATE,
        ),
        (
            "maximum_short_squeeze_ratio",
            was.maximum_short_squeeze_ratio,
            will.maximum_short_squeeze_ratio,
            DISABLE_MSSR_UPDATE,
        ),
        (
            "black_swan_response_method",
            was.response(),
            will.response(),
            DISABLE_BSRM_UPDATE,
        ),
    ):
        check_permission(
            before == after or not permissions & forbidden, f"{name} may not change", value=after
        )
