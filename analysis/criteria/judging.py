"""Criteria held against many sets of metrics at once: what `Criterion.judge` says of one, without its explanations."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.criteria.criterion import ANY, TOLERANCE, Criterion, split_key
from rarecall.analysis.criteria.ranking import objective_key, worst
from rarecall.analysis.metrics import registry as metric_registry

Metrics = Mapping[str, float]


def shortfalls(criterion: Criterion, values: FloatArray) -> FloatArray:
    """How far values are from meeting a criterion: above 0 when missed, at most 0 when met, NaN for NaN.

    >>> from rarecall.analysis.criteria.criterion import parse
    >>> shortfalls(parse("recall[rare] >= 0.5"), np.array([0.25, 0.5, 1.0])).tolist()
    [0.25, 0.0, -0.5]
    """
    over = values - criterion.threshold
    if criterion.op == "==":
        return np.where(np.abs(over) <= TOLERANCE, 0.0, np.abs(over))
    short = -over if criterion.op in (">=", ">") else over
    return np.where(np.abs(short) <= TOLERANCE, TOLERANCE if criterion.op in (">", "<") else 0.0, short)


@dataclass(frozen=True)
class Judged:
    """What criteria say about n sets of metrics. values: that decide, NaN where there is none. met: as measured.
    violations: 0 where nothing is missed. [n, criteria] each.
    """

    values: FloatArray
    met: BoolArray
    violations: FloatArray


def judge_all(metrics: Sequence[Metrics], criteria: Sequence[Criterion]) -> Judged:
    """`Criterion.judge` of each criterion for each of n sets of metrics."""
    return MetricsTable(metrics).judged(criteria)


def rank_keys(metrics: Sequence[Metrics], criteria: Sequence[Criterion], objective: str) -> FloatArray:
    """`analysis.criteria.ranking.rank_key` of each, [n, 4]: criteria met, minus the violation, objective, macro F1."""
    return MetricsTable(metrics).rank_keys(criteria, objective)


class MetricsTable:
    """Many sets of metrics, read out by key; those with the same keys together."""

    def __init__(self, metrics: Sequence[Metrics]) -> None:
        groups: dict[tuple[str, ...], list[int]] = {}
        for index, one in enumerate(metrics):
            groups.setdefault(tuple(one), []).append(index)
        self._count = len(metrics)
        self._groups = [
            (np.array(members), _Group([metrics[index] for index in members], keys)) for keys, members in groups.items()
        ]

    @classmethod
    def of_columns(cls, columns: Mapping[str, FloatArray]) -> "MetricsTable":
        """Sets of metrics that all have the same keys, given by key as [n] values."""
        table = cls([])
        table._count = len(next(iter(columns.values())))
        table._groups = [(np.arange(table._count), _Group.of_columns(columns, table._count))]
        return table

    def rank_keys(self, criteria: Sequence[Criterion], objective: str) -> FloatArray:
        """As the function of this name."""
        judged = self.judged(criteria)
        goals = (self.objectives(objective), self.column("macro_f1"))
        comparable = [np.where(np.isfinite(values), values, -np.inf) for values in goals]
        return np.column_stack([judged.met.sum(axis=1), -np.round(judged.violations.sum(axis=1), 12), *comparable])

    def column(self, key: str) -> FloatArray:
        """Values [n] under a key, NaN where there is none."""
        result = np.empty(self._count)
        for members, group in self._groups:
            result[members] = group.column(key)
        return result

    def objectives(self, objective: str) -> FloatArray:
        """`analysis.criteria.ranking.objective_value` of each, [n]."""
        metric = metric_registry.find(split_key(objective)[0])
        sign = -1.0 if metric is not None and metric.direction == "min" else 1.0
        result = np.empty(self._count)
        for members, group in self._groups:
            result[members] = sign * group.column(objective_key(group.first, objective))
        return result

    def scores(self, violation: FloatArray, objective: str) -> FloatArray:
        """`analysis.criteria.ranking.score` of each, given the sum of its violations, [n] each."""
        values = self.objectives(objective)
        return np.asarray(np.round(np.where(np.isfinite(values), values, worst(objective)) - violation, 12))

    def judged(self, criteria: Sequence[Criterion]) -> Judged:
        """`Criterion.judge` of each criterion for each of them."""
        shape = (self._count, len(criteria))
        judged = Judged(np.full(shape, np.nan), np.zeros(shape, dtype=np.bool_), np.zeros(shape))
        for members, group in self._groups:
            group.load(key for criterion in criteria for key in criterion.keys(group.keys))
            for place, criterion in enumerate(criteria):
                value, short, complete = group.deciding(criterion)
                missed = short > 0
                # A missing value leaves open what the known ones do not decide.
                decided = complete | (missed != (criterion.selector == ANY))
                judged.values[members, place] = value
                judged.met[members, place] = decided & (short <= 0)
                judged.violations[members, place] = np.where(decided & missed, short / criterion.scale, 0.0)
        return judged


class _Group:
    """Metrics with the same keys in the same order."""

    def __init__(self, metrics: Sequence[Metrics], keys: tuple[str, ...]) -> None:
        self._metrics, self.keys, self._count = metrics, keys, len(metrics)
        self._columns: dict[str, FloatArray] = {}

    @classmethod
    def of_columns(cls, columns: Mapping[str, FloatArray], count: int) -> "_Group":
        group = cls([dict.fromkeys(columns, math.nan)], tuple(columns))
        group._columns, group._count = dict(columns), count
        return group

    def load(self, keys: Iterable[str]) -> None:
        """Read several columns in one pass, which 50,000 rows spread over the memory repay."""
        wanted = [key for key in dict.fromkeys(keys) if key in self.keys and key not in self._columns]
        if len(wanted) > 1:
            rows = np.array(list(map(itemgetter(*wanted), self._metrics)), dtype=np.float64)
            self._columns.update(zip(wanted, np.ascontiguousarray(rows.T), strict=True))

    @property
    def first(self) -> Metrics:
        return self._metrics[0]

    def column(self, key: str) -> FloatArray:
        """Values [n] under a key, NaN where there is none."""
        if key not in self.keys:
            return np.full(self._count, np.nan)
        if key not in self._columns:
            self._columns[key] = np.fromiter(map(itemgetter(key), self._metrics), np.float64, self._count)
        return self._columns[key]

    def deciding(self, criterion: Criterion) -> tuple[FloatArray, FloatArray, BoolArray]:
        """The value that decides and its shortfall, NaN where none is known, and whether all are known; [n] each."""
        keys = criterion.keys(self.keys)
        if not keys:
            nothing = np.full(self._count, np.nan)
            return nothing, nothing, np.zeros(self._count, dtype=np.bool_)
        values = np.array([self.column(key) for key in keys])
        known = np.isfinite(values)
        best = criterion.selector == ANY
        # What is not known is never chosen, unless nothing is.
        short = np.where(known, shortfalls(criterion, values), np.inf if best else -np.inf)
        chosen = (short.argmin(axis=0) if best else short.argmax(axis=0), np.arange(self._count))
        some = known.any(axis=0)
        return np.where(some, values[chosen], np.nan), np.where(some, short[chosen], np.nan), known.all(axis=0)
