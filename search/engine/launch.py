"""From an experiment to a finished search: data once, slots, Tune, and everything into the ledger."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.errors import RunError
from rarecall.analysis.plugins.plugin import write_copies
from rarecall.analysis.plugins.stored import remember
from rarecall.analysis.runs.ledger import Ledger, read_ledger
from rarecall.analysis.runs.run import PLAIN, EndRow, Run, TrialRecord
from rarecall.search.cluster.session import SlotLayout, layout, ray_session
from rarecall.search.display.live import LiveView, SearchView
from rarecall.search.display.time_left import Plan
from rarecall.search.engine.folder.damage import leave_damaged_checkpoints
from rarecall.search.engine.folder.run_folder import RunFolder, open_run
from rarecall.search.engine.preparation.baselines import record_baselines
from rarecall.search.engine.preparation.data import prepare_data
from rarecall.search.engine.preparation.frozen_states import with_frozen_states
from rarecall.search.engine.preparation.goals import check_goal
from rarecall.search.engine.preparation.header import header
from rarecall.search.engine.preparation.known_points import MITIGATION_KEYS, known_points, own_origin
from rarecall.search.engine.preparation.screen.inputs import ScreenInputs
from rarecall.search.engine.preparation.screen.recording import record_screen
from rarecall.search.engine.recorder import Listeners, Method, Recorder, RunFiles
from rarecall.search.engine.scheduler import EpochHalving
from rarecall.search.engine.searcher import TrialSearcher, TrialSpace
from rarecall.search.engine.trackers import check_installed, open_trackers
from rarecall.search.engine.tuner import amounts_told, base_folder, run_trials, slot_plan
from rarecall.search.estimate.epochs import epoch_shares, epochs_of_search
from rarecall.search.experiment.auto_space import DerivedSpace, derive_space, space_lines, with_space
from rarecall.search.experiment.schema import Experiment, LoadedExperiment
from rarecall.search.experiment.yaml_file import read_yaml
from rarecall.trainables.baselines.rows import baseline_rows
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.bases import BaseModel, resolve_base
from rarecall.trainables.training.session import TrainingSession

# Of a ledger's header: why each key of a derived space is as it is.
SPACE_REASONS = "space_reasons"


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
    goal = check_goal(loaded.experiment, data)
    loaded, reasons = _with_derived_space(loaded, data, options, console)
    folder = open_run(options.run_folder, loaded.tree_for_run(), options.resume, options.overwrite)
    with Ledger(folder.ledger) as ledger:
        earlier = _earlier(folder, data, options.resume)
        folder.write_experiment(loaded.tree_for_run())
        write_copies(loaded.plugins, folder.path)
        remember(loaded.plugins)
        ledger.append(header(loaded.experiment, data) | ({SPACE_REASONS: reasons} if reasons else {}))
        _end_complete(earlier, loaded, ledger)
        leave_damaged_checkpoints(earlier.values(), folder, console)
        left = _left(loaded.experiment, earlier)
        _before_trials(loaded, data, base, goal, ledger, console)
        if left > 0:
            # Only now: it takes a while, and is for nothing where another search holds the folder.
            data = with_frozen_states(data, loaded.experiment, base, console)
            if options.address is None:
                console.print("Ray runs on this machine and listens on 127.0.0.1 only", style="dim", highlight=False)
            search = _Search(loaded, base, data, goal, RunFiles(ledger, folder, earlier), left)
            with ray_session(options.address, data.nbytes):
                search.run(layout(loaded.experiment.resources, left, joined=bool(options.address)), console)
    run = read_ledger(folder.ledger)
    _check_some_epoch(run)
    return run


def _check_some_epoch(run: Run) -> None:
    """A search of which nothing came ends with its reason.

    Raises:
        RunError: every trial ended, and none with an epoch.
    """
    reasons = [record.end.reason for record in run.trials.values() if record.end is not None]
    if run.trials and len(reasons) == len(run.trials) and not any(record.epochs for record in run.trials.values()):
        (reason, times), *_ = Counter(reasons).most_common(1)
        told = f"{times} of {len(reasons)} trials: {reason or 'no reason given'}"
        remedy = "mend that, then start anew with --overwrite"
        raise RunError(f"{run.folder}: no trial finished an epoch; {told} ({remedy})")


def _before_trials(
    loaded: LoadedExperiment, data: PreparedData, base: BaseModel, goal: Goal, ledger: Ledger, console: Console
) -> None:
    """Baselines and screen, as far as the ledger lacks them."""
    search = loaded.experiment.search
    wanted = search.screen > 0 and read_ledger(ledger.path).screen is None
    if not search.baselines and not wanted:
        return
    rows = baseline_rows(loaded.experiment, loaded.folder, data)
    if search.baselines:
        record_baselines(loaded, rows, data, base, goal, ledger, console)
    if wanted:
        record_screen(ScreenInputs(loaded, rows, data, base, goal), ledger, console)


def _left(experiment: Experiment, earlier: Mapping[str, TrialRecord]) -> int:
    """How many trials are still to be run, those that earlier sessions left unfinished included."""
    unfinished = sum(record.end is None for record in earlier.values())
    return max(0, experiment.search.trials - len(earlier)) + unfinished


@dataclass(frozen=True)
class _Search:
    """The pieces of one session of a search. left: trials that are still to be run."""

    loaded: LoadedExperiment
    base: BaseModel
    data: PreparedData
    goal: Goal
    files: RunFiles
    left: int

    def run(self, slots: SlotLayout, console: Console) -> None:
        view = self._view(slots)
        live = LiveView(view, console)
        listeners = Listeners(amounts_told(view, self.data), self._told(live, console), live.retried)
        budget = self.loaded.experiment.search.time_budget
        deadline = None if budget is None else time.monotonic() + budget
        method = Method(self._searcher(), self._scheduler(), self.goal)
        session = TrainingSession(self.base, self.goal, base_folder(self.base))
        plan = slot_plan(session, self.data, self.files.folder, slots, self.goal, self.loaded.plugins)
        with live:
            run_trials(plan, slots.slots, self.left, Recorder(self.files, method, listeners, deadline), budget)

    def _told(self, live: LiveView, console: Console) -> Callable[[str], None]:
        """Who hears of each change of a trial: the screen and the trackers."""
        experiment = self.loaded.experiment
        warn = partial(console.print, style="yellow", markup=False, highlight=False, soft_wrap=True)
        known = list(self.files.records.values())
        trackers = open_trackers(experiment.search.trackers, experiment.name, self.files.folder.path, warn, known)

        def changed(trial: str) -> None:
            live.changed(trial)
            trackers.changed(self.files.records[trial])

        return changed

    def _searcher(self) -> TrialSearcher:
        experiment = self.loaded.experiment
        distributions = {key: entry.distribution() for key, entry in experiment.full_space().items()}
        own, trials = experiment.own_settings({*distributions, *MITIGATION_KEYS}), experiment.search.trials
        space = TrialSpace(
            distributions=distributions,
            make_config=self.loaded.trial_tree,
            first={key: own[key] for key in distributions},
            origin=own_origin(distributions, own),
            known=known_points(distributions, own, trials) if experiment.search.known_points else (),
            conditions=experiment.conditions(),
        )
        earlier = list(self.files.records.values())
        return TrialSearcher(space, self.goal, trials, experiment.search.seed, earlier, self.files.folder.journal)

    def _scheduler(self) -> EpochHalving | None:
        experiment = self.loaded.experiment
        stop_early = experiment.search.stop_early
        if stop_early is None:
            return None
        grace, reduction = stop_early.grace_epochs, stop_early.reduction
        spared = (PLAIN,) if experiment.search.baselines else ()
        scheduler = EpochHalving(experiment.training.epochs, grace, reduction, self.goal.criteria, spared)
        scheduler.remember(list(self.files.records.values()))
        return scheduler

    def _plan(self) -> Plan:
        """What trials are to do, for the time that is left."""
        experiment, rows = self.loaded.experiment, len(self.data.train)
        usual = epochs_of_search(experiment, rows).usual.epochs / experiment.search.trials
        return Plan(tuple(epoch_shares(experiment, rows)), usual)

    def _view(self, slots: SlotLayout) -> SearchView:
        experiment = self.loaded.experiment
        return SearchView(
            name=experiment.name,
            goal=self.goal,
            trials=experiment.search.trials,
            slots=slots.slots,
            epochs=experiment.training.epochs,
            rare=self.data.rarest(),
            records=self.files.records,
            plan=self._plan(),
        )


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


def _earlier(folder: RunFolder, data: PreparedData, resume: bool) -> dict[str, TrialRecord]:
    """Trials of earlier sessions; data that changed in between would make their figures incomparable."""
    if not resume:
        return {}
    run = read_ledger(folder.ledger)
    if (
        not data.is_that_of(run.header["data_hash"])
        or run.header.get("class_counts", data.class_counts) != data.class_counts
    ):
        raise RunError(
            f"{folder.path}: the data or how they are read changed since the run began; "
            "bring them back, or start a new run with --overwrite or another name"
        )
    # Refits are no trials of the search, and have a session of their own (`search.engine.retraining.refit`).
    return {name: record for name, record in run.trials.items() if record.searched}


def _end_complete(earlier: dict[str, TrialRecord], loaded: LoadedExperiment, ledger: Ledger) -> None:
    """End trials that had their last epoch when the driver died before it could write that down."""
    for record in earlier.values():
        if record.end is None and record.epochs and record.epochs[-1].epoch >= _epochs(loaded, record):
            record.end = EndRow(record.trial, "completed", "", round(time.time(), 3))
            ledger.append(record.end.as_row())


def _epochs(loaded: LoadedExperiment, record: TrialRecord) -> int:
    epochs: int = loaded.trial_tree(record.params)["training"]["epochs"]
    return epochs
