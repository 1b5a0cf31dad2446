"""What finalists were worth on other folds and seeds: pooled predictions, and which of them is the winner."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.criteria.ranking import judge, objective_key, objective_value
from rarecall.analysis.errors import RunError
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.parquet_file import read_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import LEDGER_NAME, read_ledger
from rarecall.analysis.runs.ranking.racing import Left, Race, raced
from rarecall.analysis.runs.run import Run, TrialRecord
from rarecall.analysis.uncertainty.bootstrap import percentile, posterior
from rarecall.analysis.uncertainty.intervals import LEVEL, Interval

FINALISTS_FOLDER = "finalists"


@dataclass(frozen=True)
class Finalist:
    """One configuration on its folds together: all of them, or those until a race was decided.

    trial: its name in the search. folds: how many were pooled. rows: validation rows of all of them. metrics: of the
    pooled predictions. met: how many criteria these meet. objective: interval of the objective's true value. left: when
    it left the race, None where it did not. planned: folds in all.
    """

    trial: str
    folds: int
    predictions: Predictions
    metrics: dict[str, float]
    met: int
    objective: Interval
    left: Left | None = None
    planned: int = 0

    @property
    def rows(self) -> int:
        return len(self.predictions)

    def value(self, run: Run) -> float:
        """The objective on its folds together, as measured."""
        return self.metrics.get(run.objective, math.nan)


def finalists(run: Run) -> tuple[Finalist, ...]:
    """The finalists of a run that were trained on every fold, or in a race that is decided, the winner first.

    Empty where there are none. Those that left a race come last; of the others, those that meet more criteria come
    first; among these the one whose objective is surely highest, by the lower bound of its interval (the upper one
    where lower is better).

    Raises:
        RunError: stored predictions cannot be read.
    """
    if not (run.folder / FINALISTS_FOLDER / LEDGER_NAME).is_file():
        return ()
    inner = read_ledger(run.folder / FINALISTS_FOLDER)
    by_trial = _folds(inner)
    race = _race(run, inner, by_trial)
    if race is None:
        planned = int((inner.header.get("finalists") or {}).get("folds", 0))
        complete = {trial: parts for trial, parts in by_trial.items() if len(parts) >= planned}
    else:
        # One of which a fold failed is in neither, and cannot win by the folds that it has.
        raced_to_an_end = (*race.racing, *race.left) if race.decided else ()
        planned, complete = race.folds, {trial: by_trial[trial] for trial in raced_to_an_end}
    left = race.left if race else {}
    found = [_finalist(run, trial, parts, left.get(trial), planned) for trial, parts in complete.items()]
    return tuple(sorted(found, key=lambda one: (one.left is None, *_order(one, run)), reverse=True))


def race_of(run: Run, inner: Run) -> Race | None:
    """How far the race of the finalists in the run `inner` is; None where all of them get every fold.

    One of which a fold failed does not race.
    """
    return _race(run, inner, _folds(inner))


def _race(run: Run, inner: Run, by_trial: Mapping[str, Mapping[int, Predictions]]) -> Race | None:
    told = inner.header.get("finalists") or {}
    if not told.get("race"):
        return None
    failed = {_name(record) for record in inner.trials.values() if record.end and record.end.status == "failed"}
    racing = {trial: parts for trial, parts in by_trial.items() if trial not in failed}
    goal = Goal(run.criteria, run.objective)
    return raced(racing, int(told["folds"]), run.labels, goal, lambda pooled: _best(pooled, run))


def _name(record: TrialRecord) -> str:
    return str(record.params.get("finalist"))


def _folds(inner: Run) -> dict[str, dict[int, Predictions]]:
    """The predictions of each finalist by fold, of those that are trained to the end."""
    by_trial: dict[str, dict[int, Predictions]] = {_name(record): {} for record in inner.trials.values()}
    for record in inner.trials.values():
        if record.end is None or record.end.status != "completed" or not record.epochs:
            continue
        last = record.epochs[-1]
        if last.predictions is None:
            raise RunError(f"{inner.folder}: {record.trial} left no predictions; run its finalists again")
        fold = int(str(record.params["fold"]))
        by_trial[_name(record)][fold] = read_predictions(inner.resolve(last.predictions), inner.labels)
    return by_trial


def _best(pooled: Mapping[str, Predictions], run: Run) -> str:
    """The finalist that would win by these predictions."""
    made = [_judged(run, trial, predictions, 0) for trial, predictions in pooled.items()]
    return max(made, key=lambda one: _order(one, run)).trial


def _finalist(run: Run, trial: str, parts: Mapping[int, Predictions], left: Left | None, planned: int) -> Finalist:
    judged = _judged(run, trial, Predictions.joined([parts[fold] for fold in sorted(parts)]), len(parts))
    return replace(judged, left=left, planned=planned)


def _judged(run: Run, trial: str, pooled: Predictions, folds: int) -> Finalist:
    metrics = evaluate(pooled, run.labels)
    met = sum(verdict.status == "met" for verdict in judge(metrics, run.criteria))
    name, *_ = split_key(run.objective)
    drawn = posterior(pooled, run.labels, {name})
    interval = percentile(drawn[objective_key(drawn, run.objective)], LEVEL)  # type: ignore[arg-type]  # keys alone count
    return Finalist(trial, folds, pooled, metrics, met, interval)


def _order(finalist: Finalist, run: Run) -> tuple[float, float]:
    """Criteria met, and the bound of the objective that is surely reached, bigger is better."""
    worst = objective_value({run.objective: 1.0}, run.objective) < 0
    bound = -finalist.objective.high if worst else finalist.objective.low
    return finalist.met, bound if math.isfinite(bound) else -math.inf
