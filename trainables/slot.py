"""A slot: one Ray Train worker group that outlives its trials and takes one after another.

The only module here that knows Ray. Towards Ray Tune a slot is a class trainable with `reuse_actors`; towards its
workers it is a mailbox of numbered commands. Starting a worker group costs seconds, taking the next trial nothing.
"""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import ray
import ray.train
from ray import tune
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from analysis.criteria import parse
from analysis.predictions import LabelSpace
from analysis.predictions_file import write_predictions
from analysis.ranking import score
from trainables.manifest import write_manifest

# Each slot starts half a dozen processes that import this module, and only its workers train: torch, transformers and
# all that needs them are imported where they are used.
if TYPE_CHECKING:
    from ray.train.torch import TorchTrainer

    from trainables.epoch import EpochResult
    from trainables.session import RunTrial
    from trainables.worker import Worker

PREDICTIONS_FILE = "predictions.parquet"
CHECKPOINTS_FOLDER = "checkpoints"
# How often a waiting slot looks whether its workers still live.
HEARTBEAT_SECONDS = 2.0
STOP_SECONDS = 10.0
# How long a worker group may take to start; a cluster that grows needs minutes to bring up a node.
START_SECONDS = 1800.0
# An epoch that takes this many times the slot's longest so far, and at least so long, is not expected to end.
LIMIT_FACTOR, LEAST_LIMIT_SECONDS = 20, 600.0
# Ray Train takes a worker's report when it next polls; with its default of 2 s every epoch would wait for that.
POLL_VARIABLE, POLL_SECONDS = "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.1"
# Ray Train counts a wait for resources among the starts that failed, so one wait must be long.
START_VARIABLE, START_TIMEOUT_SECONDS = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "600"
START_RETRIES = 2
# What libraries say, in exceptions of their own, of a file that could not be written.
_NOT_WRITTEN = ("No space left on device", "Disk quota exceeded", "File too large", "PytorchStreamWriter")


@dataclass(frozen=True)
class SlotPlan:
    """What all slots of a search share.

    work: object reference to (open_session, data), which only the workers fetch. run_folder: absolute path or URI;
    checkpoints go below it.
    workers: processes per slot; cpus, gpus: of each. criteria, objective: make the score that schedulers compare.
    epoch_timeout: seconds after which a slot that does not answer is given up; `auto`: 20 times its longest epoch so
    far, at least 10 minutes; None: never.
    """

    work: Any
    labels: LabelSpace
    run_folder: str
    workers: int = 1
    cpus: float = 1
    gpus: float = 0
    criteria: tuple[str, ...] = ()
    objective: str = "minority_recall"
    epoch_timeout: float | Literal["auto"] | None = "auto"


class SlotDiedError(RuntimeError):
    """The worker group ended, or no longer answers, while a trial was waiting for it."""


class SlotStartError(SlotDiedError):
    """The worker group ended before it could take a trial."""


class CheckpointUnwrittenError(RuntimeError):
    """An epoch's checkpoint could not be written, for want of space most of all; no trial would fare better."""


@ray.remote(num_cpus=0)
class Mailbox:
    """Commands to all workers of a group, numbered so that each reads every one; replies from rank 0."""

    def __init__(self) -> None:
        self._commands: dict[int, tuple[str, Any]] = {}
        self._sent = 0
        self._arrived = asyncio.Condition()
        self._replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(self, kind: str, payload: Any = None) -> None:
        async with self._arrived:
            self._sent += 1
            self._commands[self._sent] = (kind, payload)
            # All workers have read a command before its successor is sent; only the last ones are kept.
            self._commands.pop(self._sent - 8, None)
            self._arrived.notify_all()

    async def read(self, number: int) -> tuple[str, Any]:
        async with self._arrived:
            await self._arrived.wait_for(lambda: number in self._commands)
            return self._commands[number]

    async def reply(self, result: dict[str, Any]) -> None:
        await self._replies.put(result)

    async def take(self) -> dict[str, Any]:
        return await self._replies.get()


