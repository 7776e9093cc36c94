"""A run as a file: its options and its faults, which mean the same whatever a seed draws later."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.faults import Fault, draw_faults
from tests.simulation.options import Options


@dataclass(frozen=True, slots=True)
class Schedule:
    """All that decides how a run goes."""

    about: str
    """What it once found."""
    options: Options
    faults: tuple[Fault, ...]
    scenario: str = ""
    """The file of another scenario than the options choose."""

    @classmethod
    def draw(cls, options: Options, scenario: str = "") -> Schedule:
        """The schedule of drawn options."""
        return cls(f"seed {options.seed}", options, tuple(draw_faults(options)), scenario)

    @classmethod
    def load(cls, path: Path) -> Schedule:
        """Read a file that `save` wrote."""
        data = json.loads(path.read_text(encoding="utf-8"))
        faults = tuple(Fault(at_ms, kind, tuple(args)) for at_ms, kind, args in data["faults"])
        options = Options.from_json(data["options"])
        return cls(data["about"], options, faults, data.get("scenario", ""))

    def save(self, path: Path) -> None:
        """Write a file, one line for each fault."""
        lines = ",\n  ".join(json.dumps([at, kind, list(args)]) for at, kind, args in self.faults)
        faults = f"[\n  {lines}\n ]" if self.faults else "[]"
        options = json.dumps(self.options.to_json(), indent=1).replace("\n", "\n ")
        about = json.dumps(self.about)
        scenario = f',\n "scenario": {json.dumps(self.scenario)}' if self.scenario else ""
        body = f' "about": {about},\n "options": {options},\n "faults": {faults}{scenario}'
        text = f"{{\n{body}\n}}\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
