"""Validation rows as another split might have drawn them, and every metric on each of these draws.

The bootstrap within the true classes, which keep their size. Of n rows of a class n - 1 are drawn with replacement and
scaled back to n: drawing n would make the spread of a class of a few rows too small by (n - 1) / n (Rao and Wu 1988).
The same draws serve all models, so that what they have in common stays in common.
"""

from collections.abc import Collection

import numpy as np

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.metrics.weighted import RowWeights
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.bootstrap import Draws, Slice, parts_of


class Redraws:
    """Weights [draws, n] of rows, drawn once for all predictions of them.

    strata: [n] the true class of each row, or what `Predictions.strata` has in its place.

    >>> Redraws(np.array([0, 0, 0, 1]), draws=2).weights.sum(axis=1)
    array([4., 4.])
    """

    def __init__(self, strata: IntArray, draws: int, seed: int = 0) -> None:
        generator = np.random.default_rng([seed, 17])
        self.weights: FloatArray = np.ones((draws, len(strata)))
        for stratum in np.unique(strata):
            rows = np.flatnonzero(strata == stratum)
            if len(rows) > 1:
                counts = generator.multinomial(len(rows) - 1, np.full(len(rows), 1 / len(rows)), size=draws)
                self.weights[:, rows] = counts * (len(rows) / (len(rows) - 1))

    def values(
        self, predictions: Predictions, labels: LabelSpace, names: Collection[str], slices: Collection[Slice] = ()
    ) -> Draws:
        """Each metric with one of the bare `names` on each draw, [draws] by the keys of `evaluate`."""
        drawn: Draws = {}
        for part in parts_of(predictions, labels, slices):
            whole = len(part.index) == self.weights.shape[1]
            weights = self.weights if whole else self.weights[:, part.index]
            drawn |= part.values(names, RowWeights(weights, weights), _no_pseudo_rows)
        return drawn


def _no_pseudo_rows(draws: int, expected: FloatArray) -> FloatArray:
    """A search counts the rows that it has, so the choice is resampled without any others."""
    return np.zeros((draws, *expected.shape))
