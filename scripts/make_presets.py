#!/usr/bin/env python3
"""Write the genesis template of every preset to config/.

Usage: .venv/bin/python scripts/make_presets.py
"""

from __future__ import annotations

from pathlib import Path

from node.presets import PRESETS, build_genesis, genesis_text

CONFIG = Path(__file__).resolve().parent.parent / "config"


def main() -> None:
    """Write one file per preset."""
    for preset in PRESETS.values():
        path = CONFIG / f"{preset.name}.json"
        path.write_text(genesis_text(build_genesis(preset)))
        print(path)


if __name__ == "__main__":
    main()
