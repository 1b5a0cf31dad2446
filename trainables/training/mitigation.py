"""What sampling and class weights amount to for the data at hand: the counts and weights one trial trains with."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray, IntArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.losses import LabelFacts
from rarecall.trainables.config import ClassWeightsConfig, TrainingConfig
from rarecall.trainables.imbalance import sampling
from rarecall.trainables.imbalance.class_weights import Weights, cap_weights, class_weights, label_weights
from rarecall.trainables.imbalance.schemes import Scheme, build_row_scheme, build_scheme, weighs_rows
from rarecall.trainables.imbalance.slices import slice_bounds, slice_rows


@dataclass(frozen=True, eq=False)
class Mitigation:
    """Rows and weights of each class or label [k], in their order, and of each of the training split's n rows.

    rows: [k] in the training split. sampled: [k] in an epoch, in the mean over epochs where they are drawn.
    weights: [k] of a row of the class, in the mean where rows of a class differ; of the positive term of a label
    where a row may have several. capped: [k] whether the cap lowered the weight. times: [n] how often a row comes in an
    epoch, in the mean. row_weights: [n] by which the losses of rows are multiplied.
    """

    rows: IntArray
    sampled: FloatArray
    weights: FloatArray
    capped: BoolArray
    times: FloatArray
    row_weights: FloatArray
    multilabel: bool = False

    @property
    def epoch_length(self) -> int:
        """Rows in an epoch that takes all of them."""
        return round(float(self.times.sum()))

    @property
    def mass(self) -> FloatArray:
        """How much each row counts in an epoch [n]."""
        return self.times * self.row_weights

    def table(self, classes: tuple[str, ...]) -> dict[str, dict[str, float]]:
        """Plain numbers by class name, for the ledger and the screen; `capped` where the weight is."""
        columns = zip(classes, self.rows, self.sampled, self.weights, self.capped, strict=True)
        return {
            name: {
                "rows": int(rows),
                "sampled": round(float(sampled)),
                "weight": round(float(weight), 4),
                **({"capped": True} if capped else {}),
            }
            for name, rows, sampled, weight, capped in columns
        }

    def facts(
        self, implications: tuple[tuple[int, int], ...] = (), exclusions: tuple[tuple[int, int], ...] = ()
    ) -> LabelFacts:
        """What losses may have to know; pairs are indices of labels. Class weights are in the rows' weights already."""
        weights = tuple(self.weights.tolist()) if self.multilabel else ()
        return LabelFacts(tuple(self.sampled.tolist()), weights, implications, exclusions)


def epoch_rows(classes: IntArray, labels: LabelSpace, training: TrainingConfig, epoch: int) -> IntArray:
    """Indices into the training split that make up one epoch [m], sampled as configured; their order says nothing.

    classes: [n] index into the classes, or the rarest label of each row and the number of labels for a row without any.
    """
    samplers, minority = _samplers(training), _minority(labels)
    rows_of = partial(sampling.sample, samplers, classes, minority, training.seed)
    if training.rows_per_epoch is None:
        return rows_of(epoch)
    length = len(rows_of(1))
    begin, end = epoch_bounds(training, len(classes), length)[epoch - 1 : epoch + 1].tolist()
    return slice_rows(rows_of, length, classes, begin, end, training.seed)


def epoch_bounds(training: TrainingConfig, rows: int, length: int) -> IntArray:
    """Where each epoch begins and ends [epochs + 1], among the rows of all passes over a split.

    rows: of the split. length: of a pass, which sampling may make longer.
    """
    return slice_bounds([min(count or rows, rows) / rows for count in training.rows_by_epoch()], length)


