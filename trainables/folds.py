"""The same rows divided anew: a configuration judged by more rare rows than one validation split holds."""

from dataclasses import replace

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from trainables.encode import joined
from trainables.prepare import PreparedData


def with_folds(data: PreparedData, count: int, seed: int) -> PreparedData:
    """Training and validation rows together, divided into `count` parts of which each is validation once.

    Each part is about as rich in every class as the whole, and rows that must stay together do. The test split is left
    out: it is nobody's validation.

    Raises:
        ValueError: fewer than two parts, or a class with fewer rows than parts.
    """
    pooled = joined(data.train, data.validation)
    groups = pooled.groups if pooled.groups is not None else np.arange(len(pooled))
    rarest = int(np.bincount(pooled.classes)[np.unique(pooled.classes)].min())
    if not 2 <= count <= rarest:
        raise ValueError(f"folds must be from 2 to the {rarest} rows of the rarest class, got {count}")
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    folds = tuple(splitter.split(np.zeros(len(pooled)), pooled.classes, groups))
    return replace(data, train=pooled, validation=pooled.take(np.empty(0, dtype=np.int64)), test=None, folds=folds)


def one_fold(data: PreparedData, number: int) -> PreparedData:
    """The data of one fold, counted from 0: the part is validation, all others are training."""
    inside, outside = data.folds[number]
    return replace(data, train=data.train.take(inside), validation=data.train.take(outside), folds=())
