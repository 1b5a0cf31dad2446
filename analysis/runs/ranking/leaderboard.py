"""The leaderboard: one row per trial with its best epoch, the best trial first; as a frame, as text, CSV and JSON."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rarecall.analysis.collection import no_collection
from rarecall.analysis.criteria.bands import band_of
from rarecall.analysis.criteria.judging import Judged, MetricsTable
from rarecall.analysis.criteria.ranking import DEFAULT_OBJECTIVE
from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.baselines import baselines_of
from rarecall.analysis.runs.opened import Opened, read_opened
from rarecall.analysis.runs.ranking.advantage import advantage
from rarecall.analysis.runs.ranking.expectations import PLACES, Expectations, assessed, expectations
from rarecall.analysis.runs.ranking.finalists import finalists
from rarecall.analysis.runs.ranking.separation import separation
from rarecall.analysis.runs.ranking.standings import (
    RankBy,
    Standing,
    baseline_standings,
    pareto_set,
    standing_at,
    standings,
)
from rarecall.analysis.runs.run import EpochRow, Run, TrialRecord
from rarecall.analysis.strict_json import dumps
from rarecall.analysis.text import leaderboard as leaderboard_text
from rarecall.analysis.visible import not_a_formula

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
    "gpu_hours",
)
_HEADER_KEYS = ("run_id", "name", "data_hash", "versions", "trials_asked", "seed")


def winner(run: Run) -> TrialRecord | None:
    """The trial to export: the best finalist; without finalists the best trial that may win.

    None when there is none: a trial that failed, left no checkpoint or found no rare row is never a winner.
    """
    finals = finalists(run)
    if finals:
        found = finals[0].metrics.get(DEFAULT_OBJECTIVE, math.nan) != 0
        return _on_all_rows(run, finals[0].trial) if found else None
    return next((standing.record for standing in standings(run) if standing.may_win), None)


def _on_all_rows(run: Run, trial: str) -> TrialRecord:
    """The trial, or the one that trained its settings again on all rows."""
    again = (record for record in run.trials.values() if record.refit_of == trial and record.status == "completed")
    return next(again, run.trials[trial])


def leaderboard(run: Run, rank_by: RankBy = "criteria") -> pd.DataFrame:
    """One row per trial in rank order, which `analysis.runs.ranking.standings.standings` tells.

    Columns: rank (from 1), trial, status, epoch (the best one), epochs (how many ran), criteria_met, criteria_total,
    violation (total), minority_recall, score, pareto (whether no other trial beats it in both objectives; of a search
    with one, in both minority recall and MAE, or violation), closest_miss (the missed criterion that lacks the least),
    outcome (the band), seconds and gpu_hours (spent on all its epochs), the value that decides each criterion under its
    text, each parameter under its dotted path. Values of trials without an epoch are missing.
    """
    with no_collection():
        ranked = standings(run, rank_by)
        # What is ours stays ours, whatever a ledger calls a parameter.
        columns = _columns(ranked, run)
        columns |= {path: values for path, values in _parameters(ranked).items() if path not in columns}
    if rank_by in ("probability", "lower_bound", "expected"):
        columns[rank_by] = [standing.ranked_by for standing in ranked]
    frame = pd.DataFrame(columns)
    frame.attrs["rank_by"] = rank_by
    return frame.astype({"epoch": "Int64", "criteria_met": "Int64"})


def to_text(frame: pd.DataFrame, run: Run, width: int = 80, limit: int | None = 20) -> str:
    """The first `limit` trials (None: all) as a table within `width` columns, then the winner's verdicts."""
    ranked = _in_order(frame, run)
    opened = _opened(ranked, run)[0]
    found = _expectations(ranked, run)
    return leaderboard_text.render(ranked, run, width, limit, frame.attrs["rank_by"], found, opened)


