"""Slots with real workers, in trials that do next to nothing and in one that trains."""

import json
import time
from collections import defaultdict

import numpy as np
import pytest
import ray
from ray import tune

from rarecall.analysis.predictions.parquet_file import read_predictions
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.models.classifier import load_tokenizer
from rarecall.trainables.slot import REPORT, Slot, SlotPlan
from rarecall.trainables.training.request import ResumePoint, TrialRequest, request_of
from rarecall.trainables.training.session import TrainingSession
from rarecall.trainables.training.worker import Worker
from tests.idle_session import LABELS, IdleSession, idle_config


class Rows(tune.Callback):
    """The rows of all trials, in the order in which the driver sees them."""

    def __init__(self):
        self.by_trial = defaultdict(list)

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.by_trial[request_of(trial.config).trial].append(result[REPORT])


def run_trials(session, configs, folder, slots=2, retries=2, starts=None, data=None, **plan):
    """Every configuration as one trial; gives the rows by trial and Tune's own results."""
    rows = Rows()
    work = ray.put((session, data))
    plan = SlotPlan(work=work, labels=plan.pop("labels", LABELS), run_folder=str(folder), **plan)
    resumed = starts or {}
    trials = [
        TrialRequest(name, {}, config, resume=resumed.get(name)).tune_config() for name, config in configs.items()
    ]
    results = tune.Tuner(
        tune.with_parameters(Slot, plan=plan),
        param_space=tune.grid_search(trials),
        tune_config=tune.TuneConfig(metric="score", mode="max", max_concurrent_trials=slots, reuse_actors=True),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(folder / "tune"),
            callbacks=[rows],
            failure_config=tune.FailureConfig(max_failures=retries),
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, num_to_keep=1),
            verbose=0,
        ),
    ).fit()
    return dict(rows.by_trial), results


def column(reports, key):
    """A metric, or a field of the epoch or its report."""
    rows = [report.epoch for report in reports]
    if key in ("failure", "last"):
        return [getattr(report, key) for report in reports]
    return [row.metrics[key] if key in row.metrics else getattr(row, key) for row in rows]


@pytest.mark.timeout(180)
def test_workers_outlive_their_trials(local_ray, tmp_path):
    names = [f"t{number:04d}" for number in range(1, 7)]
    rows, results = run_trials(IdleSession(tmp_path), {name: idle_config(name) for name in names}, tmp_path)
    assert results.num_errors == 0
    assert sorted(rows) == names
    assert all(column(rows[name], "epoch") == [1, 2, 3] for name in names)
    pids = {name: set(column(rows[name], "pid")) for name in names}
    assert all(len(of_trial) == 1 for of_trial in pids.values())
    assert len(set.union(*pids.values())) == 2
    last = rows["t0006"][-1]
    assert (last.last, last.failure) == (True, None)
    assert json.loads((tmp_path / last.epoch.checkpoint / "state.json").read_text()) == {"epoch": 3}
    stored = read_predictions(tmp_path / last.epoch.predictions, LABELS)
    assert stored.predicted_class.tolist() == [0, 1, 0, 1]


@pytest.mark.timeout(180)
def test_one_slot_takes_trials_that_end_in_every_way(local_ray, tmp_path):
    configs = {
        "breaks": idle_config("breaks"),
        "diverges": idle_config("diverges", diverges=2),
        # Best in epoch 1, so patience of one is over after epoch 2.
        "patient": idle_config("patient", early_stopping=1, recalls=[0.5, 0.4, 0.9]),
        "goes-on": idle_config("goes-on", early_stopping=2, recalls=[0.5, 0.4, 0.3]),
        "whole": idle_config("whole"),
    }
    (tmp_path / "checkpoints" / "former").mkdir(parents=True)
    (tmp_path / "checkpoints" / "former" / "state.json").write_text('{"epoch": 2}')
    # An earlier session saw 0.5 and 0.4, so patience of two is over after one more.
    start = ResumePoint(2, "checkpoints/former", best_score=0.5, best_epoch=1)
    session = IdleSession(tmp_path, {("breaks", 2): "a number too large"})
    rows, results = run_trials(session, configs, tmp_path, slots=1, starts={"goes-on": start})
    assert results.num_errors == 0
    trained = [report for trial in rows.values() for report in trial if report.epoch.metrics]
    assert len(set(column(trained, "pid"))) == 1
    assert column(rows["breaks"], "failure") == [None, "ArithmeticError: a number too large"]
    assert column(rows["diverges"], "failure") == [None, "the loss is no longer finite"]
    assert rows["diverges"][-1].epoch.checkpoint is None
    assert column(rows["patient"], "epoch") == [1, 2]
    assert column(rows["goes-on"], "epoch") == [3]
    assert column(rows["goes-on"], "first") == [2]
    assert column(rows["whole"], "epoch") == [1, 2, 3]
    scores = {request_of(result.config).trial: result.metrics["score"] for result in results}
    assert np.isfinite(list(scores.values())).all()
    assert scores["breaks"] < min(scores["whole"], scores["patient"])


