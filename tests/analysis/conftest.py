"""A made-up run of twelve trials on 209 validation rows of four tiers, written through the real ledger."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.criteria.ranking import score
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.predictions.label_space import CatastrophicRule, LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import LEDGER_NAME, Ledger

TIERS = LabelSpace(
    classes=("vaporware", "pilot", "early_commercial", "deployed_proven"),
    minority=("pilot", "early_commercial", "deployed_proven"),
    dimensions=("deployment_maturity", "proof_of_impact", "evidence"),
    catastrophic=CatastrophicRule(true_below=4.0, predicted_above=8.0),
    ordered=True,
)
CRITERIA = (
    "recall[vaporware] >= 0.85",
    "recall[pilot] >= 0.60",
    "recall[early_commercial] >= 0.50",
    "recall[deployed_proven] >= 0.40",
    "mae[*] <= 1.5",
    "catastrophic_failures == 0",
)
CUTS = (4.0, 6.0, 8.0)


def _tiered_predictions(noise: float, seed: int) -> Predictions:
    """Tier midpoints as true scores, normal noise on the predicted ones: 169/23/14/3 rows."""
    generator = np.random.default_rng(seed)
    true_class = np.repeat(np.arange(4), (169, 23, 14, 3))
    true_scores = np.repeat(np.array([2.0, 5.0, 7.0, 9.0])[true_class][:, None], 3, axis=1)
    predicted_scores = np.clip(true_scores + generator.normal(0, noise, true_scores.shape), 0, 10)
    overall = predicted_scores.mean(axis=1)
    return Predictions(
        rows=np.arange(209),
        true_class=true_class,
        predicted_class=np.digitize(overall, CUTS).astype(np.int64),
        true_scores=true_scores,
        predicted_scores=predicted_scores,
        true_overall=true_scores.mean(axis=1),
        predicted_overall=overall,
    )


def _run_row(labels: LabelSpace = TIERS, criteria: tuple[str, ...] = CRITERIA, **changes: Any) -> dict[str, Any]:
    """The `run` row of a ledger."""
    row = {
        "kind": "run",
        "run_id": "r1",
        "name": "demo",
        "criteria": list(criteria),
        "objective": "minority_recall",
        "labels": asdict(labels),
        "data_hash": "sha256:0",
        "versions": {"rarecall": "0.1.0"},
        "trials_asked": 12,
        "seed": 0,
    }
    return row | changes


def _trial_row(trial: str, **params: Any) -> dict[str, Any]:
    """The `trial` row of a ledger."""
    return {"kind": "trial", "trial": trial, "params": params}


def _epoch_row(trial: str, epoch: int, metrics: dict[str, float], **changes: Any) -> dict[str, Any]:
    """The `epoch` row of a ledger."""
    row = {
        "kind": "epoch",
        "trial": trial,
        "epoch": epoch,
        "metrics": metrics,
        "confusion": None,
        "train_loss": 0.5,
        "seconds": 2.5,
        "peak_memory_mb": None,
        "checkpoint": f"checkpoints/{trial}/{epoch}",
        "predictions": f"predictions/{trial}.parquet",
        "score": 0.0,
    }
    return row | changes


def _end_row(trial: str, status: str = "completed", reason: str = "") -> dict[str, Any]:
    """The `end` row of a ledger."""
    return {"kind": "end", "trial": trial, "status": status, "reason": reason}


WriteLedger = Callable[..., Path]


@pytest.fixture(scope="session")
def tiers() -> LabelSpace:
    return TIERS


@pytest.fixture(scope="session")
def tier_criteria() -> tuple[str, ...]:
    return CRITERIA


@pytest.fixture(scope="session")
def tiered_predictions() -> Callable[[float, int], Predictions]:
    return _tiered_predictions


@pytest.fixture(scope="session")
def rows() -> SimpleNamespace:
    """Makes ledger rows: `rows.run(...)`, `rows.trial(...)`, `rows.epoch(...)`, `rows.end(...)`."""
    return SimpleNamespace(run=_run_row, trial=_trial_row, epoch=_epoch_row, end=_end_row)


@pytest.fixture
def write_ledger(tmp_path: Path) -> WriteLedger:
    """Writes rows through the ledger, gives the run folder."""

    def write(*rows: dict[str, Any]) -> Path:
        with Ledger(tmp_path / LEDGER_NAME) as ledger:
            for row in rows:
                ledger.append(row)
        return tmp_path

    return write


@pytest.fixture
def twelve_trials(write_ledger: WriteLedger) -> Path:
    """Run folder of twelve trials: eight completed, two stopped, one interrupted, one failed before any epoch."""
    rows = [_run_row()]
    for number in range(12):
        trial = f"t{number:02d}"
        rows.append(_trial_row(trial, **_params(number)))
        epochs = {7: 0, 3: 2, 8: 2}.get(number, 5)
        rows += [_tiered_epoch(trial, epoch, number) for epoch in range(1, epochs + 1)]
        if number != 10:
            rows.append(_end_row(trial, {3: "stopped", 8: "stopped", 7: "failed"}.get(number, "completed")))
    return write_ledger(*rows)


def _params(number: int) -> dict[str, Any]:
    return {
        "training.oversampling.ratio": round(0.05 * number, 2),
        "training.class_weights.strength": round(0.9 - 0.07 * number, 2),
        "training.loss.gamma": float(number % 4),
        "model.lora.rank": (4, 8, 16)[number % 3],
        "training.learning_rate": 0.00002 * 1.5**number,
        "training.epochs": 5,
    }


def _tiered_epoch(trial: str, epoch: int, number: int) -> dict[str, Any]:
    predictions = _tiered_predictions(noise=4.6 - 0.12 * number - 0.2 * epoch, seed=100 * number + epoch)
    metrics = evaluate(predictions, TIERS)
    confusion = confusion_matrix(predictions, TIERS)
    return _epoch_row(trial, epoch, metrics, confusion=confusion, score=score(metrics, [*map(parse, CRITERIA)]))