def to_csv(frame: pd.DataFrame, run: Run | None = None, *, raw: bool = False) -> str:
    """The whole frame as CSV, numbers in full; behind the trials the baselines of the run, without a rank.

    raw: also texts that a spreadsheet would run as formulas; otherwise an apostrophe stands before them.
    """
    told = _safe(frame, raw).to_csv(index=False, lineterminator="\n")
    if run is None or not run.baselines:
        return told
    rows = _baseline_frame(run).reindex(columns=frame.columns)
    return told + _safe(rows, raw).to_csv(index=False, header=False, lineterminator="\n")


def _safe(frame: pd.DataFrame, raw: bool) -> pd.DataFrame:
    if raw:
        return frame
    texts = frame.select_dtypes(exclude="number").columns
    return frame.assign(**{name: frame[name].map(not_a_formula) for name in texts}).rename(columns=not_a_formula)


def _baseline_frame(run: Run) -> pd.DataFrame:
    """The columns that do not depend on the trials, for the baselines; as trials have them, but for rank and status."""
    frame = pd.DataFrame(_columns(baseline_standings(run), run))
    return frame.assign(rank=None, status="baseline", epoch=None, epochs=None, pareto=None)


def to_json(frame: pd.DataFrame, run: Run) -> str:
    """The leaderboard as JSON: run, winner, assessment, correction, problems and trials; missing numbers are null.

    assessment: the winner's verdicts on fresh rows with interval and probability, null without its stored predictions.
    test: what the test split said of it, null where no export has opened it for it; decision: whether to ship, by that.
    advantage: what the winner gains over the best baseline, null without baselines or stored predictions. separation:
    the best three trials where the rows do not tell them apart, null where they do. correction: how figures were
    corrected for having been chosen, null where nothing was. baselines: the best first, as their rows
    in the ledger with criteria. Each trial has the fixed columns of the frame, criteria (list of text, value, status,
    violation), params, origin (of the parameters: own, known or sampler), the metrics as measured, confusion,
    checkpoint and predictions of its best epoch, and expected: what fresh rows should give, by metric; of the first
    trials only, empty for the others.
    """
    ranked = _in_order(frame, run)
    best = next((standing for standing in ranked if standing.may_win), None)
    found = _expectations(ranked, run)
    assessment = assessed(best.best, run, found) if best and best.best else None
    tested, unread = _opened(ranked, run)
    document = {
        "run": {key: run.header.get(key) for key in _HEADER_KEYS}
        | {
            "objective": run.objective,
            "second_objective": run.second_objective,
            "rank_by": frame.attrs["rank_by"],
            "criteria": [criterion.text for criterion in run.criteria],
        },
        "winner": best.record.trial if best else None,
        "assessment": assessment.plain() if assessment else None,
        "test": tested.plain() if tested else None,
        "decision": tested.decision.plain() if tested and tested.decision else None,
        "advantage": gained.plain() if (gained := advantage(best, run)) else None,
        "separation": apart.plain() if (apart := separation(ranked, run)) else None,
        "correction": found.plain(),
        "problems": [*run.problems, *unread],
        "baselines": [_baseline_object(standing, run) for standing in baseline_standings(run)],
        "trials": list(_objects(frame, ranked, found)),
    }
    return dumps(document, indent=2)


def baselines_json(run: Run, test: Mapping[str, Mapping[str, float]]) -> str:
    """The baselines of a run as in `to_json`, the best first. test: their metrics on the test split, by name."""
    told = [_baseline_object(standing, run) for standing in baseline_standings(run)]
    return dumps([one | {"test_metrics": test.get(one["baseline"])} for one in told], indent=2)


def _in_order(frame: pd.DataFrame, run: Run) -> list[Standing]:
    epochs = (None if pd.isna(epoch) else int(epoch) for epoch in frame["epoch"])
    figures = frame.get(frame.attrs["rank_by"], pd.Series(math.nan, frame.index))
    told = zip(frame["trial"], epochs, figures, strict=True)
    return [standing_at(run.trials[trial], epoch, run, figure) for trial, epoch, figure in told]


def _expectations(ranked: Sequence[Standing], run: Run) -> Expectations:
    """Of the first trials, and of the winner wherever it stands by criteria."""
    return expectations(run, PLACES, also=[standing.record.trial for standing in ranked[:PLACES]])


