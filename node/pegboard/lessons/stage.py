"""A lesson on a running network: its steps as signed transactions, on a BitAsset of its own.

Blocks come by themselves there, also while the learner thinks. Where the block itself is what is
asked about, the last thing before it is therefore done only after the guess.
"""

from __future__ import annotations

from decimal import Decimal

from node.presets import WITNESSES
from pegboard.expectations import measure
from pegboard.ledger import AssetFacts
from pegboard.lessons.structure import Lesson, LessonStep
from pegboard.player import run_steps
from pegboard.steps import AnyStep, BlockStep, TravelStep
from pegboard.vocabulary import Market

SETTLEMENT_DELAY = "60s"
"""As in the lesson's own chain."""


class Stage:
    """Plays a lesson on the market of a network."""

    def __init__(self, market: Market, lesson: Lesson, bitasset: AssetFacts) -> None:
        """Makes the BitAsset, priced by as many witnesses as the lesson has, and plays the set-up.

        Raises `StepFailed`, and the refusals of the chain: `NoSuchObject` for one without the
        faucet or the witnesses of a preset.
        """
        self._market = market
        self._spark: list[AnyStep] = []
        """What waits for the guess."""
        self.display = market.bitasset(
            bitasset.symbol,
            precision=bitasset.precision,
            settlement_delay=SETTLEMENT_DELAY,
            producers=WITNESSES[: lesson.witnesses],
        )
        run_steps(lesson.setup, market)

    def prepare(self, step: LessonStep) -> None:
        """Play what comes before the question, but for what would tell the answer."""
        waits = all(isinstance(one, BlockStep | TravelStep) for one in step.play)
        last = len(step.before) - bool(step.play and waits)
        run_steps(step.before[:last], self._market)
        self._spark = list(step.before[last:])

    def answer(self, step: LessonStep) -> Decimal:
        """Play what is asked about; how much the answer's quantity is, or has changed by."""
        path, lasts = step.answer.path, any(isinstance(one, TravelStep) for one in step.play)
        before = measure(self._market, path)
        run_steps(self._spark, self._market)
        if lasts:
            before = measure(self._market, path)
        run_steps(step.play, self._market)
        return step.answer.number(before, measure(self._market, path))
