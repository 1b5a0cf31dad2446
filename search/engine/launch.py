"""From an experiment to a finished search: data once, slots, Tune, and everything into the ledger."""

import importlib.metadata
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from rarecall.analysis.criteria.bands import read_bands
from rarecall.analysis.criteria.criterion import check, check_objective, check_second_objective, parse
from rarecall.analysis.errors import Fault, InputError, RunError
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.runs.ledger import Ledger, read_ledger
from rarecall.analysis.runs.run import EndRow, Run, TrialRecord
from rarecall.search.cluster.session import SlotLayout, layout, ray_session
from rarecall.search.display.live import LiveView, SearchView
from rarecall.search.engine.damage import leave_damaged_checkpoints
from rarecall.search.engine.frozen_states import with_frozen_states
from rarecall.search.engine.known_points import REMEDY_KEYS, known_points
from rarecall.search.engine.recorder import Recorder
from rarecall.search.engine.run_folder import RunFolder, open_run
from rarecall.search.engine.scheduler import EpochHalving
from rarecall.search.engine.searcher import Goal, TrialSearcher
from rarecall.search.engine.trackers import check_installed, open_trackers
from rarecall.search.engine.tuner import amounts_told, run_trials, slot_plan
from rarecall.search.experiment.auto_space import DerivedSpace, derive_space, space_lines, with_space
from rarecall.search.experiment.schema import Experiment, LoadedExperiment
from rarecall.search.experiment.yaml_file import read_yaml
from rarecall.trainables.data.cells import listed
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.bases import BaseModel, resolve_base
from rarecall.trainables.models.classifier import check_writer, load_processor
from rarecall.trainables.training.decision_rule import RuleGoal
from rarecall.trainables.training.session import TrainingSession

# Of a ledger's header: why each key of a derived space is as it is.
SPACE_REASONS = "space_reasons"
PROVENANCE = ("rarecall", "ray", "torch", "transformers", "peft", "optuna", "scikit-learn")


@dataclass(frozen=True)
class LaunchOptions:
    """What the command line adds to the experiment. run_folder: absolute."""

    run_folder: Path
    resume: bool = False
    overwrite: bool = False
    address: str | None = None


def launch(loaded: LoadedExperiment, options: LaunchOptions, console: Console) -> Run:
    """Run the search, or what is left of it, and read its ledger back.

    Raises:
        InputError: data, criteria or resources do not fit.
        RunError: the run folder cannot be used so, or the data changed since the run began.
        KeyboardInterrupt: the user stopped it; all results so far are in the ledger.
    """
    check_installed(loaded.experiment.search.trackers)
    base = resolve_base(loaded.experiment.model.base, loaded.folder)
    data = prepare_data(loaded, base, console)
    goal = goal_of(loaded.experiment, data.task.label_space)
    _check_parts(goal, data)
    _check_weights(loaded.experiment, data)
    loaded, reasons = _with_derived_space(loaded, data, options, console)
    folder = open_run(options.run_folder, loaded.tree_for_run(), options.resume, options.overwrite)
    with Ledger(folder.ledger) as ledger:
        earlier = _earlier(folder, data, options.resume)
        folder.write_experiment(loaded.tree_for_run())
        ledger.append(header(loaded.experiment, data) | ({SPACE_REASONS: reasons} if reasons else {}))
        _end_complete(earlier, loaded, ledger)
        leave_damaged_checkpoints(earlier.values(), folder, console)
        search = _Search(loaded, base, data, goal, folder, ledger, earlier)
        if search.left > 0:
            # Only now: it takes a while, and is for nothing where another search holds the folder.
            search.data = with_frozen_states(data, loaded.experiment, base, console)
            with ray_session(options.address, search.data.nbytes):
                search.run(layout(loaded.experiment.resources, search.left, joined=bool(options.address)), console)
    return read_ledger(folder.ledger)


