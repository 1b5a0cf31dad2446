"""A trial on every fold: each of its epochs is one epoch of every fold's model, judged by what none was trained on."""

import math
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rarecall.analysis.criteria.goal import Goal
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.encoding import EncodedSplit, joined
from rarecall.trainables.data.folds import Fold, one_fold
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.classifier import ClassifierPool
from rarecall.trainables.training.epoch import EpochOutputs, EpochResult, Pass, result_of
from rarecall.trainables.training.loop import Start, Trial
from rarecall.trainables.training.worker import Worker


def train_folds(
    config: TrialConfig,
    data: PreparedData,
    pool: ClassifierPool,
    worker: Worker,
    start: Start | None = None,
    goal: Goal | None = None,
) -> Iterator[EpochResult]:
    """As `loop.train`, on every fold of `data`: metrics and decision rule are those of the pooled predictions.

    The models wait for their turn as checkpoints in a temporary folder of each process, so that one is in memory at a
    time. A checkpoint is the one of the first fold, with those of the others in folders below it. Losses are means over
    the folds by their rows; seconds are those of all folds together.
    """
    pooled = joined(data.train, data.validation)
    with tempfile.TemporaryDirectory(prefix="rarecall-folds-") as scratch:
        if start is not None:
            shutil.copytree(start.folder, scratch, dirs_exist_ok=True)
        for epoch in range(start.epoch + 1 if start else 1, config.training.epochs + 1):
            started, found = time.perf_counter(), list[EpochOutputs]()
            for number, fold in enumerate(data.folds, start=1):
                outputs = _fold_epoch(config, one_fold(data, number - 1), pool, worker, epoch, _place(scratch, number))
                found.append(_among(pooled, fold, outputs))
                if outputs.validation is None:
                    break
            whole = _whole(found, pooled, Path(scratch), time.perf_counter() - started)
            result = result_of(whole, data.task, config.training, goal or Goal())
            yield result
            if result.diverged:
                return


def _place(scratch: str, number: int) -> Path:
    """Where the checkpoint of fold `number`, counted from 1, lies in a trial's checkpoint."""
    return Path(scratch) if number == 1 else Path(scratch, f"fold-{number}")


def _fold_epoch(
    config: TrialConfig, data: PreparedData, pool: ClassifierPool, worker: Worker, epoch: int, place: Path
) -> EpochOutputs:
    """One epoch of one fold's model, taken from `place` and put back there."""
    trial = Trial(config, data, pool, worker)
    if epoch > 1:
        trial.restore(place)
    found = trial.run_epoch(epoch)
    place.mkdir(exist_ok=True)
    trial.save(place)
    return found


def _among(pooled: EncodedSplit, fold: Fold, found: EpochOutputs) -> EpochOutputs:
    """The same outputs by the places that their rows have among all rows; the fold's own copies are let go."""
    inside, outside = fold
    validation = None if found.validation is None else Pass(found.validation.outputs, pooled, outside)
    return replace(found, train=Pass(found.train.outputs, pooled, inside[found.train.rows]), validation=validation)


def _whole(found: Sequence[EpochOutputs], pooled: EncodedSplit, scratch: Path, seconds: float) -> EpochOutputs:
    """The outputs of all folds as those of one epoch; diverged where one of them did."""
    held_out = [outputs.validation for outputs in found if outputs.validation is not None]
    diverged = len(held_out) < len(found)
    return EpochOutputs(
        epoch=found[0].epoch,
        train=_joined([outputs.train for outputs in found], pooled),
        validation=None if diverged else _joined(held_out, pooled),
        train_loss=_mean([outputs.train_loss for outputs in found], [len(outputs.train.rows) for outputs in found]),
        validation_loss=math.nan
        if diverged
        else _mean([outputs.validation_loss for outputs in found], [len(part.rows) for part in held_out]),
        seconds=seconds,
        peak_memory_mb=max(outputs.peak_memory_mb for outputs in found),
        save=lambda folder: _copy(scratch, folder),
        rows_seen=found[0].rows_seen,
    )


def _joined(passes: Sequence[Pass], pooled: EncodedSplit) -> Pass:
    """In the order of the rows."""
    rows = np.concatenate([part.rows for part in passes])
    order = np.argsort(rows, kind="stable")
    return Pass(np.concatenate([part.outputs for part in passes])[order], pooled, rows[order])


def _mean(values: Sequence[float], rows: Sequence[int]) -> float:
    return float(np.average(values, weights=rows))


def _copy(scratch: Path, folder: Path) -> None:
    shutil.copytree(scratch, folder, dirs_exist_ok=True)
