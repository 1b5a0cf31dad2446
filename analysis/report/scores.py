"""True and predicted overall scores by tier, and which of many rows a picture shows."""

from dataclasses import dataclass

import numpy as np

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.report.contents import Report

# Dots of the common tiers are thinned out above this.
_DOTS = 2500
# With no more different true scores than this, rows are moved aside.
_FEW_SCORES = 30


@dataclass(frozen=True)
class Scores:
    """True and predicted overall scores [n], and the index of the true tier [n]."""

    true: FloatArray
    predicted: FloatArray
    tiers: IntArray
    names: tuple[str, ...]


def scores_of(report: Report) -> Scores | None:
    """The scores of the rows; None for a task without scores."""
    found = report.predictions
    if found is None or found.true_overall is None or found.predicted_overall is None or found.true_class is None:
        return None
    return Scores(found.true_overall, found.predicted_overall, found.true_class, report.labels.classes)


def thinned(tiers: IntArray) -> IntArray:
    """Rows [m] to draw, ascending: all of the small tiers, and of the large ones as many as there is room for."""
    generator = np.random.default_rng(0)
    present, counts = np.unique(tiers, return_counts=True)
    room, parts = _DOTS, []
    for place, index in enumerate(np.argsort(counts, kind="stable")):
        rows = np.flatnonzero(tiers == present[index])
        part = generator.permutation(rows)[: room // (len(present) - place)]
        room -= len(part)
        parts.append(part)
    return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *parts]))


def shifts(true: FloatArray) -> FloatArray:
    """Shifts [n] from -1 to 1 that part rows of the same true score, 0 where there are many different ones."""
    if len(np.unique(true)) > _FEW_SCORES:
        return np.zeros(len(true))
    return np.random.default_rng(0).uniform(-1, 1, len(true))
