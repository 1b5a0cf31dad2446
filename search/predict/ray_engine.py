"""Prediction spread over a Ray cluster: each worker holds the model, chunks go round, results come back in order.

Plain actors and not a Ray dataset: the driver's one reader finds bad rows with their lines, and its one writer goes on
where it stopped, so the rows come back in the order of the file whatever the cluster does. Ray starts a worker that
died again and gives it its chunk once more.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from ray.exceptions import RayError

from rarecall.analysis.errors import Fault, InputError, RunError
from rarecall.analysis.plugins.loading import install
from rarecall.analysis.plugins.plugin import Plugin
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.search.cluster.session import ray_session
from rarecall.search.cluster.travel import travelling
from rarecall.search.predict.engine import Rows, Tell, usable_rows
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.reading.unlabelled import as_examples
from rarecall.trainables.exported.names import WEIGHT_FILES
from rarecall.trainables.exported.predictor import open_predictor

# Chunks that wait at each worker, so that none waits for the driver.
WAITING = 2
# What one worker gets of a node without GPU; more threads on one short text mostly wait for each other.
CPU_THREADS = 4
RESTARTS = 2
# After how long without any worker the user is told why, and after how long a cluster without room is given up; a model
# of many GB needs minutes to load. Workers that start much later than the first one have found no room.
HINT_SECONDS, START_SECONDS, LATER_SECONDS = 15.0, 600.0, 60.0


@dataclass(frozen=True)
class RayEngine:
    """Workers with the model, and the labels its task gives. Use `ray_engine` to have them started and ended."""

    workers: Sequence[Any]
    labels: LabelSpace

    def predicted(self, chunks: Iterator[Rows], tell: Tell) -> Iterator[tuple[Rows, Predictions | None]]:
        """As `Engine`.

        Raises:
            RunError: a worker fails again and again, or the model gives NaN or infinity.
        """
        under_way: deque[tuple[Rows, Any]] = deque()
        for number, rows in enumerate(chunks):
            if len(under_way) == WAITING * len(self.workers):
                yield _received(*under_way.popleft(), tell)
            worker = self.workers[number % len(self.workers)]
            usable = usable_rows(rows)
            under_way.append((rows, worker.predictions.remote(as_examples(usable, self.labels)) if usable else None))
        while under_way:
            yield _received(*under_way.popleft(), tell)


@contextlib.contextmanager
def ray_engine(
    folder: Path,
    config: TrialConfig,
    labels: LabelSpace,
    batch_size: int,
    threads: int | None,
    address: str | None,
    say: Callable[[str], None] = lambda text: None,
    plugins: Sequence[Plugin] = (),
) -> Iterator[RayEngine]:
    """An engine on the cluster at `address`, or on a Ray of our own on this machine.

    One worker for each GPU; without GPUs, one for each `threads` CPUs; fewer where others use the cluster too, which
    `say` hears. The exported folder travels with them, so it needs to be on this machine only. plugins: those of the
    experiment, which travel too.

    Raises:
        InputError: no cluster answers, or it is too small for one worker.
        RunError: the model does not load on a worker, or the cluster has had no room for one in `START_SECONDS`.
    """
    with ray_session(address, data_bytes=_size(folder)):
        count, share = _layout(threads)
        opened = travelling(folder).here if address else folder.resolve
        # As plain values: a section may be of a class that only a plugin defines.
        sections = config.model_dump(mode="json", include=set(TrialConfig.model_fields))
        worker_class: Any = ray.remote(max_restarts=RESTARTS, max_task_retries=RESTARTS, **share)(Worker)
        arguments = (opened, sections, batch_size, threads, plugins)
        workers = [worker_class.remote(*arguments) for _ in range(count)]
        try:
            yield RayEngine(_started(workers, share, say), labels)
        finally:
            # Whoever still holds one, a traceback for instance, must not keep its CPUs from others.
            for worker in workers:
                ray.kill(worker)


class Worker:
    """One process of the cluster with the model. folder: gives its place on the machine where it is called."""

    def __init__(
        self,
        folder: Callable[[], Path],
        sections: Mapping[str, Any],
        batch_size: int,
        threads: int | None,
        plugins: Sequence[Plugin],
    ) -> None:
        install(plugins)
        torch.set_num_threads(threads or CPU_THREADS)
        self._predictor = open_predictor(folder(), TrialConfig.model_validate(sections), batch_size)

    def ready(self) -> bool:
        """Whether the model is loaded: an actor answers only then."""
        return True

    def predictions(self, examples: Examples) -> Predictions:
        """Encode and predict."""
        return self._predictor.predictions(self._predictor.encode(examples))


def _started(workers: Sequence[Any], share: dict[str, Any], say: Callable[[str], None]) -> list[Any]:
    """The workers that found room, their models loaded; the others are ended."""
    answers = {worker.ready.remote(): worker for worker in workers}
    ready, _ = ray.wait(list(answers), timeout=HINT_SECONDS)
    if not ready:
        say(f"waiting for a worker to start: {_room(share)}")
        ready, _ = ray.wait(list(answers), timeout=START_SECONDS)
    if not ready:
        waited = HINT_SECONDS + START_SECONDS
        raise RunError(f"no worker started in {waited:g} s: {_room(share)} (try again when less runs there)")
    ready, late = ray.wait(list(answers), num_returns=len(answers), timeout=LATER_SECONDS)
    _fetch(ready)
    if late:
        say(f"going on with {len(ready)} of {len(workers)} workers: {_room(share)}")
    for answer in late:
        ray.kill(answers[answer])
    return [answers[answer] for answer in ready]


def _room(share: dict[str, Any]) -> str:
    """What a worker needs beside what the cluster has."""
    there, free = ray.cluster_resources(), ray.available_resources()
    kinds = {"num_gpus": "GPU", "num_cpus": "CPU"}
    told = [
        f"{amount:g} {kinds[key]} ({free.get(kinds[key], 0):g} of {there.get(kinds[key], 0):g} free)"
        for key, amount in share.items()
    ]
    return f"each needs {' and '.join(told)}"


def _received(rows: Rows, result: Any, tell: Tell) -> tuple[Rows, Predictions | None]:
    if result is None:
        return rows, None
    predictions: Predictions = _fetch(result)
    tell(len(predictions))
    return rows, predictions


def _fetch(results: Any) -> Any:
    """What the workers give; their errors without Ray's traceback."""
    try:
        return ray.get(results)
    except RayError as error:
        cause = getattr(error, "cause", None) or error
        last = str(cause).strip().splitlines()[-1] if str(cause).strip() else type(cause).__name__
        raise RunError(f"a worker of the cluster gave up: {last}") from error


def _layout(threads: int | None) -> tuple[int, dict[str, Any]]:
    """How many workers there are room for, and what each is given."""
    there = ray.cluster_resources()
    if gpus := int(there.get("GPU", 0)):
        return gpus, {"num_gpus": 1, "num_cpus": threads or 1}
    cpus = int(there.get("CPU", 0))
    each = threads or min(CPU_THREADS, max(1, cpus))
    if cpus < each:
        rule = f"a worker's CPUs must fit the cluster, which has {cpus}"
        raise InputError("command line", [Fault("--threads", rule, str(each), "ask for fewer")])
    return cpus // each, {"num_cpus": each}


def _size(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in WEIGHT_FILES if (folder / name).is_file())
