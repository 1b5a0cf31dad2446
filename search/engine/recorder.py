"""Writes down what happens: every result of every trial to the ledger, and from there to the study and the screen."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.criteria.ranking import best_epoch
from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.ledger import Ledger
from rarecall.analysis.runs.run import EndRow, EndStatus, EpochRow, TrialRecord
from rarecall.search.engine.folder.run_folder import RunFolder
from rarecall.search.engine.scheduler import EpochHalving
from rarecall.search.engine.searcher import TrialSource
from rarecall.trainables.slot import REPORT, EpochReport, SlotDiedError, SlotStartError
from rarecall.trainables.training.request import TrialRequest, request_of

Amounts = Callable[[TrialRequest], dict[str, dict[str, float]]]


@dataclass(frozen=True)
class RunFiles:
    """Where a run is written down. records: all trials known so far, by name, earlier sessions included."""

    ledger: Ledger
    folder: RunFolder
    records: dict[str, TrialRecord]


@dataclass(frozen=True)
class Method:
    """How trials are proposed and stopped, and what for. scheduler: None where each is trained to its end."""

    searcher: TrialSource
    scheduler: EpochHalving | None
    goal: Goal


@dataclass(frozen=True)
class Listeners:
    """Who hears of trials.

    amounts: tells a request's counts and weights per class. changed: called with a trial's name after each change of
    it. retried: called with a trial and the reason when it is tried again from its last epoch.
    """

    amounts: Amounts
    changed: Callable[[str], None]
    retried: Callable[[str, str], None] = lambda trial, reason: None


class Recorder(tune.Callback):
    """Ray Tune's callback in the driver. deadline: on the monotonic clock, None without a time budget."""

    def __init__(self, files: RunFiles, method: Method, listeners: Listeners, deadline: float | None = None) -> None:
        self.files, self.method, self.listeners, self.deadline = files, method, listeners, deadline

    @property
    def records(self) -> dict[str, TrialRecord]:
        """All trials known so far, which the live view shows."""
        return self.files.records

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        request = request_of(trial.config)
        amounts = self.listeners.amounts(request)
        if request.trial not in self.records:
            params = dict(request.params)
            record = TrialRecord(request.trial, params, mitigation=amounts, origin=request.origin)
            self.files.ledger.append(record.as_row())
            self.records[request.trial] = record
        self.listeners.changed(request.trial)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        report: EpochReport = result[REPORT]
        if report.unwritten:
            raise RunError(f"{self.files.folder.path}: {report.failure} (free space there, then resume the run)")
        record = self.records[report.epoch.trial]
        if report.failure is None:
            self._add_epoch(record, replace(report.epoch, time=round(time.time(), 3)))
        if result["done"]:
            self._end(trial, record, *self._outcome(trial, report))
        self.listeners.changed(record.trial)

    def _add_epoch(self, record: TrialRecord, epoch: EpochRow) -> None:
        self.files.ledger.append(epoch.as_row())
        record.epochs[:] = [earlier for earlier in record.epochs if earlier.epoch != epoch.epoch] + [epoch]
        self._prune_checkpoints(record)

    def _prune_checkpoints(self, record: TrialRecord) -> None:
        """Keep the best epoch's checkpoint, to export, and the last one's, to resume from."""
        goal = self.method.goal
        keep = {
            best_epoch(record.epochs, goal.criteria, goal.objective).checkpoint,
            record.epochs[-1].checkpoint,
        }
        for earlier in record.epochs[:-1]:
            if earlier.checkpoint and earlier.checkpoint not in keep:
                self.files.folder.remove_checkpoint(earlier.checkpoint)

    def _outcome(self, trial: Trial, report: EpochReport) -> tuple[EndStatus, str]:
        if report.failure is not None:
            return "failed", report.failure
        scheduler = self.method.scheduler
        if scheduler is not None and trial.trial_id in scheduler.reasons:
            return "stopped", scheduler.reasons[trial.trial_id]
        if report.last or report.epoch.epoch == request_of(trial.config).until:
            return "completed", ""
        return "completed", f"no better epoch in a while, ended after epoch {report.epoch.epoch}"

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """Tune tells nothing of the trials that it gives up when the time budget is used up."""
        if self.deadline is None or time.monotonic() < self.deadline:
            return
        for trial in trials:
            record = self.records.get(request_of(trial.config).trial)
            if record is not None and record.end is None and record.epochs:
                self._end(trial, record, "stopped", "the time budget was used up")
                self.listeners.changed(record.trial)

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self.listeners.retried(request_of(trial.config).trial, _last_line(trial.error_file)[1])

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Tune gives up a trial that died too often; where it was never begun, no other one would be.

        Raises:
            RunError: slots do not start, so the trial stays unfinished.
        """
        record = self.records.get(request_of(trial.config).trial)
        error, reason = _last_line(trial.error_file)
        if record is None or error == SlotStartError.__name__:
            raise RunError(f"{self.files.folder.path}: {reason} (mend that, then resume the run)")
        if record.end is None:
            self._end(trial, record, "failed", reason)
            self.listeners.changed(record.trial)

    def _end(self, trial: Trial, record: TrialRecord, status: EndStatus, reason: str) -> None:
        record.end = EndRow(record.trial, status, reason, round(time.time(), 3))
        self.files.ledger.append(record.end.as_row())
        self.method.searcher.finish(trial.trial_id, record)

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
