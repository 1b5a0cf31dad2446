"""What expected figures cost beyond the leaderboard itself: 10,000 trials of 5 epochs, all with stored predictions.

    python benchmarks/expected_speed.py [--trials 10000] [--epochs 5] [--rows 209]

Four tiers, three dimensions and six criteria, as in `ledger_speed.py`; 10,000 different sets of predictions, which the
epochs take in turns. Memory is what the process held at most beyond the ledger and the leaderboard.
"""

import argparse
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from ledger_speed import CRITERIA, LABELS, peak_megabytes

from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import LEDGER_NAME, read_ledger
from rarecall.analysis.runs.ranking.expectations import expectations
from rarecall.analysis.runs.ranking.leaderboard import leaderboard
from rarecall.analysis.strict_json import dumps

DISTINCT = 10_000
_CUTS, _MIDDLES, _SHARES = (4.0, 6.0, 8.0), np.array([2.0, 5.0, 7.0, 9.0]), (0.81, 0.11, 0.065, 0.015)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=209)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_run(folder, options.trials, options.epochs, options.rows)
        start = time.perf_counter()
        run = read_ledger(folder)
        leaderboard(run)
        ranked, before, busy = time.perf_counter(), peak_megabytes(), time.process_time()
        found = expectations(run)
        seconds, busy = time.perf_counter() - ranked, time.process_time() - busy
        print(f"ledger and leaderboard {ranked - start:.2f} s")
        told = f"{seconds:.2f} s ({busy:.2f} s of CPU), {peak_megabytes() - before:.0f} MB"
        print(f"expected figures of {len(found.by_trial)} trials: {told}")
        print(found.method)


def write_run(folder: Path, trials: int, epochs: int, rows: int) -> None:
    """A ledger and the predictions of every epoch, hard links to the different ones."""
    metrics = [
        _write_predictions(folder / "distinct" / f"{number}.parquet", number, rows) for number in range(DISTINCT)
    ]
    header = {"kind": "run", "run_id": "r", "name": "speed", "criteria": CRITERIA, "objective": "minority_recall"}
    header |= {"labels": asdict(LABELS), "data_hash": "", "versions": {}, "trials_asked": trials, "seed": 0}
    (folder / "epochs").mkdir()
    with (folder / LEDGER_NAME).open("w") as ledger:
        ledger.write(dumps({"schema": 1, "time": 0, **header}) + "\n")
        for trial in range(trials):
            name = f"t{trial:05d}"
            ledger.write(dumps({"schema": 1, "time": 0, "kind": "trial", "trial": name, "params": {}}) + "\n")
            for epoch in range(1, epochs + 1):
                number = (trial + epoch * trials // epochs) % DISTINCT
                path = f"epochs/{name}-{epoch}.parquet"
                os.link(folder / "distinct" / f"{number}.parquet", folder / path)
                ledger.write(dumps(_epoch(name, epoch, metrics[number], path)) + "\n")


def _write_predictions(path: Path, seed: int, rows: int) -> dict[str, float]:
    random = np.random.default_rng(seed)
    true = np.sort(np.random.default_rng(0).choice(4, rows, p=_SHARES))
    true[-3:] = 3
    truth = np.repeat(_MIDDLES[true][:, None], 3, axis=1)
    scores = np.clip(truth + random.normal(0, random.uniform(1.0, 2.5), truth.shape), 0, 10)
    overall = scores.mean(axis=1)
    predictions = Predictions(
        np.arange(rows),
        true,
        np.digitize(overall, _CUTS).astype(np.int64),
        true_scores=truth,
        predicted_scores=scores,
        true_overall=truth.mean(axis=1),
        predicted_overall=overall,
    )
    write_predictions(path, predictions, LABELS)
    return evaluate(predictions, LABELS)


def _epoch(trial: str, epoch: int, metrics: dict[str, float], path: str) -> dict[str, object]:
    row: dict[str, object] = {"schema": 1, "time": 0, "kind": "epoch", "trial": trial, "epoch": epoch}
    row |= {"metrics": metrics, "confusion": None, "train_loss": 0.5, "seconds": 1.0, "peak_memory_mb": None}
    return row | {"checkpoint": f"checkpoints/{trial}/{epoch}", "predictions": path, "score": 0.0}


if __name__ == "__main__":
    main()
