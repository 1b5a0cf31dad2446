"""Optuna's TPE as Ray Tune sees it, with what Ray's own wrapper leaves out.

Criteria reach the sampler as constraints, trials that were stopped early as pruned with their intermediate values,
failed ones as failed. The study is rebuilt from the ledger when a search goes on, so no snapshot can disagree with it.
"""

import abc
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from ray.tune.search import Searcher

from rarecall.analysis.criteria.criterion import SECONDS
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.criteria.ranking import best_epoch, score
from rarecall.analysis.runs.run import EpochRow, TrialRecord
from rarecall.analysis.uncertainty.margins import constraints
from rarecall.search.engine.interrupts import interrupts_deferred
from rarecall.search.engine.preparation.known_points import KnownPoint
from rarecall.search.experiment.optuna_compat import contains
from rarecall.search.experiment.space import Condition
from rarecall.trainables.training.request import ResumePoint, TrialRequest

STUDY_NAME = "rarecall"
# Where a trial's parameters come from: `own`, `known: …` or `sampler`.
ORIGIN = "origin"

MakeConfig = Callable[[Mapping[str, Any]], dict[str, Any]]


class TrialSource(Searcher):
    """A searcher of Ray Tune that gives `TrialRequest`s and hears how its trials ended."""

    @abc.abstractmethod
    def finish(self, trial_id: str, record: TrialRecord) -> None:
        """A trial has ended, and so says its record."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the ledger holds what a search is resumed from."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore, see `save`."""


@dataclass(frozen=True)
class TrialSpace:
    """What a trial may be.

    distributions: by dotted key. make_config: a trial's parameters to the configuration its slot gets. first:
    parameters of the first trial of a new search; origin: of these. known: tried next, those that no session has tried.
    conditions: by key, when a parameter exists.
    """

    distributions: Mapping[str, BaseDistribution]
    make_config: MakeConfig
    first: Mapping[str, Any] = field(default_factory=dict)
    origin: str = "own"
    known: Sequence[KnownPoint] = ()
    conditions: Mapping[str, Condition] = field(default_factory=dict)