def mitigation(
    split_classes: IntArray,
    task_label_space: LabelSpace,
    training: TrainingConfig,
    scores: FloatArray | None = None,
    labels: BoolArray | None = None,
) -> Mitigation:
    """Counts and weights for the training split; weights follow the counts after sampling.

    split_classes: [n] as for `epoch_rows`. scores: [n, dimensions], for tasks with scores. labels: [n, k] for tasks in
    which a row may have several.

    Raises:
        ValueError: a weight is set for a class that does not exist, or the scheme needs scores and there are none.
    """
    times = _times(split_classes, task_label_space, training)
    section = training.class_weights
    by_name = _by_index(section.values, task_label_space.classes)
    if labels is not None:
        return _for_labels(labels, times, section, by_name)
    size = len(task_label_space.classes)
    rows = np.bincount(split_classes, minlength=size)[:size]
    sampled = _whole(np.bincount(split_classes, times, minlength=size)[:size])
    if weighs_rows(section.scheme):
        weights, row_weights = _weights_by_row(split_classes, size, section, scores, times, by_name)
    else:
        weights = class_weights(sampled, _scheme(section), section.cap, by_name)
        row_weights = weights.values[split_classes]
    return Mitigation(rows, sampled, weights.values, weights.capped, times, row_weights)


def _for_labels(
    labels: BoolArray, times: FloatArray, section: ClassWeightsConfig, by_name: Mapping[int, float]
) -> Mitigation:
    """Several labels per row: the weights are those of the labels, and all rows weigh the same."""
    sampled = _whole(np.array([times[column].sum() for column in labels.T]))
    weights = label_weights(sampled, _whole(times.sum()), _scheme(section), section.cap, by_name)
    rows, alike = labels.sum(axis=0), np.ones(len(times))
    return Mitigation(rows, sampled, weights.values, weights.capped, times, alike, multilabel=True)


def _whole(counts: Any) -> Any:
    """Counts without the last bits that the sums of shares of rows may be off by."""
    return np.round(counts, 6)


def _samplers(training: TrainingConfig) -> tuple[sampling.Sampler, ...]:
    return sampling.build(training.samplers())


def _minority(labels: LabelSpace) -> list[int]:
    return [labels.classes.index(name) for name in labels.minority]


def _times(classes: IntArray, labels: LabelSpace, training: TrainingConfig) -> FloatArray:
    """How often each row comes in an epoch [n], in the mean."""
    counts = np.bincount(classes).astype(np.float64)
    expected = sampling.expected_counts(_samplers(training), counts, _minority(labels))
    return np.asarray((expected / np.maximum(counts, 1))[classes])


def _scheme(section: ClassWeightsConfig) -> Scheme:
    return build_scheme(section.scheme, section.parameters)


def _by_index(values: Mapping[str, float], classes: tuple[str, ...]) -> dict[int, float]:
    unknown = [name for name in values if name not in classes]
    if unknown:
        raise ValueError(
            f"training.class_weights.values: must name classes or labels of the task, {list(classes)}, got {unknown}"
        )
    return {classes.index(name): weight for name, weight in values.items()}


def _weights_by_row(
    classes: IntArray,
    size: int,
    section: ClassWeightsConfig,
    scores: FloatArray | None,
    times: FloatArray,
    by_name: Mapping[int, float],
) -> tuple[Weights, FloatArray]:
    """Weights that differ between the rows of a class [n], and what they are per class in the mean [size]."""
    if scores is None:
        raise ValueError(
            f"training.class_weights.scheme: {section.scheme} weighs rows by their scores, and the task has none"
        )
    scheme = build_row_scheme(section.scheme, section.parameters)
    row_weights, row_capped = cap_weights(scheme(scores, times), section.cap)
    for index, weight in by_name.items():
        row_weights[classes == index], row_capped[classes == index] = weight, False
    counts = np.bincount(classes, minlength=size)[:size]
    totals = np.bincount(classes, row_weights, minlength=size)[:size]
    means = np.where(counts > 0, totals / np.maximum(counts, 1), 1.0)
    return Weights(means, np.bincount(classes, row_capped, minlength=size)[:size] > 0), row_weights
