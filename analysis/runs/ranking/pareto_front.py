"""The Pareto set: the trials that no other trial beats on both sides of the bargain."""

import math

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray


def pareto(gain: FloatArray, cost: FloatArray) -> BoolArray:
    """Which of n trials no other one beats: none has at least its gain at most its cost, and one of the two better.

    gain, cost: [n]; a trial with NaN in either is never in the set.

    >>> pareto(np.array([0.8, 0.5, 0.5, 0.9]), np.array([0.3, 0.1, 0.2, 0.4])).tolist()
    [True, True, False, True]
    """
    gain, cost = np.asarray(gain, dtype=np.float64), np.asarray(cost, dtype=np.float64)
    known = np.isfinite(gain) & np.isfinite(cost)
    inside = np.zeros(len(gain), dtype=np.bool_)
    cheapest, equals = math.inf, (math.nan, math.nan)
    for index in np.lexsort((cost, -gain)):
        if not known[index]:
            continue
        if cost[index] < cheapest or (gain[index], cost[index]) == equals:
            inside[index] = True
            cheapest, equals = cost[index], (gain[index], cost[index])
    return inside
