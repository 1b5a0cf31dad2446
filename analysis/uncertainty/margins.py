"""How far chance alone carries a criterion's value: the unit in which the search counts what a trial lacks.

A recall of 0.35 against 0.40 is next to nothing on 20 rows and a clear miss on 2,000. Here, half the interval's width
at the threshold, with the rows at hand, counts as 1. All comes from the epoch's own row in the ledger, in microseconds
and without its predictions, so that a search that goes on counts as before. Verdicts do not use this: they have the
predictions (`analysis.criteria.verdicts`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from scipy.special import ndtri

from rarecall.analysis.criteria.criterion import MINORITY, Criterion, Verdict, keys, split_key
from rarecall.analysis.runs.run import EpochRow
from rarecall.analysis.uncertainty.intervals import LEVEL, exact

_Z = float(ndtri((1 + LEVEL) / 2))


def constraints(criteria: Sequence[Criterion], row: EpochRow) -> list[float]:
    """What a trial lacks in each criterion, in margins: 0 where it is met or undecided, above 0 where it is missed.

    1 is half the width of the 90 % interval that a value at the threshold would have with this row's n, so most of what
    chance does to a value stays below 1. The border between met and missed stays at the threshold.

    Half of 20 rows must be found, and 8 were: 0.1 short, where 10 of 20 would have the interval from 0.302 to 0.698:

    >>> from rarecall.analysis.criteria.criterion import parse
    >>> metrics = {"recall[rare]": 0.4, "support[rare]": 20.0}
    >>> row = EpochRow("t", 1, metrics, None, 0.0, 0.0, 0.0, None, None, 0.0, 0.0)
    >>> [round(value, 3) for value in constraints([parse("recall[rare] >= 0.5")], row)]
    [0.505]
    """
    verdicts = [criterion.judge(row.metrics) for criterion in criteria]
    return [verdict.violation * verdict.criterion.scale / margin(verdict, row) for verdict in verdicts]


def margin(verdict: Verdict, row: EpochRow) -> float:
    """Half the width of the 90 % interval of the deciding value, were it at the threshold; always above 0.

    recall, precision: Clopper and Pearson's, of the rows of the class or predicted as it. accuracy, micro F1, counts of
    rows: the same, of all rows. F1: the same, of the mean of both. Means over classes: as if these were independent.
    mae: z · sd / sqrt(n), with sd² = rmse² - mae², its size in proportion to the threshold. rmse: z · rmse / sqrt(2n),
    which normal errors have. grade_distance: z · sqrt(threshold / n), as for Poisson. roc_auc: Hanley and McNeil 1982.
    pr_auc: a share of the positives (Boyd et al. 2013). Correlations and kappa: z · (1 - r²) / sqrt(n). Others have
    1, or the threshold if that is larger.
    """
    criterion, unit = verdict.criterion, max(1.0, abs(verdict.criterion.threshold))
    if not verdict.key:
        return unit
    _, selector, part = split_key(verdict.key)
    width = _WIDTHS.get(criterion.metric, _of_others)
    if selector is None and criterion.selector == MINORITY:
        width, selector = _WIDTHS.get(f"minority_{criterion.metric}", _of_others), None
    value = width(_Counts(row, part, criterion.minority), selector, criterion.threshold)
    return value if math.isfinite(value) and value > 0 else unit


@dataclass(frozen=True)
class _Counts:
    """Numbers of rows behind the metrics of one epoch, in one part of the data."""

    row: EpochRow
    part: str
    minority: tuple[str, ...]

    def metric(self, name: str, selector: str | None = None) -> float:
        (key,) = keys(name, selector, self.row.metrics, self.part)
        return self.row.metrics.get(key, math.nan)

    @cached_property
    def supports(self) -> Mapping[str, float]:
        found = keys("support", "*", self.row.metrics, self.part)
        return {str(split_key(key)[1]): self.row.metrics[key] for key in found}

    @property
    def rows(self) -> float:
        """All rows; where a row may have several labels, and of a part of the data, as many as there are labels."""
        confusion = self.row.confusion
        if not self.part and confusion and isinstance(confusion[0][0], list):
            return float(sum(map(sum, confusion[0])))  # 2 x 2 for each label
        return sum(self.supports.values())

    def support(self, selector: str | None) -> float:
        return self.supports.get(str(selector), self.rows)

    def predicted(self, selector: str | None) -> float:
        """Rows predicted as a class; as many as it has where nothing tells."""
        precision = self.metric("precision", selector)
        hits = self.metric("recall", selector) * self.support(selector)
        return hits / precision if precision > 0 else self._column(selector)

    def _column(self, selector: str | None) -> float:
        confusion, names = self.row.confusion, list(self.supports)
        if self.part or not confusion or selector not in names:
            return self.support(selector)
        index = names.index(selector)
        if isinstance(confusion[0][0], list):
            return float(sum(line[1] for line in confusion[index]))
        return float(sum(line[index] for line in confusion))


Width = Callable[[_Counts, str | None, float], float]


@lru_cache(maxsize=4096)
def _share(threshold: float, rows: float) -> float:
    """Half the exact interval's width of a share that is at the threshold."""
    if not rows > 0:
        return 0.5
    interval = exact(min(max(threshold, 0.0), 1.0) * rows, rows)
    return (interval.high - interval.low) / 2


