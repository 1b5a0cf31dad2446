"""Exporting a trial: written, reloaded in a fresh process, compared, and measured once on the test split."""

import json
import math
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from analysis.errors import RunError
from analysis.leaderboard import winner
from analysis.ledger import read_ledger
from analysis.metrics import confusion_matrix, evaluate
from analysis.predictions import Predictions
from analysis.predictions_file import read_predictions
from analysis.ranking import best_epoch, judge
from analysis.run import EpochRow, Run, TrialRecord
from search.card import model_card
from search.experiment import LoadedExperiment, load_experiment
from search.exported import Exported
from search.overrides import with_values
from search.run_folder import EXPERIMENT_FILE, find_run
from search.yaml_file import write_yaml
from trainables import checkpoint
from trainables.bases import resolve_base
from trainables.config import TrialConfig
from trainables.examples import Examples
from trainables.export import discard, outputs_in_fresh_process, write_model
from trainables.prepare import LabelledSplits, load_splits

PREDICTIONS_FILE = "predictions.parquet"
# Largest difference of a probability or score between training and reload that rounding explains.
TOLERANCE = {"float32": 1e-3}
REDUCED_PRECISION_TOLERANCE = 0.2


def export_trial(run_path: Path, output: Path, trial: str | None, console: Console) -> Exported:
    """Export the winner of a run, or the trial that is named, to a folder that does not exist yet.

    Raises:
        RunError: no such run or trial, nothing to export, `output` exists, or the reloaded model disagrees with the
            stored validation predictions; the folder is removed then.
    """
    if output.exists():
        raise RunError(f"{output}: exists already; remove it or name another folder with -o")
    run = read_ledger(find_run(run_path).ledger)
    record = _chosen(run, trial)
    row = best_epoch([row for row in record.epochs if row.checkpoint], run.criteria, run.objective)
    loaded = load_experiment(run_path / EXPERIMENT_FILE)
    config = TrialConfig.model_validate(loaded.trial_tree(record.params))
    base = resolve_base(config.model.base, loaded.folder)
    data = _with_rule(_same_data(run, load_splits(config, loaded.folder)), row)
    try:
        write_model(output, base, config, data.task, run.resolve(row.checkpoint or ""))
        exported = _check_and_measure(run, record, row, data, config, output)
    except BaseException:
        discard(output)
        raise
    _write_facts(exported, run, loaded)
    _tell(exported, run, console)
    return exported


def _chosen(run: Run, trial: str | None) -> TrialRecord:
    if trial is None:
        chosen = winner(run)
        if chosen is None:
            raise RunError(f"{run.folder}: no trial has a checkpoint to export")
        return chosen
    if trial not in run.trials:
        raise RunError(f"{run.folder}: has no trial {trial!r}; `rarecall leaderboard {run.folder}` lists them")
    if not any(row.checkpoint for row in run.trials[trial].epochs):
        raise RunError(f"{run.folder}: trial {trial!r} has no checkpoint to export")
    return run.trials[trial]


def _same_data(run: Run, data: LabelledSplits) -> LabelledSplits:
    if data.data_hash != run.header["data_hash"]:
        raise RunError(f"{run.folder}: the data changed since the run, so its validation split cannot be made again")
    return data


def _with_rule(data: LabelledSplits, row: EpochRow) -> LabelledSplits:
    """The data with the rule that the epoch's validation predictions gave."""
    return replace(data, task=data.task.with_rule(row.rule)) if row.rule else data


def _check_and_measure(
    run: Run, record: TrialRecord, row: EpochRow, data: LabelledSplits, config: TrialConfig, folder: Path
) -> Exported:
    """Predict validation and test rows in a fresh process; the former must be what training had stored."""
    splits = [data.validation, *([data.test] if data.test is not None else [])]
    outputs = outputs_in_fresh_process(folder, splits, config.model.max_length, len(data.task.output_names))
    size = len(data.validation)
    reloaded = _predictions(data, outputs[:size], data.validation)
    trained = run.resolve(row.checkpoint or "")
    stored = read_predictions(run.resolve(row.predictions or ""), run.labels)
    _compare(reloaded, stored, checkpoint.precision(trained), folder)
    test = _predictions(data, outputs[size:], data.test) if data.test is not None else None
    return Exported(
        folder,
        record,
        row,
        # Cross-fitted where there is a rule; `reloaded` was decided by the rule that all its rows gave.
        validation=dict(row.metrics) if row.rule else evaluate(reloaded, run.labels),
        test=evaluate(test, run.labels) if test else None,
        test_confusion=confusion_matrix(test, run.labels) if test else None,
    )


def _predictions(data: LabelledSplits, outputs: Any, examples: Examples) -> Predictions:
    return data.task.predictions(outputs, examples)


def _compare(reloaded: Predictions, stored: Predictions, precision: str, folder: Path) -> None:
    if not np.array_equal(reloaded.rows, stored.rows):
        raise RunError(f"{folder}: the validation rows are not those that the trial predicted; the export was removed")
    difference = _largest_difference(reloaded, stored)
    allowed = TOLERANCE.get(precision, REDUCED_PRECISION_TOLERANCE)
    if not difference <= allowed:
        raise RunError(
            f"{folder}: the reloaded model disagrees with the stored validation predictions by {difference:.2g}, "
            f"more than {allowed:g}; the export was removed"
        )


def _largest_difference(one: Predictions, other: Predictions) -> float:
    """Between probabilities, or between overall and dimension scores."""
    pairs = [(one.probabilities, other.probabilities), (one.predicted_scores, other.predicted_scores)]
    return max(float(np.abs(a - b).max()) for a, b in pairs if a is not None and b is not None)


def _write_facts(exported: Exported, run: Run, loaded: LoadedExperiment) -> None:
    """Experiment, metrics and model card beside the model."""
    folder, record = exported.folder, exported.trial
    shutil.copyfile(run.resolve(exported.epoch.predictions or ""), folder / PREDICTIONS_FILE)
    write_yaml(folder / EXPERIMENT_FILE, with_values(loaded.tree, record.params))
    facts = {
        "trial": record.trial,
        "epoch": exported.epoch.epoch,
        "validation": _plain(exported.validation),
        "test": _plain(exported.test) if exported.test is not None else None,
        "confusion": {"validation": exported.epoch.confusion, "test": exported.test_confusion},
        "criteria": [
            {"criterion": verdict.criterion.text, "status": verdict.status, "value": _number(verdict.value)}
            for verdict in judge(exported.validation, run.criteria)
        ],
        "data_hash": run.header["data_hash"],
        "versions": run.header["versions"],
    }
    (folder / "metrics.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    (folder / "README.md").write_text(model_card(exported, run, loaded), encoding="utf-8")


def _plain(metrics: dict[str, float]) -> dict[str, float | None]:
    return {key: _number(value) for key, value in metrics.items()}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _tell(exported: Exported, run: Run, console: Console) -> None:
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    say(f"exported {exported.trial.trial} (epoch {exported.epoch.epoch}) to {exported.folder}")
    say("reloaded in a fresh process: the same validation predictions")
    for verdict in judge(exported.validation, run.criteria):
        if verdict.status != "met":
            say(f"{verdict.status}: {verdict.criterion.text} (validation {verdict.value:.3g})")
    say(exported.recall_text(run.labels))
