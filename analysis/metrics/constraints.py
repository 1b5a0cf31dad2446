"""Metrics of what labels imply and exclude."""

import numpy as np

from rarecall.analysis.metrics import widths
from rarecall.analysis.metrics.registry import register
from rarecall.analysis.metrics.tally import Tally


@register("constraint_violations", "min", "amount", needs="constraints", whole_count=True, margin=widths.count_width)
def constraint_violations(tally: Tally) -> float:
    """Number of rows whose predicted labels break an implication or an exclusion."""
    predicted = tally.predictions.predicted_labels
    if predicted is None:
        raise ValueError("constraints need predicted labels [n, labels], got none")
    broken = np.zeros(tally.rows, dtype=np.bool_)
    for label, implied in tally.labels.index(tally.labels.implications):
        broken |= predicted[:, label] & ~predicted[:, implied]
    for one, other in tally.labels.index(tally.labels.exclusions):
        broken |= predicted[:, one] & predicted[:, other]
    return float(broken.sum())
