"""Scores and tiers in two stages: is a row of the rare tier, and if not, what are its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.tasks.protocol import Outputs, Target, Targets, logit, sigmoid
from rarecall.trainables.tasks.tier_lines import SCORES, TWO_STAGE
from rarecall.trainables.tasks.tiered_scores import CANDIDATES, TieredScores


@dataclass(frozen=True)
class TwoStageScores(TieredScores):
    """Outputs are [n, 1 + dimensions]: the logit of being rare, then the scores, scaled to 0–1, of rows that are not.

    The scores of the dimensions are those of stage 2, which never learns from a rare row. A row that stage 1 names rare
    gets the middle of the rare tier for its overall score, unless its own lies in that tier already. Keywords, cuts and
    the gatekeeper then act as on any other row; one that stage 1 does not name rare may still get there by its scores.

    rare: index of the rare tier, the lowest or the highest. threshold: probability from which a row is named rare; in
    the rule it stands behind the cuts.
    """

    rare: int = 0
    threshold: float = 0.5
    target: Target = "two_stage"

    @property
    def output_names(self) -> tuple[str, ...]:
        return (f"is {self.label_space.classes[self.rare]}", *self.label_space.dimensions)

    def targets(self, truth: Labelled) -> Targets:
        scores = super().targets(truth)
        return np.column_stack([truth.classes == self.rare, scores]).astype(np.float32)

    def prior(self, truth: Labelled, mass: FloatArray, label_weights: FloatArray) -> FloatArray:
        targets = self.targets(truth)
        rest = mass * (targets[:, 0] == 0)
        rare_logit = logit(np.asarray(mass @ targets[:, :1] / mass.sum()))
        return np.concatenate([rare_logit, rest @ targets[:, 1:] / max(rest.sum(), 1e-9)])

    def _scores(self, outputs: Outputs) -> FloatArray:
        return super()._scores(outputs[:, 1:])

    def _staged(self, overall: FloatArray, outputs: Outputs) -> FloatArray:
        low, high = self.range
        cut, end = (self.cuts_in_force[-1], high) if self.rare else (self.cuts_in_force[0], low)
        outside = overall < cut if self.rare else overall >= cut
        named = _probability(outputs) >= self.threshold
        return np.where(named & outside, (cut + end) / 2, overall)

    @property
    def rule(self) -> tuple[float, ...]:
        return (*self.cuts_in_force, self.threshold)

    def with_rule(self, rule: tuple[float, ...]) -> Self:
        return replace(self, predicted_cuts=rule[:-1], threshold=rule[-1])

    def rule_candidates(self, position: int, outputs: Outputs) -> Sequence[float]:
        if position < len(self.cuts_in_force):
            return super().rule_candidates(position, outputs)
        # Few rows are rare, so the shares of rows above the threshold ascend by equal factors, from one row to a half.
        shares = np.geomspace(1 / max(len(outputs), 2), 0.5, CANDIDATES)
        candidates: list[float] = np.unique(np.quantile(_probability(outputs), 1 - shares)).tolist()
        return candidates

    def decision_rule(self) -> dict[str, Any]:
        stage = {"rare": self.label_space.classes[self.rare], "threshold": self.threshold}
        return {**super().decision_rule(), "two_stage": stage}

    def stored_rule(self, stored: Mapping[str, Any]) -> tuple[float, ...]:
        return (*super().stored_rule(stored), float(stored["two_stage"]["threshold"]))

    def deciding_lines(self) -> str:
        return SCORES.format(outputs="outputs[:, 1:]") + self._tier_lines(stage=TWO_STAGE)


def _probability(outputs: Outputs) -> FloatArray:
    """Of being rare, by stage 1 [n]."""
    return sigmoid(outputs[:, 0].astype(np.float64))
