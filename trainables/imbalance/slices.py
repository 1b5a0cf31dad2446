"""Epochs of fewer rows than there are: slices of one pass after another over all rows, each as mixed as the whole.

Instead of a sample that comes again in every epoch, each epoch takes the rows that follow those of the epoch before.
So a class keeps its share, every rare row comes in turn, and none twice before all came once.
"""

from collections.abc import Callable, Sequence

import numpy as np

from rarecall.analysis.arrays import IntArray

# The rows of a pass over the data, counted from 1: indices into the classes, not shuffled.
PassRows = Callable[[int], IntArray]


def slice_bounds(shares: Sequence[float], length: int) -> IntArray:
    """Where the epochs begin and end [epochs + 1] among the rows of passes of `length` rows, one after another.

    shares: of a pass that each epoch takes, above 0 and at most 1; each takes one row at least.

    >>> slice_bounds([0.2, 0.6, 1.0], length=10)
    array([ 0,  2,  8, 18])
    """
    taken = np.maximum(np.round(np.asarray(shares, dtype=np.float64) * length), 1).astype(np.int64)
    return np.concatenate([[0], np.cumsum(taken)])


def slice_rows(rows_of: PassRows, length: int, classes: IntArray, begin: int, end: int, seed: int) -> IntArray:
    """The rows from `begin` to `end` of all passes, one after another.

    length: of every pass. classes: [n] by which every stretch of a pass has each class in its share, to the nearest
    row. The order within a pass depends on (seed, pass).
    """
    parts = []
    for number in range(begin // length, -(-end // length)):
        order = _mixed(rows_of(number + 1), classes, np.random.default_rng((seed, number, 2)))
        parts.append(order[max(begin - number * length, 0) : end - number * length])
    return np.concatenate(parts)


def _mixed(rows: IntArray, classes: IntArray, generator: np.random.Generator) -> IntArray:
    """The rows in an order in which each class is spread evenly, its rows shuffled and its first one anywhere."""
    shuffled = generator.permutation(rows)
    own = classes[shuffled]
    counts = np.bincount(own)
    order = np.argsort(own, kind="stable")
    place = np.empty(len(own))
    place[order] = np.arange(len(own)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(shuffled[np.argsort((place + generator.random(len(counts))[own]) / counts[own], kind="stable")])
