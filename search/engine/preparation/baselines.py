"""The baselines of an experiment: as rows of a run before its first trial, or alone."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from rarecall.analysis.criteria.bands import read_bands
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.criteria.ranking import objective_value
from rarecall.analysis.errors import RunError
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.runs.baseline import BaselineRow
from rarecall.analysis.runs.ledger import Ledger, read_ledger
from rarecall.analysis.runs.run import Run
from rarecall.analysis.text.wording import duration_text, value_text
from rarecall.search.engine.preparation.data import prepare_data
from rarecall.search.engine.preparation.goals import bands_of, check_parts, goal_of
from rarecall.search.engine.preparation.header import header
from rarecall.search.experiment.schema import LoadedExperiment
from rarecall.trainables.baselines.fitting import FittedBaseline
from rarecall.trainables.baselines.head_checkpoint import head_params, write_head
from rarecall.trainables.baselines.inputs import Vectors
from rarecall.trainables.baselines.rows import BaselineRows, baseline_rows
from rarecall.trainables.baselines.suite import Skipped, baselines
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.bases import BaseModel, resolve_base
from rarecall.trainables.training.optimisation import frozen_precision, own_device

# Below the run folder.
BASELINES_FOLDER = "baselines"
# By which a head that takes over a baseline is tried.
TRIED_ROWS = 64


def record_baselines(
    loaded: LoadedExperiment,
    rows: BaselineRows,
    data: PreparedData,
    base: BaseModel,
    goal: Goal,
    ledger: Ledger,
    console: Console,
) -> None:
    """Write the baselines that the ledger lacks to it, and their predictions below the run folder.

    Raises:
        RunError: these cannot be written.
    """
    known = read_ledger(ledger.path).baselines
    for found in _told(loaded, rows, data, base, goal, console, tuple(known)):
        folder = ledger.path.parent
        row = _row(found, _stored(found, folder))
        ledger.append(replace(row, **_as_head(found, loaded, data, base, folder, console)).as_row())


def baselines_alone(
    loaded: LoadedExperiment, console: Console, *, test: bool = False
) -> tuple[Run, dict[str, dict[str, float]]]:
    """The baselines as a run without trials that is written nowhere, and on request their metrics on the test split.

    Raises:
        InputError: as `launch`.
    """
    experiment = loaded.experiment
    base = resolve_base(experiment.model.base, loaded.folder)
    data = prepare_data(loaded, base, console)
    labels = data.task.label_space
    goal = goal_of(experiment, labels)
    check_parts(goal, data)
    rows = baseline_rows(experiment, loaded.folder, data)
    fitted = list(_told(loaded, rows, data, base, goal, console))
    measured = (
        {one.name: evaluate(one.predict(rows.test), labels) for one in fitted} if test and rows.test is not None else {}
    )
    run = Run(
        folder=loaded.run_folder(),
        headers=(header(experiment, data),),
        trials={},
        problems=[],
        criteria=goal.criteria,
        labels=labels,
        objective=goal.objective,
        bands=read_bands(bands_of(experiment), labels),
        baselines={one.name: _row(one, None) for one in fitted},
    )
    return run, measured


def _told(
    loaded: LoadedExperiment,
    rows: BaselineRows,
    data: PreparedData,
    base: BaseModel,
    goal: Goal,
    console: Console,
    known: tuple[str, ...] = (),
) -> Iterator[FittedBaseline]:
    """Each baseline, after a line about it; those that there are not are told as well."""
    plain: dict[str, Any] = {"markup": False, "highlight": False, "soft_wrap": True}
    found = baselines(loaded.experiment, rows, data.task, base, goal, known)
    while True:
        with console.status("fitting the baselines to all training rows"):
            one = next(found, None)
        if one is None:
            return
        if isinstance(one, Skipped):
            console.print(f"note: no {one.name}: {one.why}", style="yellow", **plain)
            continue
        value = value_text(goal.objective, objective_value(one.metrics, goal.objective))
        console.print(f"{one.name:<27} {goal.objective} {value}, {duration_text(one.seconds)} ({one.title})", **plain)
        yield one


def _row(found: FittedBaseline, predictions: str | None) -> BaselineRow:
    return BaselineRow(
        baseline=found.name,
        title=found.title,
        metrics=found.metrics,
        confusion=found.confusion,
        predictions=predictions,
        train_rows=found.train_rows,
        seconds=round(found.seconds, 3),
        time=round(time.time(), 3),
        rule=found.rule,
        settings=found.fitted.settings,
    )


def _as_head(
    found: FittedBaseline, loaded: LoadedExperiment, data: PreparedData, base: BaseModel, folder: Path, console: Console
) -> dict[str, Any]:
    """Where the head that a baseline is stands below the run folder, and the settings of its model; empty without."""
    read = found.fitted.read
    if not isinstance(read, Vectors) or not read.of_base:
        return {}
    path = f"{BASELINES_FOLDER}/{found.name}"
    dtype = frozen_precision(loaded.experiment.training.precision, own_device())
    try:
        write_head(folder / path, base, found.task, data.pad_id, found.fitted.head, read.vectors[:TRIED_ROWS], dtype)
    except ValueError as why:
        console.print(f"note: {found.name} cannot be exported: {why}", style="yellow", markup=False, soft_wrap=True)
        return {}
    except OSError as failure:
        raise unwritten(folder / path, failure) from failure
    return {"checkpoint": path, "params": head_params(found.task)}


def unwritten(path: Path, failure: OSError) -> RunError:
    """What a file below the run folder that cannot be written is told as."""
    return RunError(f"{path}: cannot be written: {failure.strerror} (free space there, then resume the run)")


def _stored(found: FittedBaseline, folder: Path) -> str:
    """Where its predictions are kept, relative to the run folder."""
    path = f"{BASELINES_FOLDER}/{found.name}.parquet"
    try:
        write_predictions(folder / path, found.predictions, found.task.label_space)
    except OSError as failure:
        raise unwritten(folder / path, failure) from failure
    return path
