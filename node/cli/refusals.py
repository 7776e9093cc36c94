"""Refusals as people read them: amounts, symbols and names in place of units and ids.

A refusal counts in smallest units and names objects by their ids, as the chain does; what they
stand for only the chain can say, so a command that talks to one has it said here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from node.cli.descriptions import price_text
from node.cli.exits import CliError, NodeUnreachable, Refused
from node.cli.remote_chain import RemoteChain
from protocol.errors import ACCOUNT, ASSET, PERCENT, RATIO, SECONDS, TIME, PegboardError
from protocol.ids import AccountId, AssetId, account_text, asset_text
from protocol.json_form import format_time
from protocol.wording import format_decimal

_ASSET = r"1\.3\.[0-9]+"
_AMOUNT = rf"(?<![0-9.])(-?[0-9]+) ({_ASSET})"
_TOLD = re.compile(
    rf"{_AMOUNT} / {_AMOUNT}|{_AMOUNT}|(?<![0-9.])({_ASSET})|(?<![0-9.])(1\.2\.[0-9]+)"
)
"""A price, an amount, an asset, an account; each as the chain writes it."""
_SYMBOL = re.compile(r"[A-Z][A-Z0-9.]{1,14}[A-Z0-9]")


@contextmanager
def refusals_of(chain: RemoteChain) -> Iterator[None]:
    """Whatever is refused inside is raised as `Refused`."""
    try:
        yield
    except NodeUnreachable:
        raise
    except PegboardError as error:
        value = tell(chain, error.value, error.unit)
        what = _tell(chain, error.what)
        if value is not None and _SYMBOL.fullmatch(str(error.value)):
            what = re.sub(rf"\b{error.value}\b", value, what)
        told = PegboardError(
            what,
            rule=error.rule,
            value=value,
            limit=tell(chain, error.limit, error.unit),
        )
        raise Refused(error, told) from error


def tell(chain: RemoteChain, value: object, unit: str) -> str | None:
    """A value or limit of a refusal for people; None where there is none."""
    if value is None:
        return None
    text = str(value)
    if _SYMBOL.fullmatch(text):
        return _symbol(chain, text)
    if not unit or not re.fullmatch("-?[0-9]+", text):
        return _tell(chain, text)
    number = int(text)
    if unit == TIME:
        return format_time(number)
    if unit == SECONDS:
        return f"{number} s"
    if unit == RATIO:
        return format_decimal(number, 3)
    if unit == PERCENT:
        return f"{format_decimal(number, 2)} %"
    if unit == ACCOUNT:
        return _account(chain, account_text(AccountId(number)))
    if unit == ASSET:
        return _symbol(chain, asset_text(AssetId(number)))
    return _amount(chain, text, unit)


def _tell(chain: RemoteChain, text: str) -> str:
    return _TOLD.sub(lambda match: _replace(chain, match), text)


def _replace(chain: RemoteChain, match: re.Match[str]) -> str:
    base, base_asset, quote, quote_asset, amount, amount_asset, asset, account = match.groups()
    if base is not None:
        try:
            sides = chain.asset(base_asset), chain.asset(quote_asset)
        except CliError:
            return match[0]
        return price_text((int(base), int(quote)), *sides)
    if amount is not None:
        return _amount(chain, amount, amount_asset)
    return _symbol(chain, asset) if asset is not None else _account(chain, account)


def _amount(chain: RemoteChain, amount: str, asset: str) -> str:
    try:
        return chain.asset(asset).format(int(amount))
    except CliError:
        return f"{amount} {asset}"


def _symbol(chain: RemoteChain, asset: str) -> str:
    try:
        return chain.asset(asset).display_symbol
    except CliError:
        return asset


def _account(chain: RemoteChain, account: str) -> str:
    try:
        return chain.account_name(account)
    except CliError:
        return account
