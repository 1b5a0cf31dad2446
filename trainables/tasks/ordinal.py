"""One of several ascending grades per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.section import Name
from rarecall.trainables.tasks.multiclass import Names, class_prior, softmax
from rarecall.trainables.tasks.protocol import Outputs, Target, Targets, finite, logit, sigmoid
from rarecall.trainables.tasks.reading import OneClass, label_column
from rarecall.trainables.tasks.registry import register
from rarecall.trainables.tasks.section import TaskSection, different, known_minority

Link = Literal["corn", "cumulative", "softmax"]
THRESHOLDS = tuple(float(value) for value in np.round(np.arange(0.05, 0.951, 0.05), 2))

# Of the plain script in the model card: P(y > j) of each grade but the last, and the grade.
ABOVE_LINES = {
    "corn": "above = outputs.sigmoid().cumprod(dim=1)",
    "cumulative": """\
gaps = torch.nn.functional.softplus(outputs[:, 1:]).cumsum(dim=1)
above = torch.cat([outputs[:, :1], outputs[:, :1] - gaps], dim=1).sigmoid()""",
    "softmax": "above = outputs.softmax(dim=1).flip(1).cumsum(dim=1).flip(1)[:, 1:]",
}
LINES = """\
{above}
grades = (above > outputs.new_tensor(rule["thresholds"])).long().cumprod(dim=1).sum(dim=1)
labels = [rule["classes"][i] for i in grades]"""


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

    def best_rule(self, outputs: Outputs, truth: Labelled) -> None:
        return None

    def stored_rule(self, stored: Mapping[str, Any]) -> tuple[float, ...]:
        return tuple(map(float, stored.get("thresholds") or ()))

    @property
    def head_shift(self) -> tuple[float, ...]:
        return ()

    def deciding_lines(self) -> str:
        return LINES.format(above=ABOVE_LINES[self.link])


def _above(probabilities: FloatArray) -> FloatArray:
    """P(y > j) [n, grades - 1]."""
    return np.asarray(probabilities[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:])


def _cumulative_logits(outputs: FloatArray) -> FloatArray:
    """logit P(y > j) [n, grades - 1]."""
    gaps = np.logaddexp(0.0, outputs[:, 1:])
    return np.asarray(outputs[:, :1] - np.pad(gaps.cumsum(axis=1), ((0, 0), (1, 0))))


@register("ordinal")
class OrdinalConfig(TaskSection):
    """One of several grades per row, which ascend in the order of `classes`. `link`: how outputs make a grade."""

    kind: Literal["ordinal"]
    classes: Names
    link: Link = "corn"
    minority: tuple[Name, ...] | None = Field(None, description="default: every grade but the largest")

    @model_validator(mode="after")
    def _consistent(self) -> OrdinalConfig:
        different(self.classes, "classes")
        known_minority(self.minority, self.classes)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return self.classes

    def task(self, classes: tuple[str, ...]) -> Ordinal:
        return Ordinal(LabelSpace(self.classes, self.minority or (), ordered=True), self.link)

    def reading(self, label: str | None, separator: str) -> OneClass:
        return OneClass(label_column(label, self.kind))
