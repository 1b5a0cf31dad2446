"""Several labels per row, or none, with rules on which of them go together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.errors import Fault
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.data.reading.cells import listed
from rarecall.trainables.section import Name
from rarecall.trainables.tasks.multiclass import Names
from rarecall.trainables.tasks.protocol import Outputs, Target, Targets, finite, logit, sigmoid
from rarecall.trainables.tasks.reading import Flags, LabelReading, ListedLabels, label_column
from rarecall.trainables.tasks.registry import register
from rarecall.trainables.tasks.section import TaskSection, different, known_minority

Pairs = tuple[tuple[int, int], ...]

CANDIDATES = 20
LEAST_ROWS_OF_A_LABEL = 3
# Of the plain script in the model card.
LINES = """\
given = outputs.sigmoid() > outputs.new_tensor(rule["thresholds"])
{implied}labels = [[name for name, there in zip(rule["classes"], row) if there] for row in given]"""
IMPLIED_LINES = """\
alone = given.clone()
for label, implied in rule["implications"]:
    given[:, implied] |= alone[:, label]
"""


@dataclass(frozen=True)
class Multilabel:
    """Labels that are each there or not; outputs are logits [n, labels].

    thresholds: [labels] probability above which a label is given, one half for each where there are none.
    enforce_implications: whether a label that is given brings what it implies along.
    """

    label_space: LabelSpace
    thresholds: tuple[float, ...] = ()
    enforce_implications: bool = False
    kind: str = "multilabel"
    target: Target = "labels"

    @property
    def output_names(self) -> tuple[str, ...]:
        return self.label_space.classes

    def with_minority(self, minority: tuple[str, ...]) -> Self:
        return replace(self, label_space=replace(self.label_space, minority=minority))

    def targets(self, truth: Labelled) -> Targets:
        return _given(truth).astype(np.float32)

    def prior(self, truth: Labelled, mass: FloatArray, label_weights: FloatArray) -> FloatArray:
        present = mass @ _given(truth) * label_weights
        absent = mass @ ~_given(truth)
        return logit(present / (present + absent))

    def predictions(self, outputs: Outputs, truth: Labelled) -> Predictions:
        probabilities = sigmoid(finite(outputs))
        return Predictions(
            rows=truth.rows,
            probabilities=probabilities,
            true_labels=_given(truth),
            predicted_labels=self._with_implied(probabilities > np.asarray(self.rule)),
            slices=truth.slices,
        )

    @property
    def rule(self) -> tuple[float, ...]:
        return self.thresholds or (0.5,) * len(self.label_space.classes)

    def with_rule(self, rule: tuple[float, ...]) -> Self:
        return replace(self, thresholds=rule)

    def rule_candidates(self, position: int, outputs: Outputs) -> Sequence[float]:
        """Probabilities of the rows, in equal shares."""
        quantiles = np.quantile(outputs[:, position].astype(np.float64), np.linspace(0, 1, CANDIDATES))
        return tuple(float(value) for value in sigmoid(np.unique(quantiles)))

    def decision_rule(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "classes": list(self.label_space.classes),
            "thresholds": list(self.rule),
            "implications": [list(pair) for pair in self._enforced()],
        }

    def best_rule(self, outputs: Outputs, truth: Labelled) -> tuple[float, ...]:
        """The threshold with the highest F1 of each label (Lipton et al. 2014, arXiv 1402.1892)."""
        return f1_thresholds(sigmoid(finite(outputs)), _given(truth))

    def stored_rule(self, stored: Mapping[str, Any]) -> tuple[float, ...]:
        return tuple(map(float, stored.get("thresholds") or ()))

    @property
    def head_shift(self) -> tuple[float, ...]:
        """Minus the logits of the thresholds; what labels imply is left to who reads them."""
        return tuple((-logit(np.asarray(self.rule))).tolist())

    def deciding_lines(self) -> str:
        return LINES.format(implied=IMPLIED_LINES if self.enforce_implications else "")

    def _enforced(self) -> tuple[tuple[int, int], ...]:
        """Indices of a label and one that is given with it, chains followed to their end."""
        space = self.label_space
        return transitive(space.index(space.implications)) if self.enforce_implications else ()

    def _with_implied(self, given: BoolArray) -> BoolArray:
        closed = given.copy()
        for label, implied in self._enforced():
            closed[:, implied] |= given[:, label]
        return closed


def transitive(pairs: Pairs) -> Pairs:
    """All that the pairs imply together, sorted.

    >>> transitive(((0, 1), (1, 2)))
    ((0, 1), (0, 2), (1, 2))
    """
    known = set(pairs)
    while more := {(one, last) for one, middle in known for begin, last in known if middle == begin} - known:
        known |= more
    return tuple(sorted(pair for pair in known if pair[0] != pair[1]))


def _given(truth: Labelled) -> BoolArray:
    if truth.labels is None:
        raise ValueError("a task with several labels per row needs the true labels [n, labels], got None")
    return truth.labels


def f1_thresholds(probabilities: FloatArray, truth: BoolArray) -> tuple[float, ...]:
    """The threshold of each label [labels] above which naming it gives the highest F1; 0.5 for labels of hardly a row.

    probabilities, truth: [n, labels]. Halfway between the probabilities of two rows.

    >>> f1_thresholds(np.array([[0.75], [0.5], [0.5], [0.25], [0.125]]), np.array([[1], [1], [1], [0], [0]]) > 0)
    (0.375,)
    """
    return tuple(_f1_threshold(column, truth[:, i]) for i, column in enumerate(probabilities.T))


def _f1_threshold(probability: FloatArray, truth: BoolArray) -> float:
    if truth.sum() < LEAST_ROWS_OF_A_LABEL:
        return 0.5
    order = np.argsort(-probability, kind="stable")
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + truth.sum())
    ranked = probability[order]
    # A cut between two equal probabilities cannot be made.
    f1[:-1][ranked[:-1] == ranked[1:]] = -1
    last = int(f1.argmax())
    below = ranked[last + 1] if last + 1 < len(ranked) else 0.0
    return float((ranked[last] + below) / 2)


@register("multilabel")
class MultilabelConfig(TaskSection):
    """Any number of labels per row. `labels` defaults to those found in the training data, sorted.

    groups: names for sets of labels, such as `primary` and `secondary`, that get an F1 of their own. implies: what else
    is true of a row with a label, such as the primary label of a secondary one. excludes: pairs that never go together.
    enforce_implications: whether a label that is predicted brings what it implies along.
    """

    finds_marks: ClassVar[bool] = True

    kind: Literal["multilabel"]
    labels: Names | None = None
    minority: tuple[Name, ...] | None = Field(None, description="default: every label but the largest")
    groups: dict[str, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(default_factory=dict)
    implies: dict[Name, tuple[Name, ...]] = Field(default_factory=dict)
    excludes: tuple[tuple[Name, Name], ...] = ()
    enforce_implications: bool = False

    @field_validator("implies", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            label: (implied,) if isinstance(implied, str | int | float) else implied for label, implied in value.items()
        }

    @model_validator(mode="after")
    def _consistent(self) -> MultilabelConfig:
        if self.labels is not None:
            different(self.labels, "labels")
            known_minority(self.minority, self.labels)
            if unknown := self.unknown(self.labels):
                raise ValueError(f"groups, implies and excludes must use the labels, got {unknown} besides")
        if any(one == other for one, other in (*self.excludes, *self.implications())):
            raise ValueError("no label may imply or exclude itself")
        return self

    def implications(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a label and one that it implies."""
        return tuple((label, implied) for label, several in self.implies.items() for implied in several)

    def unknown(self, labels: tuple[str, ...]) -> list[str]:
        """Names in groups, implications and exclusions that are not among `labels`."""
        used = itertools.chain(*self.groups.values(), *self.implications(), *self.excludes)
        return sorted(set(used) - set(labels))

    @property
    def names(self) -> tuple[str, ...]:
        return self.labels or ()

    def with_names(self, classes: tuple[str, ...]) -> Self:
        return self.model_copy(update={"labels": classes})

    def task(self, classes: tuple[str, ...]) -> Multilabel:
        space = LabelSpace(
            classes=self.labels or classes,
            minority=self.minority or (),
            multilabel=True,
            groups=tuple(self.groups.items()),
            implications=self.implications(),
            exclusions=self.excludes,
        )
        return Multilabel(space, enforce_implications=self.enforce_implications)

    def reading(self, label: str | None, separator: str) -> LabelReading:
        if label is None and self.labels is not None:
            return Flags(self.labels)
        remedy = "or name the 0-1 columns in task.labels"
        return ListedLabels(label_column(label, self.kind, "the labels", remedy), separator, self.labels or ())

    def fault_of(self, classes: tuple[str, ...]) -> Fault | None:
        unknown = self.unknown(classes)
        rule = f"groups, implies and excludes must use the labels of the data, {listed(classes)}"
        return Fault("task", rule, listed(unknown)) if unknown else None
