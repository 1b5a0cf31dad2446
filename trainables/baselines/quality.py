"""How well outputs rank the rows, before any decision rule: by it the strength of a baseline is chosen."""

import numpy as np
from sklearn.metrics import average_precision_score

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.trainables.baselines.kinds import KINDS
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.tasks import Task
from rarecall.trainables.tasks.multiclass import softmax


def ranking_quality(outputs: FloatArray, truth: Labelled, task: Task, *, balanced: bool) -> float:
    """How good outputs [m, outputs] are before anything is decided.

    The mean average precision of the minority classes, or labels; of scores minus the mean squared error, each class
    counting as much as any other where `balanced`.
    """
    kind, targets = KINDS[task.target], np.asarray(task.targets(truth), dtype=np.float64)
    if kind == "scores":
        return -_squared_error(outputs, targets, truth, balanced=balanced)
    if kind == "two_stage":
        return _average_precision(targets[:, 0] > 0, outputs[:, 0])
    space = task.label_space
    if kind == "labels":
        pairs = [(targets[:, i] > 0, outputs[:, i]) for i in map(space.classes.index, space.minority)]
    else:
        shares = softmax(outputs)
        pairs = [(targets == i, shares[:, i]) for i in map(space.classes.index, space.minority)]
    found = [_average_precision(there, values) for there, values in pairs if there.any()]
    return float(np.mean(found)) if found else 0.0


def _average_precision(there: BoolArray, values: FloatArray) -> float:
    return float(average_precision_score(there, values)) if there.any() else 0.0


def _squared_error(outputs: FloatArray, targets: FloatArray, truth: Labelled, *, balanced: bool) -> float:
    errors = ((outputs - targets) ** 2).mean(axis=1)
    if not balanced:
        return float(errors.mean())
    return float(np.mean([errors[truth.classes == one].mean() for one in np.unique(truth.classes)]))
