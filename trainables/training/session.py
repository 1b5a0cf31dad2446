"""What one process of a slot keeps between trials: the base model."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rarecall.analysis.criteria.goal import Goal
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.folds import one_fold
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.bases import BaseModel, local_base
from rarecall.trainables.models.classifier import open_pool
from rarecall.trainables.training.cross_validation import train_folds
from rarecall.trainables.training.epoch import EpochResult
from rarecall.trainables.training.loop import Start, train
from rarecall.trainables.training.request import TrialRequest
from rarecall.trainables.training.worker import Worker

RunTrial = Callable[[TrialRequest, Start | None], Iterator[EpochResult]]
OpenSession = Callable[[Any, Worker], RunTrial]


class TrainingSession:
    """Opened once per process; called with one trial's request after another.

    goal: as in `train`. folder: gives a local base model's folder on the machine where it is called.
    """

    def __init__(self, base: BaseModel, goal: Goal | None = None, folder: Callable[[], Path] | None = None) -> None:
        self.base, self.goal, self.folder = base, goal, folder

    def __call__(self, data: PreparedData, worker: Worker) -> RunTrial:
        pool = open_pool(local_base(self.base, self.folder), data.task, data.pad_id)

        def run_trial(request: TrialRequest, start: Start | None) -> Iterator[EpochResult]:
            trial, chosen = trial_and_data(request, data)
            run = train_folds if chosen.folds else train
            return run(trial, chosen, pool, worker, start, self.goal)

        return run_trial


def trial_and_data(request: TrialRequest, data: PreparedData) -> tuple[TrialConfig, PreparedData]:
    """The sections of a request, and the rows that they are for: all of them, or one fold of finalists."""
    rows = data if request.fold is None else one_fold(data, request.fold)
    return TrialConfig.model_validate(dict(request.config)), rows
