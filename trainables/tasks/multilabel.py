"""Several labels per row, or none, with rules on which of them go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.tasks.protocol import Outputs, Target, Targets, finite, logit, sigmoid
from rarecall.trainables.tasks.registry import register

if TYPE_CHECKING:
    from rarecall.trainables.tasks.config import MultilabelConfig

Pairs = tuple[tuple[int, int], ...]

CANDIDATES = 20


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


@register("multilabel")
def _multilabel(config: MultilabelConfig, classes: tuple[str, ...]) -> Multilabel:
    return Multilabel(
        LabelSpace(
            classes=config.labels or classes,
            minority=config.minority or (),
            multilabel=True,
            groups=tuple(config.groups.items()),
            implications=config.implications(),
            exclusions=config.excludes,
        ),
        enforce_implications=config.enforce_implications,
    )
