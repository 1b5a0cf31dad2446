"""All that the trials of a run are held against: simple models, and the same model without mitigation."""

from rarecall.analysis.criteria.ranking import best_epoch
from rarecall.analysis.runs.baseline import PREFIX, BaselineRow
from rarecall.analysis.runs.run import Run, TrialRecord

# The trial without mitigation, as a baseline.
PLAIN_BASELINE = f"{PREFIX}no-mitigation"


def baselines_of(run: Run) -> dict[str, BaselineRow]:
    """The baselines by name: those that the ledger has as such, and the trial without mitigation if there was one.

    That trial is one of the search, and may win it as well.
    """
    plain = plain_trial(run)
    return {**run.baselines, **({PLAIN_BASELINE: _as_baseline(plain, run)} if plain and run.baselines else {})}


def plain_trial(run: Run) -> TrialRecord | None:
    """The trial whose settings hold no mitigation, None where there was none, or it has no epoch."""
    return next((record for record in run.trials.values() if record.unmitigated and record.epochs), None)


def _as_baseline(record: TrialRecord, run: Run) -> BaselineRow:
    best = best_epoch(record.epochs, run.criteria, run.objective)
    return BaselineRow(
        baseline=PLAIN_BASELINE,
        title=f"the same model without mitigation ({record.trial}, {best.rows_seen:,} rows)",
        metrics=best.metrics,
        confusion=best.confusion,
        predictions=best.predictions,
        train_rows=best.rows_seen,
        seconds=record.seconds,
        time=best.time,
        rule=best.rule,
        settings=record.params,
    )