def _recall(counts: _Counts, selector: str | None, threshold: float) -> float:
    return _share(threshold, counts.support(selector))


def _precision(counts: _Counts, selector: str | None, threshold: float) -> float:
    return _share(threshold, counts.predicted(selector))


def _f1(counts: _Counts, selector: str | None, threshold: float) -> float:
    return _share(threshold, (counts.support(selector) + counts.predicted(selector)) / 2)


def _of_all_rows(counts: _Counts, selector: str | None, threshold: float) -> float:
    return _share(threshold, counts.rows)


def _count_of_rows(counts: _Counts, selector: str | None, threshold: float) -> float:
    return _share(threshold / counts.rows, counts.rows) * counts.rows if counts.rows else math.nan


def _mean_over(single: Width, minority: bool) -> Width:
    """Of a mean over the classes that have rows, or over the minority among them."""

    def width(counts: _Counts, selector: str | None, threshold: float) -> float:
        among = counts.minority if minority and counts.minority else tuple(counts.supports)
        widths = [single(counts, name, threshold) for name in among if counts.support(name) > 0]
        return math.sqrt(sum(one**2 for one in widths)) / len(widths) if widths else math.nan

    return width


def _weighted_f1(counts: _Counts, selector: str | None, threshold: float) -> float:
    shares = {name: rows / counts.rows for name, rows in counts.supports.items() if rows > 0}
    return math.sqrt(sum((share * _f1(counts, name, threshold)) ** 2 for name, share in shares.items()))


def _mae(counts: _Counts, selector: str | None, threshold: float) -> float:
    if selector is None:  # dimensions err together, so their mean varies as one of them does
        names = [split_key(key)[1] for key in keys("mae", "*", counts.row.metrics, counts.part)]
        return sum(_mae(counts, name, threshold) for name in names) / len(names) if names else math.nan
    mean, root = counts.metric("mae", selector), counts.metric("rmse", selector)
    deviation = math.sqrt(max(0.0, root**2 - mean**2))
    size = threshold / mean if threshold > 0 and mean > 0 else 1.0
    return _Z * deviation * size / math.sqrt(counts.rows) if counts.rows else math.nan


def _rmse(counts: _Counts, selector: str | None, threshold: float) -> float:
    return _Z * threshold / math.sqrt(2 * counts.rows) if counts.rows else math.nan


def _grade_distance(counts: _Counts, selector: str | None, threshold: float) -> float:
    return _Z * math.sqrt(abs(threshold) / counts.rows) if counts.rows else math.nan


def _roc_auc(counts: _Counts, selector: str | None, threshold: float) -> float:
    positive = counts.support(selector)
    negative = counts.rows - positive
    if not (positive > 0 and negative > 0):
        return math.nan
    one, two = threshold / (2 - threshold), 2 * threshold**2 / (1 + threshold)
    variance = threshold * (1 - threshold)
    variance += (positive - 1) * (one - threshold**2) + (negative - 1) * (two - threshold**2)
    return _Z * math.sqrt(max(0.0, variance) / (positive * negative))


def _area(single: Width) -> Width:
    mean = _mean_over(single, minority=False)

    def width(counts: _Counts, selector: str | None, threshold: float) -> float:
        return (mean if selector is None else single)(counts, selector, threshold)

    return width


def _correlation(counts: _Counts, selector: str | None, threshold: float) -> float:
    return _Z * (1 - threshold**2) / math.sqrt(counts.rows) if counts.rows else math.nan


def _of_others(counts: _Counts, selector: str | None, threshold: float) -> float:
    return max(1.0, abs(threshold))


_WIDTHS: Mapping[str, Width] = {
    "recall": _recall,
    "precision": _precision,
    "f1": _f1,
    "minority_recall": _mean_over(_recall, minority=True),
    "minority_precision": _mean_over(_precision, minority=True),
    "minority_f1": _mean_over(_f1, minority=True),
    "macro_f1": _mean_over(_f1, minority=False),
    "weighted_f1": _weighted_f1,
    "micro_f1": _of_all_rows,
    "accuracy": _of_all_rows,
    "catastrophic_failures": _count_of_rows,
    "constraint_violations": _count_of_rows,
    "unparsable_answers": _count_of_rows,
    "mae": _mae,
    "rmse": _rmse,
    "grade_distance": _grade_distance,
    "roc_auc": _area(_roc_auc),
    "pr_auc": _area(_recall),
    "matthews_correlation": _correlation,
    "quadratic_weighted_kappa": _correlation,
}
