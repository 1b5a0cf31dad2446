"""Several scores per row; their weighted mean is cut into tiers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray, IntArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.tasks.keywords import KeywordRule, bounded
from rarecall.trainables.tasks.protocol import Outputs, Target, Targets, Task, finite
from rarecall.trainables.tasks.tier_lines import SCORES, tier_lines

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
    keywords: bounds that words in a text set to its predicted scores, first to those of dimensions, then to the overall
    score, which the tier goes by.
    """

    label_space: LabelSpace
    weights: tuple[float, ...]
    range: tuple[float, float]
    cuts: tuple[float, ...]
    gatekeeper: Gatekeeper | None = None
    predicted_cuts: tuple[float, ...] = ()
    keywords: tuple[KeywordRule, ...] = ()
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
        return self._cut(scores, self.overall(scores), self.cuts[1:])

    def _cut(self, scores: FloatArray, overall: FloatArray, cuts: tuple[float, ...]) -> IntArray:
        tier = np.searchsorted(cuts, overall, side="right").astype(np.int64)
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
        true, values = _given(truth), finite(outputs)
        found = self._found(truth)
        columns = self._scores(values).T
        predicted = np.column_stack([bounded(column, found, self.keywords, i) for i, column in enumerate(columns)])
        overall = bounded(self._staged(self.overall(predicted), values), found, self.keywords)
        return Predictions(
            rows=truth.rows,
            true_class=truth.classes,
            predicted_class=self._cut(predicted, overall, self.cuts_in_force),
            true_scores=true,
            predicted_scores=predicted,
            true_overall=self.overall(true),
            predicted_overall=overall,
            slices=truth.slices,
        )

    def _scores(self, outputs: Outputs) -> FloatArray:
        """What the model alone says [n, dimensions]."""
        low, high = self.range
        return np.asarray(np.clip(low + np.asarray(outputs, dtype=np.float64) * (high - low), low, high))

    def _staged(self, overall: FloatArray, outputs: Outputs) -> FloatArray:
        """Overall scores [n] once every stage has had its say; here there is one."""
        return overall

    def _found(self, truth: Labelled) -> BoolArray:
        """Which keyword rules apply to each row [n, rules]."""
        if not self.keywords:
            return np.empty((len(truth.rows), 0), dtype=np.bool_)
        if truth.keywords is None:
            raise ValueError("a task with keywords needs what they find in each text [n, rules], got None")
        return truth.keywords

    @property
    def cuts_in_force(self) -> tuple[float, ...]:
        """Where predicted overall scores are cut [tiers - 1]."""
        return self.predicted_cuts or self.cuts[1:]

    @property
    def rule(self) -> tuple[float, ...]:
        return self.cuts_in_force

    def with_rule(self, rule: tuple[float, ...]) -> Self:
        return replace(self, predicted_cuts=rule)

    def rule_candidates(self, position: int, outputs: Outputs) -> Sequence[float]:
        """Overall scores of the rows that lie between the neighbouring cuts, in equal shares."""
        bounds = (self.range[0], *self.cuts_in_force, self.range[1])
        overall = self.overall(self._scores(outputs))
        below, above = bounds[position], bounds[position + 2]
        between = overall[(overall > below) & (overall < above)]
        return np.unique(np.quantile(between, np.linspace(0, 1, CANDIDATES))).tolist() if len(between) else ()

    def decision_rule(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "classes": list(self.label_space.classes),
            "dimensions": list(self.label_space.dimensions),
            "weights": list(self.weights),
            "range": list(self.range),
            "cuts": [self.range[0], *self.cuts_in_force],
            "overall_decimals": OVERALL_DECIMALS,
            "gatekeeper": self._named_gatekeeper(),
            "keywords": [self._named_keyword(rule) for rule in self.keywords],
        }

    def best_rule(self, outputs: Outputs, truth: Labelled) -> None:
        return None

    def stored_rule(self, stored: Mapping[str, Any]) -> tuple[float, ...]:
        """All cuts but the first, which is the lowest score, where nothing is decided."""
        return tuple(map(float, stored["cuts"][1:]))

    @property
    def head_shift(self) -> tuple[float, ...]:
        return ()

    def deciding_lines(self) -> str:
        return SCORES.format(outputs="outputs") + self._tier_lines()

    def _tier_lines(self, **parts: str) -> str:
        return tier_lines(keywords=bool(self.keywords), gatekeeper=self.gatekeeper is not None, **parts)

    def _named_keyword(self, rule: KeywordRule) -> dict[str, Any]:
        return {
            "pattern": rule.pattern,
            "dimension": None if rule.dimension is None else self.label_space.dimensions[rule.dimension],
            "at_least": rule.at_least if math.isfinite(rule.at_least) else None,
            "at_most": rule.at_most if math.isfinite(rule.at_most) else None,
        }

    def _named_gatekeeper(self) -> dict[str, Any] | None:
        if self.gatekeeper is None:
            return None
        return {
            "dimension": self.label_space.dimensions[self.gatekeeper.dimension],
            "cut": self.gatekeeper.cut,
            "max_tier": self.label_space.classes[self.gatekeeper.max_tier],
        }


def keyword_rules(task: Task) -> tuple[KeywordRule, ...]:
    """The keyword rules of a task, none for one without scores."""
    return task.keywords if isinstance(task, TieredScores) else ()


AnyTask = TypeVar("AnyTask", bound=Task)


def switched(task: AnyTask, keywords: bool) -> AnyTask:
    """The task as it is, or without its keyword rules."""
    return replace(task, keywords=()) if isinstance(task, TieredScores) and not keywords else task


def _given(truth: Labelled) -> FloatArray:
    if truth.scores is None:
        raise ValueError("a task with scores needs the true scores [n, dimensions], got None")
    return truth.scores
