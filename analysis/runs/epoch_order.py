"""The order of epochs by the criteria of a run: who counts for its trial, and who is first."""

from collections.abc import Sequence

import numpy as np

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.criteria.judging import rank_keys
from rarecall.analysis.runs.run import EpochRow, Run


def best_first(rows: Sequence[EpochRow], run: Run) -> IntArray:
    """Positions of the rows, the best first, the earlier one on ties; trials on all rows before those on a sample."""
    keys = rank_keys([row.metrics for row in rows], run.criteria, run.objective)
    whole = {name for name, record in run.trials.items() if record.refit_of is not None}
    sampled = np.array([row.trial not in whole for row in rows], dtype=np.bool_)
    return np.lexsort([*(-column for column in keys.T[::-1]), sampled])
