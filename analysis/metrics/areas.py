"""Areas under curves, for tasks with probabilities."""

from collections.abc import Callable

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.metrics import widths
from rarecall.analysis.metrics.means import ratio
from rarecall.analysis.metrics.registry import register
from rarecall.analysis.metrics.tally import Tally


def _weighted_roc_auc(counted: Tally, weights: FloatArray) -> FloatArray:
    return _weightedby_class(counted, weights, _area_under_roc)


def _weighted_pr_auc(counted: Tally, weights: FloatArray) -> FloatArray:
    return _weightedby_class(counted, weights, _average_precision)


Area = Callable[[FloatArray, FloatArray], FloatArray]


def _weightedby_class(counted: Tally, weights: FloatArray, area: Area) -> FloatArray:
    """area: from the weights with and without the class, [draws, distinct probabilities], descending."""
    values = np.full((len(weights), len(counted.support)), np.nan)
    if counted.probabilities is None:
        return values
    truth = counted.truth
    for index in np.flatnonzero((counted.support > 0) & (counted.support < counted.rows)):
        values[:, index] = area(*_ranked(weights, truth[:, index], counted.probabilities[:, index]))
    return values


def _ranked(weights: FloatArray, truth: BoolArray, probability: FloatArray) -> tuple[FloatArray, FloatArray]:
    order = np.argsort(-probability, kind="stable")
    _, starts = np.unique(-probability[order], return_index=True)
    ranked = weights[:, order]
    inside, outside = ranked * truth[order], ranked * ~truth[order]
    return np.add.reduceat(inside, starts, axis=1), np.add.reduceat(outside, starts, axis=1)


def _area_under_roc(inside: FloatArray, outside: FloatArray) -> FloatArray:
    below = outside.sum(axis=1, keepdims=True) - np.cumsum(outside, axis=1) + outside / 2  # ties count half
    pairs = inside.sum(axis=1) * outside.sum(axis=1)
    return ratio((inside * below).sum(axis=1), pairs, np.nan)


def _average_precision(inside: FloatArray, outside: FloatArray) -> FloatArray:
    hits, taken = np.cumsum(inside, axis=1), np.cumsum(inside + outside, axis=1)
    precision = np.divide(hits, taken, out=np.zeros_like(hits), where=taken > 0)
    total = inside.sum(axis=1)
    return ratio((inside * precision).sum(axis=1), total, np.nan)


@register(
    "roc_auc",
    "max",
    "share",
    selector="class",
    mean=True,
    needs="probabilities",
    weighted=_weighted_roc_auc,
    margin=widths.single_or_mean(widths.roc_auc_width),
    in_training=False,
)
def roc_auc(tally: Tally) -> FloatArray:
    """Area under the ROC curve of each class against the rest, [classes]; NaN where one side has no row."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415  # a second that reading a finished run does without

    return by_class(tally, roc_auc_score)


@register(
    "pr_auc",
    "max",
    "share",
    selector="class",
    mean=True,
    needs="probabilities",
    weighted=_weighted_pr_auc,
    margin=widths.single_or_mean(widths.recall_width),
    in_training=False,
)
def pr_auc(tally: Tally) -> FloatArray:
    """Average precision of each class against the rest, [classes]; NaN for a class without rows or with all."""
    from sklearn.metrics import average_precision_score  # noqa: PLC0415  # as above

    return by_class(tally, average_precision_score)


def by_class(tally: Tally, area: Callable[[BoolArray, FloatArray], float]) -> FloatArray:
    """What a function of truth and probability [n] gives for each class with rows on both sides, NaN for others."""
    values = np.full(len(tally.support), np.nan)
    if tally.probabilities is None:
        return values
    truth = tally.truth
    for index in np.flatnonzero((tally.support > 0) & (tally.support < tally.rows)):
        values[index] = area(truth[:, index], tally.probabilities[:, index])
    return values
