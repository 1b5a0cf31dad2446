"""Where the trials of a run stand: each with its best epoch and what the criteria say about it, the best first."""

from dataclasses import dataclass

from analysis.criteria import Verdict
from analysis.ranking import best_epoch, judge, verdict_key
from analysis.run import EpochRow, Run, TrialRecord


@dataclass(frozen=True)
class Standing:
    """A trial and how it counts: `best` is None and `verdicts` is empty for a trial without an epoch."""

    record: TrialRecord
    best: EpochRow | None
    verdicts: tuple[Verdict, ...]

    @property
    def status(self) -> str:
        """How the trial ended; "interrupted" when the ledger holds no end of it."""
        return "interrupted" if self.record.status == "running" else self.record.status

    @property
    def met(self) -> int:
        """How many criteria the best epoch meets."""
        return sum(verdict.status == "met" for verdict in self.verdicts)

    @property
    def violation(self) -> float:
        """Sum of the violations of all criteria, 0 when none is missed."""
        return sum(verdict.violation for verdict in self.verdicts)

    @property
    def exportable(self) -> bool:
        """Whether the trial may be the winner: it did not fail, and its best epoch left a checkpoint."""
        return self.record.status != "failed" and self.best is not None and bool(self.best.checkpoint)


def standings(run: Run) -> list[Standing]:
    """All trials, the best first: criteria met, lower total violation, objective, macro F1, then the earlier trial.

    Trials without an epoch come last, failed ones at the very end.
    """
    return sorted((_standing(record, run) for record in run.trials.values()), key=lambda one: _order(one, run))


def standing_at(record: TrialRecord, epoch: int | None, run: Run) -> Standing:
    """How a trial stands with that epoch, or without any."""
    row = next((row for row in record.epochs if row.epoch == epoch), None)
    return Standing(record, row, judge(row.metrics, run.criteria) if row else ())


def _standing(record: TrialRecord, run: Run) -> Standing:
    if not record.epochs:
        return Standing(record, None, ())
    best = best_epoch(record.epochs, run.criteria, run.objective)
    return Standing(record, best, judge(best.metrics, run.criteria))


def _order(standing: Standing, run: Run) -> tuple[float, ...]:
    if standing.best is None:
        return (1, standing.record.status == "failed")
    return (0, *(-part for part in verdict_key(standing.verdicts, standing.best.metrics, run.objective)))
