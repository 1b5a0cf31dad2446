"""The order of epochs by the criteria of a run: who counts for its trial, and who is first."""

import math
from collections.abc import Sequence

import numpy as np

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.criteria.judging import rank_keys
from rarecall.analysis.runs.run import EpochRow, Run


def best_first(rows: Sequence[EpochRow], run: Run) -> IntArray:
    """Positions of the rows, the best first, the earlier one on ties.

    Where the best trial was trained again on all rows, trials whose best epoch has seen all of them come before all
    others. Which epoch a trial counts with does not depend on it: that one's checkpoint was kept.
    """
    keys = [-column for column in rank_keys([row.metrics for row in rows], run.criteria, run.objective).T[::-1]]
    refits = {name for name, record in run.trials.items() if record.refit_of is not None}
    order = np.lexsort(keys)
    if not refits:
        return order
    most = max(row.rows_seen for row in rows) or math.inf
    # The first one of a trial is its best.
    best = {row.trial: row for row in (rows[index] for index in order[::-1].tolist())}
    whole = refits | {name for name, row in best.items() if row.rows_seen >= most}
    return np.lexsort([*keys, np.array([row.trial not in whole for row in rows], dtype=np.bool_)])
