"""Whether new rows look to the model as those did that it was judged by: classes that are named, and mean scores."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.stats import fisher_exact

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.calibration.membership import named_classes
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import OVERALL
from rarecall.analysis.predictions.predictions import Predictions

# Less likely than this by chance alone; a command tells some ten figures.
CHANCE = 1e-3
# Shares within this factor, and means within so many standard deviations (a small effect, Cohen 1988), do not matter.
FACTOR, SPREAD = 1.5, 0.2


@dataclass(frozen=True)
class Tally:
    """Sums over the rows of predictions. named: rows by class. totals, squares: sums of the scores and their squares,
    by class (probabilities), or by dimension and `overall` (scores).
    """

    rows: int
    named: Mapping[str, int]
    totals: Mapping[str, float]
    squares: Mapping[str, float]

    @classmethod
    def of(cls, predictions: Predictions, labels: LabelSpace, weights: FloatArray | None = None) -> Self:
        """Of one file or part of it; answers that cannot be read are left out.

        weights: [n] how much each row counts, with a mean of 1; or [n, classes], for each class by itself.
        """
        if predictions.unreadable is not None:
            readable = np.array([answer is None for answer in predictions.unreadable], dtype=bool)
            predictions, weights = predictions.take(readable), None if weights is None else weights[readable]
        names, values = _scores(predictions, labels)
        weights = np.ones(len(predictions)) if weights is None else weights
        weights = weights[:, None] if weights.ndim == 1 else weights
        counts = np.rint((weights * named_classes(predictions, len(labels.classes))).sum(axis=0)).astype(np.int64)
        return cls(
            len(predictions),
            dict(zip(labels.classes, counts.tolist(), strict=True)),
            dict(zip(names, (weights * values).sum(axis=0).tolist(), strict=True)),
            dict(zip(names, (weights * values**2).sum(axis=0).tolist(), strict=True)),
        )

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read back what `dataclasses.asdict` and JSON made of it.

        Raises:
            KeyError, TypeError: it is something else.
        """
        return cls(int(plain["rows"]), *(dict(plain[name]) for name in ("named", "totals", "squares")))

    def __add__(self, other: "Tally") -> "Tally":
        """Of the rows of both."""
        pairs = [(self.named, other.named), (self.totals, other.totals), (self.squares, other.squares)]
        named, totals, squares = ({name: one[name] + two[name] for name in one} for one, two in pairs)
        return Tally(self.rows + other.rows, {name: int(count) for name, count in named.items()}, totals, squares)

    def share(self, name: str) -> float:
        """Share of the rows that are named the class, NaN without rows."""
        return self.named[name] / self.rows if self.rows else math.nan

    def mean(self, name: str) -> float:
        """Mean score, NaN without rows."""
        return self.totals[name] / self.rows if self.rows else math.nan

    def spread(self, name: str) -> float:
        """Standard deviation of a score."""
        return math.sqrt(max(0.0, self.squares[name] / self.rows - self.mean(name) ** 2)) if self.rows else math.nan


def _scores(predictions: Predictions, labels: LabelSpace) -> tuple[Sequence[str], FloatArray]:
    if predictions.probabilities is not None:
        return labels.classes, predictions.probabilities
    scores, overall = predictions.predicted_scores, predictions.predicted_overall
    assert scores is not None
    assert overall is not None
    return (*labels.dimensions, OVERALL), np.column_stack([scores, overall])


def named_apart(name: str, here: Tally, before: Tally) -> bool:
    """Whether a class is named so much more or less often than before that chance does not explain it.

    Fisher's exact test of the counts, and a factor that matters.

    >>> few, many = (Tally(1000, {"threat": count}, {}, {}) for count in (10, 60))
    >>> named_apart("threat", many, few), named_apart("threat", few, few)
    (True, False)
    """
    counts = [(one.named[name], one.rows - one.named[name]) for one in (here, before)]
    if not (here.rows and before.rows):
        return False
    one, other = sorted((here.share(name), before.share(name)))
    return other > FACTOR * one and float(fisher_exact(counts).pvalue) < CHANCE


def scored_apart(name: str, here: Tally, before: Tally) -> bool:
    """Whether a mean score moved by more than chance explains, and by a part of its spread that matters."""
    if not (here.rows and before.rows):
        return False
    moved = abs(here.mean(name) - before.mean(name))
    error = math.hypot(*(one.spread(name) / math.sqrt(one.rows) for one in (here, before)))
    # 3.29 standard errors: two-sided, one in a thousand.
    return moved > 3.29 * error and moved > SPREAD * before.spread(name)
