"""One class per row; binary is two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.section import Name
from rarecall.trainables.tasks.protocol import LEAST_SHARE, Outputs, Target, Targets, finite
from rarecall.trainables.tasks.reading import OneClass, label_column
from rarecall.trainables.tasks.registry import register
from rarecall.trainables.tasks.section import TaskSection, different, known_minority

Names = Annotated[tuple[Name, ...], Field(min_length=2)]

# Added to the logit of a class; 4 makes it 55 times as likely.
OFFSETS = tuple(float(value) for value in np.arange(-4, 4.01, 0.25))

# Of the plain script in the model card.
LINES = """\
labels = [rule["classes"][i] for i in (outputs + outputs.new_tensor(rule["offsets"])).argmax(dim=1)]"""


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

    def best_rule(self, outputs: Outputs, truth: Labelled) -> None:
        return None

    def stored_rule(self, stored: Mapping[str, Any]) -> tuple[float, ...]:
        return tuple(map(float, stored.get("offsets") or ()))

    @property
    def head_shift(self) -> tuple[float, ...]:
        return self.offsets

    def deciding_lines(self) -> str:
        return LINES


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
class MulticlassConfig(TaskSection):
    """One class per row. `classes` defaults to the values found in the training data, sorted."""

    kind: Literal["multiclass"]
    classes: Names | None = None
    minority: tuple[Name, ...] | None = Field(None, description="default: every class but the largest")

    @model_validator(mode="after")
    def _consistent(self) -> MulticlassConfig:
        if self.classes is not None:
            different(self.classes, "classes")
            known_minority(self.minority, self.classes)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return self.classes or ()

    def with_names(self, classes: tuple[str, ...]) -> Self:
        return self.model_copy(update={"classes": classes})

    def task(self, classes: tuple[str, ...]) -> Multiclass:
        return Multiclass(LabelSpace(self.classes or classes, self.minority or ()))

    def reading(self, label: str | None, separator: str) -> OneClass:
        return OneClass(label_column(label, self.kind))
