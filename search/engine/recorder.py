"""Writes down what happens: every result of every trial to the ledger, and from there to the study and the screen."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from rarecall.analysis.criteria.ranking import best_epoch
from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.ledger import Ledger
from rarecall.analysis.runs.run import EndRow, EndStatus, EpochRow, TrialRecord
from rarecall.search.engine.run_folder import RunFolder
from rarecall.search.engine.scheduler import EpochHalving
from rarecall.search.engine.searcher import Goal, HearsEnds
from rarecall.trainables.slot import REPORT, EpochReport, SlotDiedError, SlotStartError
from rarecall.trainables.training.request import TrialRequest, request_of

Amounts = Callable[[TrialRequest], dict[str, dict[str, float]]]


class Recorder(tune.Callback):
    """Ray Tune's callback in the driver.

    records: all trials known so far, by name, earlier sessions included; this is what the live view shows.
    amounts: a request to its counts and weights per class.
    changed: called after each change. deadline: on the monotonic clock, None without a time budget.
    retried: called with a trial and the reason when it is tried again from its last epoch.
    """

    def __init__(
        self,
        ledger: Ledger,
        folder: RunFolder,
        searcher: HearsEnds,
        scheduler: EpochHalving | None,
        goal: Goal,
        records: dict[str, TrialRecord],
        amounts: Amounts,
        changed: Callable[[str], None],
        deadline: float | None = None,
        retried: Callable[[str, str], None] = lambda trial, reason: None,
    ) -> None:
        self.records = records
        self._amounts = amounts
        self._ledger, self._folder, self._searcher, self._scheduler = ledger, folder, searcher, scheduler
        self._goal, self._changed, self._deadline, self._retried = goal, changed, deadline, retried

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        request = request_of(trial.config)
        amounts = self._amounts(request)
        if request.trial not in self.records:
            params = dict(request.params)
            record = TrialRecord(request.trial, params, mitigation=amounts, origin=request.origin)
            self._ledger.append(record.as_row())
            self.records[request.trial] = record
        self._changed(request.trial)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        report: EpochReport = result[REPORT]
        if report.unwritten:
            raise RunError(f"{self._folder.path}: {report.failure} (free space there, then resume the run)")
        record = self.records[report.epoch.trial]
        if report.failure is None:
            self._add_epoch(record, replace(report.epoch, time=round(time.time(), 3)))
        if result["done"]:
            self._end(trial, record, *self._outcome(trial, report))
        self._changed(record.trial)

    def _add_epoch(self, record: TrialRecord, epoch: EpochRow) -> None:
        self._ledger.append(epoch.as_row())
        record.epochs[:] = [earlier for earlier in record.epochs if earlier.epoch != epoch.epoch] + [epoch]
        self._prune_checkpoints(record)

    def _prune_checkpoints(self, record: TrialRecord) -> None:
        """Keep the best epoch's checkpoint, to export, and the last one's, to go on from."""
        keep = {
            best_epoch(record.epochs, self._goal.criteria, self._goal.objective).checkpoint,
            record.epochs[-1].checkpoint,
        }
        for earlier in record.epochs[:-1]:
            if earlier.checkpoint and earlier.checkpoint not in keep:
                self._folder.remove_checkpoint(earlier.checkpoint)

    def _outcome(self, trial: Trial, report: EpochReport) -> tuple[EndStatus, str]:
        if report.failure is not None:
            return "failed", report.failure
        if self._scheduler is not None and trial.trial_id in self._scheduler.reasons:
            return "stopped", self._scheduler.reasons[trial.trial_id]
        if report.last or report.epoch.epoch == request_of(trial.config).until:
            return "completed", ""
        return "completed", f"no better epoch in a while, ended after epoch {report.epoch.epoch}"

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """Tune tells nothing of the trials that it gives up when the time budget is used up."""
        if self._deadline is None or time.monotonic() < self._deadline:
            return
        for trial in trials:
            record = self.records.get(request_of(trial.config).trial)
            if record is not None and record.end is None and record.epochs:
                self._end(trial, record, "stopped", "the time budget was used up")
                self._changed(record.trial)

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._retried(request_of(trial.config).trial, _last_line(trial.error_file)[1])

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Tune gives up a trial that died too often; where it was never begun, no other one would be.

        Raises:
            RunError: slots do not start, so the trial stays unfinished.
        """
        record = self.records.get(request_of(trial.config).trial)
        error, reason = _last_line(trial.error_file)
        if record is None or error == SlotStartError.__name__:
            raise RunError(f"{self._folder.path}: {reason} (mend that, then resume the run)")
        if record.end is None:
            self._end(trial, record, "failed", reason)
            self._changed(record.trial)

    def _end(self, trial: Trial, record: TrialRecord, status: EndStatus, reason: str) -> None:
        record.end = EndRow(record.trial, status, reason, round(time.time(), 3))
        self._ledger.append(record.end.as_row())
        self._searcher.finish(trial.trial_id, record)

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks for a restore that rarecall never does; the open ledger must stay out of it."""
        return {}


def _last_line(error_file: str | None) -> tuple[str, str]:
    """What a slot or its process died of, from the traceback that Ray Tune wrote; its storage has that only later.

    Gives the exception's name where it is one of a slot's own, else "", and what it says.
    """
    if error_file is None or not Path(error_file).is_file():
        return "", "no reason given"
    last = Path(error_file).read_text(encoding="utf-8").strip().splitlines()[-1]
    for error in (SlotDiedError, SlotStartError):
        prefix = f"{error.__module__}.{error.__qualname__}: "
        if last.startswith(prefix):
            return error.__name__, last.removeprefix(prefix)
    return "", last
