"""Asynchronous successive halving on our own epoch count, which says why it stopped a trial and survives a restart."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from analysis.run import TrialRecord


class EpochHalving(ASHAScheduler):
    """Ray's ASHA over `epoch` and `score`.

    max_epochs: a trial's last epoch. grace_epochs: epochs before the first comparison. reduction: one in so many goes on.
    """

    def __init__(self, max_epochs: int, grace_epochs: int, reduction: float) -> None:
        super().__init__(
            time_attr="epoch",
            metric="score",
            mode="max",
            max_t=max_epochs,
            grace_period=min(grace_epochs, max_epochs),
            reduction_factor=reduction,
        )
        self._epochs = max_epochs
        self._share = 1 / reduction
        self.reasons: dict[str, str] = {}

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        action: str = super().on_trial_result(tune_controller, trial, result)
        if action == TrialScheduler.STOP and result["epoch"] < self._epochs:
            self.reasons[trial.trial_id] = f"not among the best {self._share:.0%} after epoch {result['epoch']}"
        return action

    def remember(self, records: Sequence[TrialRecord]) -> None:
        """Fill the rungs with the epochs of earlier sessions, so that new trials are measured against them too."""
        for record in records:
            stand_in: Any = SimpleNamespace(trial_id=f"earlier-{record.trial}")
            nobody: Any = None  # the controller, which ASHA does not ask
            self.on_trial_add(nobody, stand_in)
            for row in record.epochs:
                self.on_trial_result(nobody, stand_in, {"epoch": row.epoch, "score": row.score})
            self.on_trial_remove(nobody, stand_in)
        self.reasons.clear()
