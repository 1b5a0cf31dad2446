"""Reading a finished search back: our ledger and leaderboard, and Ray's `ExperimentAnalysis` on the same trials.

    python benchmarks/ledger_speed.py [--trials 10000] [--epochs 5] [--repeats 3]

Both read the same figures: metrics of four tiers and three dimensions per epoch, six criteria, five parameters. Each
reading happens in a fresh process and ends with the table of all trials; imports are not counted, memory is what the
process held at most beyond its imports. Ray's folder is laid out as Tune does it: `result.json` of each trial and one
state of the experiment.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.criteria.ranking import score
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_space import CatastrophicRule, LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import LEDGER_NAME, SCHEMA_VERSION
from rarecall.analysis.strict_json import dumps

TIERS = ("vaporware", "pilot", "early_commercial", "deployed_proven")
LABELS = LabelSpace(
    TIERS, TIERS[1:], ("deployment_maturity", "proof_of_impact", "evidence"), CatastrophicRule(4.0, 8.0), ordered=True
)
CRITERIA = (
    "recall[vaporware] >= 0.85",
    "recall[pilot] >= 0.60",
    "recall[early_commercial] >= 0.50",
    "recall[deployed_proven] >= 0.40",
    "mae[*] <= 1.5",
    "catastrophic_failures == 0",
)
# Different metrics of that many epochs are computed; the trials take turns with them.
DISTINCT = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--read", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        way, folder = options.read
        measure(READINGS[way], Path(folder))
        return
    with tempfile.TemporaryDirectory() as folder:
        metrics = [tier_metrics(seed) for seed in range(DISTINCT)]
        write_ledger(Path(folder) / "ours", metrics, options.trials, options.epochs)
        write_tune(Path(folder) / "ray", metrics, options.trials, options.epochs)
        print(f"{options.trials:,} trials of {options.epochs} epochs, best of {options.repeats}")
        for way in READINGS:
            print(way, best_of(way, Path(folder) / way, options.repeats), flush=True)


def best_of(way: str, folder: Path, repeats: int) -> str:
    command = [sys.executable, __file__, "--read", way, str(folder)]
    runs = [json.loads(subprocess.check_output(command, text=True).splitlines()[-1]) for _ in range(repeats)]
    best = min(runs, key=lambda run: run["seconds"])
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return (
        f"{best['seconds']:.2f} s, {best['megabytes']:.0f} MB of memory, {size / 1e6:.0f} MB on disk ({best['told']})"
    )


def measure(read: Callable[[Path], Callable[[], str]], folder: Path) -> None:
    run = read(folder)  # imports
    before, start = peak_megabytes(), time.perf_counter()
    told = run()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "megabytes": peak_megabytes() - before, "told": told}))


def peak_megabytes() -> float:
    """Of this process alone; `getrusage` would count what its parent held before the fork."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def read_ours(folder: Path) -> Callable[[], str]:
    from rarecall.analysis.runs.ledger import read_ledger
    from rarecall.analysis.runs.ranking.leaderboard import leaderboard, to_text

    def run() -> str:
        start = time.perf_counter()
        records = read_ledger(folder)
        read = time.perf_counter()
        frame = leaderboard(records)
        ranked = time.perf_counter()
        to_text(frame, records)
        text = time.perf_counter() - ranked
        return f"{len(frame):,} rows; ledger {read - start:.2f}, leaderboard {ranked - read:.2f}, text {text:.2f} s"

    return run


def read_ray(folder: Path) -> Callable[[], str]:
    from ray.tune import ExperimentAnalysis

    def run() -> str:
        return f"{len(ExperimentAnalysis(str(folder)).dataframe(metric='score', mode='max')):,} rows"

    return run


READINGS = {"ours": read_ours, "ray": read_ray}


def tier_metrics(seed: int) -> dict[str, float]:
    generator = np.random.default_rng(seed)
    true = np.repeat(np.arange(4), (169, 23, 14, 3))
    scores = np.repeat(np.array([2.0, 5.0, 7.0, 9.0])[true][:, None], 3, axis=1)
    predicted = np.clip(scores + generator.normal(0, generator.uniform(1, 4), scores.shape), 0, 10)
    overall = predicted.mean(axis=1)
    tiers = np.digitize(overall, (4.0, 6.0, 8.0)).astype(np.int64)
    rows = np.arange(len(true))
    return evaluate(Predictions(rows, true, tiers, None, scores, predicted, scores.mean(axis=1), overall), LABELS)


