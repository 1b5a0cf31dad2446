"""What a set of predictions is worth: every metric, registered beside its definition, computed from one tally.

A metric's key in the result is the grammar of the criteria: `accuracy`, `recall[pilot]`, `mae[progress]`, and with a
part of the data behind it `recall[toxic]@script=romaji`.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from analysis.predictions import BoolArray, FloatArray, LabelSpace, Predictions
from analysis.tally import Tally, tally

Direction = Literal["max", "min"]
Scale = Literal["share", "amount"]
Selector = Literal["class", "dimension", "group"]
Needs = Literal["classes", "single", "ordered", "dimensions", "probabilities", "catastrophic", "constraints", "written"]

LACKS: dict[Needs, str] = {
    "single": "one class per row",
    "ordered": "ordered classes",
    "dimensions": "score dimensions",
    "probabilities": "probabilities",
    "catastrophic": "a catastrophic rule",
    "constraints": "implications or exclusions",
    "written": "written answers (task.instruction)",
}

# A `score_spread` below this is a range of scores that has collapsed.
COLLAPSED = 0.25
# Nested lists, as `confusion_matrix` gives them.
Confusion = list[list[int]] | list[list[list[int]]]
Compute = Callable[[Tally], FloatArray | float]
ComputeT = TypeVar("ComputeT", bound=Compute)


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    direction: which way is better. scale: "share" is at most 1, "amount" is a count or a distance on the score scale.
    selector: what stands in the brackets; for a class or dimension `compute` gives one value each, for a group of
    classes it is called with the tally of that group. mean: whether the bare name exists as well and is the mean over
    the selector; a metric of groups has the bare name always, over all classes. needs: what a task must have.
    """

    name: str
    direction: Direction
    scale: Scale
    compute: Compute
    selector: Selector | None = None
    mean: bool = False
    needs: Needs = "classes"

    @property
    def bare(self) -> bool:
        """Whether the name may stand without brackets."""
        return self.selector in (None, "group") or self.mean

    def applies(self, labels: LabelSpace) -> bool:
        """Whether a task with this label space has the metric."""
        has: dict[Needs, bool] = {
            "classes": True,
            "single": not labels.multilabel,
            "ordered": labels.ordered,
            "dimensions": bool(labels.dimensions),
            "probabilities": not labels.dimensions,
            "catastrophic": labels.catastrophic is not None,
            "constraints": bool(labels.implications or labels.exclusions),
            "written": labels.written,
        }
        return has[self.needs]

    def selectors(self, labels: LabelSpace) -> tuple[str, ...]:
        """The names that may stand in the brackets, empty for a metric without selector."""
        if self.selector == "group":
            return tuple(name for name, _ in labels.groups)
        if self.selector is None:
            return ()
        return labels.classes if self.selector == "class" else labels.dimensions

    def keys(self, labels: LabelSpace) -> tuple[str, ...]:
        """The metric's keys in the result of `evaluate`, in order."""
        selected = tuple(f"{self.name}[{name}]" for name in self.selectors(labels))
        return (*selected, self.name) if self.bare else selected

    def values(self, counted: Tally) -> FloatArray:
        """One value for each of the keys, [..., keys], where the counts of the tally are [..., classes]."""
        if self.selector == "group":
            parts = [counted.within(members) for members in _members(counted.labels)]
            return np.stack([np.asarray(self.compute(part)) for part in (*parts, counted)], axis=-1)
        values = np.asarray(self.compute(counted), dtype=np.float64)
        if self.selector is None:
            return values[..., None]
        return np.concatenate([values, _mean(values)[..., None]], axis=-1) if self.mean else values


def _members(labels: LabelSpace) -> Iterator["np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    for _, names in labels.groups:
        yield np.array([labels.classes.index(name) for name in names], dtype=np.int64)


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


def _ratio(part: FloatArray | float, whole: FloatArray | float, undefined: float) -> FloatArray:
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64))
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, undefined), where=whole > 0))


def _mean(values: FloatArray) -> FloatArray:
    """Mean over those of the last axis that are defined, NaN where none is."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1), np.nan)


def _minority_mean(values: FloatArray, tally: Tally) -> FloatArray:
    minority = values[..., tally.minority]
    return _mean(np.where(tally.support[..., tally.minority] > 0, minority, np.nan))


@register("recall", "max", "share", selector="class")
def recall(tally: Tally) -> FloatArray:
    """Share of a class's rows that were predicted as it, [..., classes]; NaN for a class without rows."""
    return _ratio(tally.hits, tally.support, np.nan)


@register("precision", "max", "share", selector="class")
def precision(tally: Tally) -> FloatArray:
    """Share of the rows predicted as a class that are of it, [..., classes]; 0 for a class that was never predicted."""
    return _ratio(tally.hits, tally.predicted, 0.0)


