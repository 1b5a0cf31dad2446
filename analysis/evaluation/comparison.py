"""Two or more sets of predictions of the same rows: what differs, and what of that is more than chance."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from rarecall.analysis.arrays import BoolArray
from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.evaluation.targets import Target
from rarecall.analysis.metrics import registry as metric_registry
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.bootstrap import DRAWS, percentile, posterior
from rarecall.analysis.uncertainty.intervals import LEVEL, Interval

# Compared beside the recall of each minority class, as far as the task has them.
_NAMES = ("minority_recall", "minority_precision", "macro_f1", "accuracy", "quadratic_weighted_kappa", "mae")


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of two sets of predictions. interval: of second minus first, paired. better: probability that the
    second one is truly better.
    """

    key: str
    first: float
    second: float
    interval: Interval
    better: float


@dataclass(frozen=True, slots=True)
class McNemar:
    """Rows that only one of the two has right. p_value: exact and two-sided (McNemar 1947, binomial)."""

    only_first: int
    only_second: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Flip:
    """Rows of a minority class that only one of the two has right, by their numbers in the data."""

    name: str
    lost: tuple[int, ...]
    gained: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """The second target held against the first. changed: parameters that differ, (first, second) by path."""

    first: str
    second: str
    rows: int
    level: float
    differences: tuple[Difference, ...]
    mcnemar: McNemar
    changed: Mapping[str, tuple[Any, Any]]
    flips: tuple[Flip, ...]

    def plain(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)


def compared(first: Target, second: Target, level: float = LEVEL, draws: int = DRAWS, seed: int = 0) -> Comparison:
    """Compare two targets on the same rows.

    Raises:
        InputError: they do not hold the same rows, the same true classes or the same label space.
    """
    one, other = _aligned(first, second)
    right = [_right(predictions) for predictions in (one, other)]
    return Comparison(
        first.name,
        second.name,
        len(one),
        level,
        tuple(_differences(one, other, first.labels, level, draws, seed)),
        mcnemar(*right),
        _changed(first.params, second.params),
        tuple(_flips(one, other, first.labels)),
    )


def mcnemar(first: BoolArray, second: BoolArray) -> McNemar:
    """McNemar's exact test of two models, given which rows [n] each has right.

    >>> mcnemar(np.array([True, True, False]), np.array([False, False, False]))  # 2 against 0: 2 · ½²
    McNemar(only_first=2, only_second=0, p_value=0.5)
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    both = only_first + only_second
    p_value = float(binomtest(only_first, both).pvalue) if both else 1.0
    return McNemar(only_first, only_second, p_value)


def _aligned(first: Target, second: Target) -> tuple[Predictions, Predictions]:
    """The same rows in the same order."""
    names = f"{first.name} and {second.name}"
    if (first.labels.classes, first.labels.dimensions) != (second.labels.classes, second.labels.dimensions):
        rule = "must have the same classes and dimensions to be compared"
        raise InputError(names, [Fault(second.name, rule, str(second.labels.classes), f"{first.labels.classes}")])
    one, other = (target.predictions.take(np.argsort(target.predictions.rows)) for target in (first, second))
    if not np.array_equal(one.rows, other.rows):
        common = len(np.intersect1d(one.rows, other.rows))
        value = f"{len(one):,} and {len(other):,} rows, {common:,} of them in both"
        raise InputError(
            names, [Fault(second.name, "must predict the same rows", value, "predict the same file with both")]
        )
    if not np.array_equal(_truth(one), _truth(other)):
        differ = int((_truth(one) != _truth(other)).reshape(len(one), -1).any(axis=1).sum())
        rule = "must have the same true classes"
        raise InputError(
            names, [Fault(second.name, rule, f"{differ:,} rows that differ", "use the same labels for both")]
        )
    return one, other


def _truth(predictions: Predictions) -> Any:
    return predictions.true_class if predictions.true_labels is None else predictions.true_labels


def _given(predictions: Predictions) -> Any:
    return predictions.predicted_class if predictions.predicted_labels is None else predictions.predicted_labels


def _right(predictions: Predictions) -> BoolArray:
    """Which rows are predicted right, with all their labels where there may be several."""
    if predictions.true_labels is not None and predictions.predicted_labels is not None:
        return np.asarray((predictions.true_labels == predictions.predicted_labels).all(axis=1))
    return np.asarray(predictions.true_class == predictions.predicted_class)


def _differences(
    one: Predictions, other: Predictions, labels: LabelSpace, level: float, draws: int, seed: int
) -> Iterator[Difference]:
    known = {name: metric_registry.find(name) for name in ("recall", *_NAMES)}
    names = [name for name, metric in known.items() if metric and metric.applies(labels)]
    measured = [evaluate(predictions, labels, names) for predictions in (one, other)]
    # The same seed weighs the same rows alike in both: the draws are pairs. Rows that nobody has seen need not be hit
    # or missed by both: only models that never differ share these as well.
    differ = bool((_given(one) != _given(other)).any())
    first = posterior(one, labels, names, draws=draws, seed=seed)
    second = posterior(other, labels, names, draws=draws, seed=seed, pseudo=int(differ))
    for key in [*(f"recall[{name}]" for name in labels.minority), *(name for name in names if name != "recall")]:
        apart = second[key] - first[key]
        metric = known[split_key(key)[0]]
        gain = -apart if metric and metric.direction == "min" else apart
        better = float(np.mean(gain > 0) + np.mean(gain == 0) / 2)
        yield Difference(key, measured[0][key], measured[1][key], percentile(apart, level), better)


def _changed(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    paths = dict.fromkeys((*first, *second))
    return {path: (first.get(path), second.get(path)) for path in paths if first.get(path) != second.get(path)}


def _flips(one: Predictions, other: Predictions, labels: LabelSpace) -> Iterator[Flip]:
    for name in labels.minority:
        index = labels.classes.index(name)
        hit = [_hits(predictions, index) for predictions in (one, other)]
        lost, gained = one.rows[hit[0] & ~hit[1]], one.rows[hit[1] & ~hit[0]]
        if len(lost) or len(gained):
            yield Flip(name, tuple(lost.tolist()), tuple(gained.tolist()))


def _hits(predictions: Predictions, index: int) -> BoolArray:
    """Which rows of a class are predicted as it."""
    if predictions.true_labels is not None and predictions.predicted_labels is not None:
        return np.asarray(predictions.true_labels[:, index] & predictions.predicted_labels[:, index])
    return np.asarray((predictions.true_class == index) & (predictions.predicted_class == index))
