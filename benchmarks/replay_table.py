"""Stored curves as `replay_curves.py` writes them, read as a table of configurations and epochs.

Each seed of a replay divides the stored rows anew: a validation split as large as the experiment's, which searches see,
and held-out rows, by which their winners are measured. So a winner's luck on one validation split is not everybody's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, json_to_distribution

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.criteria.criterion import Criterion, parse
from rarecall.analysis.criteria.ranking import rank_key
from rarecall.analysis.metrics.evaluation import Confusion, evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.search.experiment.unit_cube import to_unit

Row = dict[str, Any]
Counts = tuple[tuple[int, ...], ...]
Classes = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Configuration:
    """One row of the table. predicted: [epochs, rows], fewer where it diverged. folds: by epoch, may be empty."""

    number: int
    params: Mapping[str, Any]
    predicted: Classes
    folds: tuple[Counts, ...] = ()


@dataclass(frozen=True, eq=False)
class Table:
    """true: [rows] class of the stored rows. validation: rows of each class in a validation split. population: rows of
    each class in the whole test split.
    """

    labels: LabelSpace
    criteria: tuple[Criterion, ...]
    objective: str
    epochs: int
    space: Mapping[str, BaseDistribution]
    settings: Mapping[str, Any]
    true: Classes
    validation: tuple[int, ...]
    population: tuple[int, ...]
    configurations: tuple[Configuration, ...]

    def point(self, params: Mapping[str, Any]) -> NDArray[np.float64]:
        """Parameters as a point of the unit cube."""
        return np.array([to_unit(distribution, params[key]) for key, distribution in self.space.items()])

    def divided(self, seed: int) -> "Division":
        """The rows as one seed divides them."""
        generator = np.random.default_rng([seed, 7])
        seen = np.zeros(len(self.true), dtype=bool)
        for name, count in enumerate(self.validation):
            seen[generator.permutation(np.flatnonzero(self.true == name))[:count]] = True
        return Division(self, seen)


@dataclass(frozen=True, eq=False)
class Division:
    """The table as one seed sees it. seen: [rows] whether a row is one of validation."""

    table: Table
    seen: NDArray[np.bool_]

    def validation(self, number: int, epoch: int) -> tuple[dict[str, float], Counts]:
        """Metrics and confusion matrix of a configuration after an epoch, counted from 1."""
        counts = self._counts(number, epoch, self.seen)
        return metrics_of(counts, self.table.labels), counts

    def held_out(self, number: int, epoch: int) -> dict[str, float]:
        """Metrics on the held-out rows, with classes as common as they are in the test split."""
        counts = np.array(self._counts(number, epoch, ~self.seen), dtype=np.float64)
        shares = counts / counts.sum(axis=1, keepdims=True) * np.array(self.table.population)[:, None]
        return metrics_of(_plain(np.round(shares)), self.table.labels)

    def epochs(self, number: int) -> int:
        """Epochs until the configuration ended or diverged."""
        return len(self.table.configurations[number].predicted)

    def _counts(self, number: int, epoch: int, rows: NDArray[np.bool_]) -> Counts:
        predicted = self.table.configurations[number].predicted[epoch - 1]
        return count(self.table.true[rows], predicted[rows], len(self.table.labels.classes))


def count(true: Classes, predicted: Classes, classes: int) -> Counts:
    """Confusion matrix [classes][classes], rows are the true class."""
    pairs = np.bincount(true.astype(np.int64) * classes + predicted, minlength=classes * classes)
    return _plain(pairs.reshape(classes, classes))


def _plain(counts: Any) -> Counts:
    return tuple(tuple(int(value) for value in row) for row in counts)


@lru_cache(maxsize=200_000)
def metrics_of(counts: Counts, labels: LabelSpace) -> dict[str, float]:
    """What `evaluate` makes of rows that have this confusion matrix."""
    return evaluate(predictions_of(counts), labels)


def predictions_of(counts: Counts | Confusion) -> Predictions:
    """Rows that have this confusion matrix."""
    matrix: IntArray = np.array(counts, dtype=np.int64)
    true, predicted = (np.repeat(index.ravel(), matrix.ravel()) for index in np.indices(matrix.shape))
    return Predictions(rows=np.arange(len(true)), true_class=true, predicted_class=predicted)


def text_of(classes: Sequence[int] | IntArray) -> str:
    """Classes as one digit each, so that a row's prediction takes one byte of the file."""
    return "".join(map(str, classes))


def read_rows(path: Path) -> list[Row]:
    """The rows of a file of curves; a line that was cut off is left out."""
    rows = []
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def table_of(rows: Sequence[Row]) -> Table:
    """The table that the rows of a file make up."""
    (head,) = (row for row in rows if row["kind"] == "header")
    labels = LabelSpace.from_plain(head["labels"])
    folds = {row["configuration"]: row["confusion"] for row in rows if row["kind"] == "folds"}
    curves = sorted((row for row in rows if row["kind"] == "curve"), key=lambda row: int(row["configuration"]))
    return Table(
        labels=labels,
        criteria=tuple(parse(text, labels.minority) for text in head["criteria"]),
        objective=head["objective"],
        epochs=head["epochs"],
        space={key: json_to_distribution(text) for key, text in head["space"].items()},
        settings=head["settings"],
        true=_digits(head["true"]),
        validation=tuple(head["class_counts"]["validation"].values()),
        population=tuple(head["class_counts"]["test"].values()),
        configurations=tuple(
            _configuration(place, row, folds.get(row["configuration"], ())) for place, row in enumerate(curves)
        ),
    )


def _configuration(place: int, row: Row, folds: Sequence[Any]) -> Configuration:
    predicted = np.array([_digits(epoch["predicted"]) for epoch in row["epochs"] if epoch["predicted"]], dtype=np.int8)
    return Configuration(place, row["params"], predicted, tuple(_plain(matrix) for matrix in folds))


def _digits(text: str) -> Classes:
    return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int8) - ord("0")


def unit_points(table: Table) -> NDArray[np.float64]:
    """The configurations in the unit cube [configurations, parameters]."""
    return np.array([table.point(configuration.params) for configuration in table.configurations])


def best_epochs(division: Division) -> list[tuple[Any, int, int]]:
    """Rank key on validation, number and best epoch of every configuration, the best one first."""
    table, found = division.table, []
    for number in range(len(table.configurations)):
        keys = [
            (rank_key(division.validation(number, epoch)[0], table.criteria, table.objective), -epoch)
            for epoch in range(1, division.epochs(number) + 1)
        ]
        if keys:
            key, epoch = max(keys)
            found.append((key, number, -epoch))
    return sorted(found, key=lambda one: one[0], reverse=True)
