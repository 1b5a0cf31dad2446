"""A worker's side of a slot: read a command, obey, reply."""

import math
import os
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import ray.train

from rarecall.analysis.plugins.loading import install
from rarecall.analysis.predictions.parquet_file import PREDICTIONS_NAME, write_predictions
from rarecall.analysis.runs.run import EpochRow
from rarecall.trainables.models.manifest import write_manifest
from rarecall.trainables.slot.messages import EpochReport, WorkerUp
from rarecall.trainables.slot.plan import CHECKPOINTS_FOLDER, CheckpointUnwrittenError, SlotPlan
from rarecall.trainables.training.request import TrialRequest

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
    install(plan.plugins)  # the data may hold a task that one of them defines
    worker = Worker(context.get_world_rank(), context.get_world_size(), get_device())
    worker.use_cpus(plan.cpus)
    open_session, data = ray.get(plan.work)
    desk = _Desk(plan, config["slot"], config["mailbox"], worker, open_session(data, worker))
    here = WorkerUp(ray.get_runtime_context().get_node_id(), os.getpid())
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
        self._node = _place(worker)

    def begin(self, request: TrialRequest) -> None:
        self._trial, self._last_epoch = request.trial, request.epochs
        self._epochs = self._open(request)

    def _open(self, request: TrialRequest) -> "Iterator[EpochResult]":
        """The generator; the checkpoint to resume from is fetched with the first epoch and needed no longer then."""
        if request.resume is None:
            yield from self._run_trial(request, None)
            return
        from rarecall.trainables.training.loop import Start

        path = f"{self._plan.run_folder}/{request.resume.checkpoint}"
        with ray.train.Checkpoint(path).as_directory() as folder:
            yield from self._run_trial(request, Start(request.resume.epoch, Path(folder)))

    def run_epoch(self) -> None:
        try:
            result = next(self._epochs)
            report = self._report_of(result)
        except Exception as failure:
            report = self._failed(failure)
            if self._worker.size > 1:
                if report.unwritten:
                    ray.get(self._mailbox.reply.remote(report))
                raise  # the other workers wait in a sum; only ending the group sets them free
        if self._worker.rank == 0:
            ray.get(self._mailbox.reply.remote(report))

    def _report_of(self, result: "EpochResult") -> EpochReport:
        checkpoint = None if result.diverged else self._save(result)
        predictions = f"{checkpoint}/{PREDICTIONS_NAME}" if checkpoint and result.predictions else None
        row = EpochRow(
            trial=self._trial,
            epoch=result.epoch,
            metrics=result.metrics,
            confusion=result.confusion,
            train_loss=result.train_loss,
            seconds=round(result.seconds, 3),
            peak_memory_mb=round(result.peak_memory_mb, 1),
            checkpoint=checkpoint,
            predictions=predictions,
            score=math.nan,
            time=math.nan,
            rule=tuple(result.rule),
            validation_loss=result.validation_loss,
            train_metrics=result.train_metrics,
            gpus=self._plan.workers * self._plan.gpus,
            node=self._node,
            rows_seen=result.rows_seen,
        )
        failure = "the loss is no longer finite" if result.diverged else None
        return EpochReport(row, failure, last=result.epoch >= self._last_epoch)

    def _failed(self, failure: Exception) -> EpochReport:
        unwritten = isinstance(failure, CheckpointUnwrittenError)
        reason = str(failure) if unwritten else _last_line_of(failure)
        nothing = EpochRow(self._trial, 0, {}, [], math.nan, 0.0, 0.0, None, None, math.nan, math.nan)
        return EpochReport(nothing, reason, unwritten, last=True)

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
                    write_predictions(Path(folder) / PREDICTIONS_NAME, result.predictions, self._plan.labels)
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


def _place(worker: "Worker") -> str:
    """Address of this machine, and the GPU that the worker has there."""
    address = str(ray.util.get_node_ip_address())
    return f"{address} {worker.device_name}".strip()
