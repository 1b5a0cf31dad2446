"""Predictions evaluated once: every metric with its interval, the confusion matrix, and what the criteria say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rarecall.analysis.criteria.criterion import Criterion
from rarecall.analysis.criteria.verdicts import Assessment, assess, proportion
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.metrics.registry import registered
from rarecall.analysis.metrics.tally import tally
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.bootstrap import DRAWS, percentile, posterior
from rarecall.analysis.uncertainty.expected import Expected
from rarecall.analysis.uncertainty.intervals import LEVEL, Interval, exact

# With more classes than this an area is left without interval: it would take minutes.
_CLASSES_FOR_AREAS = 12


@dataclass(frozen=True)
class Evaluation:
    """What predictions are worth.

    metrics, confusion: as `analysis.metrics.evaluation` gives them. intervals: by key, exact for proportions, from the
    bootstrap otherwise, none for counts.
    """

    name: str
    rows: int
    labels: LabelSpace
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    confusion: list[Any]
    assessment: Assessment

    def plain(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {
            "name": self.name,
            "rows": self.rows,
            "classes": list(self.labels.classes),
            "minority": list(self.labels.minority),
            "level": self.assessment.level,
            "metrics": self.metrics,
            "intervals": {key: [interval.low, interval.high] for key, interval in self.intervals.items()},
            "confusion": self.confusion,
            "assessment": self.assessment.plain(),
        }


def evaluated(
    name: str,
    predictions: Predictions,
    labels: LabelSpace,
    criteria: Sequence[Criterion] = (),
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
    expected: Mapping[str, Expected] | None = None,
    correction: str = "",
) -> Evaluation:
    """Evaluate predictions; `name` is what they are called in the output.

    expected, correction: of predictions that were chosen for what they measured, as
    `analysis.criteria.verdicts.assess` takes them; the verdicts are about these, all other figures as measured.

    Raises:
        ValueError: predictions that do not fit the labels.
    """
    return Evaluation(
        name,
        len(predictions),
        labels,
        evaluate(predictions, labels),
        _intervals(predictions, labels, level, draws, seed),
        confusion_matrix(predictions, labels),
        assess(predictions, labels, criteria, level, draws, seed, expected, correction),
    )


def _intervals(
    predictions: Predictions, labels: LabelSpace, level: float, draws: int, seed: int
) -> dict[str, Interval]:
    areas = {metric.name for metric in registered() if metric.needs == "probabilities"}
    skipped = {metric.name for metric in registered() if metric.whole_count} | (
        areas if len(labels.classes) > _CLASSES_FOR_AREAS or predictions.probabilities is None else set()
    )
    names = [metric.name for metric in registered() if metric.applies(labels) and metric.name not in skipped]
    counted = tally(predictions, labels)
    intervals = {}
    for key, values in posterior(predictions, labels, names, draws=draws, seed=seed).items():
        share = proportion(key, counted)
        intervals[key] = exact(share.hits, share.rows, level) if share else percentile(values, level)
    return intervals
