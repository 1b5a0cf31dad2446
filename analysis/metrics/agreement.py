"""Metrics of how far true and predicted classes agree beyond chance, and by how many grades they differ."""

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.metrics import widths
from rarecall.analysis.metrics.means import ratio
from rarecall.analysis.metrics.registry import register
from rarecall.analysis.metrics.tally import Tally


@register("matthews_correlation", "max", "share", needs="single", from_counts=True, margin=widths.correlation_width)
def matthews_correlation(tally: Tally) -> FloatArray:
    """Matthews 1975, for several classes as Gorodkin 2004 has it, [...]; 0 where either side holds one class only."""
    rows, support, predicted = tally.rows, tally.support, tally.predicted
    agreement = tally.hits.sum(axis=-1) * rows - (support * predicted).sum(axis=-1)
    spread = (rows**2 - (support**2).sum(axis=-1)) * (rows**2 - (predicted**2).sum(axis=-1))
    return ratio(agreement, np.sqrt(np.maximum(spread, 0.0)), 0.0)


@register(
    "quadratic_weighted_kappa", "max", "share", needs="ordered", from_counts=True, margin=widths.correlation_width
)
def quadratic_weighted_kappa(tally: Tally) -> FloatArray:
    """Cohen 1968, with weights (i - j)², [...]; NaN where both sides hold the same one class only."""
    weights = _grades_apart(tally) ** 2
    expected = ((tally.support @ weights) * tally.predicted).sum(axis=-1) / max(tally.rows, 1)
    return 1 - ratio((weights * tally.confusion).sum(axis=(-2, -1)), expected, np.nan)


@register("grade_distance", "min", "amount", needs="ordered", from_counts=True, margin=widths.distance_width)
def grade_distance(tally: Tally) -> FloatArray:
    """Mean number of grades or tiers between the true and the predicted one, [...]; NaN without rows."""
    return ratio((_grades_apart(tally) * tally.confusion).sum(axis=(-2, -1)), tally.rows, np.nan)


def _grades_apart(tally: Tally) -> FloatArray:
    """How many grades lie between two, [classes, classes]."""
    grade = np.arange(tally.support.shape[-1], dtype=np.float64)
    return np.abs(grade[:, None] - grade)
