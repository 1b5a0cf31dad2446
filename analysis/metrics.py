"""What a set of predictions is worth: every metric, registered beside its definition, computed from one tally.

A metric's key in the result is the grammar of the criteria: `accuracy`, `recall[pilot]`, `mae[progress]`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from analysis.predictions import FloatArray, IntArray, LabelSpace, Predictions

Direction = Literal["max", "min"]
Scale = Literal["share", "amount"]
Selector = Literal["class", "dimension"]
Needs = Literal["classes", "dimensions", "catastrophic"]


@dataclass(frozen=True)
class Tally:
    """All that metrics are computed from.

    confusion: [classes, classes] counts, rows are the true class. minority: [m] indices of the minority classes.
    errors: [n, dimensions] predicted minus true score, [n, 0] for a task without scores.
    catastrophic: number of rows that break the catastrophic rule.
    """

    confusion: IntArray
    minority: IntArray
    errors: FloatArray
    catastrophic: int

    @property
    def hits(self) -> FloatArray:
        """Rows predicted right, by class, [classes]."""
        return np.asarray(self.confusion.diagonal(), dtype=np.float64)

    @property
    def support(self) -> FloatArray:
        """Rows by true class, [classes]."""
        return np.asarray(self.confusion.sum(axis=1), dtype=np.float64)

    @property
    def predicted(self) -> FloatArray:
        """Rows by predicted class, [classes]."""
        return np.asarray(self.confusion.sum(axis=0), dtype=np.float64)


Compute = Callable[[Tally], FloatArray | float]
ComputeT = TypeVar("ComputeT", bound=Compute)


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    direction: which way is better. scale: "share" lies in 0..1, "amount" is a count or a distance on the score scale.
    selector: what stands in the brackets; then `compute` gives one value per class or dimension.
    mean: whether the bare name exists as well and is the mean over the selector. needs: what a task must have.
    """

    name: str
    direction: Direction
    scale: Scale
    compute: Compute
    selector: Selector | None = None
    mean: bool = False
    needs: Needs = "classes"

    def applies(self, labels: LabelSpace) -> bool:
        """Whether a task with this label space has the metric."""
        if self.needs == "dimensions":
            return bool(labels.dimensions)
        return self.needs == "classes" or labels.catastrophic is not None

    def selectors(self, labels: LabelSpace) -> tuple[str, ...]:
        """The names that may stand in the brackets, empty for a metric without selector."""
        if self.selector is None:
            return ()
        return labels.classes if self.selector == "class" else labels.dimensions

    def keys(self, labels: LabelSpace) -> tuple[str, ...]:
        """The metric's keys in the result of `evaluate`, in order."""
        selected = tuple(f"{self.name}[{name}]" for name in self.selectors(labels))
        return selected if self.selector and not self.mean else (*selected, self.name)


_REGISTRY: dict[str, Metric] = {}


def register(
    name: str,
    direction: Direction,
    scale: Scale,
    *,
    selector: Selector | None = None,
    mean: bool = False,
    needs: Needs = "classes",
) -> Callable[[ComputeT], ComputeT]:
    """Register the decorated function as a metric.

    Raises:
        ValueError: a metric of this name exists.
    """

    def add(compute: ComputeT) -> ComputeT:
        if name in _REGISTRY:
            raise ValueError(f"a metric is registered once, got {name!r} again (choose another name)")
        _REGISTRY[name] = Metric(name, direction, scale, compute, selector, mean, needs)
        return compute

    return add


def registered() -> tuple[Metric, ...]:
    """All metrics in the order of their registration."""
    return tuple(_REGISTRY.values())


def find(name: str) -> Metric | None:
    """The metric of that bare name, None when there is none."""
    return _REGISTRY.get(name)


def _ratio(part: FloatArray, whole: FloatArray, undefined: float) -> FloatArray:
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), undefined), where=whole > 0))


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _minority_mean(values: FloatArray, tally: Tally) -> float:
    have_rows = tally.support[tally.minority] > 0
    return _mean(values[tally.minority][have_rows])


@register("recall", "max", "share", selector="class")
def recall(tally: Tally) -> FloatArray:
    """Share of a class's rows that were predicted as it, [classes]; NaN for a class without rows."""
    return _ratio(tally.hits, tally.support, np.nan)


@register("precision", "max", "share", selector="class")
def precision(tally: Tally) -> FloatArray:
    """Share of the rows predicted as a class that are of it, [classes]; 0 for a class that was never predicted."""
    return _ratio(tally.hits, tally.predicted, 0.0)


@register("f1", "max", "share", selector="class")
def f1(tally: Tally) -> FloatArray:
    """Harmonic mean of precision and recall, [classes]; NaN for a class without rows."""
    values = _ratio(2 * tally.hits, tally.support + tally.predicted, np.nan)
    values[tally.support == 0] = np.nan
    return values


@register("support", "max", "amount", selector="class")
def support(tally: Tally) -> FloatArray:
    """Number of rows of each class, [classes]."""
    return tally.support


@register("macro_f1", "max", "share")
def macro_f1(tally: Tally) -> float:
    """Mean F1 over the classes that have rows: a class without rows has no F1 and is left out."""
    return _mean(f1(tally)[tally.support > 0])