class _Search:
    """The pieces of one session of a search, put together once."""

    def __init__(
        self,
        loaded: LoadedExperiment,
        base: BaseModel,
        data: PreparedData,
        goal: Goal,
        folder: RunFolder,
        ledger: Ledger,
        earlier: dict[str, TrialRecord],
    ) -> None:
        self.loaded, self.base, self.data, self.goal = loaded, base, data, goal
        self.folder, self.ledger, self.earlier = folder, ledger, earlier
        unfinished = sum(record.end is None for record in earlier.values())
        self.left = max(0, loaded.experiment.search.trials - len(earlier)) + unfinished

    def run(self, slots: SlotLayout, console: Console) -> None:
        searcher, scheduler = self._searcher(), self._scheduler()
        view = self._view(slots)
        live = LiveView(view, console)
        changed = self._told(live, console)
        budget = self.loaded.experiment.search.time_budget
        recorder = Recorder(
            self.ledger,
            self.folder,
            searcher,
            scheduler,
            self.goal,
            self.earlier,
            amounts_told(view, self.data),
            changed,
            deadline=None if budget is None else time.monotonic() + budget,
            retried=live.retried,
        )
        session = TrainingSession(self.base, RuleGoal(self.loaded.experiment.criteria, self.goal.objective))
        plan = slot_plan(session, self.data, self.folder, slots, self.loaded.experiment.criteria, self.goal.objective)
        with live:
            run_trials(plan, slots.slots, self.left, searcher, recorder, self.folder, scheduler, budget)

    def _told(self, live: LiveView, console: Console) -> Callable[[str], None]:
        """Who hears of each change of a trial: the screen and the trackers."""
        experiment = self.loaded.experiment
        warn = partial(console.print, style="yellow", markup=False, highlight=False, soft_wrap=True)
        known = list(self.earlier.values())
        trackers = open_trackers(experiment.search.trackers, experiment.name, self.folder.path, warn, known)

        def changed(trial: str) -> None:
            live.changed(trial)
            trackers.changed(self.earlier[trial])

        return changed

    def _searcher(self) -> TrialSearcher:
        experiment = self.loaded.experiment
        distributions = {key: entry.distribution() for key, entry in experiment.full_space().items()}
        own, trials = experiment.own_settings({*distributions, *REMEDY_KEYS}), experiment.search.trials
        return TrialSearcher(
            distributions=distributions,
            make_config=self.loaded.trial_tree,
            goal=self.goal,
            trials=trials,
            seed=experiment.search.seed,
            first={key: own[key] for key in distributions},
            earlier=list(self.earlier.values()),
            journal=self.folder.journal,
            known=known_points(distributions, own, trials) if experiment.search.known_points else (),
            conditions=experiment.conditions(),
        )

    def _scheduler(self) -> EpochHalving | None:
        experiment = self.loaded.experiment
        stop_early = experiment.search.stop_early
        if stop_early is None:
            return None
        grace, reduction = stop_early.grace_epochs, stop_early.reduction
        scheduler = EpochHalving(experiment.training.epochs, grace, reduction, self.goal.criteria)
        scheduler.remember(list(self.earlier.values()))
        return scheduler

    def _view(self, slots: SlotLayout) -> SearchView:
        experiment = self.loaded.experiment
        return SearchView(
            name=experiment.name,
            goal=self.goal,
            trials=experiment.search.trials,
            slots=slots.slots,
            epochs=experiment.training.epochs,
            rare=self.data.rarest(),
            records=self.earlier,
            finished_before=sum(record.end is not None for record in self.earlier.values()),
        )


