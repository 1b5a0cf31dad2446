"""Oversampling: which rows make up an epoch when rare classes are repeated."""

from collections.abc import Sequence

import numpy as np

from analysis.predictions import IntArray


def oversample(classes: IntArray, minority: Sequence[int], ratio: float, seed: int, epoch: int) -> IntArray:
    """Indices [m] into `classes` [n] for one epoch, not shuffled: every row once, rows of minority classes repeated.

    Each class in `minority` is repeated until it holds floor(ratio · n_max) rows, n_max being the count of the largest
    class; one that holds more already, or none at all, stays as it is. Repeats are whole passes over the class and a
    random remainder without replacement, so that the rows of a class differ by at most one in how often they come.
    The remainder depends on (seed, epoch).

    Of 10 and 3 rows, with ratio 0.5, the 3 become floor(0.5 · 10) = 5:

    >>> classes = np.array([0] * 10 + [1] * 3)
    >>> np.bincount(classes[oversample(classes, minority=[1], ratio=0.5, seed=0, epoch=1)])
    array([10,  5])

    Raises:
        ValueError: the ratio is outside 0 to 1, or seed or epoch is negative.
    """
    if not 0 <= ratio <= 1:
        raise ValueError(f"the oversampling ratio must be from 0 to 1, got {ratio!r}")
    generator = np.random.default_rng((seed, epoch))
    counts = np.bincount(classes, minlength=1)
    # 0.29 · 100 is 28.999… in floating point, and the floor of that would be one row short.
    target = int(np.floor(np.round(ratio * counts.max(), 9)))
    repeats = [_repeats(np.flatnonzero(classes == name), target, generator) for name in sorted(set(minority))]
    return np.concatenate([np.arange(len(classes)), *repeats])


def _repeats(rows: IntArray, target: int, generator: np.random.Generator) -> IntArray:
    """What must be added to `rows` to have `target` of them."""
    if len(rows) == 0 or len(rows) >= target:
        return rows[:0]
    passes, remainder = divmod(target - len(rows), len(rows))
    return np.concatenate([np.tile(rows, passes), generator.choice(rows, remainder, replace=False)])
