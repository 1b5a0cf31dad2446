"""A worker group of Ray Train as a slot holds it, and the mailbox through which the two speak."""

import asyncio
import contextlib
import os
import signal
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import ray
import ray.train
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from rarecall.trainables.slot.messages import EpochReport, WorkerUp
from rarecall.trainables.slot.plan import CHECKPOINTS_FOLDER, SlotDiedError, SlotPlan, SlotStartError
from rarecall.trainables.slot.serving import serve_trials

# Each slot starts half a dozen processes that import this module, and only its workers train: torch, transformers and
# all that needs them are imported where they are used.
if TYPE_CHECKING:
    from ray.train.torch import TorchTrainer

# How often a waiting slot looks whether its workers still live.
HEARTBEAT_SECONDS = 2.0
STOP_SECONDS = 10.0
# How long a worker group may take to start; a cluster that grows needs minutes to bring up a node.
START_SECONDS = 1800.0
# Ray Train's settings, for which it knows environment variables only; what the user has set counts.
SETTINGS = {
    # It takes a worker's report when it next polls: with its default of 2 s every epoch would wait for that; polling
    # ten times a second cost two slots 2 % of two cores (benchmarks/slot_utilisation.py).
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.15",
    # It counts a wait for resources among the starts that failed, so one wait must be long.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",
    # A process per group, to warn of what costs a slot no more than its epoch in flight.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    # Nobody looks at them; the ledger has ours.
    "RAY_TRAIN_METRICS_ENABLED": "0",
}
START_RETRIES = 2


@ray.remote(num_cpus=0)
class Mailbox:
    """Commands to all workers of a group, numbered so that each reads every one; replies from rank 0."""

    def __init__(self) -> None:
        self._commands: dict[int, tuple[str, Any]] = {}
        self._sent = 0
        self._arrived = asyncio.Condition()
        self._replies: asyncio.Queue[WorkerUp | EpochReport] = asyncio.Queue()

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

    async def reply(self, message: "WorkerUp | EpochReport") -> None:
        await self._replies.put(message)

    async def take(self) -> "WorkerUp | EpochReport":
        return await self._replies.get()


class WorkerGroup:
    """One `TorchTrainer` run in a thread, and the mailbox through which it is spoken to."""

    def __init__(self, plan: SlotPlan) -> None:
        from ray.train.torch import TorchTrainer

        os.environ.update({name: value for name, value in SETTINGS.items() if name not in os.environ})
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
        self._size, self._up = plan.workers, list[WorkerUp]()
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
            while len(self._up) < self._size:
                self._up.append(self.take(START_SECONDS))
        except SlotDiedError as failure:
            raise SlotStartError(f"a slot did not start: {failure}") from None

    def take(self, limit: float | None = None, key: str = "") -> Any:
        """The next reply; waits as long as the group lives, and for `limit` seconds at most, which `key` sets.

        Raises:
            SlotDiedError: the group ended, with the reason that Ray Train gave, or the time is up.
        """
        reply, started = self._mailbox.take.remote(), time.monotonic()
        while True:
            ready, _ = ray.wait([reply], timeout=HEARTBEAT_SECONDS)
            if ready:
                return ray.get(reply)
            if not self._thread.is_alive():
                raise SlotDiedError(f"the worker group ended: {_reason(self._failure)}")
            if limit is not None and time.monotonic() - started > limit:
                raise SlotDiedError(f"the worker group gave no answer in {limit:g} s" + (f" ({key})" if key else ""))

    def stop(self) -> None:
        """Let the workers finish; those that do not answer are killed, or they would keep their share of a GPU."""
        with contextlib.suppress(ray.exceptions.RayActorError):  # without their mailbox they end by themselves
            self.send("stop")
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive() and self._up:
            self._kill_workers()

    def _kill_workers(self) -> None:
        ended = [
            _kill.options(scheduling_strategy=NodeAffinitySchedulingStrategy(up.node, soft=False)).remote(up.pid)
            for up in self._up
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
