"""The winner of a run in words: its verdicts with what the rows leave open, its outcome band, its parameters."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

from rarecall.analysis.criteria.bands import band_of
from rarecall.analysis.criteria.criterion import Verdict, split_key
from rarecall.analysis.metrics import registry as metric_registry
from rarecall.analysis.runs.opened import Opened
from rarecall.analysis.runs.ranking.expectations import Expectations, assessed
from rarecall.analysis.runs.ranking.standings import Standing
from rarecall.analysis.runs.run import Run
from rarecall.analysis.text.opened import elsewhere_text, opened_lines
from rarecall.analysis.text.table import cell_len, pad
from rarecall.analysis.text.verdicts import INDENT, verdict_lines
from rarecall.analysis.text.wording import distance_text, value_text

FOUND_NONE = (
    "row of a minority class. Train for more epochs, search sampling, class weights and the decision rule "
    "(`rarecall diagnose` says which), or label more rare rows."
)
NO_INTERVALS = "No intervals: the stored predictions of this trial cannot be read."


def winner_lines(
    ranked: Sequence[Standing],
    run: Run,
    width: int,
    found: Expectations | None = None,
    opened: Opened | None = None,
) -> list[str]:
    """The first trial that may win, or the first of all, held against each criterion.

    found: what fresh rows should give of the trials, as far as it is known. opened: what the test split said of it.
    """
    winner = next((standing for standing in ranked if standing.may_win), None)
    told = winner or ranked[0]
    if told.best is None:
        return ["No winner: no trial has finished an epoch."]
    lines = [] if winner else textwrap.wrap(f"{no_winner(ranked)} The first of the table:", width)
    if winner and winner is not ranked[0]:
        lines.append(f"Trial {ranked[0].record.trial} ranks first, but {_fault(ranked[0])}.")
    if opened and opened.decision:
        lines += textwrap.wrap(f"{opened.decision.sentence}.", width)
    role = "Winner" if winner else "Best"
    met = f"{told.met} of {len(run.criteria)} criteria met as measured"
    lines.append(f"{role}: trial {told.record.trial}, epoch {told.best.epoch} of {len(told.record.epochs)}, {met}")
    lines += [*_verdicts(told, run, width, found or Expectations()), *_closest_miss(told), *_outcome(told, run, width)]
    lines += _tested(opened, run, width)
    parameters = "  ".join(f"{path}={plain(value)}" for path, value in told.record.params.items())
    return lines + _wrapped(parameters, width)


def _tested(opened: Opened | None, run: Run, width: int) -> list[str]:
    """What the test split said, or whom it was opened for."""
    if opened is None:
        return _wrapped(elsewhere_text(run), width)
    title, *lines = opened_lines(opened, width)
    return [f"{INDENT}{title}", *lines]


def no_winner(ranked: Sequence[Standing]) -> str:
    """Why no trial is called the winner, and what to do."""
    if any(standing.exportable for standing in ranked):
        return f"No winner: no trial that left a checkpoint found any {FOUND_NONE}"
    return "No winner: every trial failed or left no checkpoint."


def _fault(standing: Standing) -> str:
    """What keeps a trial that ranks first from being the winner."""
    if standing.record.status == "failed":
        return "failed"
    return "found no rare row" if standing.exportable else "left no checkpoint"


def plain(value: Any) -> str:
    """A parameter's value, numbers to three digits."""
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _verdicts(standing: Standing, run: Run, width: int, found: Expectations) -> list[str]:
    assessment = assessed(standing.best, run, found) if standing.best and run.criteria else None
    if assessment:
        return verdict_lines(assessment, width)
    return [*_as_measured(standing), f"{INDENT}{NO_INTERVALS}"] if standing.verdicts else []


def _as_measured(standing: Standing) -> list[str]:
    width = max(cell_len(verdict.criterion.text) for verdict in standing.verdicts)
    return [
        f"{INDENT}{verdict.status:<9}  {pad(verdict.criterion.text, width)}  {_told(verdict, standing)}"
        for verdict in standing.verdicts
    ]


def _told(verdict: Verdict, standing: Standing) -> str:
    """The value of a verdict, for a recall with the rows behind it, such as `33.3 % (1 of 3)`."""
    name, selector, part = split_key(verdict.key)
    metrics = standing.best.metrics if standing.best else {}
    if not verdict.key:
        metric = metric_registry.find(verdict.criterion.metric)
        return "no rows in the validation data" if metric and metric.selector == "class" else "not measured"
    notes = [] if verdict.criterion.names_one or not selector else [selector]
    rows = metrics.get(f"support[{selector}]{f'@{part}' if part else ''}", math.nan)
    if name == "recall" and rows > 0:
        notes.append(f"{verdict.value * rows:.0f} of {rows:.0f}")
    if verdict.status == "undecided":
        notes.append("others have no rows")
    return value_text(name, verdict.value) + (f" ({', '.join(notes)})" if notes else "")


def _closest_miss(standing: Standing) -> list[str]:
    closest = standing.closest_miss
    return [f"{INDENT}Closest miss: {closest.criterion.text}, {distance_text(closest)}"] if closest else []


def _outcome(standing: Standing, run: Run, width: int) -> list[str]:
    """The outcome band and its next steps, where the experiment has bands."""
    if not run.bands or standing.best is None:
        return []
    band = band_of(standing.best.metrics, run.bands)
    if band is None:
        return [f"{INDENT}Outcome: none of {', '.join(one.name for one in run.bands)}"]
    steps = [f"{INDENT}{line}" for step in band.next_steps for line in _wrapped(f"- {step}", width - 2, 2)]
    return [f"{INDENT}Outcome: {band.name}{'; next steps:' if steps else ''}", *steps]


def _wrapped(text: str, width: int, hang: int = 0) -> list[str]:
    inner = INDENT + " " * hang
    return textwrap.wrap(text, width, initial_indent=INDENT, subsequent_indent=inner, break_on_hyphens=False)
