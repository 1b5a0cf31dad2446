"""Where the trials of a run stand: each with its best epoch and what the criteria say about it, the best first."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.criteria.criterion import SECONDS, Criterion, Verdict
from rarecall.analysis.criteria.judging import Judged, MetricsTable, judge_all
from rarecall.analysis.criteria.ranking import DEFAULT_OBJECTIVE, judge, objective_key, objective_value
from rarecall.analysis.runs.baseline import BaselineRow
from rarecall.analysis.runs.baselines import baselines_of
from rarecall.analysis.runs.evidence import Evidence
from rarecall.analysis.runs.ranking.epoch_order import best_first
from rarecall.analysis.runs.ranking.expectations import Expectations, expectations
from rarecall.analysis.runs.ranking.pareto_front import pareto
from rarecall.analysis.runs.run import EndRow, EpochRow, Run, TrialRecord

RankBy = Literal["criteria", "objective", "probability", "lower_bound", "expected"]
RANK_BY: tuple[RankBy, ...] = get_args(RankBy)
# Reading stored predictions and resampling them takes a while: only that many trials are ordered by what they tell.
ASSESSED = 200


@dataclass(frozen=True)
class Standing:
    """A trial and how it counts: `best` is None and `verdicts` is empty for a trial without an epoch.

    ranked_by: the figure that a rank by probability or lower bound went by, NaN where there is none. live: whether the
    search is still running.
    """

    record: TrialRecord
    best: EpochRow | None
    criteria: tuple[Criterion, ...] = field(repr=False)
    ranked_by: float = math.nan
    live: bool = False

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """One per criterion, as measured."""
        return judge(self.best.metrics, self.criteria) if self.best else ()

    @property
    def status(self) -> str:
        """How the trial ended; "interrupted" when the ledger holds no end of it, and nobody writes one any more."""
        return "interrupted" if self.record.status == "running" and not self.live else self.record.status

    @property
    def met(self) -> int:
        """How many criteria the best epoch meets."""
        return sum(verdict.status == "met" for verdict in self.verdicts)

    @property
    def violation(self) -> float:
        """Sum of the violations of all criteria, 0 when none is missed."""
        return sum(verdict.violation for verdict in self.verdicts)

    @property
    def closest_miss(self) -> Verdict | None:
        """Of the criteria that are missed the one that the least is lacking for."""
        missed = [verdict for verdict in self.verdicts if verdict.status == "missed"]
        return min(missed, key=lambda verdict: verdict.violation, default=None)

    @property
    def seconds(self) -> float:
        """Time spent on all epochs of the trial."""
        return self.record.seconds

    @property
    def gpu_hours(self) -> float:
        """Hours of GPUs that its epochs held, fractions of a card counted as such; 0 on CPUs."""
        return sum(epoch.seconds * epoch.gpus for epoch in self.record.epochs if math.isfinite(epoch.seconds)) / 3600

    @property
    def exportable(self) -> bool:
        """Whether there is something to export: the trial did not fail, and its best epoch left a checkpoint."""
        return self.record.status != "failed" and self.best is not None and bool(self.best.checkpoint)

    @property
    def found_rare(self) -> bool:
        """Whether the best epoch found any row of a minority class; true where it had none to find."""
        return self.best is None or self.best.metrics.get(DEFAULT_OBJECTIVE, math.nan) != 0

    @property
    def may_win(self) -> bool:
        """Whether the trial may be called the winner."""
        return self.exportable and self.found_rare


def standings(run: Run, rank_by: RankBy = "criteria") -> list[Standing]:
    """All trials, the best first: criteria met, lower total violation, objective, macro F1, then the earlier trial.

    rank_by puts another figure before these: the objective as measured, the probability that the true values meet all
    criteria, the lower end of the objective's interval, or the objective that fresh rows should give; the latter three
    for the `ASSESSED` first trials that have stored predictions. The epoch that a trial counts with is chosen in the
    order of the criteria always. Trials without an epoch come last, failed ones at the very end.
    """
    ranked = _by_criteria(list(run.trials.values()), run)
    if rank_by == "objective":
        return sorted(ranked, key=lambda one: -_objective(one, run))
    if rank_by != "criteria":
        ranked[:ASSESSED] = _by_figure(ranked[:ASSESSED], _figure(run, rank_by))
    return ranked


def _figure(run: Run, rank_by: RankBy) -> Callable[[EpochRow], float]:
    evidence = Evidence(run)
    if rank_by == "expected":
        found = expectations(run, ASSESSED)
        return lambda row: _expected_objective(row, run, found)
    return evidence.joint if rank_by == "probability" else evidence.lower_bound


def _expected_objective(row: EpochRow, run: Run, found: Expectations) -> float:
    """Bigger is better; NaN where nothing is known."""
    figure = found.of(row.trial).get(objective_key(row.metrics, run.objective))
    return math.nan if figure is None else objective_value({run.objective: figure.value}, run.objective)


def pareto_set(ranked: Sequence[Standing], run: Run) -> BoolArray:
    """Which trials no other one beats in both objectives of the search.

    Of a search with one objective, in both minority recall and cost: MAE where there are scores, else violation.
    """
    if run.second_objective is not None:
        return pareto(_objectives(ranked, run.objective), -_objectives(ranked, run.second_objective))
    cost = -_objectives(ranked, "mae") if _has_scores(ranked) else judged(ranked, run).violations.sum(axis=1)
    return pareto(_objectives(ranked, DEFAULT_OBJECTIVE), cost)


def judged(ranked: Sequence[Standing], run: Run) -> Judged:
    """What the criteria say about the best epoch of each trial, all at once."""
    return judge_all([standing.best.metrics if standing.best else {} for standing in ranked], run.criteria)


def bargain(ranked: Sequence[Standing], run: Run | None) -> tuple[str, str]:
    """The two sides of the Pareto set, in words; of predictions without a run those of one objective."""
    if run is not None and run.second_objective is not None:
        return objective_text(run.objective), objective_text(run.second_objective)
    return objective_text(DEFAULT_OBJECTIVE), "MAE" if _has_scores(ranked) else "violation"


def objective_text(objective: str) -> str:
    """An objective in words: the default one without its underscore, others as the experiment has them."""
    return objective.replace("_", " ") if objective == DEFAULT_OBJECTIVE else objective


def standing_at(record: TrialRecord, epoch: int | None, run: Run, ranked_by: float = math.nan) -> Standing:
    """How a trial stands with that epoch, or without any."""
    best = next((row for row in record.epochs if row.epoch == epoch), None)
    return Standing(record, best, run.criteria, ranked_by, run.live)


def baseline_standings(run: Run) -> list[Standing]:
    """The baselines of a run in the same order, each as a trial of one epoch."""
    return _by_criteria([as_trial(row, dict(row.settings)) for row in baselines_of(run).values()], run)


def as_trial(row: BaselineRow, params: dict[str, Any]) -> TrialRecord:
    """A baseline as a trial of one epoch with such parameters."""
    epoch = EpochRow(
        trial=row.baseline,
        epoch=1,
        metrics=row.metrics,
        confusion=row.confusion,
        train_loss=math.nan,
        seconds=row.seconds,
        peak_memory_mb=0.0,
        checkpoint=row.checkpoint,
        predictions=row.predictions,
        score=math.nan,
        time=row.time,
        rule=row.rule,
    )
    end = EndRow(row.baseline, "completed", row.title, row.time)
    return TrialRecord(row.baseline, params, [epoch], end, origin="baseline")


def _by_criteria(records: Sequence[TrialRecord], run: Run) -> list[Standing]:
    rows = [row for record in records for row in record.epochs]
    owner = np.repeat(np.arange(len(records)), [len(record.epochs) for record in records])
    order = best_first(rows, run)
    # The first of a trial's rows in the order of all rows is its best epoch.
    _, first = np.unique(owner[order], return_index=True)
    best = [
        Standing(records[owner[index]], rows[index], run.criteria, live=run.live) for index in order[np.sort(first)]
    ]
    rest = [Standing(record, None, run.criteria, live=run.live) for record in records if not record.epochs]
    return [*best, *sorted(rest, key=lambda one: one.record.status == "failed")]


def _has_scores(ranked: Sequence[Standing]) -> bool:
    return any("mae" in standing.best.metrics for standing in ranked if standing.best)


def _objectives(ranked: Sequence[Standing], objective: str) -> FloatArray:
    """An objective, or minus the seconds, of each trial's best epoch [n]: bigger is better, NaN where it is unknown."""
    best = [standing.best.metrics if standing.best else {} for standing in ranked]
    if objective == SECONDS:
        return np.array([-one.seconds if one.best else math.nan for one in ranked])
    return MetricsTable(best).objectives(objective)


def _objective(standing: Standing, run: Run) -> float:
    value = objective_value(standing.best.metrics, run.objective) if standing.best else math.nan
    return value if math.isfinite(value) else -math.inf


def _by_figure(ranked: Sequence[Standing], figure: Callable[[EpochRow], float]) -> list[Standing]:
    told = [replace(one, ranked_by=figure(one.best) if one.best else math.nan) for one in ranked]
    return sorted(told, key=lambda one: math.inf if math.isnan(one.ranked_by) else -one.ranked_by)
