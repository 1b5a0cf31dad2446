"""The leaderboard: one row per trial with its best epoch, the best trial first; as a frame, as text, CSV and JSON."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from analysis import leaderboard_text
from analysis.bands import band_of
from analysis.evidence import Evidence
from analysis.ranking import score_of
from analysis.run import Run, TrialRecord
from analysis.standings import RankBy, Standing, pareto_set, standing_at, standings
from analysis.strict_json import dumps

# The columns that do not depend on the run, in order.
FIXED_COLUMNS = (
    "rank",
    "trial",
    "status",
    "epoch",
    "epochs",
    "criteria_met",
    "criteria_total",
    "violation",
    "minority_recall",
    "score",
    "pareto",
    "closest_miss",
    "outcome",
    "seconds",
)
_HEADER_KEYS = ("run_id", "name", "data_hash", "versions", "trials_asked", "seed")


def winner(run: Run) -> TrialRecord | None:
    """The best trial that did not fail and whose best epoch left a checkpoint; None when there is none."""
    return _winner(standings(run))


def leaderboard(run: Run, rank_by: RankBy = "criteria") -> pd.DataFrame:
    """One row per trial in rank order, which `analysis.standings.standings` tells.

    Columns: rank (from 1), trial, status, epoch (the best one), epochs (how many ran), criteria_met, criteria_total,
    violation (total), minority_recall, score, pareto (whether no other trial beats it in both minority recall and MAE,
    or violation), closest_miss (the missed criterion that lacks the least), outcome (the band), seconds (spent on all
    its epochs), the value that decides each criterion under its text, each parameter under its dotted path. Values of
    trials without an epoch are missing.
    """
    ranked = standings(run, rank_by)
    texts = [criterion.text for criterion in run.criteria]
    paths = dict.fromkeys(path for record in run.trials.values() for path in record.params)
    rows = [_row(*told, run) for told in _numbered(ranked, run)]
    frame = pd.DataFrame(rows, columns=list(dict.fromkeys((*FIXED_COLUMNS, *texts, *paths))))
    frame.attrs.update(rank_by=rank_by, ranked_by=[standing.ranked_by for standing in ranked])
    return frame.astype({"epoch": "Int64", "criteria_met": "Int64"})


def to_text(frame: pd.DataFrame, run: Run, width: int = 80, limit: int | None = 20) -> str:
    """The first `limit` trials (None: all) as a table within `width` columns, then the winner's verdicts."""
    return leaderboard_text.render(_in_order(frame, run), run, width, limit, frame.attrs["rank_by"])


def to_csv(frame: pd.DataFrame) -> str:
    """The whole frame as CSV, numbers in full."""
    return frame.to_csv(index=False, lineterminator="\n")


def to_json(frame: pd.DataFrame, run: Run) -> str:
    """The leaderboard as JSON: run, winner, assessment, problems and trials; missing numbers are null.

    assessment: the winner's verdicts with interval and probability, null without its stored predictions. Each trial has
    the fixed columns of the frame, criteria (list of text, value, status, violation), params, and the metrics,
    confusion, checkpoint and predictions of its best epoch.
    """
    ranked = _in_order(frame, run)
    best = next((standing for standing in ranked if standing.exportable), None)
    assessment = Evidence(run).assessment(best.best) if best and best.best else None
    document = {
        "run": {key: run.header.get(key) for key in _HEADER_KEYS}
        | {
            "objective": run.objective,
            "rank_by": frame.attrs["rank_by"],
            "criteria": [criterion.text for criterion in run.criteria],
        },
        "winner": best.record.trial if best else None,
        "assessment": assessment.plain() if assessment else None,
        "problems": run.problems,
        "trials": [_object(*told, run) for told in _numbered(ranked, run)],
    }
    return dumps(document, indent=2)


def _winner(ranked: Iterable[Standing]) -> TrialRecord | None:
    return next((standing.record for standing in ranked if standing.exportable), None)


def _in_order(frame: pd.DataFrame, run: Run) -> list[Standing]:
    epochs = (None if pd.isna(epoch) else int(epoch) for epoch in frame["epoch"])
    told = zip(frame["trial"], epochs, frame.attrs["ranked_by"], strict=True)
    return [standing_at(run.trials[trial], epoch, run, figure) for trial, epoch, figure in told]


def _numbered(ranked: Sequence[Standing], run: Run) -> Iterator[tuple[int, Standing, bool]]:
    """Each standing with its rank before and whether it is in the Pareto set behind."""
    return zip(range(1, len(ranked) + 1), ranked, pareto_set(ranked, run).tolist(), strict=True)


def _fixed(rank: int, standing: Standing, pareto: bool, run: Run) -> dict[str, Any]:
    """The values of FIXED_COLUMNS."""
    best, missed = standing.best, standing.closest_miss
    band = band_of(best.metrics, run.bands) if best and run.bands else None
    return {
        "rank": rank,
        "trial": standing.record.trial,
        "status": standing.status,
        "epoch": best.epoch if best else None,
        "epochs": len(standing.record.epochs),
        "criteria_met": standing.met if best else None,
        "criteria_total": len(run.criteria),
        "violation": standing.violation if best else math.nan,
        "minority_recall": best.metrics.get("minority_recall", math.nan) if best else math.nan,
        "score": score_of(standing.verdicts, best.metrics, run.objective) if best else math.nan,
        "pareto": pareto,
        "closest_miss": missed.criterion.text if missed else None,
        "outcome": band.name if band else None,
        "seconds": standing.seconds,
    }


def _row(rank: int, standing: Standing, pareto: bool, run: Run) -> dict[str, Any]:
    criteria = {verdict.criterion.text: verdict.value for verdict in standing.verdicts}
    return standing.record.params | criteria | _fixed(rank, standing, pareto, run)


def _object(rank: int, standing: Standing, pareto: bool, run: Run) -> dict[str, Any]:
    best = standing.best
    criteria = [
        {"text": one.criterion.text, "value": one.value, "status": one.status, "violation": one.violation}
        for one in standing.verdicts
    ]
    return _fixed(rank, standing, pareto, run) | {
        "criteria": criteria,
        "params": standing.record.params,
        "metrics": best.metrics if best else {},
        "confusion": best.confusion if best else None,
        "checkpoint": best.checkpoint if best else None,
        "predictions": best.predictions if best else None,
    }