def prepare_data(loaded: LoadedExperiment, base: BaseModel, console: Console) -> PreparedData:
    """Read and encode the data, and tell how many rows of each class are where."""
    if loaded.experiment.loss_target == "tokens":
        check_writer(base)
    data = prepare(loaded.experiment, load_processor(base), base=loaded.folder)
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    for split, counts in data.class_counts.items():
        # A row may have several labels, or none: rows are not the sum of what the labels have.
        part = parts.get(split)
        rows = sum(counts.values()) if part is None else len(part)
        told = " · ".join(f"{name} {count:,}" for name, count in counts.items())
        console.print(f"{split:<10} {rows:>7,} rows  {told}", markup=False, highlight=False, soft_wrap=True)
    for note in data.notes:
        console.print(f"note: {note}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    return data


def _with_derived_space(
    loaded: LoadedExperiment, data: PreparedData, options: LaunchOptions, console: Console
) -> tuple[LoadedExperiment, dict[str, str]]:
    """The experiment with the space written out that its labels suggest, and why; a run that goes on keeps its own."""
    if not loaded.experiment.auto_space:
        return loaded, {}
    derived = _stored_space(RunFolder(options.run_folder)) if options.resume else None
    derived = derived or derive_space(loaded.experiment, data.train, data.task.label_space)
    written = with_space(loaded, derived)
    for line in space_lines(written, derived.reasons):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return written, dict(derived.reasons)


def _stored_space(folder: RunFolder) -> DerivedSpace | None:
    """What an earlier session derived; None where it did not."""
    if not folder.ledger.exists() or not folder.experiment.exists():
        return None
    reasons = read_ledger(folder.ledger).header.get(SPACE_REASONS) or {}
    space = Experiment.model_validate(read_yaml(folder.experiment)).space
    return DerivedSpace({key: space.get(key) for key in reasons}, reasons) if reasons else None


def goal_of(experiment: Experiment, labels: LabelSpace) -> Goal:
    """Criteria and objective, held against the classes that the data turned out to have."""
    criteria = tuple(parse(text, labels.minority) for text in experiment.criteria)
    objective, second = experiment.objective, experiment.search.second_objective
    faults = [
        *_faults("criteria", check, criteria, labels),
        *_faults("objective", check_objective, objective, labels),
        *_faults("search.second_objective", check_second_objective, second, objective, labels),
    ]
    for band in read_bands(_bands(experiment), labels):
        faults += _faults(f"bands.{band.name}.criteria", check, band.criteria, labels)
    if faults:
        raise InputError(experiment.name, faults)
    return Goal(criteria, objective, second)


def _check_parts(goal: Goal, data: PreparedData) -> None:
    """Criteria about a part of the data that validation does not have would stay undecided for ever."""
    parts = {f"{column}={value}" for column, values in data.validation.slices.items() for value in np.unique(values)}
    rule = f"must be about a part of the validation data, one of {', '.join(sorted(parts)) or 'none (see data.slices)'}"
    faults = [Fault("criteria", rule, one.text) for one in goal.criteria if one.part and one.part not in parts]
    if faults:
        raise InputError("criteria", faults)


def _check_weights(experiment: Experiment, data: PreparedData) -> None:
    """Where the data name the classes, only now can a weight by name be held against them."""
    classes = data.task.label_space.classes
    unknown = [name for name in experiment.training.class_weights.values if name not in classes]
    if unknown:
        where = "training.class_weights.values"
        raise InputError(where, [Fault(where, f"must name some of the classes, {listed(classes)}", listed(unknown))])


def _bands(experiment: Experiment) -> dict[str, Any]:
    return {name: band.model_dump(mode="json") for name, band in experiment.bands.items()}


def _faults(where: str, test: Callable[..., None], *arguments: Any) -> list[Fault]:
    try:
        test(*arguments)
    except ValueError as error:
        return [Fault(where, line) for line in str(error).splitlines()]
    return []


def _earlier(folder: RunFolder, data: PreparedData, resume: bool) -> dict[str, TrialRecord]:
    """Trials of earlier sessions; data that changed in between would make their figures incomparable."""
    if not resume:
        return {}
    run = read_ledger(folder.ledger)
    if run.header["data_hash"] != data.data_hash:
        raise RunError(
            f"{folder.path}: the data or how they are read changed since the run began; "
            "bring them back, or start a new run with --overwrite or another name"
        )
    return run.trials


def _end_complete(earlier: dict[str, TrialRecord], loaded: LoadedExperiment, ledger: Ledger) -> None:
    """End trials that had their last epoch when the driver died before it could write that down."""
    for record in earlier.values():
        if record.end is None and record.epochs and record.epochs[-1].epoch >= _epochs(loaded, record):
            ledger.append({"kind": "end", "trial": record.trial, "status": "completed", "reason": ""})
            record.end = EndRow(record.trial, "completed", "", time.time())


def _epochs(loaded: LoadedExperiment, record: TrialRecord) -> int:
    epochs: int = loaded.trial_tree(record.params)["training"]["epochs"]
    return epochs


def header(experiment: Experiment, data: PreparedData) -> dict[str, Any]:
    """The `run` row of a ledger."""
    return {
        "kind": "run",
        "run_id": uuid.uuid4().hex,
        "name": experiment.name,
        "criteria": list(experiment.criteria),
        "bands": _bands(experiment),
        "objective": experiment.objective,
        "second_objective": experiment.search.second_objective,
        "labels": asdict(data.task.label_space),
        "class_counts": data.class_counts,
        "data_hash": data.data_hash,
        "versions": versions(PROVENANCE),
        "trials_asked": experiment.search.trials,
        "seed": experiment.search.seed,
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed versions, for the record."""
    return {name: importlib.metadata.version(name) for name in packages}
