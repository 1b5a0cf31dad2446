"""How well outputs rank the rows, whatever is decided of them: quick, and so the first look at a head."""

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import average_precision_score

from rarecall.analysis.arrays import BoolArray, FloatArray, IntArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.baselines.kinds import KINDS
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.tasks import Task


def ranking_quality(outputs: FloatArray, truth: Labelled, task: Task, *, balanced: bool) -> float:
    """How good the outputs [m, outputs] of a linear model are before anything is decided.

    The mean average precision of the minority classes, or labels; of scores minus the mean squared error, each class
    counting as much as any other where `balanced`.
    """
    kind, targets = KINDS[task.target], np.asarray(task.targets(truth), dtype=np.float64)
    if kind == "scores":
        return -_squared_error(outputs, targets, truth.classes if balanced else None)
    if kind == "two_stage":
        return _average_precision(targets[:, 0] > 0, outputs[:, 0])
    return quality(task.predictions(outputs, truth), task.label_space)


def quality(predictions: Predictions, labels: LabelSpace) -> float:
    """The mean average precision of the minority classes or labels; of scores minus the mean squared error, in which
    each class counts as much as any other. Bigger is better.
    """
    if predictions.probabilities is None:
        true, found, classes = predictions.true_scores, predictions.predicted_scores, predictions.true_class
        assert true is not None
        assert found is not None
        return -_squared_error(found, true, classes)
    found_all = [_average_precision(there, share) for there, share in _minority(predictions, labels) if there.any()]
    return float(np.mean(found_all)) if found_all else 0.0


def _minority(predictions: Predictions, labels: LabelSpace) -> Iterator[tuple[BoolArray, FloatArray]]:
    """Of each minority class or label: which rows have it, and how likely they were said to."""
    shares, true, given = predictions.probabilities, predictions.true_class, predictions.true_labels
    assert shares is not None
    for number in map(labels.classes.index, labels.minority):
        yield (given[:, number] if given is not None else np.asarray(true == number)), shares[:, number]


def _average_precision(there: BoolArray, values: FloatArray) -> float:
    return float(average_precision_score(there, values)) if there.any() else 0.0


def _squared_error(found: FloatArray, true: FloatArray, classes: IntArray | None) -> float:
    """The mean over rows, or over the means of the classes that they belong to."""
    errors = ((found - true) ** 2).mean(axis=1)
    if classes is None:
        return float(errors.mean())
    return float(np.mean([errors[classes == number].mean() for number in np.unique(classes)]))
