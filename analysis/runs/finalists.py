"""What finalists were worth on other folds and seeds: pooled predictions, and which of them is the winner."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.criteria.ranking import judge, objective_key, objective_value
from rarecall.analysis.errors import RunError
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.parquet_file import read_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import LEDGER_NAME, read_ledger
from rarecall.analysis.runs.run import Run, TrialRecord
from rarecall.analysis.uncertainty.bootstrap import percentile, posterior
from rarecall.analysis.uncertainty.intervals import LEVEL, Interval

FINALISTS_FOLDER = "finalists"


@dataclass(frozen=True)
class Finalist:
    """One configuration on all folds together.

    trial: its name in the search. folds: how many were pooled. rows: validation rows of all of them. metrics: of the
    pooled predictions. met: how many criteria these meet. objective: interval of the objective's true value.
    """

    trial: str
    folds: int
    predictions: Predictions
    metrics: dict[str, float]
    met: int
    objective: Interval

    @property
    def rows(self) -> int:
        return len(self.predictions)

    def value(self, run: Run) -> float:
        """The objective on all folds together, as measured."""
        return self.metrics.get(run.objective, math.nan)


def finalists(run: Run) -> tuple[Finalist, ...]:
    """The finalists of a run that were trained on every fold, the winner first; empty where there are none.

    Those that meet more criteria come first; among these the one whose objective is surely highest, by the lower bound
    of its interval (the upper one where lower is better).

    Raises:
        RunError: stored predictions cannot be read.
    """
    if not (run.folder / FINALISTS_FOLDER / LEDGER_NAME).is_file():
        return ()
    inner = read_ledger(run.folder / FINALISTS_FOLDER)
    folds = int((inner.header.get("finalists") or {}).get("folds", 0))
    by_trial: dict[str, list[TrialRecord]] = {}
    for record in inner.trials.values():
        if record.end is not None and record.end.status == "completed" and record.epochs:
            by_trial.setdefault(str(record.params.get("finalist")), []).append(record)
    complete = [_finalist(run, inner, trial, records) for trial, records in by_trial.items() if len(records) >= folds]
    return tuple(sorted(complete, key=lambda one: _order(one, run), reverse=True))


def _finalist(run: Run, inner: Run, trial: str, records: Sequence[TrialRecord]) -> Finalist:
    parts = []
    for record in records:
        last = record.epochs[-1]
        if last.predictions is None:
            raise RunError(f"{inner.folder}: {record.trial} left no predictions; run its finalists again")
        parts.append(read_predictions(inner.resolve(last.predictions), inner.labels))
    pooled = Predictions.joined(parts)
    metrics = evaluate(pooled, run.labels)
    met = sum(verdict.status == "met" for verdict in judge(metrics, run.criteria))
    name, *_ = split_key(run.objective)
    drawn = posterior(pooled, run.labels, {name})
    interval = percentile(drawn[objective_key(drawn, run.objective)], LEVEL)  # type: ignore[arg-type]  # keys alone count
    return Finalist(trial, len(records), pooled, metrics, met, interval)


def _order(finalist: Finalist, run: Run) -> tuple[float, float]:
    """Criteria met, and the bound of the objective that is surely reached, bigger is better."""
    worst = objective_value({run.objective: 1.0}, run.objective) < 0
    bound = -finalist.objective.high if worst else finalist.objective.low
    return finalist.met, bound if math.isfinite(bound) else -math.inf
