"""One set of resampled rows for all metrics, so that what they have in common stays in common.

The Bayesian bootstrap (Rubin 1981): a draw gives each row a random weight instead of repeating it, within the true
classes, which keep their size. Two things are added for classes of a few rows, where it is too sure of itself:

- Pseudo rows keep three hits out of three from being a certainty: half of such a row is right, the other half is spread
  over the other classes. A figure of one class gets one pseudo row in that class; its recall is then distributed as
  Beta(k + ½, n - k + ½), Jeffreys' posterior. A figure over K classes gets 1/√K of a row in each: a whole one in each
  would shift a mean over many classes by more than its spread.
- For figures over several classes and for amounts a row of a class of n weighs Gamma((n - 1.5) / n) instead of
  Gamma(1), which makes the spread that of n rows instead of n + 1.

Chosen by coverage, beside the ordinary bootstrap with percentiles and BCa: `benchmarks/interval_coverage.py`.
"""

import copy
import math
from collections.abc import Callable, Collection, Iterator

import numpy as np

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.metrics.weighted import RowWeights, WeightedRows
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.intervals import LEVEL, Interval

DRAWS = 2000
# Numbers that one block of draws may hold: 32 MiB.
_BLOCK = 4 * 2**20
# What a class lacks to as many rows as would give its true spread, and from how many rows on that does not matter.
_LACKING, _MANY = 1.5, 200

# Draws [draws] of each metric, by its key.
Draws = dict[str, FloatArray]
# A column of the predictions and one of its values.
Slice = tuple[str, str]


def posterior(
    predictions: Predictions,
    labels: LabelSpace,
    names: Collection[str],
    slices: Collection[Slice] = (),
    draws: int = DRAWS,
    seed: int = 0,
    pseudo: int = 0,
) -> Draws:
    """Draws of the true value of each metric with one of the bare `names`, by the keys of `evaluate`.

    The same seed gives the same weights to the same number of rows of the same classes: draws of two models on the same
    rows are paired. slices: parts of the data whose keys are wanted as well. pseudo: draws of different numbers have
    pseudo rows of their own beside the same weights, for two models that no row need treat alike. NaN where a metric is
    not defined.

    Raises:
        ValueError: as `analysis.metrics.tally.tally` does.
    """
    return Resampling(predictions.strata, draws, seed, pseudo).posterior(predictions, labels, names, slices)


class Resampling:
    """Weights of rows, drawn once for all predictions that are made of them.

    strata: [n] the true class of each row, or what `Predictions.strata` has in its place.
    """

    def __init__(self, strata: IntArray, draws: int = DRAWS, seed: int = 0, pseudo: int = 0) -> None:
        self._strata, self._seed, self._pseudo = strata, seed, pseudo
        classes = int(strata.max(initial=0)) + 1
        self._sizes = list(_sizes(draws, max(len(strata), classes**2)))
        # More than one block is not kept in memory.
        self._kept = next(self._blocks()) if len(self._sizes) == 1 else None

    def posterior(
        self, predictions: Predictions, labels: LabelSpace, names: Collection[str], slices: Collection[Slice] = ()
    ) -> Draws:
        """As the function of this name, for predictions of the rows that the weights were drawn for."""
        parts = list(parts_of(predictions, labels, slices))
        blocks: list[Draws] = []
        for weights, pseudo in [self._kept] if self._kept else self._blocks():
            generator = copy.deepcopy(pseudo)
            values: Draws = {}
            for part in parts:
                values |= part.values(names, weights.take(part.index), _gamma(generator))
            blocks.append(values)
        return {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}

    def _blocks(self) -> Iterator[tuple[RowWeights, np.random.Generator]]:
        """The weights of some draws, and the generator for those of their pseudo rows."""
        for number, size in enumerate(self._sizes):
            generator = np.random.default_rng([self._seed, number])
            weights = _weights(generator, size, self._strata)
            yield weights, np.random.default_rng([self._seed, number, self._pseudo]) if self._pseudo else generator


def percentile(values: FloatArray, level: float = LEVEL) -> Interval:
    """The middle `level` of the draws that are defined; from NaN to NaN without any.

    >>> percentile(np.arange(5.0), 0.5)
    Interval(low=1.0, high=3.0)
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(math.nan, math.nan)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def parts_of(predictions: Predictions, labels: LabelSpace, slices: Collection[Slice]) -> Iterator[WeightedRows]:
    """All rows, then those of each part of the data."""
    yield WeightedRows(predictions, labels, np.arange(len(predictions)))
    for column, value in slices:
        index = np.flatnonzero(predictions.slices[column] == value)
        yield WeightedRows(predictions, labels, index, f"@{column}={value}")


def _sizes(draws: int, numbers: int) -> Iterator[int]:
    """How many draws go together. numbers: that a draw holds, of its rows or its confusion matrix."""
    size = max(1, min(draws, _BLOCK // max(numbers, 1)))
    for start in range(0, draws, size):
        yield min(size, draws - start)


def _weights(generator: np.random.Generator, draws: int, strata: IntArray) -> RowWeights:
    """Standard exponentials, and of each, for a row of a small class, the part that is Gamma((n - 1.5) / n)."""
    _, stratum, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    share = (np.maximum(sizes - _LACKING, 0.5) / sizes)[stratum]
    few = np.flatnonzero(sizes[stratum] < _MANY)
    overall = generator.standard_exponential((draws, len(strata)))
    overall[:, few] = generator.standard_gamma(share[few], (draws, len(few)))
    by_class = overall.copy()
    by_class[:, few] += generator.standard_gamma(1 - share[few], (draws, len(few)))
    return RowWeights(by_class, overall)


def _gamma(generator: np.random.Generator) -> Callable[[int, FloatArray], FloatArray]:
    return lambda draws, expected: generator.standard_gamma(expected, (draws, *expected.shape))
