"""The winner's training as JSON that other programs read: its epochs, and what it was trained with."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.report.contents import Report
from rarecall.analysis.runs.ranking.standings import Standing
from rarecall.analysis.runs.run import EpochRow
from rarecall.analysis.strict_json import dumps

HISTORY_NAME, METADATA_NAME = "training_history.json", "training_metadata.json"
# Left out where the ledger has nothing of the kind.
_OPTIONAL = frozenset({"train_mae", "train"})
_HEADER_KEYS = (
    "run_id",
    "name",
    "data_hash",
    "versions",
    "trials_asked",
    "seed",
    "class_counts",
    "objective",
    "criteria",
)


def write_history(folder: Path, report: Report) -> None:
    """Write both files of the trial that the report is about.

    Raises:
        InputError: the report is not about a trial.
    """
    chosen = report.chosen
    if report.run is None or chosen is None or chosen.best is None:
        remedy = "name the folder of a run with a finished epoch"
        raise InputError("--history", [Fault(report.title, "must be a run", "none", remedy)])
    folder.mkdir(parents=True, exist_ok=True)
    epochs = [_epoch(row) for row in chosen.record.epochs]
    (folder / HISTORY_NAME).write_text(dumps({"trial": chosen.record.trial, "epochs": epochs}, indent=2) + "\n")
    (folder / METADATA_NAME).write_text(dumps(_metadata(report.run.header, chosen, report), indent=2) + "\n")


def _epoch(row: EpochRow) -> dict[str, Any]:
    """gap: how much the validation loss exceeds the training loss, as a share of the latter."""
    gap = row.validation_loss / row.train_loss - 1 if row.train_loss else math.nan
    told = {
        "epoch": row.epoch,
        "train_loss": row.train_loss,
        "validation_loss": row.validation_loss,
        "gap": gap,
        "train_mae": _mae(row.train_metrics),
        "validation_mae": _mae(row.metrics),
        "train": row.train_metrics,
        "validation": row.metrics,
        "seconds": row.seconds,
        "peak_memory_mb": row.peak_memory_mb,
    }
    return {key: value for key, value in told.items() if value or key not in _OPTIONAL}


def _mae(metrics: Mapping[str, float]) -> dict[str, float]:
    """The mean absolute error by dimension."""
    return {name: value for key, value in metrics.items() if (name := _dimension(key)) and math.isfinite(value)}


def _dimension(key: str) -> str | None:
    metric, name, part = split_key(key)
    return name if metric == "mae" and not part else None


def _metadata(header: Mapping[str, Any], chosen: Standing, report: Report) -> dict[str, Any]:
    best = chosen.best
    return {
        **{key: header.get(key) for key in _HEADER_KEYS},
        "trial": chosen.record.trial,
        "status": chosen.status,
        "params": chosen.record.params,
        "best_epoch": best.epoch if best else None,
        "checkpoint": best.checkpoint if best else None,
        "decision_rule": list(best.rule) if best else [],
        "metrics": report.metrics,
        "assessment": report.evaluation.assessment.plain() if report.evaluation else None,
        "test": report.opened.plain() if report.opened else None,
    }