@register("weighted_f1", "max", "share")
def weighted_f1(tally: Tally) -> float:
    """Mean F1 weighted by the number of rows of each class."""
    total = tally.support.sum()
    return float(np.nansum(f1(tally) * tally.support) / total) if total else float("nan")


@register("accuracy", "max", "share")
def accuracy(tally: Tally) -> float:
    """Share of rows predicted right; NaN without rows."""
    total = tally.support.sum()
    return float(tally.hits.sum() / total) if total else float("nan")


@register("minority_recall", "max", "share")
def minority_recall(tally: Tally) -> float:
    """Mean recall over the minority classes that have rows; NaN when none has."""
    return _minority_mean(recall(tally), tally)


@register("minority_precision", "max", "share")
def minority_precision(tally: Tally) -> float:
    """Mean precision over the minority classes that have rows; NaN when none has."""
    return _minority_mean(precision(tally), tally)


@register("minority_f1", "max", "share")
def minority_f1(tally: Tally) -> float:
    """Mean F1 over the minority classes that have rows; NaN when none has."""
    return _minority_mean(f1(tally), tally)


@register("mae", "min", "amount", selector="dimension", mean=True, needs="dimensions")
def mae(tally: Tally) -> FloatArray:
    """Mean absolute error per dimension on the score scale, [dimensions]; the bare `mae` is their mean."""
    return np.array([_mean(np.abs(column)) for column in tally.errors.T])


@register("rmse", "min", "amount", selector="dimension", needs="dimensions")
def rmse(tally: Tally) -> FloatArray:
    """Root mean squared error per dimension on the score scale, [dimensions]."""
    return np.array([math.sqrt(_mean(column**2)) for column in tally.errors.T])


@register("catastrophic_failures", "min", "amount", needs="catastrophic")
def catastrophic_failures(tally: Tally) -> float:
    """Number of rows that are truly below one cut and predicted above another."""
    return float(tally.catastrophic)


def evaluate(predictions: Predictions, labels: LabelSpace) -> dict[str, float]:
    """Every metric that the task has, flat, keyed as criteria name them.

    Precision of a class that was never predicted is 0; recall and F1 of a class without rows are NaN and left out of
    the means. Score metrics exist for tasks with dimensions, `catastrophic_failures` for those with the rule.

    Raises:
        ValueError: a class index outside the label space, scores missing that the task has, or scores not finite.

    >>> labels = LabelSpace(("common", "rare"), ("rare",))
    >>> result = evaluate(Predictions(np.arange(4), np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])), labels)
    >>> result["recall[rare]"], result["precision[rare]"], result["accuracy"]
    (0.5, 1.0, 0.75)
    """
    tally = _tally(predictions, labels)
    result: dict[str, float] = {}
    for metric in _REGISTRY.values():
        if metric.applies(labels):
            result.update(zip(metric.keys(labels), _values(metric, tally), strict=True))
    return result


def _values(metric: Metric, tally: Tally) -> list[float]:
    values = np.atleast_1d(metric.compute(tally))
    return [*values.tolist(), _mean(values)] if metric.mean else values.tolist()


def confusion_matrix(predictions: Predictions, labels: LabelSpace) -> list[list[int]]:
    """Counts [classes, classes] as nested lists, rows are the true class, columns the predicted one.

    Raises:
        ValueError: a class index outside the label space.
    """
    rows: list[list[int]] = _confusion(predictions, labels).tolist()
    return rows


def _tally(predictions: Predictions, labels: LabelSpace) -> Tally:
    minority = np.array([labels.classes.index(name) for name in labels.minority], dtype=np.int64)
    return Tally(
        _confusion(predictions, labels), minority, _errors(predictions, labels), _catastrophic(predictions, labels)
    )


def _confusion(predictions: Predictions, labels: LabelSpace) -> IntArray:
    count = len(labels.classes)
    for which, index in (("true", predictions.true_class), ("predicted", predictions.predicted_class)):
        if index.size and (index.min() < 0 or index.max() >= count):
            raise ValueError(f"a {which} class must be an index below {count}, got {index.min()} to {index.max()}")
    cells = predictions.true_class * count + predictions.predicted_class
    return np.bincount(cells, minlength=count * count).reshape(count, count).astype(np.int64)


def _errors(predictions: Predictions, labels: LabelSpace) -> FloatArray:
    if not labels.dimensions:
        return np.empty((len(predictions.true_class), 0))
    if predictions.true_scores is None or predictions.predicted_scores is None:
        raise ValueError(f"a task with dimensions {list(labels.dimensions)} needs true and predicted scores, got none")
    if not np.isfinite(predictions.predicted_scores).all():
        raise ValueError("predicted scores must be finite, got NaN or infinity (the training diverged)")
    return predictions.predicted_scores.astype(np.float64) - predictions.true_scores


def _catastrophic(predictions: Predictions, labels: LabelSpace) -> int:
    rule = labels.catastrophic
    if rule is None:
        return 0
    if predictions.true_overall is None or predictions.predicted_overall is None:
        raise ValueError("the catastrophic rule needs true and predicted overall scores, got none")
    failed = (predictions.true_overall < rule.true_below) & (predictions.predicted_overall > rule.predicted_above)
    return int(failed.sum())
