"""Areas under curves, for tasks with probabilities."""

from collections.abc import Callable

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.metrics.registry import register
from rarecall.analysis.metrics.tally import Tally


@register("roc_auc", "max", "share", selector="class", mean=True, needs="probabilities")
def roc_auc(tally: Tally) -> FloatArray:
    """Area under the ROC curve of each class against the rest, [classes]; NaN where one side has no row."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415  # a second that reading a finished run does without

    return _by_class(tally, roc_auc_score)


@register("pr_auc", "max", "share", selector="class", mean=True, needs="probabilities")
def pr_auc(tally: Tally) -> FloatArray:
    """Average precision of each class against the rest, [classes]; NaN for a class without rows or with all."""
    from sklearn.metrics import average_precision_score  # noqa: PLC0415  # as above

    return _by_class(tally, average_precision_score)


def _by_class(tally: Tally, area: Callable[[BoolArray, FloatArray], float]) -> FloatArray:
    values = np.full(len(tally.support), np.nan)
    if tally.probabilities is None:
        return values
    truth = tally.truth
    for index in np.flatnonzero((tally.support > 0) & (tally.support < tally.rows)):
        values[index] = area(truth[:, index], tally.probabilities[:, index])
    return values
