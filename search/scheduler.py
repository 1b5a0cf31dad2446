"""Asynchronous successive halving on our own epoch count, which says why it stopped a trial and survives a restart."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from analysis.run import TrialRecord


class EpochHalving(ASHAScheduler):
    """Ray's ASHA over `epoch` and `score`, by trial names, which stay the same when a search goes on.

    max_epochs: a trial's last epoch. grace_epochs: epochs before the first comparison. reduction: one in this many
    goes on.
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

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        super().on_trial_add(tune_controller, _named(trial.config["trial"]))

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        action: str = super().on_trial_result(tune_controller, _named(trial.config["trial"]), result)
        if action == TrialScheduler.STOP and result["epoch"] < self._epochs:
            self.reasons[trial.trial_id] = f"not among the best {self._share:.0%} after epoch {result['epoch']}"
        return action

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        super().on_trial_complete(tune_controller, _named(trial.config["trial"]), result)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        super().on_trial_remove(tune_controller, _named(trial.config["trial"]))

    def remember(self, records: Sequence[TrialRecord]) -> None:
        """Fill the rungs with the epochs of earlier sessions, so that new trials are measured against them too."""
        nobody: Any = None  # the controller, which ASHA does not ask
        for record in records:
            trial = _named(record.trial)
            super().on_trial_add(nobody, trial)
            for row in record.epochs:
                super().on_trial_result(nobody, trial, {"epoch": row.epoch, "score": row.score})
            super().on_trial_remove(nobody, trial)


def _named(name: str) -> Any:
    """All that ASHA looks at in a trial; Ray's own ids are new in every session."""
    return SimpleNamespace(trial_id=name)
