import json
import time

import pytest
import ray
from optuna.trial import TrialState
from ray import tune
from ray.tune.experiment import Trial

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.runs.ledger import Ledger, read_ledger
from rarecall.analysis.runs.run import EpochRow
from rarecall.search.engine.folder.run_folder import RunFolder
from rarecall.search.engine.recorder import Listeners, Method, Recorder, RunFiles
from rarecall.search.engine.scheduler import EpochHalving
from rarecall.search.engine.searcher import TrialSearcher, TrialSpace
from rarecall.trainables.slot import REPORT, EpochReport, Slot, SlotPlan
from rarecall.trainables.training.request import TrialRequest, request_of
from tests.idle_session import EPOCHS, HEADER, LABELS, IdleSession, idle_config

GOAL = Goal((), "minority_recall")


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.append(HEADER)
        yield ledger


def searcher_of(configs):
    """Suggests these configurations, one after another."""
    rest = iter(configs)
    return TrialSearcher(TrialSpace({}, lambda params: next(rest)), GOAL, trials=len(configs), seed=0)


def recorder_of(ledger, folder, searcher, scheduler=None, deadline=None):
    told = []
    amounts = {"rare": {"rows": 2, "sampled": 4, "weight": 1.5}}
    files, method = RunFiles(ledger, RunFolder(folder), {}), Method(searcher, scheduler, GOAL)
    recorder = Recorder(files, method, Listeners(lambda request: amounts, told.append), deadline)
    return recorder, told


@pytest.mark.timeout(240)
def test_every_end_of_a_trial_is_written_down_with_its_reason(local_ray, ledger, tmp_path):
    searcher = searcher_of(
        [
            idle_config("t0001", recalls=[0.5, 0.7, 0.6]),
            idle_config("t0002", recalls=[0.1, 0.9, 0.9]),
            idle_config("t0003", recalls=[0.9, 0.9, 0.9]),
            idle_config("t0004", diverges=1),
            idle_config("t0005", early_stopping=1, recalls=[0.8, 0.7, 0.9]),
            idle_config("t0006", recalls=[0.9, 0.9, 0.9]),
            idle_config("t0007", recalls=[0.9, 0.9, 0.9]),
        ]
    )
    scheduler = EpochHalving(EPOCHS, 1, 2.0)
    recorder, told = recorder_of(ledger, tmp_path, searcher, scheduler)
    session = IdleSession(tmp_path, {("t0003", 2): "a number too large", ("t0006", 2): "killed"})
    plan = SlotPlan(work=ray.put((session, None)), labels=LABELS, run_folder=str(tmp_path))
    tune.Tuner(
        tune.with_parameters(Slot, plan=plan),
        tune_config=tune.TuneConfig(
            num_samples=7, max_concurrent_trials=1, search_alg=searcher, scheduler=scheduler, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(tmp_path / "tune"),
            callbacks=[recorder],
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, num_to_keep=1),
            verbose=0,
        ),
    ).fit()
    run = read_ledger(tmp_path)
    assert run.problems == []
    ends = {name: (record.end.status, record.end.reason) for name, record in run.trials.items()}
    died = ends.pop("t0006")
    assert ends == {
        "t0001": ("completed", ""),
        "t0002": ("stopped", "not among the best 50% after epoch 1"),
        "t0003": ("failed", "ArithmeticError: a number too large"),
        "t0004": ("failed", "the loss is no longer finite"),
        "t0005": ("completed", "no better epoch in a while, ended after epoch 2"),
        "t0007": ("completed", ""),
    }
    assert died[0] == "failed"
    assert died[1].startswith("the worker group ended: rank 0: The actor died unexpectedly")
    assert len(died[1]) < 200
    assert [len(record.epochs) for record in run.trials.values()] == [3, 1, 1, 0, 2, 1, 3]
    assert {trial.state for trial in searcher.study.trials if trial.number in (2, 3, 5)} == {TrialState.FAIL}
    states = [trial.state for trial in searcher.study.trials]
    assert (states.count(TrialState.COMPLETE), states.count(TrialState.PRUNED)) == (3, 1)
    assert recorder.records.keys() == run.trials.keys()
    assert told[:5] == ["t0001", "t0001", "t0001", "t0001", "t0002"]
    rows = [json.loads(line) for line in ledger.path.read_text().splitlines()]
    assert next(row for row in rows if row["kind"] == "trial")["mitigation"] == {
        "rare": {"rows": 2, "sampled": 4, "weight": 1.5}
    }
    # The best epoch, to export, and the last one, to go on from.
    first = {row.epoch: run.resolve(row.checkpoint).exists() for row in run.trials["t0001"].epochs}
    assert first == {1: False, 2: True, 3: True}


def started(recorder, searcher, name="one"):
    """A trial as Ray Tune holds it, begun and with one epoch behind it."""
    trial = Trial("Slot", trial_id=name, config=searcher.suggest(name), stub=True)
    recorder.on_trial_start(0, [trial], trial)
    return trial


def report(recorder, trial, epoch, done=False):
    name = request_of(trial.config).trial
    row = EpochRow(name, epoch, {"minority_recall": 0.5}, [], 0.1, 1.0, 0.0, None, None, 0.5, 0.0)
    recorder.on_trial_result(0, [trial], trial, {REPORT: EpochReport(row, last=done), "done": done})


@pytest.mark.parametrize(("seconds", "status"), [(-1, "stopped"), (60, "running"), (None, "running")])
def test_trials_that_the_time_budget_ends_are_stopped(ledger, tmp_path, seconds, status):
    """Before the deadline, the search ended for another reason, and its trials may go on."""
    searcher = searcher_of([idle_config(name) for name in ("t0001", "t0002", "t0003")])
    deadline = None if seconds is None else time.monotonic() + seconds
    recorder, told = recorder_of(ledger, tmp_path, searcher, deadline=deadline)
    halfway, begun, done = (started(recorder, searcher, name) for name in ("a", "b", "c"))
    report(recorder, halfway, 1)
    report(recorder, done, 3, done=True)
    waiting = Trial("Slot", config=TrialRequest("t0004", {}, {}).tune_config(), stub=True)
    recorder.on_experiment_end([halfway, begun, done, waiting])
    trials = read_ledger(tmp_path).trials
    # A trial without an epoch has nothing to show, and begins again when the search goes on.
    assert [trials[f"t000{i}"].status for i in (1, 2, 3)] == [status, "running", "completed"]
    if status == "stopped":
        assert trials["t0001"].end.reason == "the time budget was used up"
        assert told[-1] == "t0001"


def test_an_epoch_told_again_by_a_trial_that_was_retried_counts_once(ledger, tmp_path):
    searcher = searcher_of([idle_config("t0001")])
    recorder, _ = recorder_of(ledger, tmp_path, searcher)
    trial = started(recorder, searcher)
    report(recorder, trial, 1)
    recorder.on_trial_start(1, [trial], trial)
    report(recorder, trial, 1)
    report(recorder, trial, 2, done=True)
    assert [row.epoch for row in recorder.records["t0001"].epochs] == [1, 2]
    rows = [json.loads(line)["kind"] for line in ledger.path.read_text().splitlines()]
    assert rows == ["run", "trial", "epoch", "epoch", "epoch", "end"]
