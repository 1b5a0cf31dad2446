"""Metrics of single classes, and their means over classes."""

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.metrics import widths
from rarecall.analysis.metrics.means import known_mean, minority_mean, ratio
from rarecall.analysis.metrics.registry import register
from rarecall.analysis.metrics.tally import Tally


@register("recall", "max", "share", selector="class", from_counts=True, margin=widths.recall_width)
def recall(tally: Tally) -> FloatArray:
    """Share of a class's rows that were predicted as it, [..., classes]; NaN for a class without rows."""
    return ratio(tally.hits, tally.support, np.nan)


@register("precision", "max", "share", selector="class", from_counts=True, margin=widths.precision_width)
def precision(tally: Tally) -> FloatArray:
    """Share of the rows predicted as a class that are of it, [..., classes]; 0 for a class that was never predicted."""
    return ratio(tally.hits, tally.predicted, 0.0)


@register("f1", "max", "share", selector="class", from_counts=True, margin=widths.f1_width)
def f1(tally: Tally) -> FloatArray:
    """Harmonic mean of precision and recall, [..., classes]; NaN for a class without rows."""
    values = ratio(2 * tally.hits, tally.support + tally.predicted, np.nan)
    return np.where(tally.support > 0, values, np.nan)


@register("support", "max", "amount", selector="class", whole_count=True, in_training=False)
def support(tally: Tally) -> FloatArray:
    """Number of rows of each class, [..., classes]."""
    return tally.support


@register("macro_f1", "max", "share", selector="group", from_counts=True, margin=widths.mean_width(widths.f1_width))
def macro_f1(tally: Tally) -> FloatArray:
    """Mean F1 over the classes that have rows, [...]: a class without rows has no F1 and is left out."""
    return known_mean(f1(tally))


@register("micro_f1", "max", "share", selector="group", from_counts=True, margin=widths.width_of_all_rows)
def micro_f1(tally: Tally) -> FloatArray:
    """F1 of all decisions counted together, [...]; with one class per row that is the accuracy."""
    total = tally.support.sum(axis=-1) + tally.predicted.sum(axis=-1)
    return ratio(2 * tally.hits.sum(axis=-1), total, np.nan)


@register("weighted_f1", "max", "share", selector="group", from_counts=True, margin=widths.weighted_f1_width)
def weighted_f1(tally: Tally) -> FloatArray:
    """Mean F1 weighted by the number of rows of each class, [...]."""
    return ratio(np.nansum(f1(tally) * tally.support, axis=-1), tally.support.sum(axis=-1), np.nan)


@register("accuracy", "max", "share", from_counts=True, margin=widths.width_of_all_rows)
def accuracy(tally: Tally) -> FloatArray:
    """Share of rows predicted right, with all their labels where there may be several, [...]; NaN without rows."""
    return ratio(tally.exact, tally.rows, np.nan)


@register(
    "minority_recall", "max", "share", from_counts=True, margin=widths.mean_width(widths.recall_width, minority=True)
)
def minority_recall(tally: Tally) -> FloatArray:
    """Mean recall over the minority classes that have rows, [...]; NaN when none has."""
    return minority_mean(recall(tally), tally)


@register(
    "minority_precision",
    "max",
    "share",
    from_counts=True,
    margin=widths.mean_width(widths.precision_width, minority=True),
)
def minority_precision(tally: Tally) -> FloatArray:
    """Mean precision over the minority classes that have rows, [...]; NaN when none has."""
    return minority_mean(precision(tally), tally)


@register("minority_f1", "max", "share", from_counts=True, margin=widths.mean_width(widths.f1_width, minority=True))
def minority_f1(tally: Tally) -> FloatArray:
    """Mean F1 over the minority classes that have rows, [...]; NaN when none has."""
    return minority_mean(f1(tally), tally)
