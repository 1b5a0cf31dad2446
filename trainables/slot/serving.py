"""A worker's side of a slot: read a command, obey, reply."""

import os
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import ray.train

from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.trainables.models.manifest import write_manifest
from rarecall.trainables.slot.plan import (
    CHECKPOINTS_FOLDER,
    PREDICTIONS_FILE,
    CheckpointUnwrittenError,
    SlotPlan,
)

# This module is imported where groups are started too, and only workers train: torch, transformers and all that needs
# them are imported where they are used.
if TYPE_CHECKING:
    from rarecall.trainables.training.epoch import EpochResult
    from rarecall.trainables.training.session import RunTrial
    from rarecall.trainables.training.worker import Worker

# What libraries say, in exceptions of their own, of a file that could not be written.
_NOT_WRITTEN = ("No space left on device", "Disk quota exceeded", "File too large", "PytorchStreamWriter")


def serve_trials(config: dict[str, Any]) -> None:
    """Runs in every worker of a group, as long as the slot lives: read a command, obey, reply."""
    from ray.train.torch import get_device

    from rarecall.trainables.training.worker import Worker

    context = ray.train.get_context()
    plan: SlotPlan = config["plan"]
    worker = Worker(context.get_world_rank(), context.get_world_size(), get_device())
    worker.use_cpus(plan.cpus)
    open_session, data = ray.get(plan.work)
    desk = _Desk(plan, config["slot"], config["mailbox"], worker, open_session(data, worker))
    here = {"node": ray.get_runtime_context().get_node_id(), "pid": os.getpid()}
    ray.get(config["mailbox"].reply.remote(here))
    number = 0
    while True:
        number += 1
        kind, payload = ray.get(config["mailbox"].read.remote(number))
        if kind == "stop":
            return
        if kind == "trial":
            desk.begin(payload)
        else:
            desk.run_epoch()


class _Desk:
    """One worker's side of a trial: holds the generator, saves what it yields, replies."""

    def __init__(self, plan: SlotPlan, slot: str, mailbox: Any, worker: "Worker", run_trial: "RunTrial") -> None:
        self._plan, self._slot, self._mailbox, self._worker = plan, slot, mailbox, worker
        self._run_trial = run_trial
        self._trial = ""
        self._epochs: Iterator[EpochResult] = iter(())
        self._last_epoch = 0

    def begin(self, trial: dict[str, Any]) -> None:
        self._trial, self._last_epoch = trial["trial"], trial["config"]["training"]["epochs"]
        self._epochs = self._open(trial)

    def _open(self, trial: dict[str, Any]) -> "Iterator[EpochResult]":
        """The generator; the checkpoint to go on from is fetched with the first epoch and needed no longer then."""
        if trial["start"] is None:
            yield from self._run_trial(trial["config"], None)
            return
        from rarecall.trainables.training.loop import Start

        path = f"{self._plan.run_folder}/{trial['start']['checkpoint']}"
        with ray.train.Checkpoint(path).as_directory() as folder:
            yield from self._run_trial(trial["config"], Start(trial["start"]["epoch"], Path(folder)))

    def run_epoch(self) -> None:
        try:
            result = next(self._epochs)
            row = self._row(result)
        except Exception as failure:
            row = _failed_row(self._trial, failure)
            if self._worker.size > 1:
                if row["unwritten"]:
                    ray.get(self._mailbox.reply.remote(row))
                raise  # the other workers wait in a sum; only ending the group sets them free
        if self._worker.rank == 0:
            ray.get(self._mailbox.reply.remote(row))

    def _row(self, result: "EpochResult") -> dict[str, Any]:
        row = {
            "trial": self._trial,
            "epoch": result.epoch,
            "metrics": result.metrics,
            "confusion": result.confusion,
            "train_loss": result.train_loss,
            "validation_loss": result.validation_loss,
            "train_metrics": result.train_metrics,
            "rule": list(result.rule),
            "seconds": round(result.seconds, 3),
            "gpus": self._plan.workers * self._plan.gpus,
            "peak_memory_mb": round(result.peak_memory_mb, 1),
            "failure": "the loss is no longer finite" if result.diverged else None,
            "unwritten": False,
            "last": result.epoch >= self._last_epoch,
            "checkpoint": None,
            "predictions": None,
        }
        if not result.diverged:
            row["checkpoint"] = self._save(result)
            row["predictions"] = f"{row['checkpoint']}/{PREDICTIONS_FILE}" if result.predictions else None
        return row

    def _save(self, result: "EpochResult") -> str:
        """Checkpoint and predictions, through Ray Train to the run's storage; the path relative to the run folder.

        Raises:
            CheckpointUnwrittenError: there is no space, or the storage takes no files.
        """
        name = f"{self._trial}-epoch-{result.epoch:03d}"
        try:
            self._report(result, name)
        except Exception as failure:
            if not _is_unwritten(failure):
                raise
            raise CheckpointUnwrittenError(f"{name} could not be written: {_last_line_of(failure)}") from failure
        return f"{CHECKPOINTS_FOLDER}/{self._slot}/{name}"

    def _report(self, result: "EpochResult", name: str) -> None:
        checkpoint = None
        with tempfile.TemporaryDirectory() as folder:
            if self._worker.rank == 0:
                result.save(Path(folder))
                if result.predictions is not None:
                    write_predictions(Path(folder) / PREDICTIONS_FILE, result.predictions, self._plan.labels)
                write_manifest(Path(folder))
                checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({}, checkpoint=checkpoint, checkpoint_dir_name=name)


def _is_unwritten(failure: BaseException | None) -> bool:
    """Whether an exception, or what lies beneath it, is the storage's fault and not the trial's."""
    while failure is not None:
        if isinstance(failure, OSError) or any(words in str(failure) for words in _NOT_WRITTEN):
            return True
        failure = failure.__cause__ or failure.__context__
    return False


def _last_line_of(failure: BaseException) -> str:
    return "".join(traceback.format_exception_only(failure)).strip().splitlines()[-1]


def _failed_row(trial: str, failure: Exception) -> dict[str, Any]:
    unwritten = isinstance(failure, CheckpointUnwrittenError)
    reason = str(failure) if unwritten else "".join(traceback.format_exception_only(failure)).strip()
    return {
        "trial": trial,
        "epoch": 0,
        "metrics": {},
        "confusion": [],
        "train_loss": None,
        "validation_loss": None,
        "train_metrics": {},
        "rule": [],
        "seconds": 0.0,
        "peak_memory_mb": 0.0,
        "failure": reason,
        "unwritten": unwritten,
        "last": True,
        "checkpoint": None,
        "predictions": None,
    }
