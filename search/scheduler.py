"""Asynchronous successive halving on our own epoch count, which says why it stopped a trial and survives a restart.

A trial that has named one class only for a third of its epochs, and two at least, is given up without looking at its
rivals: among trials that all do so, each would be as good as the others.
"""

import json
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from analysis.run import TrialRecord

SHARE_OF_ONE_CLASS, LEAST_EPOCHS_OF_ONE_CLASS = 1 / 3, 2


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
        self._patience = max(LEAST_EPOCHS_OF_ONE_CLASS, math.ceil(max_epochs * SHARE_OF_ONE_CLASS))
        self._of_one_class: dict[str, int] = {}
        self.reasons: dict[str, str] = {}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        super().on_trial_add(tune_controller, _named(trial.config["trial"]))

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        action: str = super().on_trial_result(tune_controller, _named(trial.config["trial"]), result)
        if action == TrialScheduler.STOP and result["epoch"] < self._epochs:
            self.reasons[trial.trial_id] = f"not among the best {self._share:.0%} after epoch {result['epoch']}"
        elif action == TrialScheduler.CONTINUE and (reason := self._hopeless(trial.config["trial"], result)):
            self.reasons[trial.trial_id] = reason
            return str(TrialScheduler.STOP)
        return action

    def _hopeless(self, name: str, result: dict[str, Any]) -> str:
        """Why a trial is given up whatever its rivals do, "" where it is not."""
        confusion = json.loads(result["row"])["confusion"] if "row" in result else None
        one = names_one_class(confusion)
        self._of_one_class[name] = self._of_one_class.get(name, 0) + 1 if one else 0
        if self._of_one_class[name] < self._patience:
            return ""
        return f"one class named for every row in {self._of_one_class[name]} epochs in a row"

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
                one = names_one_class(row.confusion)
                self._of_one_class[record.trial] = self._of_one_class.get(record.trial, 0) + 1 if one else 0
                super().on_trial_result(nobody, trial, {"epoch": row.epoch, "score": row.score})
            super().on_trial_remove(nobody, trial)


def names_one_class(confusion: Any) -> bool:
    """Whether predictions with this confusion matrix [classes][classes] name one class only.

    False without one, and where a row may have several labels.

    >>> names_one_class([[9, 0], [1, 0]]), names_one_class([[8, 1], [1, 0]]), names_one_class(None)
    (True, False, False)
    """
    if not confusion or isinstance(confusion[0][0], list):
        return False
    return sum(any(row[column] for row in confusion) for column in range(len(confusion))) == 1


def _named(name: str) -> Any:
    """All that ASHA looks at in a trial; Ray's own ids are new in every session."""
    return SimpleNamespace(trial_id=name)
