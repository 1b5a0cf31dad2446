"""Rows one by one: those of a rare class, and those that were taken for something else."""

import math
from dataclasses import dataclass

import numpy as np

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.calibration.membership import named_classes, true_classes
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions

# Cells of a confusion matrix that are listed: those of rare classes before the others, large ones before small ones.
MOST_CELLS = 40


@dataclass(frozen=True)
class RareRow:
    """One row of a minority class.

    row: its number in the data. true, predicted: names. hit: whether the class was found. true_score, predicted_score:
    overall, NaN for a task without scores. probability: of the class, NaN for a task without probabilities.
    """

    row: int
    true: str
    predicted: str
    hit: bool
    true_score: float
    predicted_score: float
    probability: float

    @property
    def error(self) -> float:
        """Predicted minus true overall score."""
        return self.predicted_score - self.true_score


def rare_rows(predictions: Predictions, labels: LabelSpace, name: str) -> list[RareRow]:
    """All rows of a class, those first that were taken for something else, and of these the farthest off."""
    index = labels.classes.index(name)
    own, found = (member(predictions, len(labels.classes))[:, index] for member in (true_classes, named_classes))
    rows = [
        _rare_row(predictions, labels, int(position), index, bool(found[position])) for position in np.flatnonzero(own)
    ]
    return sorted(rows, key=lambda one: (one.hit, -_badness(one), one.row))


@dataclass(frozen=True)
class Confused:
    """Rows of one class that were taken for another; `true` is None where rows may have several labels and only a false
    alarm is known. rows: the surest first.
    """

    true: int | None
    predicted: int
    rows: tuple[RareRow, ...]


def confused(predictions: Predictions, labels: LabelSpace) -> list[Confused]:
    """Each cell of the confusion matrix off its diagonal, or the false alarms of each rare label."""
    cells = _cells(predictions, labels)
    rare = {labels.classes.index(name) for name in labels.minority}
    order = sorted(cells, key=lambda cell: (not rare & {*cell}, -len(cells[cell])))[:MOST_CELLS]
    found = []
    for true, predicted in sorted(order, key=lambda cell: (-1 if cell[0] is None else cell[0], cell[1])):
        rows = [_rare_row(predictions, labels, int(one), predicted, hit=False) for one in cells[true, predicted]]
        surest = sorted(rows, key=lambda one: (-_certainty(one), one.row))
        found.append(Confused(true, predicted, tuple(surest)))
    return found


def _cells(predictions: Predictions, labels: LabelSpace) -> dict[tuple[int | None, int], IntArray]:
    """Positions of the rows of each cell that has any."""
    count = len(labels.classes)
    truth, named = true_classes(predictions, count), named_classes(predictions, count)
    if labels.multilabel:
        alarms = {index: np.flatnonzero(named[:, index] & ~truth[:, index]) for index in range(count)}
        rare = [labels.classes.index(name) for name in labels.minority]
        return {(None, index): alarms[index] for index in rare if len(alarms[index])}
    pairs = ((true, one) for true in range(count) for one in range(count) if true != one)
    cells = {pair: np.flatnonzero(truth[:, pair[0]] & named[:, pair[1]]) for pair in pairs}
    return {pair: positions for pair, positions in cells.items() if len(positions)}


def _certainty(one: RareRow) -> float:
    """How far off a row is, or how sure the model was of the wrong class."""
    if math.isfinite(one.error):
        return abs(one.error)
    return one.probability if math.isfinite(one.probability) else 0.0


def _rare_row(predictions: Predictions, labels: LabelSpace, position: int, index: int, hit: bool) -> RareRow:
    probabilities = None if predictions.probabilities is None else predictions.probabilities[:, index]
    return RareRow(
        int(predictions.rows[position]),
        *_names(predictions, labels, position),
        hit,
        _at(predictions.true_overall, position),
        _at(predictions.predicted_overall, position),
        _at(probabilities, position),
    )


def _at(values: FloatArray | None, position: int) -> float:
    return math.nan if values is None else float(values[position])


def _names(predictions: Predictions, labels: LabelSpace, position: int) -> tuple[str, str]:
    if predictions.true_labels is not None and predictions.predicted_labels is not None:
        both = (predictions.true_labels[position], predictions.predicted_labels[position])
        true, predicted = (", ".join(np.array(labels.classes, object)[flags]) or "none" for flags in both)
        return true, predicted
    true_class, predicted_class = _single(predictions)
    return labels.classes[int(true_class[position])], labels.classes[int(predicted_class[position])]


def _badness(one: RareRow) -> float:
    if math.isfinite(one.error):
        return abs(one.error)
    return 1 - one.probability if math.isfinite(one.probability) else 0.0


def _single(predictions: Predictions) -> tuple[IntArray, IntArray]:
    if predictions.true_class is None or predictions.predicted_class is None:
        raise ValueError("predictions must hold classes or labels, got neither")
    return predictions.true_class, predictions.predicted_class
