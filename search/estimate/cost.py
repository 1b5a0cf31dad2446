"""`rarecall estimate`: what a search would cost and what its validation rows can tell, before it is launched."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from rich.console import Console

from rarecall.analysis.criteria.criterion import ALL, ANY, EVERY, Criterion, parse
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.settings import RATIO
from rarecall.analysis.uncertainty.decidability import Decidability, decidability
from rarecall.search.cluster.session import SlotLayout, layout_within
from rarecall.search.engine.preparation.goals import check_goal
from rarecall.search.estimate.cost_sample import CostSample, Measured
from rarecall.search.estimate.epochs import Epochs, Work, epochs_of_search
from rarecall.search.experiment.auto_space import derive_space, space_parts, with_space
from rarecall.search.experiment.schema import Experiment, LoadedExperiment
from rarecall.search.experiment.space import RangeConfig
from rarecall.trainables.config import DataConfig
from rarecall.trainables.data.prepare import load_splits
from rarecall.trainables.data.prepared import LabelledSplits
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.training.mitigation import mitigation

# Of every trial the best epoch and the last one keep their checkpoints.
CHECKPOINTS_KEPT = 2


@dataclass(frozen=True)
class Outlook:
    """A criterion and what the validation rows can say about it; None where it is no share of a class's rows.

    decided_by: the class with the fewest rows, where the criterion is about several.
    """

    criterion: str
    decided_by: str
    decidability: Decidability | None


@dataclass(frozen=True)
class Estimate:
    """All that is known before the launch.

    class_counts: rows by split and class. epoch_rows: of an epoch that takes all. epochs: of the whole search.
    encoded, states: bytes of the inputs and of the frozen layers' outputs, 0 where none are kept. measured: None when
    nothing was. folds: of each trial, 1 where it trains on one split; each has a checkpoint. searched: what
    `space: auto` makes of the labels (key, what is searched, why); empty for a space of the experiment's own.
    refit_epochs, refit_rows: of the best trials on all rows, 0 where every trial sees them.
    """

    name: str
    labels: LabelSpace
    class_counts: Mapping[str, Mapping[str, int]]
    outlooks: tuple[Outlook, ...]
    trials: int
    epochs: Epochs
    epoch_rows: int
    validation_rows: int
    slots: SlotLayout
    encoded: int
    states: int
    measured: Measured | None
    folds: int = 1
    searched: tuple[tuple[str, str, str], ...] = ()
    refit_epochs: int = 0
    refit_rows: int = 0

    def seconds(self, work: Work) -> float:
        """Time that one slot needs, start-up apart; NaN where nothing was measured."""
        if self.measured is None:
            return math.nan
        validating = work.epochs * self.validation_rows * self.measured.validate
        return work.passes * self.epoch_rows * self.measured.train + validating

    def wall(self, work: Work) -> float:
        """Seconds until the search is done, the frozen layers included."""
        if self.measured is None:
            return math.nan
        frozen = self.measured.freeze * (sum(self.class_rows("train")) + sum(self.class_rows("validation")))
        return frozen + self.seconds(work) / self.slots.slots + self.refit_seconds

    @property
    def refit_seconds(self) -> float:
        """Time that the best trials take again on all rows, frozen layers included; NaN where nothing was measured."""
        if self.measured is None:
            return math.nan
        each = self.refit_rows * self.measured.train + self.validation_rows * self.measured.validate
        return self.refit_epochs * each + (self.measured.freeze * self.refit_rows if self.refit_epochs else 0.0)

    def class_rows(self, split: str) -> list[int]:
        return list(self.class_counts[split].values())

    def plain(self) -> dict[str, Any]:
        """The estimate as JSON has it; times in seconds, sizes in bytes."""
        costs = {
            kind: {**asdict(work), "slot_seconds": self.seconds(work), "wall_seconds": self.wall(work)}
            for kind, work in vars(self.epochs).items()
        }
        return {
            "name": self.name,
            "class_counts": {split: dict(counts) for split, counts in self.class_counts.items()},
            "criteria": [
                {
                    "criterion": one.criterion,
                    "decided_by": one.decided_by,
                    **(asdict(one.decidability) | {"outlook": one.decidability.outlook} if one.decidability else {}),
                }
                for one in self.outlooks
            ],
            "trials": self.trials,
            "refit": {"epochs": self.refit_epochs, "rows": self.refit_rows, "seconds": self.refit_seconds},
            "costs": costs,
            "slots": asdict(self.slots),
            "measured": asdict(self.measured) if self.measured else None,
            "encoded_bytes": self.encoded,
            "state_bytes": self.states,
            "checkpoint_bytes": self.checkpoint_bytes,
            "space": [{"key": key, "searched": searched, "why": why} for key, searched, why in self.searched],
        }

    @property
    def checkpoint_bytes(self) -> int:
        """Of all trials, when all are kept; 0 where nothing was measured."""
        return CHECKPOINTS_KEPT * self.trials * self.folds * (self.measured.checkpoint if self.measured else 0)


def estimate(loaded: LoadedExperiment, console: Console, *, measure: bool = True) -> Estimate:
    """Read the data, look at the criteria and, with `measure`, train a few steps of the experiment's own settings.

    Raises:
        InputError: data or resources do not fit, or the base model cannot be found.
    """
    data = load_splits(loaded.experiment, loaded.folder)
    check_goal(loaded.experiment, data)
    labels = data.task.label_space
    searched: tuple[tuple[str, str, str], ...] = ()
    if loaded.experiment.auto_space:
        derived = derive_space(loaded.experiment, data.train, labels)
        loaded = with_space(loaded, derived)
        searched = tuple(space_parts(loaded, derived.reasons))
    experiment = loaded.experiment
    base = resolve_base(experiment.model.base, loaded.folder)
    sample = CostSample(experiment, data, base)
    cpus, gpus = os.cpu_count() or 1, torch.cuda.device_count()
    slots = layout_within(experiment.resources, experiment.search.trials, cpus, gpus, all_ours=True)
    with console.status("measuring a few training steps" if measure else "counting tokens"):
        encoded, states = sample.sizes()
        measured = sample.measured(states, slots.cpus) if measure else None
    criteria = [parse(text, labels.minority) for text in experiment.criteria]
    counts, rows = _held_out(experiment, data)
    return Estimate(
        name=experiment.name,
        labels=labels,
        class_counts=data.class_counts,
        outlooks=tuple(outlook(one, counts, labels, rows) for one in criteria),
        trials=experiment.search.trials,
        epochs=epochs_of_search(experiment, len(data.train)),
        epoch_rows=_epoch_rows(experiment, data),
        validation_rows=rows,
        folds=experiment.data.folds or 1,
        slots=slots,
        encoded=encoded,
        states=states,
        measured=measured,
        searched=searched,
        **_refit(loaded),
    )


def _refit(loaded: LoadedExperiment) -> dict[str, int]:
    """Epochs and rows of the training on all rows that follows a search on a sample; none where none is left out."""
    experiment = loaded.experiment
    search, epochs = experiment.search, experiment.training.epochs
    limits = [experiment.data.max_train_rows, *((search.rows_by_epoch(epochs) or [None])[-1:])]
    few = [limit for limit in limits if limit is not None]
    if not few or not search.refit:
        return {}
    whole = load_splits(experiment.model_copy(update={"data": _whole(experiment.data)}), loaded.folder)
    if len(whole.train) <= min(few):
        return {}
    return {"refit_epochs": search.refit * epochs, "refit_rows": _epoch_rows(experiment, whole)}


def _whole(data: DataConfig) -> DataConfig:
    return data.model_copy(update={"max_train_rows": None})


def outlook(criterion: Criterion, counts: Mapping[str, int], labels: LabelSpace, rows: int) -> Outlook:
    """What the validation rows can say about a criterion. counts: rows by class; rows: of the whole split."""
    text, at_most = criterion.text, criterion.op in ("<=", "<")
    if criterion.part or criterion.op == "==":
        return Outlook(text, "", None)
    if criterion.metric == "accuracy":
        return Outlook(text, "", decidability(rows, criterion.threshold, at_most=at_most))
    if criterion.metric not in ("recall", "precision"):
        return Outlook(text, "", None)
    named = _classes_of(criterion, labels)
    if not named:
        return Outlook(text, "", None)
    # With `any` the class with most rows may do; otherwise the one with the fewest has to.
    choose = max if criterion.selector == ANY else min
    name = choose(named, key=lambda one: counts[one])
    return Outlook(
        text, name if len(named) > 1 else "", decidability(counts[name], criterion.threshold, at_most=at_most)
    )


def _classes_of(criterion: Criterion, labels: LabelSpace) -> Sequence[str]:
    """The classes whose own figures decide; none for a mean over classes."""
    if criterion.selector in labels.classes:
        return (str(criterion.selector),)
    groups = {EVERY: labels.classes, ANY: labels.minority, ALL: labels.minority}
    return groups.get(str(criterion.selector), ())


def _held_out(experiment: Experiment, data: LabelledSplits) -> tuple[dict[str, int], int]:
    """Rows that decide, by class and altogether: with folds the training rows too, each held out once."""
    parts = {"train": data.train, "validation": data.validation} if experiment.data.folds else {}
    parts = parts or {"validation": data.validation}
    counts = {name: sum(data.class_counts[split][name] for split in parts) for name in data.task.label_space.classes}
    return counts, sum(map(len, parts.values()))


def _epoch_rows(experiment: Experiment, data: LabelledSplits) -> int:
    """Rows of an epoch, over all folds if there are any; in the middle of the range where oversampling is searched."""
    entry = experiment.full_space().get(RATIO)
    training = experiment.training
    if isinstance(entry, RangeConfig):
        middle = math.sqrt(entry.low * entry.high) if entry.log else (entry.low + entry.high) / 2
        oversampling = training.oversampling.model_copy(update={"ratio": middle})
        training = training.model_copy(update={"oversampling": oversampling})
    split = data.train
    rows = mitigation(split.classes, data.task.label_space, training, split.scores, split.labels).epoch_length
    if experiment.data.folds is None:
        return rows
    # Each of k folds trains on all rows but its own, k - 1 times all rows together.
    shown = (experiment.data.folds - 1) * (len(data.train) + len(data.validation))
    return round(rows * shown / len(data.train))