@pytest.mark.timeout(180)
def test_a_trial_whose_worker_is_killed_goes_on_from_its_last_epoch(local_ray, tmp_path):
    names = ["t0001", "t0002", "t0003"]
    session = IdleSession(tmp_path, {("t0002", 3): "killed"})
    started = time.monotonic()
    rows, results = run_trials(session, {name: idle_config(name) for name in names}, tmp_path, slots=1)
    assert time.monotonic() - started < 120
    assert results.num_errors == 0
    assert [column(rows[name], "epoch") for name in names] == [[1, 2, 3]] * 3
    before, again, after = (column(rows["t0002"], "pid")[i] for i in range(3))
    assert before == again != after
    assert column(rows["t0002"], "first") == [0, 0, 2]


@pytest.mark.timeout(180)
def test_two_workers_share_a_slot_and_end_together(local_ray, tmp_path):
    names = ["t0001", "t0002", "t0003"]
    session = IdleSession(tmp_path, {("t0002", 2): "only rank 1 fails"})
    rows, results = run_trials(session, {name: idle_config(name) for name in names}, tmp_path, slots=1, workers=2)
    assert results.num_errors == 0
    assert [column(rows[name], "epoch") for name in names] == [[1, 2, 3]] * 3
    assert {value for name in names for value in column(rows[name], "workers")} == {2.0}
    assert column(rows["t0002"], "first") == [0, 1, 1]


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("folds", "batch_size", "sharding"), [(None, 8, "none"), (3, 8, "none"), (None, 13, "frozen")])
def test_two_workers_train_what_one_would(local_ray, still_minilm, tmp_path, folds, batch_size, sharding):
    """Shares of every batch, summed gradients, gathered predictions; 27 rows, so that shares differ in size.

    In batches of 13, the last row has one worker for itself, while the other must bring its part of spread weights.
    """
    with (tmp_path / "rows.jsonl").open("w") as file:
        for i in range(36):
            name = "rare" if i % 4 == 0 else "common"
            file.write(json.dumps({"text": f"{name} words in row {i}", "label": name}) + "\n")
    config = TrialConfig.model_validate(
        {
            "data": {"path": "rows.jsonl", "label": "label", "folds": folds, "split": {"validation": 0.25, "test": 0}},
            "task": {"kind": "multiclass"},
            "model": {"max_length": 16, "lora": {"rank": 4, "dropout": 0.0, "layers": "last 1"}},
            "training": {
                "epochs": 2,
                "batch_size": batch_size,
                "learning_rate": 3e-3,
                "class_weights": {"strength": 1.0},
                "sharding": sharding,
                "precision": "fp32",
            },
        }
    )
    data = prepare(config, load_tokenizer(still_minilm), base=tmp_path).for_trials()
    alone = list(
        TrainingSession(still_minilm)(data, Worker())(TrialRequest("t0001", {}, config.model_dump(mode="json")), None)
    )
    rows, results = run_trials(
        TrainingSession(still_minilm),
        {"t0001": config.model_dump(mode="json")},
        tmp_path,
        slots=1,
        workers=2,
        data=data,
        labels=data.task.label_space,
    )
    assert results.num_errors == 0
    assert column(rows["t0001"], "train_loss") == pytest.approx([result.train_loss for result in alone], abs=1e-4)
    for report, result in zip(rows["t0001"], alone, strict=True):
        assert report.epoch.confusion == result.confusion
        assert report.epoch.train_metrics == pytest.approx(result.train_metrics, abs=1e-4)
        stored = read_predictions(tmp_path / report.epoch.predictions, data.task.label_space)
        np.testing.assert_allclose(stored.probabilities, result.predictions.probabilities, atol=1e-4)
        assert len(stored) == (36 if folds else 9)
