"""How far chance alone carries a criterion's value: the unit in which the search counts what a trial lacks.

A recall of 0.35 against 0.40 is next to nothing on 20 rows and a clear miss on 2,000. Here, half the interval's width
at the threshold, with the rows at hand, counts as 1. All comes from the epoch's own row in the ledger, in microseconds
and without its predictions, so that a search that goes on counts as before. Verdicts do not use this: they have the
predictions (`analysis.criteria.verdicts`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rarecall.analysis.criteria.criterion import MINORITY, Criterion, Verdict, keys, split_key
from rarecall.analysis.metrics import registry as metrics
from rarecall.analysis.metrics.widths import Counts, Width
from rarecall.analysis.runs.run import EpochRow


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

    What the metric says itself (`margin` of `analysis.metrics.registry`, see `analysis.metrics.widths`). A metric that
    says nothing has 1, or the threshold if that is larger.
    """
    criterion, unit = verdict.criterion, max(1.0, abs(verdict.criterion.threshold))
    if not verdict.key:
        return unit
    _, selector, part = split_key(verdict.key)
    over_minority = selector is None and criterion.selector == MINORITY
    width = _width(f"minority_{criterion.metric}" if over_minority else criterion.metric)
    value = width(_Counts(row, part, criterion.minority), selector, criterion.threshold)
    return value if math.isfinite(value) and value > 0 else unit


def _width(name: str) -> Width:
    metric = metrics.find(name)
    return metric.margin if metric is not None and metric.margin is not None else _of_others


def _of_others(counts: Counts, selector: str | None, threshold: float) -> float:
    return max(1.0, abs(threshold))


@dataclass(frozen=True)
class _Counts:
    """Numbers of rows behind the metrics of one epoch, in one part of the data."""

    row: EpochRow
    part: str
    minority: tuple[str, ...]

    def metric(self, name: str, selector: str | None = None) -> float:
        (key,) = keys(name, selector, self.row.metrics, self.part)
        return self.row.metrics.get(key, math.nan)

    def selectors(self, name: str) -> tuple[str, ...]:
        return tuple(str(split_key(key)[1]) for key in keys(name, "*", self.row.metrics, self.part))

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
