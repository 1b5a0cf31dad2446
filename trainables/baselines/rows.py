"""The rows that baselines are fitted to and judged by: all training rows, whatever sample of them trials take."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray, IntArray, NameArray
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.encoding import joined
from rarecall.trainables.data.examples import Examples, Labelled, Part
from rarecall.trainables.data.folds import Fold
from rarecall.trainables.data.prepare import load_splits
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.data.split import group_ids


class Truth:
    """What is true of the rows of two sets of examples, one after another; as `Labelled` has it."""

    def __init__(self, first: Examples, second: Examples) -> None:
        def both(name: str) -> Any:
            one, other = getattr(first, name), getattr(second, name)
            return None if one is None else np.concatenate([one, other])

        self.rows: IntArray = both("rows")
        self.classes: IntArray = both("classes")
        self.scores: FloatArray | None = both("scores")
        self.labels: BoolArray | None = both("labels")
        self.keywords: BoolArray | None = both("keywords")
        self.slices: Mapping[str, NameArray] = {
            name: np.concatenate([values, second.slices[name]]) for name, values in first.slices.items()
        }


@dataclass(frozen=True, eq=False)
class BaselineRows:
    """Training rows, then validation rows, and how they are divided.

    folds: positions that a baseline is fitted to, and positions that it predicts then; one fold where trials have none.
    test: None without a test split.
    """

    train: Examples
    validation: Examples
    test: Examples | None
    folds: tuple[Fold, ...]

    @property
    def truth(self) -> Labelled:
        """Of all rows but those of the test split."""
        return Truth(self.train, self.validation)

    @property
    def judged(self) -> IntArray:
        """Positions of the rows that are predicted, ascending."""
        return np.sort(np.concatenate([outside for _, outside in self.folds]))

    def judged_truth(self) -> Labelled:
        """What is true of these rows."""
        return Part(self.truth, self.judged)


def baseline_rows(trial: TrialConfig, folder: Path, data: PreparedData) -> BaselineRows:
    """All rows of the data that trials have, read again: theirs are encoded, and may be a sample.

    folder: from which relative paths count.

    Raises:
        InputError: as `load_splits`.
    """
    whole = trial.data.model_copy(update={"max_train_rows": None})
    splits = load_splits(trial.model_copy(update={"data": whole}), folder)
    return BaselineRows(splits.train, splits.validation, splits.test, _folds(splits.train, splits.validation, data))


def _folds(train: Examples, validation: Examples, data: PreparedData) -> tuple[Fold, ...]:
    """The splits as they are; after them the folds of trials, whose training rows left out of the sample are added."""
    count = len(train) + len(validation)
    splits = (np.arange(len(train)), np.arange(len(train), count))
    if not data.folds:
        return (splits,)
    sampled = joined(data.train, data.validation).rows
    place = {row: position for position, row in enumerate([*train.rows.tolist(), *validation.rows.tolist()])}
    groups = group_ids([*train.texts, *validation.texts], _groups(train, validation))
    parts = [np.array([place[row] for row in sampled[outside].tolist()]) for _, outside in data.folds[1:]]
    return (splits, *((np.flatnonzero(~np.isin(groups, groups[part])), part) for part in parts))


def _groups(train: Examples, validation: Examples) -> list[str] | None:
    return [*train.groups, *validation.groups] if train.groups is not None and validation.groups is not None else None
