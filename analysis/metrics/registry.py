"""The registry of metrics: what a metric is, and all of them by name.

A metric's key in the result is the grammar of the criteria: `accuracy`, `recall[pilot]`, `mae[progress]`, and with a
part of the data behind it `recall[toxic]@script=romaji`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.metrics.means import known_mean
from rarecall.analysis.metrics.tally import Tally
from rarecall.analysis.metrics.widths import Width
from rarecall.analysis.predictions.label_space import LabelSpace

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

Compute = Callable[[Tally], FloatArray | float]
# Values [draws, selectors], or [draws] without selector, from the rows and their weights [draws, n].
Weighted = Callable[[Tally, FloatArray], FloatArray]
ComputeT = TypeVar("ComputeT", bound=Compute)


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    direction: which way is better. scale: "share" is at most 1, "amount" is a count or a distance on the score scale.
    selector: what stands in the brackets; for a class or dimension `compute` gives one value each, for a group of
    classes it is called with the tally of that group. mean: whether the bare name exists as well and is the mean over
    the selector; a metric of groups has the bare name always, over all classes. needs: what a task must have.

    The other fields are what intervals, verdicts, the search and the loop need to know:
    from_counts: `compute` looks at counts by class alone and works along their last axes, so that all draws of the
    bootstrap are computed at once. weighted: the same metric of weighted rows; without it, and without counts, rows are
    repeated in proportion to their weights, which takes longer. margin: how far chance carries a value that is at its
    threshold (`analysis.metrics.widths`); without it, 1 or the threshold if that is larger. whole_count: it counts the
    rows at hand, and no weighting changes it. in_training: it is told of the training rows too.
    """

    name: str
    direction: Direction
    scale: Scale
    compute: Compute
    selector: Selector | None = None
    mean: bool = False
    needs: Needs = "classes"
    from_counts: bool = False
    weighted: Weighted | None = None
    margin: Width | None = None
    whole_count: bool = False
    in_training: bool = True

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
        return np.concatenate([values, known_mean(values)[..., None]], axis=-1) if self.mean else values


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
    from_counts: bool = False,
    weighted: Weighted | None = None,
    margin: Width | None = None,
    whole_count: bool = False,
    in_training: bool = True,
) -> Callable[[ComputeT], ComputeT]:
    """Register the decorated function as a metric; the arguments are the fields of `Metric`.

    Raises:
        ValueError: a metric of this name exists, or a metric of groups has a weighted version, which is by rows.
    """
    if weighted is not None and selector == "group":
        raise ValueError(f"a metric of groups must come from counts or rows, got a weighted version of {name!r}")

    def add(compute: ComputeT) -> ComputeT:
        if name in _REGISTRY:
            raise ValueError(f"a metric is registered once, got {name!r} again (choose another name)")
        _REGISTRY[name] = Metric(
            name,
            direction,
            scale,
            compute,
            selector,
            mean,
            needs,
            from_counts,
            weighted,
            margin,
            whole_count,
            in_training,
        )
        return compute

    return add


def registered() -> tuple[Metric, ...]:
    """All metrics in the order of their registration."""
    return tuple(_REGISTRY.values())


def find(name: str) -> Metric | None:
    """The metric of that bare name, None when there is none."""
    return _REGISTRY.get(name)


def is_whole_count(name: str) -> bool:
    """Whether the metric of that bare name counts the rows at hand; no for an unknown one."""
    metric = find(name)
    return metric is not None and metric.whole_count
