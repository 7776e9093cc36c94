"""What must hold in a genesis beyond its form; each error names the place in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from protocol.checks import check_percent, require
from protocol.constants import ASSET_PRECISION_MAX, CORE_PRECISION, MAX_DELAY_S, MAX_SUPPLY
from protocol.errors import TIME, ValidationError
from protocol.fees import check_parameters
from protocol.genesis_form import (
    FINALITY_BITSHARES,
    FINALITY_VOTES,
    PRODUCER_DELEGATE,
    PRODUCER_WITNESS,
    TRIGGER_BID,
    TRIGGER_FEED,
    VOTING_STAKES,
    Genesis,
    InitialAsset,
    InitialAssetSettings,
)
from protocol.names import is_valid_account_name, is_valid_symbol
from protocol.operations.asset_options import PERMISSION_MASK, UIA_PERMISSION_MASK, VALID_FLAGS_MASK
from protocol.schema import MAX_TIMESTAMP, Record
from protocol.wording import format_decimal

SPECIAL_ACCOUNT_NAMES = (
    "committee-account",
    "witness-account",
    "relaxed-committee-account",
    "null-account",
    "temp-account",
    "proxy-to-self",
)
"""Names of the accounts 1.2.0 to 1.2.5 (R9.8)."""

_PREFIX = re.compile(r"[A-Z]{1,8}")
_DISPLAY_PREFIX = re.compile(r"[A-Za-z]{0,8}")


def check_genesis(genesis: Genesis) -> None:
    """Raise `ValidationError` for a genesis that no chain can start with."""
    _check_head(genesis)
    _check_settings(genesis)
    _check_accounts(genesis)
    _check_assets(genesis)
    _check_supplies(genesis)


def _check_head(genesis: Genesis) -> None:
    _at(".initial_parameters", lambda: check_parameters(genesis.initial_parameters))
    _at(".immutable_parameters", genesis.immutable_parameters.validate)
    interval = genesis.initial_parameters.block_interval
    require(
        genesis.initial_timestamp > 0 and genesis.initial_timestamp % interval == 0,
        ".initial_timestamp: not a multiple of the block interval",
        rule="R8.4",
        value=genesis.initial_timestamp,
        limit=interval,
    )
    require(
        genesis.initial_timestamp <= MAX_TIMESTAMP - MAX_DELAY_S,
        ".initial_timestamp: too close to the end of all times",
        rule="R8.4",
        value=genesis.initial_timestamp,
        limit=MAX_TIMESTAMP - MAX_DELAY_S,
        unit=TIME,
    )
    candidates = len(genesis.initial_witness_candidates)
    require(
        0 < genesis.initial_active_witnesses <= candidates,
        ".initial_active_witnesses: not between 1 and the number of candidates",
        rule="R8.12",
        value=genesis.initial_active_witnesses,
        limit=candidates,
    )
    _check_amount(genesis.max_core_supply, ".max_core_supply", _core(genesis), low=1)


def _check_settings(genesis: Genesis) -> None:
    settings = genesis.settings()
    for field, value, allowed, rule in (
        ("margin_call_trigger", settings.margin_call_trigger, (TRIGGER_BID, TRIGGER_FEED), "R4.2"),
        ("producer_term", settings.producer_term, (PRODUCER_WITNESS, PRODUCER_DELEGATE), ""),
        ("finality", settings.finality, (FINALITY_VOTES, FINALITY_BITSHARES), "F10"),
        ("voting_stake", settings.voting_stake, VOTING_STAKES, "K4.1"),
    ):
        require(
            value in allowed,
            f".pegboard.{field}: unknown",
            rule=rule,
            value=value,
            limit=" or ".join(allowed),
        )
    for field, value, pattern in (
        ("address_prefix", settings.address_prefix, _PREFIX),
        ("display_prefix", settings.display_prefix, _DISPLAY_PREFIX),
    ):
        require(
            pattern.fullmatch(value) is not None,
            f".pegboard.{field}: malformed",
            value=value,
            limit=pattern.pattern,
        )
    require(
        is_valid_symbol(settings.core_symbol),
        ".pegboard.core_symbol: not a symbol",
        rule="R2.19",
        value=settings.core_symbol,
    )


def _check_accounts(genesis: Genesis) -> None:
    names = [account.name for account in genesis.initial_accounts]
    for index, name in enumerate(names):
        require(
            is_valid_account_name(name),
            f".initial_accounts[{index}].name: not an account name",
            value=name,
        )
    _check_unique((*SPECIAL_ACCOUNT_NAMES, *names), ".initial_accounts: name given twice")
    members = {account.name for account in genesis.initial_accounts if account.is_lifetime_member}
    for section, owners in (
        ("initial_witness_candidates", [w.owner_name for w in genesis.initial_witness_candidates]),
        (
            "initial_committee_candidates",
            [member.owner_name for member in genesis.initial_committee_candidates],
        ),
        ("initial_worker_candidates", [w.owner_name for w in genesis.initial_worker_candidates]),
    ):
        for index, owner in enumerate(owners):
            require(
                owner in members,
                f".{section}[{index}].owner_name: no lifetime member among initial_accounts",
                value=owner,
            )


def _check_assets(genesis: Genesis) -> None:
    symbols = [asset.symbol for asset in genesis.initial_assets]
    _check_unique((genesis.settings().core_symbol, *symbols), ".initial_assets: symbol given twice")
    issuers = {*SPECIAL_ACCOUNT_NAMES, *(account.name for account in genesis.initial_accounts)}
    for index, asset in enumerate(genesis.initial_assets):
        _check_asset(asset, f".initial_assets[{index}]", issuers, _core(genesis))
    assets = {asset.symbol: asset for asset in genesis.initial_assets}
    given = genesis.pegboard.assets or ()
    _check_unique([item.symbol for item in given], ".pegboard.assets: symbol given twice")
    for index, item in enumerate(given):
        path = f".pegboard.assets[{index}]"
        require(item.symbol in assets, f"{path}.symbol: no initial asset", value=item.symbol)
        _check_asset_settings(item, path, assets[item.symbol])


def _check_asset(asset: InitialAsset, path: str, issuers: set[str], core: _Unit) -> None:
    require(
        is_valid_symbol(asset.symbol),
        f"{path}.symbol: not a symbol",
        rule="R2.19",
        value=asset.symbol,
    )
    require(
        asset.issuer_name in issuers,
        f"{path}.issuer_name: no initial account",
        value=asset.issuer_name,
    )
    require(
        asset.precision <= ASSET_PRECISION_MAX,
        f"{path}.precision: too many decimal places",
        rule="R2.19",
        value=asset.precision,
        limit=ASSET_PRECISION_MAX,
    )
    unit = _Unit(asset.symbol, asset.precision)
    _check_amount(asset.max_supply, f"{path}.max_supply", unit, low=1)
    _check_amount(asset.accumulated_fees, f"{path}.accumulated_fees", unit, low=0)
    require(
        asset.is_bitasset or not asset.collateral_records,
        f"{path}.collateral_records: only of a BitAsset",
        rule="R3.2",
        value=len(asset.collateral_records),
        limit=0,
    )
    for index, position in enumerate(asset.collateral_records):
        record = f"{path}.collateral_records[{index}]"
        _check_amount(position.collateral, f"{record}.collateral", core, low=1)
        _check_amount(position.debt, f"{record}.debt", unit, low=1)


def _check_asset_settings(item: InitialAssetSettings, path: str, asset: InitialAsset) -> None:
    is_bitasset = asset.is_bitasset
    for field, bits, allowed in (
        ("flags", item.flags, VALID_FLAGS_MASK if is_bitasset else UIA_PERMISSION_MASK),
        (
            "issuer_permissions",
            item.issuer_permissions,
            PERMISSION_MASK if is_bitasset else UIA_PERMISSION_MASK,
        ),
    ):
        require(
            (bits or 0) & ~allowed == 0,
            f"{path}.{field}: bit that this kind of asset cannot have",
            rule="BSIP48",
            value=bits,
            limit=allowed,
        )
    check_percent(item.market_fee_percent, f"{path}.market_fee_percent", rule="R2.16")
    unit = _Unit(asset.symbol, asset.precision)
    _check_amount(item.max_market_fee or 0, f"{path}.max_market_fee", unit, low=0)
    if item.core_exchange_rate is not None:
        rate = item.core_exchange_rate
        _at(path, lambda: rate.validate("core_exchange_rate"))
        require(
            {rate.base.asset_id, rate.quote.asset_id} == {0, 1},
            f"{path}.core_exchange_rate: not between CORE (1.3.0) and the asset (1.3.1)",
            rule="R8.17",
            value=rate,
        )
    if item.bitasset_options is not None:
        require(is_bitasset, f"{path}.bitasset_options: not a BitAsset", value=item.symbol)
        _at(f"{path}.bitasset_options", item.bitasset_options.validate)


def _check_supplies(genesis: Genesis) -> None:
    core = genesis.settings().core_symbol
    limits = {asset.symbol: asset.max_supply for asset in genesis.initial_assets}
    limits[core] = genesis.max_core_supply
    units = {asset.symbol: _Unit(asset.symbol, asset.precision) for asset in genesis.initial_assets}
    units[core] = _core(genesis)
    supplies = {asset.symbol: asset.accumulated_fees for asset in genesis.initial_assets}
    supplies[core] = sum(
        position.collateral
        for asset in genesis.initial_assets
        for position in asset.collateral_records
    )
    names = {account.name for account in genesis.initial_accounts}
    balances = [
        *(
            ("initial_balances", item.asset_symbol, item.amount)
            for item in genesis.initial_balances
        ),
        *(
            ("initial_vesting_balances", item.asset_symbol, item.amount)
            for item in genesis.initial_vesting_balances
        ),
    ]
    for index, balance in enumerate(genesis.pegboard.account_balances or ()):
        require(
            balance.account_name in names,
            f".pegboard.account_balances[{index}].account_name: no initial account",
            value=balance.account_name,
        )
        balances.append(("pegboard.account_balances", balance.asset_symbol, balance.amount))
    for section, symbol, amount in balances:
        require(symbol in limits, f".{section}: no such asset", value=symbol)
        _check_amount(amount, f".{section}: amount of {symbol}", units[symbol], low=0)
        supplies[symbol] += amount
    for symbol, supply in supplies.items():
        require(
            supply <= limits[symbol],
            f"supply of {symbol} exceeds its largest supply",
            rule="I6",
            value=units[symbol].told(supply),
            limit=units[symbol].told(limits[symbol]),
        )
    for asset in genesis.initial_assets:
        debt = sum(position.debt for position in asset.collateral_records)
        require(
            not asset.is_bitasset or supplies[asset.symbol] == debt,
            f"supply of the BitAsset {asset.symbol} is not the debt of its positions",
            rule="I3",
            value=units[asset.symbol].told(supplies[asset.symbol]),
            limit=units[asset.symbol].told(debt),
        )


class _Unit(Record):
    """An asset as a genesis has it: there is no chain yet that could tell amounts by ids."""

    symbol: str
    precision: int

    def told(self, amount: int) -> str:
        """An amount as people read it."""
        return f"{format_decimal(amount, self.precision)} {self.symbol}"


def _core(genesis: Genesis) -> _Unit:
    return _Unit(genesis.settings().core_symbol, CORE_PRECISION)


def _check_amount(amount: int, path: str, unit: _Unit, *, low: int) -> None:
    require(
        low <= amount <= MAX_SUPPLY,
        f"{path}: out of range",
        rule="R1.4",
        value=unit.told(amount),
        limit=f"{unit.told(low)} .. {unit.told(MAX_SUPPLY)}",
    )


def _check_unique(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        require(name not in seen, what, value=name)
        seen.add(name)


def _at(path: str, check: Callable[[], None]) -> None:
    try:
        check()
    except ValidationError as error:
        raise ValidationError(
            f"{path}: {error.what}",
            rule=error.rule,
            value=error.value,
            limit=error.limit,
            unit=error.unit,
        ) from error
