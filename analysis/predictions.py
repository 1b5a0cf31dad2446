"""What is predicted (the label space) and what was predicted (the predictions), as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class CatastrophicRule:
    """A catastrophic failure: a row whose true overall score is below one cut and its predicted one above another."""

    true_below: float
    predicted_above: float


@dataclass(frozen=True)
class LabelSpace:
    """The classes or tiers of a task and which of them are rare.

    classes: names; tiers in ascending order. minority: the classes that the objective is about, in class order.
    dimensions: names of the score dimensions, empty for a task without scores.
    catastrophic: None for a task without scores or without the rule.
    """

    classes: tuple[str, ...]
    minority: tuple[str, ...]
    dimensions: tuple[str, ...] = ()
    catastrophic: CatastrophicRule | None = None


@dataclass(frozen=True)
class Predictions:
    """True and predicted labels of n rows.

    rows: [n] number of each row in the data, counted from 0 over all usable rows.
    true_class, predicted_class: [n] index into LabelSpace.classes.
    probabilities: [n, classes], for tasks that give them.
    true_scores, predicted_scores: [n, dimensions], for tasks with scores.
    true_overall, predicted_overall: [n] weighted overall score, for tasks with scores.
    """

    rows: IntArray
    true_class: IntArray
    predicted_class: IntArray
    probabilities: FloatArray | None = None
    true_scores: FloatArray | None = None
    predicted_scores: FloatArray | None = None
    true_overall: FloatArray | None = None
    predicted_overall: FloatArray | None = None
