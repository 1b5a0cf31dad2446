"""The same rows divided anew: a configuration judged by more rare rows than one validation split holds."""

import warnings
from dataclasses import replace

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from analysis.errors import Fault, InputError
from trainables.encode import joined
from trainables.prepare import PreparedData


def with_folds(data: PreparedData, count: int, seed: int) -> PreparedData:
    """Training and validation rows together, divided into `count` parts of which each is validation once.

    Each part is about as rich in every class as the whole, and rows that must stay together do. A class with fewer rows
    than parts is missing from some. The test split is left out: it is nobody's validation.

    Raises:
        InputError: fewer than two parts, or more than any class has rows.
    """
    pooled = joined(data.train, data.validation)
    groups = pooled.groups if pooled.groups is not None else np.arange(len(pooled))
    most = int(np.bincount(pooled.classes).max())
    if not 2 <= count <= most:
        raise InputError(
            "folds", [Fault("folds", f"must be from 2 to the {most} rows of the largest class", str(count))]
        )
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class in y")
        folds = tuple(splitter.split(np.zeros(len(pooled)), pooled.classes, groups))
    return replace(data, train=pooled, validation=pooled.take(np.empty(0, dtype=np.int64)), test=None, folds=folds)


def one_fold(data: PreparedData, number: int) -> PreparedData:
    """The data of one fold, counted from 0: the part is validation, all others are training."""
    inside, outside = data.folds[number]
    return replace(data, train=data.train.take(inside), validation=data.train.take(outside), folds=())
