"""Finalists: the best few configurations, trained again on other folds and seeds before one is named the winner.

They have a run of their own inside the run folder, with a ledger of its own: one trial for each finalist and fold,
which goes exactly as far as the epoch that made its configuration a finalist.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.ledger import Ledger, read_ledger
from rarecall.analysis.runs.ranking.finalists import FINALISTS_FOLDER
from rarecall.analysis.runs.ranking.standings import Standing, standings
from rarecall.analysis.runs.run import Run, TrialRecord
from rarecall.analysis.settings import PATIENCE, SEED
from rarecall.search.cluster.session import SlotLayout, layout, ray_session
from rarecall.search.display.live import LiveView, SearchView
from rarecall.search.engine.folder.run_folder import RunFolder, find_run
from rarecall.search.engine.preparation.data import prepare_data
from rarecall.search.engine.preparation.frozen_states import with_frozen_states
from rarecall.search.engine.preparation.goals import goal_of
from rarecall.search.engine.preparation.header import header
from rarecall.search.engine.queue import QueueSearcher
from rarecall.search.engine.recorder import Listeners, Method, Recorder, RunFiles
from rarecall.search.engine.retraining.race import FoldsThatDecide
from rarecall.search.engine.tuner import amounts_told, base_folder, run_trials, slot_plan
from rarecall.search.experiment.schema import LoadedExperiment
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.folds import with_folds
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.bases import BaseModel, resolve_base
from rarecall.trainables.training.request import TrialRequest
from rarecall.trainables.training.session import TrainingSession


@dataclass(frozen=True)
class FinalsOptions:
    """How many finalists, in how many parts the rows are divided, and where the cluster is if there is one.

    race: whether folds are added only as long as they can change which finalist wins.
    """

    count: int = 3
    folds: int = 5
    race: bool = True
    overwrite: bool = False
    address: str | None = None


def run_finals(loaded: LoadedExperiment, folder: RunFolder, options: FinalsOptions, console: Console) -> Run:
    """Train the finalists of a run on every fold, or those that are left, and read the run again.

    loaded: the experiment of the run folder.

    Raises:
        RunError: the run has no trial to choose from, the data changed, or other finalists are there already.
        InputError: the folds do not fit the data.
    """
    run = read_ledger(find_run(folder.path).ledger)
    chosen = [one for one in standings(run) if one.exportable and one.record.searched][: options.count]
    if not chosen:
        raise RunError(f"{folder.path}: no trial has a checkpoint, so none can be a finalist")
    base = resolve_base(loaded.experiment.model.base, loaded.folder)
    data = prepare_data(loaded, base, console)
    if not data.is_that_of(run.header["data_hash"]):
        raise RunError(f"{folder.path}: the data changed since the run, so its finalists cannot be trained on them")
    inner = RunFolder(folder.path / FINALISTS_FOLDER)
    wanted = [_request(loaded, standing, fold) for fold in range(options.folds) for standing in chosen]
    earlier = _earlier(inner, wanted, options.overwrite)
    left = [request for request in wanted if not _done(earlier.get(request.trial))]
    # With one finalist there is nothing to decide: its figures are what is wanted.
    options = replace(options, race=options.race and len(chosen) > 1)
    if options.race and earlier and _told(options) == read_ledger(inner.ledger).header.get("finalists"):
        race = FoldsThatDecide(run, inner.ledger)
        left = [request for request in left if race.wanted(request)]
    if left:
        with_states = with_frozen_states(data, loaded.experiment, base, console)
        folded = with_folds(with_states, options.folds, loaded.experiment.search.seed)
        done = {name: record for name, record in earlier.items() if _done(record)}
        _Finals(loaded, base, folded, inner, len(wanted), options, run).run(done, left, console)
    return read_ledger(folder.ledger)


def _request(loaded: LoadedExperiment, standing: Standing, fold: int) -> TrialRequest:
    """What a slot gets: the finalist's configuration with another seed, as far as its best epoch."""
    record, best = standing.record, standing.best
    assert best is not None
    seed = int(loaded.trial_tree(record.params)["training"]["seed"])
    changes = {SEED: seed + fold + 1, PATIENCE: None}
    config = TrialConfig.model_validate(loaded.trial_tree({**record.params, **changes})).model_dump(mode="json")
    name, params = f"{record.trial}-fold{fold + 1}", {"finalist": record.trial, "fold": fold + 1}
    return TrialRequest(name, params, config, until=best.epoch, fold=fold)


def _told(options: FinalsOptions) -> dict[str, int | bool]:
    """What the ledger of the finalists says of them."""
    return {"count": options.count, "folds": options.folds, "race": options.race}


def _earlier(inner: RunFolder, wanted: Sequence[TrialRequest], overwrite: bool) -> dict[str, TrialRecord]:
    """Trials of finalists that were there before; they must be the same ones."""
    if not inner.ledger.exists():
        return {}
    if overwrite:
        inner.ledger.unlink()
        return {}
    trials = read_ledger(inner.ledger).trials
    if unknown := set(trials) - {request.trial for request in wanted}:
        raise RunError(f"{inner.path}: holds other finalists already ({sorted(unknown)[0]}, …); --overwrite drops them")
    return trials


def _done(record: TrialRecord | None) -> bool:
    return record is not None and record.end is not None and record.end.status == "completed"


@dataclass(frozen=True)
class _Finals:
    """The pieces of one session of the finalists.

    data: with frozen states and folds. total: trials in all. searched: the run that the finalists come from.
    """

    loaded: LoadedExperiment
    base: BaseModel
    data: PreparedData
    inner: RunFolder
    total: int
    options: FinalsOptions
    searched: Run

    def run(self, done: dict[str, TrialRecord], left: Sequence[TrialRequest], console: Console) -> None:
        """Train what is left, beside what earlier sessions have done."""
        experiment, options = self.loaded.experiment, self.options
        goal = goal_of(experiment, self.data.task.label_space)
        self.inner.path.mkdir(parents=True, exist_ok=True)
        with Ledger(self.inner.ledger) as ledger, ray_session(options.address, self.data.nbytes):
            ledger.append({**header(experiment, self.data), "finalists": _told(options)})
            slots = layout(experiment.resources, len(left), joined=bool(options.address))
            view = self._view(goal, slots, done)
            live = LiveView(view, console)
            listeners = Listeners(amounts_told(view, self.data), live.changed, live.retried)
            race = FoldsThatDecide(self.searched, self.inner.ledger) if options.race else None
            method = Method(QueueSearcher(left, race), None, goal)
            session = TrainingSession(self.base, goal, base_folder(self.base))
            plan = slot_plan(session, self.data, self.inner, slots, goal, self.loaded.plugins)
            with live:
                recorder = Recorder(RunFiles(ledger, self.inner, done), method, listeners)
                run_trials(plan, slots.slots, len(left), recorder)

    def _view(self, goal: Goal, slots: SlotLayout, done: dict[str, TrialRecord]) -> SearchView:
        experiment = self.loaded.experiment
        return SearchView(
            name=f"finalists of {experiment.name}",
            goal=goal,
            trials=self.total,
            slots=slots.slots,
            epochs=experiment.training.epochs,
            rare=self.data.rarest(),
            records=done,
        )
