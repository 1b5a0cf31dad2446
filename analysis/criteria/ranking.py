"""How good a set of metrics is, as one number for the searcher and as a key for the order of trials and epochs."""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from rarecall.analysis.criteria.criterion import Criterion, Verdict, keys, split_key
from rarecall.analysis.metrics import registry as metric_registry

DEFAULT_OBJECTIVE = "minority_recall"
# Stands for an objective that is an amount and undefined: finite, and below every real one.
_WORST_AMOUNT = -1e6


class HasMetrics(Protocol):
    """Whatever carries the flat metrics of one epoch."""

    @property
    def metrics(self) -> Mapping[str, float]: ...


RowT = TypeVar("RowT", bound=HasMetrics)
RankKey = tuple[int, float, float, float]


def score(metrics: Mapping[str, float], criteria: Sequence[Criterion], objective: str = DEFAULT_OBJECTIVE) -> float:
    """The objective, negated where lower is better, minus the sum of all violations; bigger is better, always finite.

    An undefined objective counts as the worst that its scale allows.

    >>> from rarecall.analysis.criteria.criterion import parse
    >>> score({"minority_recall": 0.5, "accuracy": 0.8}, [parse("accuracy >= 0.9")])
    0.4
    """
    value = objective_value(metrics, objective)
    if not math.isfinite(value):
        value = worst(objective)
    return round(value - sum(verdict.violation for verdict in judge(metrics, criteria)), 12)


def rank_key(
    metrics: Mapping[str, float], criteria: Sequence[Criterion], objective: str = DEFAULT_OBJECTIVE
) -> RankKey:
    """Criteria met, minus the total violation, objective, macro F1: compared in this order, bigger is better."""
    return verdict_key(judge(metrics, criteria), metrics, objective)


def verdict_key(verdicts: Sequence[Verdict], metrics: Mapping[str, float], objective: str) -> RankKey:
    """The rank key of metrics that were judged already."""
    met = sum(verdict.status == "met" for verdict in verdicts)
    violation = sum(verdict.violation for verdict in verdicts)
    # Rounded, so that the order in which violations are summed cannot decide between two trials.
    return met, -round(violation, 12), _comparable(objective_value(metrics, objective)), _comparable(_macro(metrics))


def best_epoch(rows: Sequence[RowT], criteria: Sequence[Criterion], objective: str = DEFAULT_OBJECTIVE) -> RowT:
    """The row with the best rank key, the earliest one on ties.

    Raises:
        ValueError: no rows.
    """
    return max(rows, key=lambda row: rank_key(row.metrics, criteria, objective))


def judge(metrics: Mapping[str, float], criteria: Sequence[Criterion]) -> tuple[Verdict, ...]:
    """One verdict per criterion, in their order."""
    return tuple(criterion.judge(metrics) for criterion in criteria)


def objective_value(metrics: Mapping[str, float], objective: str) -> float:
    """The objective among the metrics, negated where lower is better; NaN when it is missing."""
    metric = metric_registry.find(split_key(objective)[0])
    value = metrics.get(objective_key(metrics, objective), math.nan)
    return -value if metric is not None and metric.direction == "min" else value


def objective_key(metrics: Mapping[str, float], objective: str) -> str:
    """The key under which the metrics hold the objective."""
    name, selector, part = split_key(objective)
    (key,) = keys(name, selector, metrics, part)
    return key


def worst(objective: str) -> float:
    """What an undefined objective counts as in the score."""
    metric = metric_registry.find(split_key(objective)[0])
    if metric is None or metric.scale == "amount":
        return _WORST_AMOUNT
    return 0.0 if metric.direction == "max" else -1.0


def _macro(metrics: Mapping[str, float]) -> float:
    return metrics.get("macro_f1", math.nan)


def _comparable(value: float) -> float:
    return value if math.isfinite(value) else -math.inf
