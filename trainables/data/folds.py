"""The same rows divided anew: a configuration judged by more rare rows than one validation split holds."""

import warnings
from dataclasses import replace

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.errors import Fault, InputError
from rarecall.trainables.data.encoding import EncodedSplit, joined
from rarecall.trainables.data.prepared import PreparedData

Fold = tuple[IntArray, IntArray]


def with_folds(data: PreparedData, count: int, seed: int) -> PreparedData:
    """Training and validation rows together, divided into `count` parts of which each is validation once.

    Each part is about as rich in every class as the whole, and rows that must stay together do. A class with fewer rows
    than parts is missing from some. The test split is left out: it is nobody's validation.

    Raises:
        InputError: fewer than two parts, or more than any class has rows or there are groups.
    """
    pooled = joined(data.train, data.validation)
    largest, groups = int(np.bincount(pooled.classes).max()), _groups(pooled)
    if not 2 <= count <= min(largest, groups):
        most = f"{largest} rows of the largest class" if largest <= groups else f"{groups} rows that may be apart"
        raise InputError("folds", [Fault("folds", f"must be from 2 to the {most}", str(count))])
    folds = tuple(_fold(pooled, part) for part in _parts(pooled, count, seed))
    return replace(data, train=pooled, validation=pooled.take(np.empty(0, dtype=np.int64)), test=None, folds=folds)


def trial_folds(train: EncodedSplit, validation: EncodedSplit, count: int, seed: int) -> tuple[Fold, ...]:
    """Folds that a trial is trained on one by one, as positions among the rows of both splits, one after another.

    The first fold is the splits as they are, so that its model is the one which a trial without folds would have. The
    training rows are divided into the other parts, as in `with_folds`; each is validation once, and all other rows but
    those that must stay with one of it are training then.

    Raises:
        InputError: the training rows cannot be divided into so many parts.
    """
    most = int(np.bincount(train.classes).max())
    if count - 1 > most:
        rule = f"must be at most {most + 1}: one, and the {most} training rows of the largest class"
        raise InputError("data.folds", [Fault("data.folds", rule, str(count))])
    pooled = joined(train, validation)
    first = (np.arange(len(train)), np.arange(len(train), len(pooled)))
    parts = _parts(train, count - 1, seed) if 2 < count <= _groups(train) + 1 else [np.arange(len(train))]
    if len(parts) < count - 1 or not all(map(len, parts)):
        rule = "must be fewer: rows that stay together leave one of the folds without any"
        raise InputError("data.folds", [Fault("data.folds", rule, str(count))])
    return (first, *(_fold(pooled, part) for part in parts))


def one_fold(data: PreparedData, number: int) -> PreparedData:
    """The data of one fold, counted from 0: the part is validation, all others are training."""
    inside, outside = data.folds[number]
    pooled = joined(data.train, data.validation)
    return replace(data, train=pooled.take(inside), validation=pooled.take(outside), folds=())


def _groups(split: EncodedSplit) -> int:
    """How many rows, or groups of rows that stay together, can be divided."""
    return len(split) if split.groups is None else len(np.unique(split.groups))


def _parts(split: EncodedSplit, count: int, seed: int) -> list[IntArray]:
    """Positions of the rows of each part."""
    groups = split.groups if split.groups is not None else np.arange(len(split))
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class in y")
        return [outside for _, outside in splitter.split(np.zeros(len(split)), split.classes, groups)]


def _fold(pooled: EncodedSplit, part: IntArray) -> Fold:
    """The part, and before it all rows that belong to none of its groups."""
    if pooled.groups is None:
        return np.setdiff1d(np.arange(len(pooled)), part), part
    return np.flatnonzero(~np.isin(pooled.groups, pooled.groups[part])), part
