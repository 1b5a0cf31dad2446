"""The order of epochs by the criteria of a run: who counts for its trial, and who is first."""

import math
from collections.abc import Sequence

import numpy as np

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.criteria.judging import rank_keys
from rarecall.analysis.runs.run import EpochRow, Run


def best_first(rows: Sequence[EpochRow], run: Run) -> IntArray:
    """Positions of the rows, the best first, the earlier one on ties.

    Where the best trial was trained again on all rows, epochs that have seen all of them come before all others.
    """
    keys = rank_keys([row.metrics for row in rows], run.criteria, run.objective)
    refits = {name for name, record in run.trials.items() if record.refit_of is not None}
    most = max((row.rows_seen for row in rows), default=0) or math.inf
    sampled = np.array([bool(refits) and row.trial not in refits and row.rows_seen < most for row in rows], np.bool_)
    return np.lexsort([*(-column for column in keys.T[::-1]), sampled])
