"""Ray for one search: start or join it quietly, and count how many slots it holds."""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import ray

from rarecall.analysis.errors import Fault, InputError, RunError
from rarecall.search.cluster.ray_compat import autoscaler_maximum, on_loopback
from rarecall.search.cluster.watch import JOINED_PATIENCE, OWN_PATIENCE, watched
from rarecall.search.experiment.schema import ResourcesConfig

# For what Ray itself passes around, beside the data of the search.
OBJECT_STORE_SLACK_BYTES = 2**30
_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Snapshots of all trials, which we never read: a search is resumed from its ledger.
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # A slot is half a dozen processes; Ray would warn about them on a small machine, and start two at a time.
    "RAY_worker_maximum_startup_concurrency": "16",
}


@dataclass(frozen=True)
class SlotLayout:
    """How many slots run at once, and what each worker of a slot holds."""

    slots: int
    workers: int
    cpus: float
    gpus: float
    epoch_timeout: float | Literal["auto"] | None = "auto"


def quiet() -> None:
    """Keep Ray to errors: its progress reports, result files and signal handlers; ours say the same more calmly."""
    os.environ.update({key: value for key, value in _QUIET.items() if key not in os.environ})
    for name in ("ray", "ray.tune", "ray.train", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # Its snapshots, which we never read, race with its own temporary files; why a trial failed, the ledger says.
    for name in ("experiment_state", "tune_controller"):
        logging.getLogger(f"ray.tune.execution.{name}").setLevel(logging.CRITICAL)
    logging.getLogger("ray.tune.tune").setLevel(logging.CRITICAL)


@contextlib.contextmanager
def ray_session(address: str | None, data_bytes: int = 0) -> Iterator[None]:
    """A running Ray: the cluster at `address`, or one of our own on this machine that ends with the search.

    Should Ray itself go down meanwhile, this process ends with exit code 2 and says so. A Ray that this process has
    started already, in a notebook say, is used as it is, and left.

    data_bytes: what its object store must hold at least; a cluster has its own setting.

    Raises:
        InputError: no cluster answers at `address`.
        RunError: none could be started here.
    """
    if not address and ray.is_initialized():
        yield
        return
    quiet()
    heard = signal.getsignal(signal.SIGTERM)
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            with on_loopback() as node:
                ray.init(
                    address="local",  # never one that happens to run here
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    object_store_memory=OBJECT_STORE_SLACK_BYTES + data_bytes,
                    _node_ip_address=node,
                )
    except Exception as failure:
        if not address:
            raise RunError(f"Ray did not start on this machine: {failure} (try again when less runs here)") from failure
        rule = f"no Ray cluster answers there ({failure})"
        raise InputError(
            "command line", [Fault("--address", rule, repr(address), "start one with `ray start --head`")]
        ) from None
    if threading.current_thread() is threading.main_thread():
        # Ray's own handler would end the process where it stands.
        signal.signal(signal.SIGTERM, heard)
    try:
        with watched(JOINED_PATIENCE if address else OWN_PATIENCE):
            yield
    finally:
        ray.shutdown()


def layout(resources: ResourcesConfig, trials: int, *, joined: bool) -> SlotLayout:
    """Slots that fit the connected cluster, never more than there are trials to run.

    joined: the cluster is one that others may use too.

    Raises:
        InputError: not even one slot fits, or more were asked for than do, told with what there is.
    """
    there = _reachable()
    cpus, gpus = there.get("CPU", 0.0), there.get("GPU", 0.0)
    return layout_within(resources, trials, cpus, gpus, all_ours=not joined and len(ray.nodes()) == 1)


def layout_within(
    resources: ResourcesConfig, trials: int, cpus: float, gpus: float, *, all_ours: bool = False
) -> SlotLayout:
    """The same for so many CPUs and GPUs, without asking Ray.

    all_ours: they are one machine's and nobody else's, so that `cpus_per_worker: auto` may leave none idle.

    Raises:
        InputError: as `layout`.
    """
    wanted_gpus = resources.gpus_per_worker
    per_worker_gpus = (1.0 if gpus else 0.0) if wanted_gpus == "auto" else float(wanted_gpus)
    per_worker_cpus = 1.0 if resources.cpus_per_worker == "auto" else float(resources.cpus_per_worker)
    fits = int(cpus / (resources.workers * per_worker_cpus) + 1e-9)
    if per_worker_gpus:
        fits = min(fits, int(gpus / (resources.workers * per_worker_gpus) + 1e-9))
    asked = resources.slots
    if fits < (1 if asked == "auto" else asked):
        slot = f"{resources.workers} × ({per_worker_cpus:g} CPU, {per_worker_gpus:g} GPU)"
        raise InputError("resources", [_does_not_fit(asked, slot, fits, cpus, gpus)])
    slots = max(1, min(trials, fits if asked == "auto" else asked))
    if resources.cpus_per_worker == "auto" and all_ours and not per_worker_gpus:
        per_worker_cpus = float(cpus // (slots * resources.workers))
    return SlotLayout(
        slots=slots,
        workers=resources.workers,
        cpus=per_worker_cpus,
        gpus=per_worker_gpus,
        epoch_timeout=resources.epoch_timeout,
    )


def _reachable() -> dict[str, float]:
    """What the cluster has, or may grow to where it scales itself: with no trial yet, its GPU nodes are still down."""
    at_most = autoscaler_maximum()
    now = ray.cluster_resources()
    return {key: max(now.get(key, 0.0), float(at_most.get(key, 0.0))) for key in {*now, *at_most}}


def _does_not_fit(asked: int | Literal["auto"], slot: str, fits: int, cpus: float, gpus: float) -> Fault:
    wanted = "at least one slot" if asked == "auto" else f"{asked} slots"
    rule = f"{wanted} of {slot} must fit the cluster, which has {cpus:g} CPU and {gpus:g} GPU and holds {fits}"
    return Fault(
        "resources.slots",
        rule,
        remedy="ask for less per worker, for fewer slots, or join a larger cluster with --address",
    )
