"""Calibration: of the rows that are given a class with about this probability, how many are of it?"""

from dataclasses import dataclass

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.intervals import LEVEL, Interval, exact

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Rows of about the same probability. hits: how many of them are of the class. interval: of their true share."""

    mean_probability: float
    hits: int
    rows: int
    interval: Interval

    @property
    def share(self) -> float:
        return self.hits / self.rows


@dataclass(frozen=True)
class Calibration:
    """Calibration of one class. brier: mean squared distance of the probability from 0 or 1 (Brier 1950). gap: mean
    distance between probability and share over the rows (expected calibration error, Naeini 2015, equal-width bins).
    """

    bins: tuple[Bin, ...]
    brier: float
    gap: float


def calibration(probability: FloatArray, truth: BoolArray, level: float = LEVEL) -> Calibration:
    """Calibration of the probabilities [n] of a class that `truth` [n] says the rows are of.

    Raises:
        ValueError: no rows.

    >>> found = calibration(np.array([0.1, 0.1, 0.8, 0.8]), np.array([False, False, True, False]))
    >>> [(one.hits, one.rows) for one in found.bins], round(found.gap, 3)  # (2 * 0.1 + 2 * 0.3) / 4
    ([(0, 2), (1, 2)], 0.2)
    """
    if not len(probability):
        raise ValueError("calibration needs rows, got none")
    which = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    bins = tuple(_bin(probability[which == one], truth[which == one], level) for one in np.unique(which))
    gap = sum(abs(one.mean_probability - one.share) * one.rows for one in bins) / len(probability)
    return Calibration(bins, float(((probability - truth) ** 2).mean()), float(gap))


def of_class(predictions: Predictions, index: int, level: float = LEVEL) -> Calibration:
    """Calibration of one class.

    Raises:
        ValueError: predictions without probabilities or without rows.
    """
    if predictions.probabilities is None:
        raise ValueError("calibration needs probabilities, got none")
    labels, classes = predictions.true_labels, predictions.true_class
    truth = np.asarray(classes == index) if labels is None else labels[:, index]
    return calibration(predictions.probabilities[:, index], truth, level)


def _bin(probability: FloatArray, truth: BoolArray, level: float) -> Bin:
    hits, rows = int(truth.sum()), len(truth)
    return Bin(float(probability.mean()), hits, rows, exact(hits, rows, level))
