"""Ray Tune as this project uses it: slots that outlive trials, one ledger, and none of Tune's own reports."""

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray import tune

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.errors import RunError
from rarecall.analysis.plugins.plugin import Plugin
from rarecall.search.cluster.reservations import reservations_returned
from rarecall.search.cluster.session import SlotLayout
from rarecall.search.cluster.travel import travelling
from rarecall.search.display.live import SearchView
from rarecall.search.engine.folder.run_folder import TUNE_FOLDER, RunFolder
from rarecall.search.engine.recorder import Amounts, Recorder
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.bases import BaseModel, local_everywhere
from rarecall.trainables.slot import Slot, SlotPlan
from rarecall.trainables.training.mitigation import mitigation
from rarecall.trainables.training.request import TrialRequest
from rarecall.trainables.training.session import TrainingSession, trial_and_data

# A trial whose worker group dies is tried again from its last epoch this often.
TRIAL_RETRIES = 2
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def slot_plan(
    session: TrainingSession,
    data: PreparedData,
    folder: RunFolder,
    slots: SlotLayout,
    goal: Goal,
    plugins: tuple[Plugin, ...],
) -> SlotPlan:
    """What all slots share; the data go to Ray's object store."""
    return SlotPlan(
        work=ray.put((session, data.for_trials())),
        labels=data.task.label_space,
        run_folder=str(folder.path),
        workers=slots.workers,
        cpus=slots.cpus,
        gpus=slots.gpus,
        goal=goal,
        epoch_timeout=slots.epoch_timeout,
        plugins=plugins,
    )


def base_folder(base: BaseModel) -> Callable[[], Path] | None:
    """For the workers of other machines, a local base model's folder; None where each finds the model by itself."""
    if len(ray.nodes()) == 1 or base.portable or local_everywhere(base):
        return None
    return travelling(Path(base.source)).here


def run_trials(plan: SlotPlan, slots: int, trials: int, recorder: Recorder, time_budget: float | None = None) -> None:
    """Run what the recorder's searcher suggests in `slots` slots at once; all that happens goes through the recorder.

    time_budget: seconds after which running trials are stopped.

    Raises:
        RunError: the search cannot go on: nothing can be written, or no slot starts.
    """
    folder, method = recorder.files.folder, recorder.method
    options: dict[str, Any] = {"reuse_actors": True, "time_budget_s": time_budget, "scheduler": method.scheduler}
    tuner = tune.Tuner(
        tune.with_parameters(Slot, plan=plan),
        tune_config=tune.TuneConfig(
            num_samples=trials, max_concurrent_trials=slots, search_alg=method.searcher, **options
        ),
        run_config=tune.RunConfig(
            name=f"session-{int(time.time())}",
            storage_path=str(folder.path / TUNE_FOLDER),
            callbacks=[recorder],
            failure_config=tune.FailureConfig(max_failures=TRIAL_RETRIES),
            # Pointers of a line each. With `num_to_keep`, every one would make Tune write down all trials once more.
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1),
            verbose=0,
        ),
    )
    try:
        with reservations_returned():
            tuner.fit()
    except Exception as failure:
        if own := _own_error(failure, folder):
            raise own from None
        raise


def _own_error(failure: BaseException | None, folder: RunFolder) -> RunError | None:
    """What lies beneath an error of Tune's that a user can mend: Tune makes texts of what its callbacks raise."""
    while failure is not None:
        if isinstance(failure, RunError):
            return failure
        if isinstance(failure, OSError) and failure.errno in DISK_ERRORS:
            return RunError(f"{folder.path}: {failure.strerror} (free space there, then resume the run)")
        failure = failure.__cause__ or failure.__context__
    return None


def amounts_told(view: SearchView, data: PreparedData) -> Amounts:
    """What the recorder asks of each trial: its counts and weights per class, which the view shows as well."""
    labels = data.task.label_space

    def amounts(request: TrialRequest) -> dict[str, dict[str, float]]:
        trial, chosen = trial_and_data(request, data)
        train = chosen.train
        found = mitigation(train.classes, labels, trial.training, train.scores, train.labels)
        view.amounts[request.trial] = found.table(labels.classes)
        return found.table(labels.classes)

    return amounts
