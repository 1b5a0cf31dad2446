"""All metrics of a set of predictions at once."""

from collections.abc import Collection

import numpy as np

from rarecall.analysis.metrics.registry import registered
from rarecall.analysis.metrics.tally import tally
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions

# Nested lists, as `confusion_matrix` gives them.
Confusion = list[list[int]] | list[list[list[int]]]


def evaluate(predictions: Predictions, labels: LabelSpace, names: Collection[str] | None = None) -> dict[str, float]:
    """Every metric that the task has, or those with these bare `names`, flat, keyed as criteria name them.

    Precision of a class that was never predicted is 0; recall and F1 of a class without rows are NaN and left out of
    the means. Score metrics exist for tasks with dimensions, `catastrophic_failures` for those with the rule. All of
    them come once more for each part of the data that `predictions.slices` tell apart, as `key@column=value`.

    Raises:
        ValueError: as `analysis.metrics.tally.tally` does.

    >>> labels = LabelSpace(("common", "rare"), ("rare",))
    >>> result = evaluate(Predictions(np.arange(4), np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])), labels)
    >>> result["recall[rare]"], result["precision[rare]"], result["accuracy"]
    (0.5, 1.0, 0.75)
    """
    result = _evaluate(predictions, labels, names)
    for column, values in predictions.slices.items():
        for value in np.unique(values):
            part = _evaluate(predictions.take(values == value), labels, names)
            result |= {f"{key}@{column}={value}": number for key, number in part.items()}
    return result


def _evaluate(predictions: Predictions, labels: LabelSpace, names: Collection[str] | None) -> dict[str, float]:
    counted = tally(predictions, labels)
    result: dict[str, float] = {}
    for metric in registered():
        if metric.applies(labels) and (names is None or metric.name in names):
            result.update(zip(metric.keys(labels), metric.values(counted).tolist(), strict=True))
    return result


def confusion_matrix(predictions: Predictions, labels: LabelSpace) -> Confusion:
    """Counts [classes, classes] as nested lists, rows are the true class, columns the predicted one.

    Where a row may have several labels, [classes, 2, 2]: rows without and with the label, columns likewise predicted.

    Raises:
        ValueError: as `analysis.metrics.tally.tally` does.
    """
    counts: Confusion = tally(predictions, labels).confusion.tolist()
    return counts