def _opened(ranked: Sequence[Standing], run: Run) -> tuple[Opened | None, list[str]]:
    """What the test split said of the first trial that may win, and what of that cannot be read."""
    first = next((standing for standing in ranked if standing.may_win), None)
    try:
        return read_opened(run, first.best if first else None), []
    except RunError as error:
        return None, [str(error)]


def _columns(ranked: Sequence[Standing], run: Run) -> dict[str, Any]:
    """FIXED_COLUMNS, then the value that decides each criterion under its text."""
    bests = [standing.best for standing in ranked]
    metrics = [best.metrics if best else {} for best in bests]
    table = MetricsTable(metrics)
    judged = table.judged(run.criteria)
    has_epoch = np.array([best is not None for best in bests], dtype=np.bool_)
    violation = judged.violations.sum(axis=1)
    values = (
        range(1, len(ranked) + 1),
        [standing.record.trial for standing in ranked],
        [standing.status for standing in ranked],
        [best.epoch if best else None for best in bests],
        [len(standing.record.epochs) for standing in ranked],
        [count if best else None for count, best in zip(judged.met.sum(axis=1).tolist(), bests, strict=True)],
        len(run.criteria),
        np.where(has_epoch, violation, np.nan),
        table.column("minority_recall"),
        np.where(has_epoch, table.scores(violation, run.objective), np.nan),
        pareto_set(ranked, run),
        _closest_misses(judged, run),
        [_outcome(best, run) for best in bests],
        [standing.seconds for standing in ranked],
        [standing.gpu_hours for standing in ranked],
    )
    criteria = {criterion.text: judged.values[:, place] for place, criterion in enumerate(run.criteria)}
    return dict(zip(FIXED_COLUMNS, values, strict=True)) | criteria


def _parameters(ranked: Sequence[Standing]) -> dict[str, list[Any]]:
    """Each parameter under its dotted path, missing where a trial has none."""
    params = [standing.record.params for standing in ranked]
    paths = dict.fromkeys(path for one in params for path in one)
    return {path: [one.get(path) for one in params] for path in paths}


def _closest_misses(judged: Judged, run: Run) -> list[str | None]:
    if not run.criteria:
        return [None] * len(judged.violations)
    lacking = np.where(judged.violations > 0, judged.violations, np.inf)
    texts = [criterion.text for criterion in run.criteria]
    return [
        texts[place] if math.isfinite(least) else None
        for place, least in zip(lacking.argmin(axis=1), lacking.min(axis=1), strict=True)
    ]


def _outcome(best: EpochRow | None, run: Run) -> str | None:
    band = band_of(best.metrics, run.bands) if best and run.bands else None
    return band.name if band else None


def _baseline_object(standing: Standing, run: Run) -> dict[str, Any]:
    row = baselines_of(run)[standing.record.trial].as_row()
    told = {key: value for key, value in row.items() if key != "kind"}
    return told | {"criteria_met": standing.met, "criteria": _criteria(standing)}


def _criteria(standing: Standing) -> list[dict[str, Any]]:
    return [
        {"text": one.criterion.text, "value": one.value, "status": one.status, "violation": one.violation}
        for one in standing.verdicts
    ]


def _objects(frame: pd.DataFrame, ranked: Sequence[Standing], found: Expectations) -> Iterator[dict[str, Any]]:
    fixed = frame[list(FIXED_COLUMNS)].astype(object).where(frame[list(FIXED_COLUMNS)].notna(), None)
    for figures, standing in zip(fixed.to_dict("records"), ranked, strict=True):
        best = standing.best
        yield {str(column): figure for column, figure in figures.items()} | {
            "criteria": _criteria(standing),
            "params": standing.record.params,
            "origin": standing.record.origin,
            "metrics": best.metrics if best else {},
            "expected": {key: figure.value for key, figure in found.of(standing.record.trial).items()},
            "train_metrics": best.train_metrics if best else {},
            "confusion": best.confusion if best else None,
            "checkpoint": best.checkpoint if best else None,
            "predictions": best.predictions if best else None,
        }
