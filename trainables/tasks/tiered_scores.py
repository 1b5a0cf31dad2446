"""Several scores per row; their weighted mean is cut into tiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from analysis.predictions import CatastrophicRule, FloatArray, IntArray, LabelSpace, Predictions
from trainables.examples import Labelled
from trainables.tasks.protocol import Outputs, Target, Targets, finite
from trainables.tasks.registry import register

if TYPE_CHECKING:
    from trainables.task_config import TieredScoresConfig

# A row whose scores are all 6.0 must reach the cut 6.0, whatever its weights do to the last bit of the mean.
OVERALL_DECIMALS = 9
CANDIDATES = 20


@dataclass(frozen=True)
class Gatekeeper:
    """Where the score of `dimension` is below `cut`, the tier is at most `max_tier`; both are indices."""

    dimension: int
    cut: float
    max_tier: int


@dataclass(frozen=True)
class TieredScores:
    """Scores whose weighted mean is cut into tiers; outputs are scores [n, dimensions] scaled to 0–1.

    weights: one per dimension, at least one above 0. range: lowest and highest score. cuts: lower bound of each tier.
    predicted_cuts: [tiers - 1] where predicted scores are cut instead, above the lowest tier; empty for the same cuts.
    """

    label_space: LabelSpace
    weights: tuple[float, ...]
    range: tuple[float, float]
    cuts: tuple[float, ...]
    gatekeeper: Gatekeeper | None = None
    predicted_cuts: tuple[float, ...] = ()
    kind: str = "tiered_scores"
    target: Target = "scores"

    @property
    def output_names(self) -> tuple[str, ...]:
        return self.label_space.dimensions

    def with_minority(self, minority: tuple[str, ...]) -> Self:
        return replace(self, label_space=replace(self.label_space, minority=minority))

    def overall(self, scores: FloatArray) -> FloatArray:
        """Weighted mean [n] of scores [n, dimensions]."""
        weights = np.asarray(self.weights)
        mean: FloatArray = np.round(scores @ weights / weights.sum(), OVERALL_DECIMALS)
        return mean

    def tiers(self, scores: FloatArray) -> IntArray:
        """Tier [n] of scores [n, dimensions]: the highest whose lower bound the overall score reaches."""
        return self._cut(scores, self.cuts[1:])

    def _cut(self, scores: FloatArray, cuts: tuple[float, ...]) -> IntArray:
        tier = np.searchsorted(cuts, self.overall(scores), side="right").astype(np.int64)
        if self.gatekeeper is None:
            return tier
        closed = scores[:, self.gatekeeper.dimension] < self.gatekeeper.cut
        return np.where(closed, np.minimum(tier, self.gatekeeper.max_tier), tier)

    def targets(self, truth: Labelled) -> Targets:
        low, high = self.range
        return ((_given(truth) - low) / (high - low)).astype(np.float32)

    def prior(self, truth: Labelled, mass: FloatArray, label_weights: FloatArray) -> FloatArray:
        return np.asarray(mass @ self.targets(truth) / mass.sum())

    def predictions(self, outputs: Outputs, truth: Labelled) -> Predictions:
        low, high = self.range
        true = _given(truth)
        predicted = np.clip(low + finite(outputs) * (high - low), low, high)
        return Predictions(
            rows=truth.rows,
            true_class=truth.classes,
            predicted_class=self._cut(predicted, self.rule),
            true_scores=true,
            predicted_scores=predicted,
            true_overall=self.overall(true),
            predicted_overall=self.overall(predicted),
            slices=truth.slices,
        )

    @property
    def rule(self) -> tuple[float, ...]:
        return self.predicted_cuts or self.cuts[1:]

    def with_rule(self, rule: tuple[float, ...]) -> Self:
        return replace(self, predicted_cuts=rule)

    def rule_candidates(self, position: int, outputs: Outputs) -> Sequence[float]:
        """Overall scores of the rows that lie between the neighbouring cuts, in equal shares."""
        low, high = self.range
        overall = self.overall(np.clip(low + outputs * (high - low), low, high))
        below = self.rule[position - 1] if position else low
        above = self.rule[position + 1] if position + 1 < len(self.rule) else high
        between = overall[(overall > below) & (overall < above)]
        return np.unique(np.quantile(between, np.linspace(0, 1, CANDIDATES))).tolist() if len(between) else ()

    def decision_rule(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "classes": list(self.label_space.classes),
            "dimensions": list(self.label_space.dimensions),
            "weights": list(self.weights),
            "range": list(self.range),
            "cuts": [self.range[0], *self.rule],
            "overall_decimals": OVERALL_DECIMALS,
            "gatekeeper": self._named_gatekeeper(),
        }

    def _named_gatekeeper(self) -> dict[str, Any] | None:
        if self.gatekeeper is None:
            return None
        return {
            "dimension": self.label_space.dimensions[self.gatekeeper.dimension],
            "cut": self.gatekeeper.cut,
            "max_tier": self.label_space.classes[self.gatekeeper.max_tier],
        }


@register("tiered_scores")
def _tiered_scores(config: TieredScoresConfig, classes: tuple[str, ...]) -> TieredScores:
    names = tuple(config.dimensions)
    tiers = tuple(config.tiers)
    gate = config.gatekeeper
    rule = config.catastrophic
    return TieredScores(
        label_space=LabelSpace(
            classes=tiers,
            minority=config.minority or (),
            dimensions=names,
            ordered=True,
            catastrophic=None if rule is None else CatastrophicRule(rule.true_below, rule.predicted_above),
        ),
        weights=tuple(dimension.weight for dimension in config.dimensions.values()),
        range=config.range,
        cuts=tuple(config.tiers.values()),
        gatekeeper=None
        if gate is None
        else Gatekeeper(names.index(gate.dimension), gate.cut, tiers.index(gate.max_tier)),
    )


def _given(truth: Labelled) -> FloatArray:
    if truth.scores is None:
        raise ValueError("a task with scores needs the true scores [n, dimensions], got None")
    return truth.scores
