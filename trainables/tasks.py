"""What is predicted: how labels become targets for the loss, and model outputs become predictions.

A task is one frozen dataclass with `@register(kind)` beside it. Tasks hold plain values, so they pickle, and know
numpy only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from analysis.predictions import CatastrophicRule, FloatArray, IntArray, LabelSpace, Predictions

if TYPE_CHECKING:
    from trainables.config import MulticlassConfig, TaskConfig, TieredScoresConfig

Target = Literal["classes", "scores"]
Targets = NDArray[np.int64] | NDArray[np.float32]
Outputs = NDArray[np.floating[Any]]

# A row whose scores are all 6.0 must reach the cut 6.0, whatever its weights do to the last bit of the mean.
OVERALL_DECIMALS = 9


class Task(Protocol):
    """What the loop, the metrics and the export ask of a task."""

    @property
    def kind(self) -> str:
        """Name in the experiment file."""

    @property
    def label_space(self) -> LabelSpace:
        """Classes, minority, dimensions."""

    @property
    def outputs(self) -> int:
        """Number of model outputs per row."""

    @property
    def target(self) -> Target:
        """Which losses fit."""

    def with_minority(self, minority: tuple[str, ...]) -> Self:
        """The same task with these minority classes."""

    def targets(self, classes: IntArray, scores: FloatArray | None) -> Targets:
        """Targets for the loss: classes int64 [n], or scores float32 [n, dimensions] scaled to 0–1."""

    def predictions(
        self, outputs: Outputs, rows: IntArray, classes: IntArray, scores: FloatArray | None
    ) -> Predictions:
        """Predictions of n rows from raw model outputs [n, outputs]; FloatingPointError where one is not finite."""

    def decision_rule(self) -> dict[str, Any]:
        """All that is needed to turn raw outputs into labels without rarecall, as plain JSON values."""


Builder = Callable[[Any, tuple[str, ...]], Task]
_builders: dict[str, Builder] = {}


def register(kind: str) -> Callable[[Builder], Builder]:
    """Make `build_task` call the decorated builder (config section, classes) for this `kind`.

    Raises ValueError for a kind that is taken.
    """

    def add(builder: Builder) -> Builder:
        if kind in _builders:
            raise ValueError(f"task kind {kind!r} is registered already")
        _builders[kind] = builder
        return builder

    return add


def build_task(config: TaskConfig, classes: tuple[str, ...]) -> Task:
    """The task of a config section; `classes` are those found in the data, used where the section names none.

    The minority is what the section names and empty where it names none: `with_minority` sets it once the training
    split has been counted.
    """
    return _builders[config.kind](config, classes)


def default_minority(classes: tuple[str, ...], counts: IntArray) -> tuple[str, ...]:
    """Every class but the largest; the first of equally large ones counts as the largest. counts: [classes].

    >>> default_minority(("vaporware", "pilot", "deployed"), np.array([1519, 202, 26]))
    ('pilot', 'deployed')
    """
    largest = int(np.argmax(counts))
    return tuple(name for i, name in enumerate(classes) if i != largest)


@dataclass(frozen=True)
class Multiclass:
    """One class per row; outputs are logits [n, classes]."""

    label_space: LabelSpace
    kind: str = "multiclass"
    target: Target = "classes"

    @property
    def outputs(self) -> int:
        return len(self.label_space.classes)

    def with_minority(self, minority: tuple[str, ...]) -> Self:
        return replace(self, label_space=replace(self.label_space, minority=minority))

    def targets(self, classes: IntArray, scores: FloatArray | None) -> Targets:
        return np.asarray(classes, dtype=np.int64)

    def predictions(
        self, outputs: Outputs, rows: IntArray, classes: IntArray, scores: FloatArray | None
    ) -> Predictions:
        logits = _finite(outputs)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return Predictions(
            rows=rows,
            true_class=classes,
            predicted_class=logits.argmax(axis=1).astype(np.int64),
            probabilities=powers / powers.sum(axis=1, keepdims=True),
        )

    def decision_rule(self) -> dict[str, Any]:
        return {"kind": self.kind, "classes": list(self.label_space.classes)}


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
    """

    label_space: LabelSpace
    weights: tuple[float, ...]
    range: tuple[float, float]
    cuts: tuple[float, ...]
    gatekeeper: Gatekeeper | None = None
    kind: str = "tiered_scores"
    target: Target = "scores"

    @property
    def outputs(self) -> int:
        return len(self.label_space.dimensions)

    def with_minority(self, minority: tuple[str, ...]) -> Self:
        return replace(self, label_space=replace(self.label_space, minority=minority))

    def overall(self, scores: FloatArray) -> FloatArray:
        """Weighted mean [n] of scores [n, dimensions]."""
        weights = np.asarray(self.weights)
        mean: FloatArray = np.round(scores @ weights / weights.sum(), OVERALL_DECIMALS)
        return mean

    def tiers(self, scores: FloatArray) -> IntArray:
        """Tier [n] of scores [n, dimensions]: the highest whose lower bound the overall score reaches."""
        tier = np.searchsorted(self.cuts, self.overall(scores), side="right").astype(np.int64) - 1
        tier = np.maximum(tier, 0)
        if self.gatekeeper is None:
            return tier
        closed = scores[:, self.gatekeeper.dimension] < self.gatekeeper.cut
        return np.where(closed, np.minimum(tier, self.gatekeeper.max_tier), tier)

    def targets(self, classes: IntArray, scores: FloatArray | None) -> Targets:
        low, high = self.range
        return ((_given(scores) - low) / (high - low)).astype(np.float32)

    def predictions(
        self, outputs: Outputs, rows: IntArray, classes: IntArray, scores: FloatArray | None
    ) -> Predictions:
        low, high = self.range
        true = _given(scores)
        predicted = np.clip(low + _finite(outputs) * (high - low), low, high)
        return Predictions(
            rows=rows,
            true_class=classes,
            predicted_class=self.tiers(predicted),
            true_scores=true,
            predicted_scores=predicted,
            true_overall=self.overall(true),
            predicted_overall=self.overall(predicted),
        )

    def decision_rule(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "classes": list(self.label_space.classes),
            "dimensions": list(self.label_space.dimensions),
            "weights": list(self.weights),
            "range": list(self.range),
            "cuts": list(self.cuts),
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


@register("multiclass")
def _multiclass(config: MulticlassConfig, classes: tuple[str, ...]) -> Task:
    return Multiclass(LabelSpace(config.classes or classes, config.minority or ()))


@register("tiered_scores")
def _tiered_scores(config: TieredScoresConfig, classes: tuple[str, ...]) -> Task:
    names = tuple(config.dimensions)
    tiers = tuple(config.tiers)
    gate = config.gatekeeper
    rule = config.catastrophic
    return TieredScores(
        label_space=LabelSpace(
            classes=tiers,
            minority=config.minority or (),
            dimensions=names,
            catastrophic=None if rule is None else CatastrophicRule(rule.true_below, rule.predicted_above),
        ),
        weights=tuple(dimension.weight for dimension in config.dimensions.values()),
        range=config.range,
        cuts=tuple(config.tiers.values()),
        gatekeeper=None
        if gate is None
        else Gatekeeper(names.index(gate.dimension), gate.cut, tiers.index(gate.max_tier)),
    )


def _given(scores: FloatArray | None) -> FloatArray:
    if scores is None:
        raise ValueError("a task with scores needs the true scores [n, dimensions], got None")
    return scores


def _finite(outputs: Outputs) -> FloatArray:
    values = np.asarray(outputs, dtype=np.float64)
    bad = int((~np.isfinite(values).all(axis=1)).sum())
    if bad:
        raise FloatingPointError(
            f"model outputs must be finite numbers, got NaN or infinity in {bad} of {len(values)} rows: the training "
            "diverged (a lower training.learning_rate or training.clip_norm helps)"
        )
    return values
