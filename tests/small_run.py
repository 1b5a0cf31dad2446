"""The smallest run that can be judged: one trial, one epoch, 100 common and 3 rare rows; no model is behind it."""

import numpy as np

from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import Ledger, read_ledger

LABELS = LabelSpace(("common", "rare"), ("rare",))
COUNTS = {"train": {"common": 2000, "rare": 31}, "validation": {"common": 100, "rare": 3}}


def some_predictions(right=80, found=1):
    """Of 100 common rows, so many right; of 3 rare ones, so many found."""
    predicted = np.array([0] * right + [1] * (100 - right) + [1] * found + [0] * (3 - found))
    rare = np.where(predicted == 1, 0.9, 0.1)
    return Predictions(
        rows=np.arange(103),
        true_class=np.repeat([0, 1], (100, 3)),
        predicted_class=predicted,
        probabilities=np.stack([1 - rare, rare], axis=1),
    )


def make_run(folder, criteria, predictions=None):
    """A run of one trial with one epoch, and that epoch; it predicts `some_predictions()` unless others are given."""
    predictions = predictions or some_predictions()
    write_predictions(folder / "predictions.parquet", predictions, LABELS)
    header = {
        "kind": "run",
        "run_id": "r1",
        "name": "made",
        "criteria": list(criteria),
        "objective": "minority_recall",
        "labels": {"classes": LABELS.classes, "minority": LABELS.minority},
        "class_counts": COUNTS,
        "data_hash": "abc",
        "versions": {"torch": "2.13"},
        "trials_asked": 1,
        "seed": 0,
    }
    epoch = {
        "kind": "epoch",
        "trial": "t0001",
        "epoch": 2,
        "metrics": evaluate(predictions, LABELS),
        "confusion": None,
        "train_loss": 0.5,
        "seconds": 1.0,
        "peak_memory_mb": None,
        "checkpoint": "checkpoint",
        "predictions": "predictions.parquet",
        "score": 0.0,
    }
    with Ledger(folder / "ledger.jsonl") as ledger:
        for row in (header, {"kind": "trial", "trial": "t0001", "params": {}}, epoch):
            ledger.append(row)
    run = read_ledger(folder)
    return run, run.trials["t0001"].epochs[0]
