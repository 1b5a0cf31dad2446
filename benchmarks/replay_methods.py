"""The searches that `replay.py` compares, each driven through its own classes as its documentation shows.

Every method is told results under the parameters that it suggested. What it does with a result is its own affair.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch
from replay_table import Counts, Table, metrics_of

from rarecall.analysis.criteria.criterion import Criterion
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.criteria.ranking import RankKey, rank_key
from rarecall.analysis.runs.run import EndRow, EpochRow, TrialRecord
from rarecall.analysis.settings import SAMPLING_STRENGTH, SCHEME
from rarecall.search.engine.preparation.known_points import MITIGATION_KEYS, known_points
from rarecall.search.engine.scheduler import EpochHalving
from rarecall.search.engine.searcher import TrialSearcher, TrialSpace
from rarecall.trainables.slot import REPORT, EpochReport
from rarecall.trainables.training.request import TrialRequest, request_of

CONTINUE = TrialScheduler.CONTINUE
# A search of ours ends by its number of trials; here the budget ends it.
NO_END = 10_000
# As many known points are tried first as in a search of this many trials.
KNOWN_FOR = 16
# Remedies that the stored experiment leaves as they are.
FIXED: Mapping[str, Any] = {SCHEME: "power", SAMPLING_STRENGTH: 0.0}
# The controller that Ray hands to its schedulers, which none of these asks.
NOBODY: Any = None


@dataclass
class Trial:
    """A trial in the simulator. number: the stored configuration that stands for `params`."""

    name: str
    params: Mapping[str, Any]
    number: int
    epochs: list[EpochRow] = field(default_factory=list)
    status: str = "running"

    def record(self) -> TrialRecord:
        """What the ledger would hold of it."""
        end: Any = None if self.status == "running" else EndRow(self.name, self.status, "", 0.0)  # type: ignore[arg-type]
        return TrialRecord(self.name, dict(self.params), list(self.epochs), end)


class Method(Protocol):
    """A search."""

    def suggest(self, name: str) -> Mapping[str, Any]:
        """Parameters of a new trial."""

    def goes_on(self, trial: Trial) -> bool:
        """Hear the trial's newest epoch, which is not its last one; whether it shall have another."""

    def ended(self, trial: Trial) -> None:
        """Hear that a trial ended: completed after its last epoch, stopped, or failed."""

    def winner(self, trials: Sequence[Trial]) -> tuple[Trial, EpochRow] | None:
        """What its user would take, as its documentation shows; None before there is anything."""


MakeMethod = Callable[[Table, int], Method]


def by_criteria(trials: Sequence[Trial], table: Table) -> tuple[Trial, EpochRow] | None:
    """The winner in rarecall's order: the best epoch of all, the earlier trial on ties."""
    rows = [(trial, row) for trial in trials for row in trial.epochs]
    return max(rows, key=lambda one: key_of(_counts(one[1]), table), default=None)


@lru_cache(maxsize=200_000)
def key_of(counts: Counts, table: Table) -> RankKey:
    """Rank key of rows with this confusion matrix."""
    return rank_key(metrics_of(counts, table.labels), table.criteria, table.objective)


def _counts(row: EpochRow) -> Counts:
    counts: Any = row.confusion
    return tuple(tuple(cells) for cells in counts)


class Rarecall:
    """Ours. criteria: what the searcher is told. stopping: None trains every trial to its end. known: whether known
    points come first.

    one_class_stop: whether the scheduler sees the confusion matrices that it stops trials of one class by. sampler:
    takes the place of the searcher's own.
    """

    def __init__(
        self,
        table: Table,
        seed: int,
        criteria: Sequence[Criterion] | None = None,
        stopping: EpochHalving | None = None,
        one_class_stop: bool = True,
        sampler: optuna.samplers.BaseSampler | None = None,
        known: bool = True,
    ) -> None:
        space, own = dict(table.space), {**dict.fromkeys(MITIGATION_KEYS), **FIXED, **table.settings}
        self._table, self._scheduler, self._one_class_stop = table, stopping, one_class_stop
        self._searcher = TrialSearcher(
            TrialSpace(space, dict, table.settings, known_points(space, own, KNOWN_FOR) if known else ()),
            Goal(table.criteria if criteria is None else tuple(criteria), table.objective),
            trials=NO_END,
            seed=seed,
        )
        if sampler is not None:
            self._searcher.study.sampler = sampler

    def suggest(self, name: str) -> Mapping[str, Any]:
        request = request_of(self._searcher.suggest(name))
        if self._scheduler is not None:
            self._scheduler.on_trial_add(NOBODY, _ray_trial(name))
        return dict(request.params)

    def goes_on(self, trial: Trial) -> bool:
        if self._scheduler is None:
            return True
        return self._scheduler.on_trial_result(NOBODY, _ray_trial(trial.name), self._result(trial)) == CONTINUE

    def ended(self, trial: Trial) -> None:
        if self._scheduler is not None and trial.status == "completed":
            self._scheduler.on_trial_complete(NOBODY, _ray_trial(trial.name), self._result(trial))
        elif self._scheduler is not None:
            self._scheduler.on_trial_remove(NOBODY, _ray_trial(trial.name))
        self._searcher.finish(trial.name, trial.record())

    def winner(self, trials: Sequence[Trial]) -> tuple[Trial, EpochRow] | None:
        return by_criteria(trials, self._table)

    def _result(self, trial: Trial) -> dict[str, Any]:
        # All that the scheduler is to see of an epoch is its confusion matrix.
        row = replace(trial.epochs[-1], trial=trial.name, metrics={})
        seen = {REPORT: EpochReport(row)} if self._one_class_stop else {}
        return {"epoch": row.epoch, "score": row.score, **seen}


