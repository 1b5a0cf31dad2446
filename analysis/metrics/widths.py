"""How far chance alone carries a metric: half the width of the 90 % interval of a value that is at its threshold.

A width is a trait of a metric (`margin` of `register`). It works on counts of one epoch, without its predictions.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Protocol

from scipy.special import ndtri

from rarecall.analysis.uncertainty.intervals import LEVEL, exact

_Z = float(ndtri((1 + LEVEL) / 2))


class Counts(Protocol):
    """Numbers of rows behind the metrics of one epoch, in one part of the data."""

    @property
    def minority(self) -> tuple[str, ...]:
        """The classes that a criterion's `minority` stands for, empty where it does not say so."""

    @property
    def supports(self) -> Mapping[str, float]:
        """Rows by class."""

    @property
    def rows(self) -> float:
        """All rows; where a row may have several labels, and of a part of the data, as many as there are labels."""

    def support(self, selector: str | None) -> float:
        """Rows of a class, all rows for None."""

    def predicted(self, selector: str | None) -> float:
        """Rows predicted as a class."""

    def metric(self, name: str, selector: str | None = None) -> float:
        """Another metric's value, NaN where there is none."""

    def selectors(self, name: str) -> tuple[str, ...]:
        """What stands in the brackets of a metric's values."""


# From the counts, the class or dimension in the brackets and the threshold; NaN or 0 where nothing can be said.
Width = Callable[[Counts, str | None, float], float]


@lru_cache(maxsize=4096)
def share_width(threshold: float, rows: float) -> float:
    """Half the width of Clopper and Pearson's interval of a share that is at the threshold, of so many rows.

    Half of 20 rows, from 0.302 to 0.698:

    >>> round(share_width(0.5, 20), 3)
    0.198
    """
    if not rows > 0:
        return 0.5
    interval = exact(min(max(threshold, 0.0), 1.0) * rows, rows)
    return (interval.high - interval.low) / 2


def recall_width(counts: Counts, selector: str | None, threshold: float) -> float:
    """Of a share of the rows of a class."""
    return share_width(threshold, counts.support(selector))


def precision_width(counts: Counts, selector: str | None, threshold: float) -> float:
    """Of a share of the rows predicted as a class."""
    return share_width(threshold, counts.predicted(selector))


def f1_width(counts: Counts, selector: str | None, threshold: float) -> float:
    """Of a share of the mean of both."""
    return share_width(threshold, (counts.support(selector) + counts.predicted(selector)) / 2)


def width_of_all_rows(counts: Counts, selector: str | None, threshold: float) -> float:
    """Of a share of all rows."""
    return share_width(threshold, counts.rows)


def count_width(counts: Counts, selector: str | None, threshold: float) -> float:
    """Of a number of rows among all."""
    return share_width(threshold / counts.rows, counts.rows) * counts.rows if counts.rows else math.nan


def mean_width(single: Width, *, minority: bool = False) -> Width:
    """Of a mean over the classes that have rows, or over the minority among them, as if these were independent."""

    def width(counts: Counts, selector: str | None, threshold: float) -> float:
        among = counts.minority if minority and counts.minority else tuple(counts.supports)
        widths = [single(counts, name, threshold) for name in among if counts.support(name) > 0]
        return math.sqrt(sum(one**2 for one in widths)) / len(widths) if widths else math.nan

    return width


def single_or_mean(single: Width) -> Width:
    """Of one class where there is one in the brackets, of the mean over the classes otherwise."""
    mean = mean_width(single)

    def width(counts: Counts, selector: str | None, threshold: float) -> float:
        return (mean if selector is None else single)(counts, selector, threshold)

    return width


def weighted_f1_width(counts: Counts, selector: str | None, threshold: float) -> float:
    """Of a mean F1 weighted by the rows of each class."""
    shares = {name: rows / counts.rows for name, rows in counts.supports.items() if rows > 0}
    return math.sqrt(sum((share * f1_width(counts, name, threshold)) ** 2 for name, share in shares.items()))


def mae_width(counts: Counts, selector: str | None, threshold: float) -> float:
    """z · sd / sqrt(n), with sd² = rmse² - mae², its size in proportion to the threshold."""
    if selector is None:  # dimensions err together, so their mean varies as one of them does
        names = counts.selectors("mae")
        return sum(mae_width(counts, name, threshold) for name in names) / len(names) if names else math.nan
    mean, root = counts.metric("mae", selector), counts.metric("rmse", selector)
    deviation = math.sqrt(max(0.0, root**2 - mean**2))
    size = threshold / mean if threshold > 0 and mean > 0 else 1.0
    return _Z * deviation * size / math.sqrt(counts.rows) if counts.rows else math.nan


def rmse_width(counts: Counts, selector: str | None, threshold: float) -> float:
    """z · rmse / sqrt(2n), which normal errors have."""
    return _Z * threshold / math.sqrt(2 * counts.rows) if counts.rows else math.nan


def distance_width(counts: Counts, selector: str | None, threshold: float) -> float:
    """z · sqrt(threshold / n), as for Poisson."""
    return _Z * math.sqrt(abs(threshold) / counts.rows) if counts.rows else math.nan


def roc_auc_width(counts: Counts, selector: str | None, threshold: float) -> float:
    """Hanley and McNeil 1982."""
    positive = counts.support(selector)
    negative = counts.rows - positive
    if not (positive > 0 and negative > 0):
        return math.nan
    one, two = threshold / (2 - threshold), 2 * threshold**2 / (1 + threshold)
    variance = threshold * (1 - threshold)
    variance += (positive - 1) * (one - threshold**2) + (negative - 1) * (two - threshold**2)
    return _Z * math.sqrt(max(0.0, variance) / (positive * negative))


def correlation_width(counts: Counts, selector: str | None, threshold: float) -> float:
    """z · (1 - r²) / sqrt(n)."""
    return _Z * (1 - threshold**2) / math.sqrt(counts.rows) if counts.rows else math.nan
