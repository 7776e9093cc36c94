"""Where the parts of a node core put what they want done; the core hands it to the shell."""

from __future__ import annotations

from node.core.effects import Effect, Report


class EffectList:
    """Effects, in the order in which they are to be carried out."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []

    def __len__(self) -> int:
        return len(self._effects)

    def add(self, *effects: Effect) -> None:
        """After all that is here."""
        self._effects += effects

    def insert(self, place: int, *effects: Effect) -> None:
        """Before what was added since there were `place` effects here."""
        self._effects[place:place] = effects

    def report(self, name: str, **fields: str | int) -> None:
        """One more line of the log."""
        self.add(Report(name, fields))

    def take(self) -> list[Effect]:
        """All that is here, which leaves."""
        effects, self._effects = self._effects, []
        return effects