def _ray_trial(name: str) -> Any:
    """All that schedulers look at."""
    return SimpleNamespace(trial_id=name, config=TrialRequest(name, {}, {}).tune_config())


class RayTune:
    """OptunaSearch with ASHA, as the guide to Tune's search algorithms joins them, all else at its default.

    metric: a key of the metrics, or "score". The winner is `ResultGrid.get_best_result(metric, mode)`: by the last
    report of each trial.
    """

    def __init__(self, table: Table, seed: int, metric: str) -> None:
        logging.getLogger("ray").setLevel(logging.ERROR)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._metric = metric
        self._searcher: Searcher = OptunaSearch(space=dict(table.space), metric=metric, mode="max", seed=seed)
        self._scheduler = ASHAScheduler(time_attr="training_iteration", metric=metric, mode="max", max_t=table.epochs)

    def suggest(self, name: str) -> Mapping[str, Any]:
        params: Any = self._searcher.suggest(name)
        self._scheduler.on_trial_add(NOBODY, _ray_trial(name))
        return dict(params)

    def goes_on(self, trial: Trial) -> bool:
        result = self._result(trial)
        self._searcher.on_trial_result(trial.name, result)
        return bool(self._scheduler.on_trial_result(NOBODY, _ray_trial(trial.name), result) == CONTINUE)

    def ended(self, trial: Trial) -> None:
        result: Any = self._result(trial) if trial.epochs else None
        if trial.status == "completed":
            self._scheduler.on_trial_complete(NOBODY, _ray_trial(trial.name), result)
        self._searcher.on_trial_complete(trial.name, result, error=trial.status == "failed")

    def winner(self, trials: Sequence[Trial]) -> tuple[Trial, EpochRow] | None:
        return _best_last_report(trials, self._metric)

    def _result(self, trial: Trial) -> dict[str, Any]:
        row = trial.epochs[-1]
        return {"training_iteration": row.epoch, self._metric: value_of(row, self._metric)}