def params(number: int) -> dict[str, float]:
    return {
        "training.oversampling.ratio": number % 31 / 100,
        "training.class_weights.strength": number % 101 / 100,
        "training.loss.gamma": number % 7 / 2,
        "training.learning_rate": 1e-3 * (1 + number % 13),
        "model.lora.rank": (4, 8, 16)[number % 3],
    }


def write_ledger(folder: Path, metrics: list[dict[str, float]], trials: int, epochs: int) -> None:
    """As `analysis.runs.ledger.Ledger` writes it, without waiting for the disk after each of the 70,000 rows."""
    folder.mkdir()
    criteria = [parse(text) for text in CRITERIA]
    scores = [score(one, criteria) for one in metrics]
    header = {"run_id": "r", "name": "speed", "criteria": list(CRITERIA), "objective": "minority_recall"}
    header |= {"labels": asdict(LABELS), "data_hash": "0", "versions": {}, "trials_asked": trials, "seed": 0}
    with open(folder / LEDGER_NAME, "w") as file:

        def append(kind: str, **row: object) -> None:
            file.write(dumps({"schema": SCHEMA_VERSION, "time": 1.7e9, "kind": kind, **row}) + "\n")

        append("run", **header)
        for number in range(trials):
            trial = f"t{number:05d}"
            append("trial", trial=trial, params=params(number))
            for epoch in range(1, epochs + 1):
                at = (number * 7 + epoch) % len(metrics)
                checkpoint = f"checkpoints/{trial}-epoch-{epoch:03d}"
                append(
                    "epoch",
                    trial=trial,
                    epoch=epoch,
                    metrics=metrics[at],
                    confusion=[[150, 10, 5, 4], [5, 15, 2, 1], [2, 3, 8, 1], [0, 1, 1, 1]],
                    train_loss=0.5,
                    seconds=2.5,
                    peak_memory_mb=100.0,
                    checkpoint=checkpoint,
                    predictions=f"{checkpoint}/predictions.parquet",
                    score=scores[at],
                )
            append("end", trial=trial, status="completed", reason="")


def write_tune(folder: Path, metrics: list[dict[str, float]], trials: int, epochs: int) -> None:
    """A Tune experiment with the same figures: `result.json` of each trial and the state of the experiment."""
    from ray.train._internal.storage import StorageContext
    from ray.tune import PlacementGroupFactory
    from ray.tune.experiment import Trial
    from ray.tune.utils.serialization import TuneFunctionEncoder

    storage = StorageContext(storage_path=str(folder.parent), experiment_dir_name=folder.name)
    criteria = [parse(text) for text in CRITERIA]
    states = []
    for number in range(trials):
        trial = Trial("slot", config=params(number), trial_id=f"{number:05d}", storage=storage, stub=True)
        trial.placement_group_factory = PlacementGroupFactory([{"CPU": 1.0}])
        results = []
        for epoch in range(1, epochs + 1):
            one = metrics[(number * 7 + epoch) % len(metrics)]
            results.append({**one, "score": score(one, criteria), **tune_fields(trial.trial_id, epoch, trial.config)})
        trial.run_metadata.last_result = results[-1]
        trial.set_status(Trial.TERMINATED)
        trial.storage.trial_dir_name = trial.trial_id
        states.append(trial.get_json_state())
        path = folder / trial.trial_id
        path.mkdir(parents=True)
        (path / "result.json").write_text("".join(json.dumps(result) + "\n" for result in results))
    state = {"trial_data": states, "runner_data": {}, "stats": {}}
    (folder / "experiment_state-2026-01-01_00-00-00.json").write_text(json.dumps(state, cls=TuneFunctionEncoder))


def tune_fields(trial: str, epoch: int, config: dict[str, float]) -> dict[str, object]:
    """What Tune adds to each result."""
    return {
        "timestamp": 1_700_000_000,
        "checkpoint_dir_name": f"checkpoint_{epoch:06d}",
        "done": False,
        "training_iteration": epoch,
        "trial_id": trial,
        "date": "2026-01-01_00-00-00",
        "time_this_iter_s": 2.5,
        "time_total_s": 2.5 * epoch,
        "pid": 1,
        "hostname": "host",
        "node_ip": "127.0.0.1",
        "config": config,
        "time_since_restore": 2.5 * epoch,
        "iterations_since_restore": epoch,
    }


if __name__ == "__main__":
    main()
