"""One class per row; binary is two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.tasks.protocol import LEAST_SHARE, Outputs, Target, Targets, finite
from rarecall.trainables.tasks.registry import register

if TYPE_CHECKING:
    from rarecall.trainables.tasks.config import MulticlassConfig

# Added to the logit of a class; 4 makes it 55 times as likely.
OFFSETS = tuple(float(value) for value in np.arange(-4, 4.01, 0.25))


@dataclass(frozen=True)
class Multiclass:
    """One class per row; outputs are logits [n, classes]. offsets: what is added to the logits before the highest wins.

    Offsets are the post-hoc logit adjustment of Menon et al. 2021, arXiv 2007.07314, equation 9, chosen on data.
    """

    label_space: LabelSpace
    offsets: tuple[float, ...] = ()
    kind: str = "multiclass"
    target: Target = "classes"

    @property
    def output_names(self) -> tuple[str, ...]:
        return self.label_space.classes

    def with_minority(self, minority: tuple[str, ...]) -> Self:
        return replace(self, label_space=replace(self.label_space, minority=minority))

    def targets(self, truth: Labelled) -> Targets:
        return np.asarray(truth.classes, dtype=np.int64)

    def prior(self, truth: Labelled, mass: FloatArray, label_weights: FloatArray) -> FloatArray:
        return class_prior(truth, mass, len(self.label_space.classes))

    def predictions(self, outputs: Outputs, truth: Labelled) -> Predictions:
        return Predictions(
            rows=truth.rows,
            true_class=truth.classes,
            predicted_class=(np.asarray(outputs) + np.asarray(self.rule)).argmax(axis=1).astype(np.int64),
            probabilities=softmax(finite(outputs)),
            slices=truth.slices,
        )

    @property
    def rule(self) -> tuple[float, ...]:
        return self.offsets or (0.0,) * len(self.label_space.classes)

    def with_rule(self, rule: tuple[float, ...]) -> Self:
        return replace(self, offsets=rule)

    def rule_candidates(self, position: int, outputs: Outputs) -> Sequence[float]:
        # Only differences count, and there may be many classes: the others stay where they are.
        return OFFSETS if self.label_space.classes[position] in self.label_space.minority else ()

    def decision_rule(self) -> dict[str, Any]:
        return {"kind": self.kind, "classes": list(self.label_space.classes), "offsets": list(self.rule)}


def class_prior(truth: Labelled, mass: FloatArray, classes: int) -> FloatArray:
    """Logarithm of each class's share [classes] in the mass of an epoch."""
    share = np.bincount(truth.classes, mass, minlength=classes) / mass.sum()
    return np.asarray(np.log(np.maximum(share, LEAST_SHARE)))


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities [n, classes] of logits [n, classes]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: FloatArray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


@register("multiclass")
def _multiclass(config: MulticlassConfig, classes: tuple[str, ...]) -> Multiclass:
    return Multiclass(LabelSpace(config.classes or classes, config.minority or ()))
