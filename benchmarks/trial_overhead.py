"""What a trial costs beside its training: 24 trials that do next to nothing, in slots and as Ray documents it.

    python benchmarks/trial_overhead.py [--trials 24] [--epochs 6] [--workers 1 2]

Every trial imports torch and transformers and then sleeps 0.05 s per epoch, so that all the rest is overhead. Both ways
run in one Ray with 4 logical CPUs, two trials at a time, without a scheduler, so that they do the same work:

- slots: our worker groups that outlive their trials, with checkpoints and a ledger as in a real search;
- documented: a Tune function that starts one `TorchTrainer` per trial and reports through `TuneReportCallback`
  (https://docs.ray.io/en/latest/train/user-guides/hyperparameter-optimization.html).
"""

import argparse
import contextlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.train
from ray import tune
from ray.train.torch import TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.search.cluster.session import quiet
from rarecall.trainables.slot import Slot, SlotPlan
from rarecall.trainables.training.epoch import EpochResult
from rarecall.trainables.training.loop import Start
from rarecall.trainables.training.request import TrialRequest
from rarecall.trainables.training.worker import Worker

SLEEP_SECONDS = 0.05
CONCURRENT = 2
LABELS = LabelSpace(classes=("common", "rare"), minority=("rare",))


@dataclass(frozen=True)
class IdleSession:
    """A stand-in for training: loads what training loads, then sleeps."""

    def __call__(self, data: Any, worker: Worker) -> Any:
        import transformers  # noqa: F401  # every worker of a real search has it

        def run_trial(request: TrialRequest, start: Start | None) -> Iterator[EpochResult]:
            for epoch in range(1, request.epochs + 1):
                time.sleep(SLEEP_SECONDS)
                yield _idle_result(epoch)

        return run_trial


def _idle_result(epoch: int) -> EpochResult:
    rows = np.arange(4)
    return EpochResult(
        epoch=epoch,
        metrics={"minority_recall": 0.5},
        confusion=[],
        predictions=Predictions(rows, rows % 2, rows % 2, probabilities=np.full((4, 2), 0.5)),
        train_loss=0.0,
        seconds=SLEEP_SECONDS,
        peak_memory_mb=0.0,
        diverged=False,
        save=lambda folder: (folder / "state.json").write_text(json.dumps({"epoch": epoch})) and None,
    )


def in_slots(trials: int, epochs: int, workers: int, folder: str) -> int:
    """Run the trials in slots; returns how many failed."""
    plan = SlotPlan(work=ray.put((IdleSession(), None)), labels=LABELS, run_folder=folder, workers=workers)
    config = {"training": {"epochs": epochs, "early_stopping": None}}
    names = [f"t{number:04d}" for number in range(1, trials + 1)]
    results = tune.Tuner(
        tune.with_parameters(Slot, plan=plan),
        param_space=tune.grid_search([TrialRequest(name, {}, config).tune_config() for name in names]),
        tune_config=tune.TuneConfig(metric="score", mode="max", max_concurrent_trials=CONCURRENT, reuse_actors=True),
        run_config=tune.RunConfig(
            name="slots",
            storage_path=folder,
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, num_to_keep=1),
            verbose=0,
        ),
    ).fit()
    return sum(1 for result in results if result.error or result.metrics["epoch"] != epochs)


def as_documented(trials: int, epochs: int, workers: int, folder: str) -> int:
    """Run the trials as one `TorchTrainer` each; returns how many failed."""

    def train_loop(config: dict[str, Any]) -> None:
        import torch  # noqa: F401
        import transformers  # noqa: F401

        for epoch in range(1, config["epochs"] + 1):
            time.sleep(SLEEP_SECONDS)
            with tempfile.TemporaryDirectory() as scratch:
                Path(scratch, "state.json").write_text(json.dumps({"epoch": epoch}))
                checkpoint = ray.train.Checkpoint.from_directory(scratch)
                ray.train.report({"epoch": epoch, "score": 0.5}, checkpoint=checkpoint)

    def driver(config: dict[str, Any]) -> None:
        TorchTrainer(
            train_loop,
            train_loop_config={"epochs": config["epochs"]},
            scaling_config=ray.train.ScalingConfig(num_workers=workers),
            run_config=ray.train.RunConfig(
                name=f"documented-{config['number']}", storage_path=folder, callbacks=[TuneReportCallback()]
            ),
        ).fit()

    results = tune.Tuner(
        tune.with_resources(driver, {"cpu": 0.01}),
        param_space={"number": tune.grid_search(list(range(trials))), "epochs": epochs},
        tune_config=tune.TuneConfig(metric="score", mode="max", max_concurrent_trials=CONCURRENT),
        run_config=tune.RunConfig(name="documented", storage_path=folder, verbose=0),
    ).fit()
    return sum(1 for result in results if result.error or (result.metrics or {}).get("epoch") != epochs)


def _timed(way: Any, *arguments: Any) -> tuple[float, int]:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        failed = way(*arguments, folder)
        return time.perf_counter() - started, failed


def main() -> None:
    """Print wall times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--skip-documented", action="store_true", help="time the slots alone")
    options = parser.parse_args()
    quiet()
    ray.init(
        num_cpus=4,
        include_dashboard=bool(os.environ.get("DASH")),
        log_to_driver=bool(os.environ.get("DEBUGRAY")),
        logging_level="error",
    )
    ideal = options.trials * options.epochs * SLEEP_SECONDS / CONCURRENT
    print(f"{platform.machine()}, {os.cpu_count()} cores, ray {ray.__version__}; ideal {ideal:.1f} s")
    for workers in options.workers:
        ours, failed = _timed(in_slots, options.trials, options.epochs, workers)
        print(f"{workers} worker(s) per trial: slots {ours:.1f} s ({failed} failed)", flush=True)
        if options.skip_documented:
            continue
        theirs, failed = _timed(as_documented, options.trials, options.epochs, workers)
        ratio = f"{theirs / ours:.1f} times slots"
        print(f"{workers} worker(s) per trial: documented {theirs:.1f} s ({failed} failed), {ratio}", flush=True)
    with contextlib.suppress(Exception):
        ray.shutdown()


if __name__ == "__main__":
    main()
