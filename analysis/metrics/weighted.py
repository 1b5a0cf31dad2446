"""Every metric under many weightings of the same rows at once, which is what a bootstrap asks for.

Pseudo rows may come to the rows: outcomes that no row has shown, such as a miss where all three rows are hits.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.metrics import registry as metric_registry
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.metrics.means import ratio
from rarecall.analysis.metrics.registry import Metric
from rarecall.analysis.metrics.tally import Tally, tally
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions

# How often rows are repeated to stand for their weights, for a metric that knows no weights.
_COPIES = 4

# Gives the weights of pseudo rows, [draws, *shape], for their expected values, [*shape].
Pseudo = Callable[[int, FloatArray], FloatArray]


@dataclass(frozen=True)
class RowWeights:
    """Weights [draws, n] for figures of one class, and for all other figures."""

    by_class: FloatArray
    overall: FloatArray

    def take(self, index: IntArray) -> "RowWeights":
        """The weights of the rows at `index`."""
        return RowWeights(self.by_class[:, index], self.overall[:, index])


class WeightedRows:
    """Some of the rows of predictions, with what is the same under all weights.

    index: [m] positions of the rows among all. suffix: what the keys of this part end in.
    """

    def __init__(self, predictions: Predictions, labels: LabelSpace, index: IntArray, suffix: str = "") -> None:
        self.predictions, self.labels = predictions.take(index), labels
        self.index, self.suffix = index, suffix
        self.tally = tally(self.predictions, labels)
        self._strata = np.zeros_like(index) if labels.multilabel else self.predictions.strata
        self._counts: _Counts = _LabelCounts(self.tally) if labels.multilabel else _ClassCounts(self.tally)

    def values(self, names: Collection[str], weights: RowWeights, pseudo: Pseudo) -> dict[str, FloatArray]:
        """Each metric with one of the bare `names` under each row of the weights of these rows; [draws] by key.

        Classes keep their size: weights count relative to the others of their class.
        """
        chosen = [one for one in metric_registry.registered() if one.name in names and one.applies(self.labels)]
        single = [one for one in chosen if one.from_counts and one.selector == "class"]
        several = [one for one in chosen if one.from_counts and one.selector != "class"]
        result = self._from_counts(single, weights.by_class, pseudo, 1.0)
        result |= self._from_counts(several, weights.overall, pseudo, 1 / math.sqrt(len(self.labels.classes)))
        if by_row := [one for one in chosen if not one.from_counts]:
            levelled = _levelled(weights.overall, self._strata)
            for metric in by_row:
                result |= self._from_rows(metric, levelled)
        return {f"{key}{self.suffix}": values for key, values in result.items()}

    def _from_counts(
        self, group: Sequence[Metric], weights: FloatArray, pseudo: Pseudo, mass: float
    ) -> dict[str, FloatArray]:
        """mass: pseudo rows per class."""
        if not group:
            return {}
        added = pseudo(len(weights), np.full(self._counts.pseudo_shape, mass / 2))
        counted = self._counts.under(weights, added)
        values = np.concatenate([metric.values(counted) for metric in group], axis=1)
        return _keyed([key for metric in group for key in metric.keys(self.labels)], values)

    def _from_rows(self, metric: Metric, weights: FloatArray) -> dict[str, FloatArray]:
        if metric.whole_count:
            values = np.tile(metric.values(self.tally), (len(weights), 1))
        elif metric.weighted is not None:
            values = metric.weighted(self.tally, weights).reshape(len(weights), -1)
            if metric.mean:
                values = np.column_stack([values, _known_mean(values)])
        else:
            values = np.array([self._repeated(metric, row) for row in weights])
        return _keyed(metric.keys(self.labels), values)

    def _repeated(self, metric: Metric, weights: FloatArray) -> list[float]:
        """The metric over rows repeated in proportion to their weights."""
        count = _COPIES * len(weights)
        places = (np.arange(count) + 0.5) / count
        share = np.cumsum(weights) / weights.sum()
        index = np.minimum(np.searchsorted(share, places), len(weights) - 1)
        rows = replace(self.predictions.take(index), slices={})
        return list(evaluate(rows, self.labels, [metric.name]).values())


class _Counts(Protocol):
    """Counts by class under weights. pseudo_shape: one weight for each kind of pseudo row."""

    pseudo_shape: tuple[int, ...]

    def under(self, weights: FloatArray, pseudo: FloatArray) -> Tally: ...


class _ClassCounts:
    """One class per row. Pseudo rows [draws, classes, 2]: predicted right, and wrong, spread over the other classes."""

    def __init__(self, counted: Tally) -> None:
        true, predicted = counted.predictions.true_class, counted.predictions.predicted_class
        if true is None or predicted is None:
            raise ValueError("a task with one class per row needs true and predicted classes, got none")
        self._tally, self._classes = counted, len(counted.support)
        self.pseudo_shape: tuple[int, ...] = (self._classes, 2)
        cell = true * self._classes + predicted
        self._order = np.argsort(cell, kind="stable")
        cells, self._starts = np.unique(cell[self._order], return_index=True)
        self._true, self._predicted = cells // self._classes, cells % self._classes

    def under(self, weights: FloatArray, pseudo: FloatArray) -> Tally:
        cells = self._cells(weights)
        sums = self._sum(cells, self._true) + pseudo.sum(axis=2)
        scale = np.divide(self._tally.support, sums, out=np.zeros_like(sums), where=sums > 0)
        cells, right, wrong = cells * scale[:, self._true], pseudo[..., 0] * scale, pseudo[..., 1] * scale
        elsewhere = wrong / max(1, self._classes - 1)
        correct = self._true == self._predicted
        hits = self._sum(cells[:, correct], self._true[correct]) + right
        predicted = self._sum(cells, self._predicted) + right + elsewhere.sum(axis=1, keepdims=True) - elsewhere
        return replace(
            self._tally,
            hits=hits,
            support=np.broadcast_to(self._tally.support, hits.shape),
            predicted=predicted,
            exact=hits.sum(axis=1),
            confusion=self._confusion(cells, right, elsewhere),
        )

    def _cells(self, weights: FloatArray) -> FloatArray:
        """Weight of each cell of the confusion matrix that has rows, [draws, cells]."""
        if not len(self._starts):
            return np.zeros((len(weights), 0))
        return np.asarray(np.add.reduceat(weights[:, self._order], self._starts, axis=1))

    def _sum(self, cells: FloatArray, members: IntArray) -> FloatArray:
        """Cells summed by class, [draws, classes]."""
        return np.asarray(cells @ (members[:, None] == np.arange(self._classes)).astype(np.float64))

    def _confusion(self, cells: FloatArray, right: FloatArray, elsewhere: FloatArray) -> FloatArray:
        """[draws, classes, classes]; only metrics of ordered classes look at it."""
        if not self._tally.labels.ordered:
            return np.empty((len(cells), 0, 0))
        confusion = np.repeat(elsewhere[:, :, None], self._classes, axis=2)
        diagonal = np.arange(self._classes)
        confusion[:, diagonal, diagonal] = right
        confusion[:, self._true, self._predicted] += cells
        return confusion


class _LabelCounts:
    """Several labels per row. Pseudo rows [draws, labels, 4]: hit, missed, wrongly given, rightly left out."""

    def __init__(self, counted: Tally) -> None:
        given = counted.predictions.predicted_labels
        if given is None:
            raise ValueError("a task with several labels per row needs predicted labels, got none")
        self._tally, self._truth, self._given = counted, counted.truth, given
        self.pseudo_shape: tuple[int, ...] = (len(counted.support), 4)

    def under(self, weights: FloatArray, pseudo: FloatArray) -> Tally:
        scale = len(self._truth) / (weights.sum(axis=1) + pseudo.sum(axis=2).mean(axis=1))
        weights, pseudo = weights * scale[:, None], pseudo * scale[:, None, None]
        hits = weights @ (self._truth & self._given) + pseudo[..., 0]
        support = weights @ self._truth + pseudo[..., 0] + pseudo[..., 1]
        predicted = weights @ self._given + pseudo[..., 0] + pseudo[..., 2]
        exact = weights @ (self._truth == self._given).all(axis=1) + pseudo[..., (0, 3)].sum(axis=2).mean(axis=1)
        return replace(self._tally, hits=hits, support=support, predicted=predicted, exact=exact)


def _levelled(weights: FloatArray, strata: IntArray) -> FloatArray:
    """Weights [draws, n] scaled so that each stratum weighs as much as it has rows."""
    _, stratum, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    sums = weights @ (stratum[:, None] == np.arange(len(sizes))).astype(np.float64)
    scale = np.divide(sizes, sums, out=np.zeros_like(sums), where=sums > 0)
    return np.asarray(weights * scale[:, stratum])


def _keyed(keys: Sequence[str], values: FloatArray) -> dict[str, FloatArray]:
    return dict(zip(keys, values.T, strict=True))


def _known_mean(values: FloatArray) -> FloatArray:
    """Mean over the columns that are defined, NaN where none is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return ratio(total, count, np.nan)
