"""The winner again on all rows: what the trials left out does not stay out of the model.

Trials are compared on few of the training rows, for that is cheap: on a sample (`data.max_train_rows`), or on so many
that follow one another (`search.rows`). The best one that has not seen all of them is trained again with the
same settings on every training row, and judged by the same validation rows. It stands in the ledger of its run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from rarecall.analysis.criteria.ranking import best_epoch
from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.ledger import Ledger, read_ledger
from rarecall.analysis.runs.ranking.finalists import finalists
from rarecall.analysis.runs.ranking.standings import standings
from rarecall.analysis.runs.run import REFIT, Run, TrialRecord
from rarecall.analysis.settings import MAX_TRAIN_ROWS, ROWS_PER_EPOCH
from rarecall.search.cluster.session import layout, ray_session
from rarecall.search.display.live import LiveView, SearchView
from rarecall.search.engine.folder.damage import leave_damaged_checkpoints
from rarecall.search.engine.folder.run_folder import RunFolder
from rarecall.search.engine.preparation.data import prepare_data
from rarecall.search.engine.preparation.frozen_states import with_frozen_states
from rarecall.search.engine.preparation.goals import goal_of
from rarecall.search.engine.queue import QueueSearcher
from rarecall.search.engine.recorder import Listeners, Method, Recorder, RunFiles
from rarecall.search.engine.searcher import resume_point
from rarecall.search.engine.tuner import amounts_told, base_folder, run_trials, slot_plan
from rarecall.search.experiment.overrides import with_values
from rarecall.search.experiment.schema import Experiment, LoadedExperiment, experiment_from
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.bases import BaseModel, resolve_base
from rarecall.trainables.training.request import TrialRequest
from rarecall.trainables.training.session import TrainingSession


def run_refit(loaded: LoadedExperiment, folder: RunFolder, address: str | None, console: Console) -> Run:
    """Train the best trials of a run again on all training rows, or what is left of that, and read the run again.

    loaded: the experiment of the run. Nothing is done where the best trials saw all rows, or `search.refit` is 0.

    Raises:
        RunError: the data changed since the run.
    """
    run, experiment = read_ledger(folder.ledger), loaded.experiment
    leave_damaged_checkpoints(_refits(run).values(), folder, console)
    if not _few_rows(experiment) or not (left := _left(loaded, run)):
        return run
    whole = experiment_from(with_values(loaded.tree, {MAX_TRAIN_ROWS: None}), loaded.folder, name=experiment.name)
    base = resolve_base(experiment.model.base, loaded.folder)
    data = prepare_data(whole, base, console)
    if experiment.data.max_train_rows is not None and len(data.train) <= experiment.data.max_train_rows:
        return run
    if dict(data.class_counts["validation"]) != dict(run.header["class_counts"]["validation"]):
        raise RunError(f"{folder.path}: the data changed since the run, so no trial can be trained on all of them")
    console.print(f"training {_named(left)} again on all rows", markup=False, highlight=False)
    # The same minority, whichever class is the largest now.
    data = replace(data, task=data.task.with_minority(run.labels.minority))
    data = with_frozen_states(data, whole.experiment, base, console)
    with Ledger(folder.ledger) as ledger, ray_session(address, data.nbytes):
        files = RunFiles(ledger, folder, _refits(run))
        _Refit(whole, base, data, files).run(left, joined=bool(address), console=console)
    return read_ledger(folder.ledger)


# Parameters of a trial that sees all rows in each of its epochs.
ALL_ROWS = {MAX_TRAIN_ROWS: None, ROWS_PER_EPOCH: None}


@dataclass(frozen=True)
class _Refit:
    """The pieces of one session. data: all rows. files: with the refits of earlier sessions."""

    loaded: LoadedExperiment
    base: BaseModel
    data: PreparedData
    files: RunFiles

    def run(self, left: Sequence[TrialRequest], *, joined: bool, console: Console) -> None:
        experiment, data = self.loaded.experiment, self.data
        goal = goal_of(experiment, data.task.label_space)
        slots = layout(experiment.resources, len(left), joined=joined)
        view = SearchView(
            name=f"{experiment.name} on all rows",
            goal=goal,
            trials=len(left),
            slots=slots.slots,
            epochs=experiment.training.epochs,
            rare=data.rarest(),
            records=self.files.records,
        )
        live = LiveView(view, console)
        session = TrainingSession(self.base, goal, base_folder(self.base))
        plan = slot_plan(session, data, self.files.folder, slots, goal, self.loaded.plugins)
        listeners = Listeners(amounts_told(view, data), live.changed, live.retried)
        recorder = Recorder(self.files, Method(QueueSearcher(left), None, goal), listeners)
        with live:
            run_trials(plan, slots.slots, len(left), recorder)


def _few_rows(experiment: Experiment) -> bool:
    """Whether trials may not have seen all rows."""
    limits = (experiment.data.max_train_rows, experiment.search.rows, experiment.training.rows_per_epoch)
    return any(limit is not None for limit in limits)


def _saw_all(run: Run, source: TrialRecord) -> bool:
    """Whether the best epoch of a trial came after all rows of the trials' training split were seen once."""
    rows = run.header.get("train_rows")
    return rows is not None and best_epoch(source.epochs, run.criteria, run.objective).rows_seen >= rows


def _left(loaded: LoadedExperiment, run: Run) -> list[TrialRequest]:
    """A request for each of the best trials that has no refit which ended."""
    refits = _refits(run)
    sampled = loaded.experiment.data.max_train_rows is not None
    best = [one for one in _sources(run)[: loaded.experiment.search.refit] if sampled or not _saw_all(run, one)]
    wanted = [_request(loaded, one, refits) for one in best]
    return [request for request in wanted if not _ended(refits.get(request.trial))]


def _sources(run: Run) -> list[TrialRecord]:
    """Trials that may be trained on all rows, the best first: the best finalist where there are some."""
    ranked = [one.record for one in standings(run) if one.may_win and one.record.searched]
    first = [run.trials[one.trial] for one in finalists(run)[:1]]
    return [*first, *(record for record in ranked if record not in first)]


def _request(loaded: LoadedExperiment, source: TrialRecord, refits: Mapping[str, TrialRecord]) -> TrialRequest:
    name, params = f"{source.trial}-all", {**source.params, **ALL_ROWS}
    earlier = refits.get(name)
    resume = resume_point(earlier) if earlier is not None else None
    return TrialRequest(name, params, loaded.trial_tree(params), f"{REFIT}{source.trial}", resume)


def _refits(run: Run) -> dict[str, TrialRecord]:
    return {name: record for name, record in run.trials.items() if record.refit_of is not None}


def _ended(record: TrialRecord | None) -> bool:
    return record is not None and record.end is not None


def _named(requests: Sequence[TrialRequest]) -> str:
    return ", ".join(request.origin.removeprefix(REFIT) for request in requests)
