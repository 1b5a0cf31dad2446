"""Metrics that people who look for rare classes ask for beside recall, precision and F1."""

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.metrics import widths
from rarecall.analysis.metrics.areas import by_class
from rarecall.analysis.metrics.by_class import recall
from rarecall.analysis.metrics.means import known_mean, ratio
from rarecall.analysis.metrics.registry import register
from rarecall.analysis.metrics.tally import Tally


@register("specificity", "max", "share", selector="class", from_counts=True)
def specificity(tally: Tally) -> FloatArray:
    """Share of the rows of other classes that were not predicted as a class, [..., classes]; 1 - false alarm rate.

    NaN for a class that all rows are of.
    """
    others = tally.rows - tally.support
    return ratio(others - (tally.predicted - tally.hits), others, np.nan)


@register("balanced_accuracy", "max", "share", from_counts=True, margin=widths.mean_width(widths.recall_width))
def balanced_accuracy(tally: Tally) -> FloatArray:
    """Mean recall over the classes that have rows, [...] (Brodersen et al. 2010)."""
    return known_mean(recall(tally))


@register("g_mean", "max", "share", from_counts=True)
def g_mean(tally: Tally) -> FloatArray:
    """Geometric mean of the recall of the classes that have rows, [...] (Kubat and Matwin 1997)."""
    found = recall(tally)
    known = ~np.isnan(found)
    with np.errstate(divide="ignore"):
        logs = np.where(known, np.log(np.where(known, found, 1.0)), 0.0).sum(axis=-1)
    return np.asarray(np.where(known.any(axis=-1), np.exp(logs / np.maximum(known.sum(axis=-1), 1)), np.nan))


@register("f2", "max", "share", selector="class", from_counts=True)
def f2(tally: Tally) -> FloatArray:
    """F-beta with beta 2 (van Rijsbergen 1979), in which recall counts four times, [..., classes]; NaN without rows."""
    return _f_beta(tally, 2.0)


@register("f05", "max", "share", selector="class", from_counts=True)
def f05(tally: Tally) -> FloatArray:
    """F-beta with beta 1/2, in which precision counts four times, [..., classes]; NaN without rows."""
    return _f_beta(tally, 0.5)


def _f_beta(tally: Tally, beta: float) -> FloatArray:
    """(1 + β²) · hits / (β² · support + predicted), which is the weighted harmonic mean of precision and recall."""
    weight = beta * beta
    values = ratio((1 + weight) * tally.hits, weight * tally.support + tally.predicted, np.nan)
    return np.where(tally.support > 0, values, np.nan)


@register("recall_at_fpr5", "max", "share", selector="class", needs="probabilities", in_training=False)
def recall_at_fpr5(tally: Tally) -> FloatArray:
    """The highest recall of each class that costs at most 5 % false alarms, whatever the threshold, [classes]."""
    return _recall_at(tally, 0.05)


@register("recall_at_fpr1", "max", "share", selector="class", needs="probabilities", in_training=False)
def recall_at_fpr1(tally: Tally) -> FloatArray:
    """The highest recall of each class that costs at most 1 % false alarms, whatever the threshold, [classes]."""
    return _recall_at(tally, 0.01)


def _recall_at(tally: Tally, most: float) -> FloatArray:
    return by_class(tally, lambda truth, probability: _best_recall(truth, probability, most))


def _best_recall(truth: BoolArray, probability: FloatArray, most: float) -> float:
    """Rows of equal probability are named together or not at all."""
    order = np.argsort(-probability, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(probability[order]) != 0, True))
    hits = np.cumsum(truth[order])[ends]
    alarms = (ends + 1 - hits) / (~truth).sum()
    within = hits[alarms <= most + 1e-12]
    return float(within[-1] / truth.sum()) if len(within) else 0.0