class OptunaAlone:
    """A study with a sampler and a pruner; the winner is `study.best_trial`, by its last value among completed ones."""

    def __init__(
        self, table: Table, sampler: optuna.samplers.BaseSampler, pruner: optuna.pruners.BasePruner, metric: str
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space, self._metric = dict(table.space), metric
        self._study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
        self._asked: dict[str, optuna.Trial] = {}

    def suggest(self, name: str) -> Mapping[str, Any]:
        self._asked[name] = self._study.ask(self._space)
        return self._asked[name].params

    def goes_on(self, trial: Trial) -> bool:
        row = trial.epochs[-1]
        self._asked[trial.name].report(value_of(row, self._metric), row.epoch)
        return not self._asked[trial.name].should_prune()

    def ended(self, trial: Trial) -> None:
        states = {"completed": optuna.trial.TrialState.COMPLETE, "stopped": optuna.trial.TrialState.PRUNED}
        state = states.get(trial.status, optuna.trial.TrialState.FAIL)
        completed = trial.status == "completed"
        value = value_of(trial.epochs[-1], self._metric) if completed else None
        self._study.tell(self._asked[trial.name], value, state=state)

    def winner(self, trials: Sequence[Trial]) -> tuple[Trial, EpochRow] | None:
        completed = [trial for trial in trials if trial.status == "completed"]
        return _best_last_report(completed or trials, self._metric)


class SyneTune:
    """Syne Tune's ASHA or ASHABORE, `make` being the class. The winner is its `best_config`: by the best value seen."""

    def __init__(self, table: Table, seed: int, metric: str, make: Callable[..., Any]) -> None:
        logging.getLogger("syne_tune").setLevel(logging.ERROR)
        # Its brackets are drawn from numpy's global state.
        np.random.seed(seed)
        self._metric = metric
        space = {key: _syne_domain(distribution) for key, distribution in table.space.items()}
        options: dict[str, Any] = {"time_attr": "epoch", "max_t": table.epochs}
        self._scheduler = make(space, metric=metric, do_minimize=False, random_seed=seed, **options)
        self._trials: dict[str, Any] = {}

    def suggest(self, name: str) -> Mapping[str, Any]:
        from syne_tune.backend.trial_status import Trial as SyneTrial  # type: ignore[import-not-found]

        config = self._scheduler.suggest().config
        self._trials[name] = SyneTrial(len(self._trials), config, datetime.now(UTC))
        self._scheduler.on_trial_add(self._trials[name])
        return dict(config)

    def goes_on(self, trial: Trial) -> bool:
        return bool(self._scheduler.on_trial_result(self._trials[trial.name], self._result(trial)) == "CONTINUE")

    def ended(self, trial: Trial) -> None:
        if trial.status == "completed":
            self._scheduler.on_trial_complete(self._trials[trial.name], self._result(trial))
        elif trial.status == "failed":
            self._scheduler.on_trial_error(self._trials[trial.name])

    def winner(self, trials: Sequence[Trial]) -> tuple[Trial, EpochRow] | None:
        rows = [(trial, row) for trial in trials for row in trial.epochs]
        return max(rows, key=lambda one: value_of(one[1], self._metric), default=None)

    def _result(self, trial: Trial) -> dict[str, Any]:
        row = trial.epochs[-1]
        return {"epoch": row.epoch, self._metric: value_of(row, self._metric)}


def value_of(row: EpochRow, metric: str) -> float:
    """A metric of an epoch, or its score."""
    return row.score if metric == "score" else row.metrics[metric]


def _best_last_report(trials: Sequence[Trial], metric: str) -> tuple[Trial, EpochRow] | None:
    reported = [(trial, trial.epochs[-1]) for trial in trials if trial.epochs]
    return max(reported, key=lambda one: value_of(one[1], metric), default=None)


def _syne_domain(distribution: BaseDistribution) -> Any:
    from syne_tune.config_space import choice, loguniform, uniform  # type: ignore[import-not-found]

    if isinstance(distribution, CategoricalDistribution):
        return choice(list(distribution.choices))
    assert isinstance(distribution, FloatDistribution)
    return (loguniform if distribution.log else uniform)(distribution.low, distribution.high)


def _halving(table: Table, grace_epochs: int = 1, reduction: float = 3.0) -> EpochHalving:
    return EpochHalving(table.epochs, grace_epochs, reduction)


def _never(table: Table) -> EpochHalving:
    """No comparison before the last epoch, which leaves the stop of trials that name one class only."""
    return EpochHalving(table.epochs, table.epochs, 3.0)


def _ours(table: Table, seed: int) -> Method:
    return Rarecall(table, seed, stopping=_halving(table))


def _random_sampler(table: Table, seed: int) -> Method:
    return Rarecall(table, seed, stopping=_halving(table), sampler=optuna.samplers.RandomSampler(seed))


def _random_search(table: Table, seed: int) -> Method:
    sampler = optuna.samplers.RandomSampler(seed)
    return OptunaAlone(table, sampler, optuna.pruners.NopPruner(), table.objective)


def _optuna_median(table: Table, seed: int) -> Method:
    return OptunaAlone(table, optuna.samplers.TPESampler(seed=seed), optuna.pruners.MedianPruner(), table.objective)


def _optuna_hyperband(table: Table, seed: int) -> Method:
    pruner = optuna.pruners.HyperbandPruner(max_resource=table.epochs)
    return OptunaAlone(table, optuna.samplers.TPESampler(seed=seed), pruner, table.objective)


def _syne(name: str) -> MakeMethod:
    def make(table: Table, seed: int) -> Method:
        from syne_tune.optimizer import baselines  # type: ignore[import-not-found]

        return SyneTune(table, seed, table.objective, getattr(baselines, name))

    return make


STOCK = "Ray OptunaSearch + ASHA"
OURS = "rarecall"
METHODS: Mapping[str, MakeMethod] = {
    OURS: _ours,
    STOCK: lambda table, seed: RayTune(table, seed, table.objective),
    "Ray, the score for a metric": lambda table, seed: RayTune(table, seed, "score"),
    "Optuna TPE + median": _optuna_median,
    "Optuna TPE + hyperband": _optuna_hyperband,
    "random search": _random_search,
}
ABLATIONS: Mapping[str, MakeMethod] = {
    "rarecall without constraints": lambda table, seed: Rarecall(table, seed, (), _halving(table)),
    "rarecall without ASHA": lambda table, seed: Rarecall(table, seed, stopping=_never(table)),
    "rarecall without the one-class stop": lambda table, seed: Rarecall(
        table, seed, stopping=_halving(table), one_class_stop=False
    ),
    "rarecall without any stop": Rarecall,
    "rarecall with random suggestions": _random_sampler,
    "rarecall without known points": lambda table, seed: Rarecall(table, seed, stopping=_halving(table), known=False),
    "rarecall, ASHA keeps a half": lambda table, seed: Rarecall(table, seed, stopping=_halving(table, 1, 2.0)),
    "rarecall, ASHA from epoch 2": lambda table, seed: Rarecall(table, seed, stopping=_halving(table, 2, 3.0)),
}
# Where `syne_tune` can be imported.
SYNE_TUNE: Mapping[str, MakeMethod] = {"Syne Tune ASHA": _syne("ASHA"), "Syne Tune ASHA-BORE": _syne("ASHABORE")}