@register("f1", "max", "share", selector="class")
def f1(tally: Tally) -> FloatArray:
    """Harmonic mean of precision and recall, [..., classes]; NaN for a class without rows."""
    values = _ratio(2 * tally.hits, tally.support + tally.predicted, np.nan)
    return np.where(tally.support > 0, values, np.nan)


@register("support", "max", "amount", selector="class")
def support(tally: Tally) -> FloatArray:
    """Number of rows of each class, [..., classes]."""
    return tally.support


@register("macro_f1", "max", "share", selector="group")
def macro_f1(tally: Tally) -> FloatArray:
    """Mean F1 over the classes that have rows, [...]: a class without rows has no F1 and is left out."""
    return _mean(f1(tally))


@register("micro_f1", "max", "share", selector="group")
def micro_f1(tally: Tally) -> FloatArray:
    """F1 of all decisions counted together, [...]; with one class per row that is the accuracy."""
    total = tally.support.sum(axis=-1) + tally.predicted.sum(axis=-1)
    return _ratio(2 * tally.hits.sum(axis=-1), total, np.nan)


@register("weighted_f1", "max", "share", selector="group")
def weighted_f1(tally: Tally) -> FloatArray:
    """Mean F1 weighted by the number of rows of each class, [...]."""
    return _ratio(np.nansum(f1(tally) * tally.support, axis=-1), tally.support.sum(axis=-1), np.nan)


@register("accuracy", "max", "share")
def accuracy(tally: Tally) -> FloatArray:
    """Share of rows predicted right, with all their labels where there may be several, [...]; NaN without rows."""
    return _ratio(tally.exact, tally.rows, np.nan)


@register("minority_recall", "max", "share")
def minority_recall(tally: Tally) -> FloatArray:
    """Mean recall over the minority classes that have rows, [...]; NaN when none has."""
    return _minority_mean(recall(tally), tally)


@register("minority_precision", "max", "share")
def minority_precision(tally: Tally) -> FloatArray:
    """Mean precision over the minority classes that have rows, [...]; NaN when none has."""
    return _minority_mean(precision(tally), tally)


@register("minority_f1", "max", "share")
def minority_f1(tally: Tally) -> FloatArray:
    """Mean F1 over the minority classes that have rows, [...]; NaN when none has."""
    return _minority_mean(f1(tally), tally)


@register("mae", "min", "amount", selector="dimension", mean=True, needs="dimensions")
def mae(tally: Tally) -> FloatArray:
    """Mean absolute error per dimension on the score scale, [dimensions]; the bare `mae` is their mean."""
    return _mean(np.abs(tally.errors.T))


@register("rmse", "min", "amount", selector="dimension", needs="dimensions")
def rmse(tally: Tally) -> FloatArray:
    """Root mean squared error per dimension on the score scale, [dimensions]."""
    return np.asarray(np.sqrt(_mean(tally.errors.T**2)))


@register("score_spread", "max", "amount", needs="dimensions")
def score_spread(tally: Tally) -> float:
    """Standard deviation of the predicted overall scores over that of the true ones; NaN where these are all the same.

    At its best a regression reaches its correlation with the truth, and 0 is the same score for every row.
    """
    true, predicted = tally.predictions.true_overall, tally.predictions.predicted_overall
    if true is None or predicted is None or not true.size or np.ptp(true) == 0:
        return float("nan")
    return float(np.std(predicted) / np.std(true))


@register("catastrophic_failures", "min", "amount", needs="catastrophic")
def catastrophic_failures(tally: Tally) -> float:
    """Number of rows that are truly below one cut and predicted above another."""
    rule, predictions = tally.labels.catastrophic, tally.predictions
    if rule is None or predictions.true_overall is None or predictions.predicted_overall is None:
        raise ValueError("the catastrophic rule needs true and predicted overall scores, got none")
    failed = (predictions.true_overall < rule.true_below) & (predictions.predicted_overall > rule.predicted_above)
    return float(failed.sum())


@register("unparsable_answers", "min", "amount", needs="written")
def unparsable_answers(tally: Tally) -> float:
    """Number of rows whose answer cannot be read; their predictions are as wrong as can be."""
    answers = tally.predictions.unreadable
    return 0.0 if answers is None else float(sum(answer is not None for answer in answers))


@register("matthews_correlation", "max", "share", needs="single")
def matthews_correlation(tally: Tally) -> FloatArray:
    """Matthews 1975, for several classes as Gorodkin 2004 has it, [...]; 0 where either side holds one class only."""
    rows, support, predicted = tally.rows, tally.support, tally.predicted
    agreement = tally.hits.sum(axis=-1) * rows - (support * predicted).sum(axis=-1)
    spread = (rows**2 - (support**2).sum(axis=-1)) * (rows**2 - (predicted**2).sum(axis=-1))
    return _ratio(agreement, np.sqrt(np.maximum(spread, 0.0)), 0.0)


