"""The best head of a screen as a trial: fitted to all training rows, judged as trials are, and exported like them."""

import math
import time
from dataclasses import replace

from rich.console import Console

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.criteria.ranking import score
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.predictions.parquet_file import PREDICTIONS_NAME, write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import Ledger
from rarecall.analysis.runs.run import SCREEN, EndRow, EpochRow, TrialRecord
from rarecall.analysis.settings import ADAPTER
from rarecall.search.engine.preparation.baselines import TRIED_ROWS, unwritten
from rarecall.search.engine.preparation.screen.inputs import ScreenInputs
from rarecall.trainables.baselines.head_checkpoint import write_head
from rarecall.trainables.baselines.inputs import Vectors
from rarecall.trainables.screen.screening import Candidate, fit_one
from rarecall.trainables.tasks import Task
from rarecall.trainables.training.decision_rule import by_rule
from rarecall.trainables.training.optimisation import frozen_precision, own_device

# Its name, and where it stands below the run folder.
HEAD, HEAD_FOLDER = "head", "screen/head"
ENDED = "the best head on frozen features"


def record_head(chosen: Candidate, features: Vectors, given: ScreenInputs, ledger: Ledger, console: Console) -> None:
    """Fit the head to all training rows, and write it down as a trial that has ended; a line where it cannot be one.

    features: of training and validation rows.

    Raises:
        RunError: the run folder cannot be written.
    """
    started, rows, data = time.perf_counter(), given.rows, given.data
    train = features.vectors[: len(rows.train)]
    head = fit_one(train, rows.train, data.task, chosen, given.loaded.experiment.search.seed)
    training, outputs = chosen.settings.training, head.outputs(features.vectors[len(rows.train) :])
    rule = training.decision_rule
    task, predictions = by_rule(data.task, outputs, rows.validation, rule, given.goal, training.seed)
    place = ledger.path.parent / HEAD_FOLDER
    dtype = frozen_precision(training.precision, own_device())
    try:
        write_head(place, given.base, task, data.pad_id, head, train[:TRIED_ROWS], dtype)
        write_predictions(place / PREDICTIONS_NAME, predictions, task.label_space)
    except ValueError as why:
        console.print(f"note: the best head is no trial: {why}", style="yellow", markup=False, soft_wrap=True)
        return
    except OSError as failure:
        raise unwritten(place, failure) from failure
    epoch = _epoch(task, predictions, given.goal, time.perf_counter() - started, len(train))
    epoch = epoch if rule.fit else replace(epoch, rule=())
    ledger.append(TrialRecord(HEAD, {**chosen.params, ADAPTER: "head"}, origin=SCREEN).as_row())
    ledger.append(epoch.as_row())
    ledger.append(EndRow(HEAD, "completed", ENDED, round(time.time(), 3)).as_row())


def _epoch(task: Task, predictions: Predictions, goal: Goal, seconds: float, rows_seen: int) -> EpochRow:
    metrics = evaluate(predictions, task.label_space)
    return EpochRow(
        trial=HEAD,
        epoch=1,
        metrics=metrics,
        confusion=confusion_matrix(predictions, task.label_space),
        train_loss=math.nan,
        seconds=round(seconds, 3),
        peak_memory_mb=0.0,
        checkpoint=HEAD_FOLDER,
        predictions=f"{HEAD_FOLDER}/{PREDICTIONS_NAME}",
        score=score(metrics, goal.criteria, goal.objective),
        time=round(time.time(), 3),
        rule=tuple(task.rule),
        rows_seen=rows_seen,
    )
