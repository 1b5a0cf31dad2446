"""Criteria held against many sets of metrics at once: what `Criterion.judge` says of one, without its explanations."""

from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np

from analysis import metrics as metric_registry
from analysis.criteria import ANY, TOLERANCE, Criterion, split_key
from analysis.predictions import BoolArray, FloatArray, IntArray
from analysis.ranking import objective_key

Metrics = Mapping[str, float]


def shortfalls(criterion: Criterion, values: FloatArray) -> FloatArray:
    """How far values are from meeting a criterion: above 0 when missed, at most 0 when met, NaN for NaN.

    >>> from analysis.criteria import parse
    >>> shortfalls(parse("recall[rare] >= 0.5"), np.array([0.25, 0.5, 1.0])).tolist()
    [0.25, 0.0, -0.5]
    """
    over = values - criterion.threshold
    if criterion.op == "==":
        return np.where(np.abs(over) <= TOLERANCE, 0.0, np.abs(over))
    short = -over if criterion.op in (">=", ">") else over
    return np.where(np.abs(short) <= TOLERANCE, TOLERANCE if criterion.op in (">", "<") else 0.0, short)


def rank_keys(metrics: Sequence[Metrics], criteria: Sequence[Criterion], objective: str) -> FloatArray:
    """`analysis.ranking.rank_key` of each, [n, 4]: criteria met, minus the violation, objective, macro F1."""
    result = np.empty((len(metrics), 4))
    for members, keys in _alike(metrics):
        table = _Table([metrics[index] for index in members], keys)
        met, violation = table.judged(criteria)
        goal = table.column(objective_key(metrics[members[0]], objective))
        metric = metric_registry.find(split_key(objective)[0])
        goal = -goal if metric is not None and metric.direction == "min" else goal
        result[members] = np.column_stack(
            [met, -np.round(violation, 12), _ranked(goal), _ranked(table.column("macro_f1"))]
        )
    return result


def _alike(metrics: Sequence[Metrics]) -> list[tuple[IntArray, tuple[str, ...]]]:
    """Positions of the metrics that have the same keys in the same order, with these keys."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, one in enumerate(metrics):
        groups.setdefault(tuple(one), []).append(index)
    return [(np.array(members), keys) for keys, members in groups.items()]


class _Table:
    """Metrics with the same keys, read out column by column."""

    def __init__(self, metrics: Sequence[Metrics], keys: tuple[str, ...]) -> None:
        self._metrics, self._keys = metrics, keys
        self._columns: dict[str, FloatArray] = {}

    def column(self, key: str) -> FloatArray:
        """Values [n] under a key, NaN where there is none."""
        if key not in self._columns:
            count = len(self._metrics)
            known = key in self._keys
            values = map(itemgetter(key), self._metrics) if known else (np.nan for _ in range(count))
            self._columns[key] = np.fromiter(values, np.float64, count)
        return self._columns[key]

    def judged(self, criteria: Sequence[Criterion]) -> tuple[IntArray, FloatArray]:
        """How many criteria are met, and the sum of their violations, [n] each."""
        met, violation = np.zeros(len(self._metrics), dtype=np.int64), np.zeros(len(self._metrics))
        for criterion in criteria:
            short, complete = self._shortfall(criterion)
            missed, any_suffices = short > 0, criterion.selector == ANY
            # A missing value leaves open what the known ones do not decide.
            decided = complete | (missed != any_suffices)
            met += decided & (short <= 0)
            violation += np.where(decided & missed, short / criterion.scale, 0.0)
        return met, violation

    def _shortfall(self, criterion: Criterion) -> tuple[FloatArray, BoolArray]:
        """The shortfall that decides, NaN where no value is known, and whether all values are known; [n] each."""
        keys = criterion.keys(self._keys)
        if not keys:
            return np.full(len(self._metrics), np.nan), np.zeros(len(self._metrics), dtype=np.bool_)
        values = np.array([self.column(key) for key in keys])
        known = np.isfinite(values)
        short = np.where(known, shortfalls(criterion, values), np.nan)
        decide = np.fmin if criterion.selector == ANY else np.fmax
        return decide.reduce(short, axis=0), known.all(axis=0)


def _ranked(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, -np.inf)