@register("quadratic_weighted_kappa", "max", "share", needs="ordered")
def quadratic_weighted_kappa(tally: Tally) -> FloatArray:
    """Cohen 1968, with weights (i - j)², [...]; NaN where both sides hold the same one class only."""
    weights = _grades_apart(tally) ** 2
    expected = ((tally.support @ weights) * tally.predicted).sum(axis=-1) / max(tally.rows, 1)
    return 1 - _ratio((weights * tally.confusion).sum(axis=(-2, -1)), expected, np.nan)


@register("grade_distance", "min", "amount", needs="ordered")
def grade_distance(tally: Tally) -> FloatArray:
    """Mean number of grades or tiers between the true and the predicted one, [...]; NaN without rows."""
    return _ratio((_grades_apart(tally) * tally.confusion).sum(axis=(-2, -1)), tally.rows, np.nan)


def _grades_apart(tally: Tally) -> FloatArray:
    """How many grades lie between two, [classes, classes]."""
    grade = np.arange(tally.support.shape[-1], dtype=np.float64)
    return np.abs(grade[:, None] - grade)


@register("roc_auc", "max", "share", selector="class", mean=True, needs="probabilities")
def roc_auc(tally: Tally) -> FloatArray:
    """Area under the ROC curve of each class against the rest, [classes]; NaN where one side has no row."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415  # a second that reading a finished run does without

    return _by_class(tally, roc_auc_score)


@register("pr_auc", "max", "share", selector="class", mean=True, needs="probabilities")
def pr_auc(tally: Tally) -> FloatArray:
    """Average precision of each class against the rest, [classes]; NaN for a class without rows or with all."""
    from sklearn.metrics import average_precision_score  # noqa: PLC0415  # as above

    return _by_class(tally, average_precision_score)


def _by_class(tally: Tally, area: Callable[[BoolArray, FloatArray], float]) -> FloatArray:
    values = np.full(len(tally.support), np.nan)
    if tally.probabilities is None:
        return values
    truth = tally.truth
    for index in np.flatnonzero((tally.support > 0) & (tally.support < tally.rows)):
        values[index] = area(truth[:, index], tally.probabilities[:, index])
    return values


@register("constraint_violations", "min", "amount", needs="constraints")
def constraint_violations(tally: Tally) -> float:
    """Number of rows whose predicted labels break an implication or an exclusion."""
    predicted = tally.predictions.predicted_labels
    if predicted is None:
        raise ValueError("constraints need predicted labels [n, labels], got none")
    broken = np.zeros(tally.rows, dtype=np.bool_)
    for label, implied in tally.labels.index(tally.labels.implications):
        broken |= predicted[:, label] & ~predicted[:, implied]
    for one, other in tally.labels.index(tally.labels.exclusions):
        broken |= predicted[:, one] & predicted[:, other]
    return float(broken.sum())


def evaluate(predictions: Predictions, labels: LabelSpace, names: Collection[str] | None = None) -> dict[str, float]:
    """Every metric that the task has, or those with these bare `names`, flat, keyed as criteria name them.

    Precision of a class that was never predicted is 0; recall and F1 of a class without rows are NaN and left out of
    the means. Score metrics exist for tasks with dimensions, `catastrophic_failures` for those with the rule. All of
    them come once more for each part of the data that `predictions.slices` tell apart, as `key@column=value`.

    Raises:
        ValueError: as `analysis.tally.tally` does.

    >>> labels = LabelSpace(("common", "rare"), ("rare",))
    >>> result = evaluate(Predictions(np.arange(4), np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])), labels)
    >>> result["recall[rare]"], result["precision[rare]"], result["accuracy"]
    (0.5, 1.0, 0.75)
    """
    result = _evaluate(predictions, labels, names)
    for column, values in predictions.slices.items():
        for value in np.unique(values):
            part = _evaluate(predictions.take(values == value), labels, names)
            result |= {f"{key}@{column}={value}": number for key, number in part.items()}
    return result


def _evaluate(predictions: Predictions, labels: LabelSpace, names: Collection[str] | None) -> dict[str, float]:
    counted = tally(predictions, labels)
    result: dict[str, float] = {}
    for metric in _REGISTRY.values():
        if metric.applies(labels) and (names is None or metric.name in names):
            result.update(zip(metric.keys(labels), metric.values(counted).tolist(), strict=True))
    return result


def confusion_matrix(predictions: Predictions, labels: LabelSpace) -> Confusion:
    """Counts [classes, classes] as nested lists, rows are the true class, columns the predicted one.

    Where a row may have several labels, [classes, 2, 2]: rows without and with the label, columns likewise predicted.

    Raises:
        ValueError: as `analysis.tally.tally` does.
    """
    counts: Confusion = tally(predictions, labels).confusion.tolist()
    return counts
