"""Ratios and means of counts that may be zero or undefined."""

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.metrics.tally import Tally


def ratio(part: FloatArray | float, whole: FloatArray | float, undefined: float) -> FloatArray:
    """part / whole, elementwise; `undefined` where the whole is not above 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64))
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, undefined), where=whole > 0))


def known_mean(values: FloatArray) -> FloatArray:
    """Mean over those of the last axis that are defined, NaN where none is."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1), np.nan)


def minority_mean(values: FloatArray, tally: Tally) -> FloatArray:
    """Mean of values by class [..., classes] over the minority classes that have rows, NaN where none has."""
    minority = values[..., tally.minority]
    return known_mean(np.where(tally.support[..., tally.minority] > 0, minority, np.nan))
