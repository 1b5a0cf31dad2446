"""Asynchronous successive halving on our own epoch count, which says why it stopped a trial and survives a restart.

Between the comparisons a trial may be given up by its own epochs alone (`search.engine.stop_rules`).
"""

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from rarecall.analysis.criteria.criterion import Criterion
from rarecall.analysis.runs.run import EpochRow, TrialRecord
from rarecall.search.engine.stop_rules import collapsed, one_class, out_of_reach
from rarecall.trainables.slot import REPORT
from rarecall.trainables.training.request import request_of


class EpochHalving(ASHAScheduler):
    """Ray's ASHA over `epoch` and `score`, by trial names, which stay the same when a search goes on.

    max_epochs: a trial's last epoch. grace_epochs: epochs before the first comparison. reduction: one in this many
    goes on. criteria: without them none can be out of reach. spared: ends of the origins of trials that no comparison
    stops, as all others are held against them.
    """

    def __init__(
        self,
        max_epochs: int,
        grace_epochs: int,
        reduction: float,
        criteria: Sequence[Criterion] = (),
        spared: tuple[str, ...] = (),
    ) -> None:
        super().__init__(
            time_attr="epoch",
            metric="score",
            mode="max",
            max_t=max_epochs,
            grace_period=min(grace_epochs, max_epochs),
            reduction_factor=reduction,
        )
        self._epochs, self._criteria, self._spared = max_epochs, tuple(criteria), spared
        self._share = 1 / reduction
        self._rows: dict[str, list[EpochRow]] = {}  # of trials that go on
        self._leader, self._best_score = "", -math.inf
        self.reasons: dict[str, str] = {}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        super().on_trial_add(tune_controller, _named(request_of(trial.config).trial))

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        name = request_of(trial.config).trial
        action: str = super().on_trial_result(tune_controller, _named(name), result)
        if REPORT in result:
            self._see(result[REPORT].epoch)
        if result["epoch"] < self._epochs and request_of(trial.config).origin.endswith(self._spared):
            action = str(TrialScheduler.CONTINUE)
        if action == TrialScheduler.STOP and result["epoch"] < self._epochs:
            self.reasons[trial.trial_id] = f"not among the best {self._share:.0%} after epoch {result['epoch']}"
        elif action == TrialScheduler.CONTINUE and (reason := self._hopeless(name)):
            self.reasons[trial.trial_id] = reason
            return str(TrialScheduler.STOP)
        return action

    def _see(self, row: EpochRow) -> None:
        # What is trained again after a worker died counts once.
        before = [earlier for earlier in self._rows.get(row.trial, ()) if earlier.epoch < row.epoch]
        self._rows[row.trial] = [*before, row]
        if row.score > self._best_score:
            self._leader, self._best_score = row.trial, row.score

    def _hopeless(self, name: str) -> str:
        """Why a trial is given up whatever its rivals do, "" where it is not.

        What a trial lacks does not end the best one so far: where all lack it, one at least is trained to its end.
        """
        rows = self._rows.get(name, [])
        reason = one_class(rows, self._epochs)
        if reason or not rows or name == self._leader:
            return reason
        return collapsed(rows, self._epochs, self._criteria) or out_of_reach(rows, self._epochs, self._criteria)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        super().on_trial_complete(tune_controller, _named(request_of(trial.config).trial), result)
        self._rows.pop(request_of(trial.config).trial, None)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        super().on_trial_remove(tune_controller, _named(request_of(trial.config).trial))
        self._rows.pop(request_of(trial.config).trial, None)

    def remember(self, records: Sequence[TrialRecord]) -> None:
        """Fill the rungs with the epochs of earlier sessions, so that new trials are measured against them too."""
        nobody: Any = None  # the controller, which ASHA does not ask
        for record in records:
            trial = _named(record.trial)
            super().on_trial_add(nobody, trial)
            for row in record.epochs:
                self._see(row)
                super().on_trial_result(nobody, trial, {"epoch": row.epoch, "score": row.score})
            super().on_trial_remove(nobody, trial)
            if record.end is not None:
                self._rows.pop(record.trial, None)


def _named(name: str) -> Any:
    """All that ASHA looks at in a trial; Ray's own ids are new in every session."""
    return SimpleNamespace(trial_id=name)