class TrialSearcher(TrialSource):
    """Suggests trials to Ray Tune.

    trials: how many in all, those of earlier sessions included. earlier: trials of earlier sessions, from the ledger;
    the unfinished ones are resumed before anything new starts. journal: file that `optuna-dashboard` can open while the
    search runs; made anew from the ledger by each session.
    """

    @interrupts_deferred()
    def __init__(
        self,
        space: TrialSpace,
        goal: Goal,
        trials: int,
        seed: int,
        earlier: Sequence[TrialRecord] = (),
        journal: Path | None = None,
    ) -> None:
        super().__init__(metric="score", mode="max")
        self._distributions, self._make_config, self._goal = space.distributions, space.make_config, goal
        self._trials, self._asked = trials, len(earlier)
        self._conditions = dict(space.conditions)
        # The seed moves with the trials already there, so that a resumed search does not repeat its suggestions.
        sampler = _sampler(seed + len(earlier), conditional=bool(self._conditions))
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = None if journal is None else _journal_storage(journal)
        self._study = optuna.create_study(
            directions=["maximize"] * (1 if goal.second is None else 2),
            sampler=sampler,
            storage=storage,
            study_name=STUDY_NAME if journal else None,
        )
        self._unfinished: deque[TrialRecord] = deque(record for record in earlier if record.end is None)
        self._running: dict[str, optuna.Trial] = {}
        self._add_finished([record for record in earlier if record.end is not None])
        if not earlier:
            self._enqueue(_possible(space), space.origin)
        self._known = deque(point for point in space.known if not any(point.gave(record.params) for record in earlier))

    @property
    def study(self) -> optuna.Study:
        return self._study

    @interrupts_deferred()
    def suggest(self, trial_id: str) -> Any:
        """A configuration, or `Searcher.FINISHED` when all trials were asked for."""
        if self._unfinished:
            return self._resumed(trial_id, self._unfinished.popleft())
        if self._asked >= self._trials:
            return Searcher.FINISHED
        self._asked += 1
        if self._known and not self._waiting():
            point = self._known.popleft()
            self._enqueue(point.params, f"known: {point.name}")
        trial = self._ask()
        name, origin = f"t{self._asked:04d}", trial.user_attrs.get(ORIGIN, "sampler")
        self._running[trial_id] = trial
        return TrialRequest(name, trial.params, self._make_config(trial.params), origin).tune_config()

    def _waiting(self) -> bool:
        return bool(self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def _enqueue(self, params: Mapping[str, Any], origin: str) -> None:
        self._study.enqueue_trial(dict(params), user_attrs={ORIGIN: origin})

    def _ask(self) -> optuna.Trial:
        """A trial with those parameters whose conditions hold; conditions are on parameters that have none."""
        always = {key: one for key, one in self._distributions.items() if key not in self._conditions}
        trial = self._study.ask(always)
        for key, condition in self._conditions.items():
            if all(trial.params.get(parent) in values for parent, values in condition.items()):
                _suggest(trial, key, self._distributions[key])
        return trial

    def _resumed(self, trial_id: str, record: TrialRecord) -> dict[str, TrialRequest]:
        self._study.enqueue_trial(dict(record.params))
        trial = self._ask()
        self._running[trial_id] = trial
        config, resume = self._make_config(record.params), resume_point(record)
        return TrialRequest(record.trial, dict(record.params), config, record.origin, resume).tune_config()

    @interrupts_deferred()
    def finish(self, trial_id: str, record: TrialRecord) -> None:
        """Tell the study how a trial ended, from its ledger record."""
        trial = self._running.pop(trial_id, None)
        if trial is None:
            return  # Tune had given it up before, and told `on_trial_complete` first
        for epoch, value in self._intermediate(record).items():
            trial.report(value, epoch)
        best, state = self._outcome(record)
        if best is not None:
            for criterion, violation in self._violations(best):
                trial.set_constraint(criterion, violation)
        self._study.tell(trial, self._values(record, best, state), state=state)

    @interrupts_deferred()
    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tune's own word that a trial ended; `finish` has told the study more by then."""
        if trial_id in self._running:
            trial = self._running.pop(trial_id)
            self._study.tell(trial, state=TrialState.FAIL)

    def _add_finished(self, records: Sequence[TrialRecord]) -> None:
        for record in records:
            known = {key: dist for key, dist in self._distributions.items() if contains(dist, record.params.get(key))}
            self._study.add_trial(self._frozen(record, known))

    def _frozen(self, record: TrialRecord, distributions: dict[str, BaseDistribution]) -> FrozenTrial:
        best, state = self._outcome(record)
        frozen = optuna.trial.create_trial(
            state=state,
            params={key: record.params[key] for key in distributions},
            distributions=distributions,
            values=self._values(record, best, state),
            intermediate_values=self._intermediate(record),
        )
        for criterion, violation in self._violations(best) if best else ():
            frozen.set_constraint(criterion, violation)
        return frozen

    def _outcome(self, record: TrialRecord) -> tuple[EpochRow | None, TrialState]:
        status = record.end.status if record.end else "failed"
        if not record.epochs or status == "failed":
            return None, TrialState.FAIL
        state = TrialState.COMPLETE if status == "completed" else TrialState.PRUNED
        return best_epoch(record.epochs, self._goal.criteria, self._goal.objective), state

    def _values(self, record: TrialRecord, best: EpochRow | None, state: TrialState) -> list[float] | None:
        """The objectives of a complete trial, bigger is better; an undefined one as the worst there is.

        None for one that was stopped: with fewer epochs it would be cheap, and on the Pareto front for that alone.
        """
        if best is None or state != TrialState.COMPLETE:
            return None
        objectives = [one for one in (self._goal.objective, self._goal.second) if one is not None]
        return [-record.seconds if one == SECONDS else score(best.metrics, (), one) for one in objectives]

    def _intermediate(self, record: TrialRecord) -> dict[int, float]:
        """Scores by epoch; none with two objectives, for which Optuna knows no order of pruned trials by them."""
        return {} if self._goal.second is not None else {row.epoch: row.score for row in record.epochs}

    def _violations(self, row: EpochRow) -> list[tuple[str, float]]:
        """Each criterion's shortfall in margins of chance (`analysis.uncertainty.margins`), which Optuna wants ≤ 0."""
        criteria = self._goal.criteria
        return list(zip((criterion.text for criterion in criteria), constraints(criteria, row), strict=True))


def _possible(space: TrialSpace) -> dict[str, Any]:
    """The parameters of the first trial, as far as the space can hold them."""
    return {key: space.first[key] for key, one in space.distributions.items() if contains(one, space.first[key])}


def resume_point(record: TrialRecord) -> ResumePoint | None:
    """After the last epoch of an unfinished trial; None where it left no checkpoint."""
    if not record.epochs or not record.epochs[-1].checkpoint:
        return None
    last, best = record.epochs[-1], max(record.epochs, key=lambda row: row.score)
    return ResumePoint(last.epoch, str(last.checkpoint), best.score, best.epoch)


def _sampler(seed: int, conditional: bool) -> optuna.samplers.TPESampler:
    """TPE; with conditions it models the parameters in groups that come together, which Optuna calls experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True, group=conditional)


def _suggest(trial: optuna.Trial, key: str, distribution: BaseDistribution) -> None:
    if isinstance(distribution, CategoricalDistribution):
        trial.suggest_categorical(key, distribution.choices)
    elif isinstance(distribution, IntDistribution):
        trial.suggest_int(key, distribution.low, distribution.high, log=distribution.log)
    elif isinstance(distribution, FloatDistribution):
        trial.suggest_float(key, distribution.low, distribution.high, log=distribution.log)


def _journal_storage(path: Path) -> JournalStorage:
    path.unlink(missing_ok=True)
    return JournalStorage(JournalFileBackend(str(path)))
