"""What an epoch gave: first the raw outputs of its passes, then what they are worth once they are decided."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.metrics import registry as metrics
from rarecall.analysis.metrics.evaluation import Confusion, confusion_matrix, evaluate
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.config import TrainingConfig
from rarecall.trainables.data.examples import Labelled, Part
from rarecall.trainables.tasks import Task
from rarecall.trainables.tasks.protocol import Outputs
from rarecall.trainables.training.decision_rule import by_rule
from rarecall.trainables.training.worker import Worker

TRAIN_DIGITS = 6


@dataclass(frozen=True)
class Pass:
    """Raw model outputs, [m, outputs] or answers [m], of the rows of `split` at the positions `rows` [m]."""

    outputs: Outputs
    split: Labelled
    rows: IntArray

    @property
    def truth(self) -> Part:
        return Part(self.split, self.rows)


@dataclass(frozen=True)
class EpochOutputs:
    """One epoch before anything is decided. Equal on every worker of a group; the figures are those of `EpochResult`.

    train: of every row that the epoch drew, once; without outputs [m, 0] where answers are written. validation: None
    when the trial diverged. rows_seen: training rows that were seen until its end, each counted once.
    """

    epoch: int
    train: Pass
    validation: Pass | None
    train_loss: float
    validation_loss: float
    seconds: float
    peak_memory_mb: float
    save: Callable[[Path], None]
    rows_seen: int = 0


@dataclass(frozen=True)
class EpochResult:
    """What one epoch gave. Equal on every worker of a group, but for `save`, which rank 0 alone needs to call.

    metrics: flat, keys as criteria name them; empty when the trial diverged. train_loss: weighted mean over the epoch.
    seconds: training and validation. peak_memory_mb: of the device, 0 on a CPU. save: writes the checkpoint to a
    folder; to be called before the next epoch. rule: the values that decide between labels, empty where they are the
    task's own. validation_loss: mean over the validation rows, which all weigh the same; NaN when the trial diverged.
    train_metrics: as `metrics`, without areas, supports and slices, of the training rows by the outputs that they were
    trained on: with dropout and before the update, so they lag behind what the model knows at the end of the epoch.
    Empty where answers are written, since the training rows are not answered.
    """

    epoch: int
    metrics: dict[str, float]
    confusion: Confusion
    predictions: Predictions | None
    train_loss: float
    seconds: float
    peak_memory_mb: float
    diverged: bool
    save: Callable[[Path], None]
    rule: tuple[float, ...] = ()
    validation_loss: float = math.nan
    train_metrics: dict[str, float] = field(default_factory=dict)
    rows_seen: int = 0


def result_of(found: EpochOutputs, task: Task, training: TrainingConfig, goal: Goal) -> EpochResult:
    """The outputs of an epoch decided and measured; the training rows by the rule that the validation rows gave."""
    started = time.perf_counter()
    predictions, train_metrics = None, dict[str, float]()
    rule: tuple[float, ...] = ()
    if found.validation is not None:
        outputs, truth = found.validation.outputs, found.validation.truth
        decided, predictions = by_rule(task, outputs, truth, training.decision_rule, goal, training.seed)
        rule = decided.rule if training.decision_rule.fit else ()
        train_metrics = _train_metrics(found.train, decided)
    labels = task.label_space
    return EpochResult(
        epoch=found.epoch,
        metrics=evaluate(predictions, labels) if predictions else {},
        confusion=confusion_matrix(predictions, labels) if predictions else [],
        predictions=predictions,
        rule=rule,
        train_loss=found.train_loss,
        seconds=found.seconds + time.perf_counter() - started,
        peak_memory_mb=found.peak_memory_mb,
        diverged=predictions is None,
        save=found.save,
        validation_loss=found.validation_loss,
        train_metrics=train_metrics,
        rows_seen=found.rows_seen,
    )


def _train_metrics(train: Pass, task: Task) -> dict[str, float]:
    if not train.outputs.size:
        return {}
    finite = np.isfinite(train.outputs).all(axis=1)
    predictions = task.predictions(train.outputs[finite], Part(train.split, train.rows[finite]))
    names = {metric.name for metric in metrics.registered() if metric.in_training}
    found = evaluate(replace(predictions, slices={}), task.label_space, names)
    return {key: round(value, TRAIN_DIGITS) for key, value in found.items()}


def last_passes(worker: Worker, split: Labelled, batches: Sequence[tuple[int, IntArray, Tensor]], width: int) -> Pass:
    """What all workers' training batches say of each row that an epoch drew: the outputs of the last one it was in.

    batches: of this worker: number of the batch, its rows [b] and their outputs [b, outputs]. width: outputs.
    """
    numbers = np.repeat([number for number, _, _ in batches], [len(rows) for _, rows, _ in batches]).astype(np.int64)
    rows = np.concatenate([np.empty(0, dtype=np.int64), *(rows for _, rows, _ in batches)])
    values = torch.cat([found for _, _, found in batches]).cpu().numpy() if batches else np.empty((0, width))
    numbers, rows, values = (np.concatenate(part) for part in zip(*worker.gather((numbers, rows, values)), strict=True))
    # From the last batch to the first, so that the first place of a row is its last pass.
    backwards = np.argsort(-numbers, kind="stable")
    found, place = np.unique(rows[backwards], return_index=True)
    return Pass(values[backwards][place], split, found)
