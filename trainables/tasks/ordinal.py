"""One of several ascending grades per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.tasks.multiclass import class_prior, softmax
from rarecall.trainables.tasks.protocol import Outputs, Target, Targets, finite, logit, sigmoid
from rarecall.trainables.tasks.registry import register

if TYPE_CHECKING:
    from rarecall.trainables.tasks.config import OrdinalConfig

Link = Literal["corn", "cumulative", "softmax"]
THRESHOLDS = tuple(float(value) for value in np.round(np.arange(0.05, 0.951, 0.05), 2))


@dataclass(frozen=True)
class Ordinal:
    """A grade per row. link says what the outputs are; the probabilities of the grades follow from it.

    corn: [n, grades - 1] logits of P(y > j | y ≥ j) (Shi, Cao and Raschka 2021, arXiv 2111.08851).
    cumulative: [n, grades - 1], logit P(y > 0) = o_0 and logit P(y > j) = o_0 - Σ_{i=1..j} softplus(o_i), a cumulative
    link model (McCullagh 1980) whose thresholds ascend whatever the model says and may differ between rows.
    softmax: [n, grades] logits, as if the grades had no order.
    thresholds: [grades - 1]; a row reaches grade j + 1 where P(y > j) is above the threshold at j and it reached the
    grade before. With one half for each, the predicted grade is the median.
    """

    label_space: LabelSpace
    link: Link = "corn"
    thresholds: tuple[float, ...] = ()
    kind: str = "ordinal"

    @property
    def target(self) -> Target:
        return "classes" if self.link == "softmax" else self.link

    @property
    def output_names(self) -> tuple[str, ...]:
        grades = self.label_space.classes
        return grades if self.link == "softmax" else tuple(f"above {grade}" for grade in grades[:-1])

    def with_minority(self, minority: tuple[str, ...]) -> Self:
        return replace(self, label_space=replace(self.label_space, minority=minority))

    def targets(self, truth: Labelled) -> Targets:
        return np.asarray(truth.classes, dtype=np.int64)

    def prior(self, truth: Labelled, mass: FloatArray, label_weights: FloatArray) -> FloatArray:
        log_share = class_prior(truth, mass, len(self.label_space.classes))
        if self.link == "softmax":
            return log_share
        at_least = np.cumsum(np.exp(log_share)[::-1])[::-1]
        if self.link == "corn":
            return logit(at_least[1:] / at_least[:-1])
        above = logit(at_least[1:] / at_least[0])
        # The inverse of softplus; thresholds that coincide are set a hair apart.
        gaps = np.maximum(-np.diff(above), 1e-3)
        return np.concatenate([above[:1], np.log(np.expm1(gaps))])

    def predictions(self, outputs: Outputs, truth: Labelled) -> Predictions:
        probabilities = self.probabilities(finite(outputs))
        reached = np.cumprod(_above(probabilities) > np.asarray(self.rule), axis=1)
        return Predictions(
            rows=truth.rows,
            true_class=truth.classes,
            predicted_class=reached.sum(axis=1).astype(np.int64),
            probabilities=probabilities,
            slices=truth.slices,
        )

    def probabilities(self, outputs: FloatArray) -> FloatArray:
        """Probability of each grade [n, grades]."""
        if self.link == "softmax":
            return softmax(outputs)
        above = np.cumprod(sigmoid(outputs), axis=1) if self.link == "corn" else sigmoid(_cumulative_logits(outputs))
        bounded = np.pad(above, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
        return np.asarray(-np.diff(bounded, axis=1))

    @property
    def rule(self) -> tuple[float, ...]:
        return self.thresholds or (0.5,) * (len(self.label_space.classes) - 1)

    def with_rule(self, rule: tuple[float, ...]) -> Self:
        return replace(self, thresholds=rule)

    def rule_candidates(self, position: int, outputs: Outputs) -> Sequence[float]:
        return THRESHOLDS

    def decision_rule(self) -> dict[str, Any]:
        classes = list(self.label_space.classes)
        return {"kind": self.kind, "classes": classes, "link": self.link, "thresholds": list(self.rule)}


def _above(probabilities: FloatArray) -> FloatArray:
    """P(y > j) [n, grades - 1]."""
    return np.asarray(probabilities[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:])


def _cumulative_logits(outputs: FloatArray) -> FloatArray:
    """logit P(y > j) [n, grades - 1]."""
    gaps = np.logaddexp(0.0, outputs[:, 1:])
    return np.asarray(outputs[:, :1] - np.pad(gaps.cumsum(axis=1), ((0, 0), (1, 0))))


@register("ordinal")
def _ordinal(config: OrdinalConfig, classes: tuple[str, ...]) -> Ordinal:
    return Ordinal(LabelSpace(config.classes, config.minority or (), ordered=True), config.link)