class Slot(tune.Trainable):
    """Ray Tune's view of a worker group: `step` is one epoch, `reset_config` hands over the next trial."""

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Next to nothing, but Tune insists on something: a hundredth of a CPU would leave 2 CPUs room for one slot."""
        return tune.PlacementGroupFactory([{"memory": 1}])

    def setup(self, config: dict[str, Any], plan: SlotPlan) -> None:  # type: ignore[override]  # from with_parameters
        self._plan = plan
        self._criteria = [parse(text, plan.labels.minority) for text in plan.criteria]
        self._longest: float | None = None
        self._group = _WorkerGroup(plan)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        # Sent to the workers with the first step, since Tune may still restore a checkpoint in between.
        self._trial, self._start, self._begun = new_config, new_config.get("start"), False
        earlier = self._start or {}
        self._best_score, self._best_epoch = earlier.get("best_score", float("-inf")), earlier.get("best_epoch", 0)
        return True

    def step(self) -> dict[str, Any]:
        self._group.wait_until_up()
        if not self._begun:
            self._group.send("trial", {**self._trial, "start": self._start})
            self._begun = True
        row = self._next_row()
        self._start = {"epoch": row["epoch"], "checkpoint": row["checkpoint"]}
        failed = row["failure"] is not None
        row["score"] = None if failed else score(row["metrics"], self._criteria, self._plan.objective)
        # A failed trial must not leave its rivals without a number to compare with.
        value = -1e6 if failed else row["score"]
        done = failed or row["last"] or self._at_its_end(row["epoch"]) or self._out_of_patience(row["epoch"], value)
        # The row as text, so that Tune neither flattens nor averages what only the ledger needs. An epoch that failed
        # was not reached, and must not lower the scores that rivals are held against.
        return {"epoch": 0 if failed else row["epoch"], "score": value, "row": json.dumps(row), "done": done}

    def _next_row(self) -> dict[str, Any]:
        started = time.monotonic()
        self._group.send("epoch")
        row = self._group.take(epoch_limit(self._plan.epoch_timeout, self._longest), "resources.epoch_timeout")
        self._longest = max(self._longest or 0.0, time.monotonic() - started)
        return row

    def _at_its_end(self, epoch: int) -> bool:
        """A trial may be asked to go no further than one epoch of its schedule."""
        until = self._trial.get("until")
        return until is not None and epoch >= int(until)

    def _out_of_patience(self, epoch: int, value: float) -> bool:
        if value > self._best_score:
            self._best_score, self._best_epoch = value, epoch
        patience = self._trial["config"]["training"]["early_stopping"]
        return patience is not None and epoch - self._best_epoch >= patience

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        pointer = {"start": self._start, "best_score": self._best_score, "best_epoch": self._best_epoch}
        (Path(checkpoint_dir) / "pointer.json").write_text(json.dumps(pointer))

    def load_checkpoint(self, checkpoint: Any) -> None:
        pointer = json.loads((Path(checkpoint) / "pointer.json").read_text())
        self._start, self._best_score, self._best_epoch = (
            pointer["start"],
            pointer["best_score"],
            pointer["best_epoch"],
        )

    def cleanup(self) -> None:
        self._group.stop()


def epoch_limit(timeout: float | Literal["auto"] | None, longest: float | None) -> float | None:
    """Seconds that an epoch may take, given the longest that its slot has seen; None without a limit.

    >>> epoch_limit("auto", 120.0), epoch_limit("auto", 2.0), epoch_limit("auto", None), epoch_limit(60, 120.0)
    (2400.0, 600.0, None, 60)
    """
    if timeout != "auto":
        return timeout
    return None if longest is None else max(LEAST_LIMIT_SECONDS, LIMIT_FACTOR * longest)


class _WorkerGroup:
    """One `TorchTrainer` run in a thread, and the mailbox through which it is spoken to."""

    def __init__(self, plan: SlotPlan) -> None:
        from ray.train.torch import TorchTrainer

        os.environ.setdefault(POLL_VARIABLE, POLL_SECONDS)
        os.environ.setdefault(START_VARIABLE, START_TIMEOUT_SECONDS)
        self._mailbox = Mailbox.remote()  # type: ignore[attr-defined]
        name = f"slot-{uuid.uuid4().hex[:8]}"
        resources = {"CPU": plan.cpus, **({"GPU": plan.gpus} if plan.gpus else {})}
        trainer = TorchTrainer(
            serve_trials,
            train_loop_config={"mailbox": self._mailbox, "plan": plan, "slot": name},
            scaling_config=ray.train.ScalingConfig(
                num_workers=plan.workers, use_gpu=plan.gpus > 0, resources_per_worker=resources
            ),
            run_config=ray.train.RunConfig(
                name=name,
                storage_path=f"{plan.run_folder}/{CHECKPOINTS_FOLDER}",
                # Workers that Ray Train starts again by itself would read commands that are gone.
                failure_config=ray.train.FailureConfig(  # type: ignore[call-arg]  # typed as that of Train's V1
                    max_failures=0, max_preemption_failures=0, controller_failure_limit=START_RETRIES
                ),
            ),
        )
        self._size, self._processes = plan.workers, list[tuple[str, int]]()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._fit, args=(trainer,), daemon=True, name=name)
        self._thread.start()

    def _fit(self, trainer: "TorchTrainer") -> None:
        try:
            trainer.fit()
        except BaseException as failure:  # told to the trial that waits, whatever it is
            self._failure = failure

    def send(self, kind: str, payload: Any = None) -> None:
        ray.get(self._mailbox.send.remote(kind, payload))

    def wait_until_up(self) -> None:
        """Wait until every worker has said that it is ready for its first trial.

        Raises:
            SlotStartError: the group ended before, or took too long.
        """
        try:
            while len(self._processes) < self._size:
                up = self.take(START_SECONDS)
                self._processes.append((up["node"], up["pid"]))
        except SlotDiedError as failure:
            raise SlotStartError(f"a slot did not start: {failure}") from None

    def take(self, limit: float | None = None, key: str = "") -> dict[str, Any]:
        """The next reply; waits as long as the group lives, and for `limit` seconds at most, which `key` sets.

        Raises:
            SlotDiedError: the group ended, with the reason that Ray Train gave, or the time is up.
        """
        reply, started = self._mailbox.take.remote(), time.monotonic()
        while True:
            ready, _ = ray.wait([reply], timeout=HEARTBEAT_SECONDS)
            if ready:
                result: dict[str, Any] = ray.get(reply)
                return result
            if not self._thread.is_alive():
                raise SlotDiedError(f"the worker group ended: {_reason(self._failure)}")
            if limit is not None and time.monotonic() - started > limit:
                raise SlotDiedError(f"the worker group gave no answer in {limit:g} s" + (f" ({key})" if key else ""))

    def stop(self) -> None:
        """Let the workers finish; those that do not answer are killed, or they would keep their share of a GPU."""
        with contextlib.suppress(ray.exceptions.RayActorError):  # without their mailbox they end by themselves
            self.send("stop")
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive() and self._processes:
            self._kill_workers()

    def _kill_workers(self) -> None:
        ended = [
            _kill.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(pid)
            for node, pid in self._processes
        ]
        ray.wait(ended, num_returns=len(ended), timeout=STOP_SECONDS)
        self._thread.join(STOP_SECONDS)


@ray.remote(num_cpus=0, max_retries=0)
def _kill(pid: int) -> None:
    """A stopped or deadlocked process hears nothing else."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _reason(failure: BaseException | None) -> str:
    """What befell each worker that failed, on one line and without Ray's advice."""
    if not isinstance(failure, ray.train.WorkerGroupError):
        cause = getattr(failure, "controller_failure", failure)
        return str(cause or "no reason given").splitlines()[0]
    told = []
    for rank, error in sorted(failure.worker_failures.items()):
        # Of a worker that is gone, why its health check failed; of one that raised, the last line of the traceback.
        gone = getattr(error, "health_check_failure", None)
        told.append(f"rank {rank}: {str(gone).splitlines()[0] if gone else str(error).strip().splitlines()[-1]}")
    return "; ".join(told)


def serve_trials(config: dict[str, Any]) -> None:
    """Runs in every worker of a group, as long as the slot lives: read a command, obey, reply."""
    import torch
    from ray.train.torch import get_device

    from trainables.worker import Worker

    context = ray.train.get_context()
    plan: SlotPlan = config["plan"]
    worker = Worker(context.get_world_rank(), context.get_world_size(), get_device())
    if worker.device.type == "cpu":
        torch.set_num_threads(max(1, int(plan.cpus)))
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
        from trainables.loop import Start

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
