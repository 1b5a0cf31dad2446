"""A quick look: the same experiment on a sample of the training rows, for a few epochs, under a name of its own."""

from typing import Any

from rarecall.analysis.settings import EPOCHS, MAX_TRAIN_ROWS
from rarecall.search.experiment.schema import Experiment

QUICK_ROWS, QUICK_EPOCHS, QUICK_TRIALS = 200, 3, 4


def scaled_down(experiment: Experiment, quick: bool, sample: int | None) -> dict[str, Any]:
    """Overrides by dotted key, none where neither is asked for.

    quick: 200 rows, 3 epochs and 4 trials at most, without finalists and baselines. sample: that many training rows,
    each class in its proportion. Validation and test stay whole, so metrics can be compared with those of other runs.
    """
    if not quick and sample is None:
        return {}
    rows = sample or QUICK_ROWS
    limit = min(rows, experiment.data.max_train_rows or rows)
    overrides: dict[str, Any] = {MAX_TRAIN_ROWS: limit, "search.refit": 0}
    if not quick:
        return {**overrides, "name": f"{experiment.name}-sample{rows}"}
    return {
        **overrides,
        "name": f"{experiment.name}-quick",
        EPOCHS: min(experiment.training.epochs, QUICK_EPOCHS),
        "search.trials": min(experiment.search.trials, QUICK_TRIALS),
        "search.finalists": None,
        # They take all rows, and so longer than the rest.
        "search.baselines": False,
    }
