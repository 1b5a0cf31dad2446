"""The leaderboard as calm text: a table that fits the terminal, then the winner held against each criterion."""

import math
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from analysis import metrics as metric_registry
from analysis.criteria import Verdict, split_key
from analysis.ranking import DEFAULT_OBJECTIVE, objective_key
from analysis.run import Run
from analysis.standings import Standing
from analysis.table import Column, cell_len, cut, fitting, pad, render_columns, short_names, total_width

_NAME_WIDTHS = (12, 9, 7)
_STATUSES = ("completed", "stopped", "interrupted", "failed")


def render(ranked: Sequence[Standing], run: Run, width: int, limit: int | None) -> str:
    """The text of ranked standings; `width` in terminal columns, `limit` in rows of the table, None for all."""
    parts = [_title(ranked, run, width)]
    if ranked:
        parts += [_table(ranked[:limit], run, width), _left_out(ranked, limit), _winner(ranked, run, width)]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _title(ranked: Sequence[Standing], run: Run, width: int) -> list[str]:
    counts = Counter(standing.status for standing in ranked)
    shown = ", ".join(f"{counts[status]} {status}" for status in _STATUSES if counts[status])
    trials = f"{len(ranked)} trial{'s' if len(ranked) != 1 else ''}"
    objective = run.objective.replace("_", " ") if run.objective == DEFAULT_OBJECTIVE else run.objective
    name = f"{run.header.get('name', run.folder.name)}: {trials}{f' ({shown})' if shown else ''}"
    order = f"By criteria met, then {objective}. Class columns: recall on validation data."
    return [*textwrap.wrap(name, width), *textwrap.wrap(order, width)]


def _table(shown: Sequence[Standing], run: Run, width: int) -> list[str]:
    fixed = _fixed_columns(shown, run)
    columns = _classes_within(fixed, shown, run, width)
    status = Column(("status",), tuple(standing.status for standing in shown), "<")
    lines = render_columns(fitting(columns, [status, *_parameters(shown)], width))
    hidden = len(run.labels.classes) + len(fixed) - len(columns)
    return [*lines, f"{hidden} more class{'es' if hidden > 1 else ''}: --json holds all."] if hidden else lines


def _fixed_columns(shown: Sequence[Standing], run: Run) -> list[Column]:
    total = len(run.criteria)
    columns = [
        Column(("#",), tuple(str(rank) for rank in range(1, len(shown) + 1))),
        Column(("trial",), tuple(standing.record.trial for standing in shown), "<"),
        Column(("epoch",), tuple(str(one.best.epoch) if one.best else "-" for one in shown)),
        Column(("criteria", "met"), tuple(f"{one.met}/{total}" if one.best else "-" for one in shown)),
        Column(("minority", "recall"), _values(shown, "minority_recall")),
    ]
    if run.objective != DEFAULT_OBJECTIVE:
        key = next((objective_key(one.best.metrics, run.objective) for one in shown if one.best), run.objective)
        columns.append(Column((cut(run.objective, 16),), _values(shown, key)))
    return columns


def _classes_within(columns: list[Column], shown: Sequence[Standing], run: Run, width: int) -> list[Column]:
    """The columns and one for each class; of too many classes those that fit, the rarest minority first."""
    names, classes = run.labels.classes, []
    for labels in _class_labels(names):
        classes = [_class_column(name, label, shown) for name, label in zip(names, labels, strict=True)]
        if total_width([*columns, *classes]) <= width:
            return [*columns, *classes]
    pairs = list(zip(names, classes, strict=True))
    pairs.sort(key=lambda pair: (pair[0] not in run.labels.minority, _rows_of(pair[0], shown)))
    taken = fitting(columns, (column for _, column in pairs), width)
    return [*columns, *(column for column in classes if any(column is one for one in taken))]


def _class_labels(names: Sequence[str]) -> list[list[str]]:
    """The class names ever shorter, as long as they stay different."""
    words = short_names(names, "_- ")
    shorter = [[cut(word, width) for word in words] for width in _NAME_WIDTHS]
    return [words, *(labels for labels in shorter if len(set(labels)) == len(names))]


def _class_column(name: str, label: str, shown: Sequence[Standing]) -> Column:
    rows = _rows_of(name, shown)
    header = (label,) if math.isnan(rows) else (label, f"n={rows:.0f}")
    return Column(header, _values(shown, f"recall[{name}]"))


def _rows_of(name: str, shown: Sequence[Standing]) -> float:
    """Rows of a class in the validation data, NaN when no trial has told."""
    return next((one.best.metrics.get(f"support[{name}]", math.nan) for one in shown if one.best), math.nan)


def _parameters(shown: Sequence[Standing]) -> list[Column]:
    """A column for each parameter that differs between the trials shown."""
    paths = list(dict.fromkeys(path for standing in shown for path in standing.record.params))
    labels = dict(zip(paths, short_names(paths, ".", from_end=True), strict=True))
    columns = []
    for path in paths:
        cells = tuple(cut(_plain(standing.record.params.get(path)), 16) for standing in shown)
        if len(set(cells)) > 1 or len(shown) == 1:
            columns.append(Column(tuple(labels[path].rsplit("_", 1)), cells))
    return columns


def _left_out(ranked: Sequence[Standing], limit: int | None) -> list[str]:
    more = len(ranked) - len(ranked[:limit])
    return [f"{more} more trial{'s' if more > 1 else ''} below; --csv and --json hold all."] if more > 0 else []


def _winner(ranked: Sequence[Standing], run: Run, width: int) -> list[str]:
    winner = next((standing for standing in ranked if standing.exportable), None)
    told = winner or ranked[0]
    if told.best is None:
        return ["No winner: no trial has finished an epoch."]
    lines = [] if winner else ["No winner: every trial failed or left no checkpoint. The first of the table:"]
    if winner and winner is not ranked[0]:
        reason = "failed" if ranked[0].record.status == "failed" else "left no checkpoint"
        lines.append(f"Trial {ranked[0].record.trial} ranks first, but {reason}.")
    role = "Winner" if winner else "Best"
    met = f"{told.met} of {len(run.criteria)} criteria met"
    lines.append(f"{role}: trial {told.record.trial}, epoch {told.best.epoch} of {len(told.record.epochs)}, {met}")
    lines += _verdicts(told)
    parameters = "  ".join(f"{path}={_plain(value)}" for path, value in told.record.params.items())
    return lines + textwrap.wrap(parameters, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _verdicts(standing: Standing) -> list[str]:
    width = max((cell_len(verdict.criterion.text) for verdict in standing.verdicts), default=0)
    lines = [
        f"  {verdict.status:<9}  {pad(verdict.criterion.text, width)}  {_told(verdict, standing)}"
        for verdict in standing.verdicts
    ]
    missed = [verdict for verdict in standing.verdicts if verdict.status == "missed"]
    if missed:
        closest = min(missed, key=lambda verdict: verdict.violation)
        lines.append(f"  Closest miss: {closest.criterion.text}, {_distance(closest)}")
    return lines


def _told(verdict: Verdict, standing: Standing) -> str:
    """The value of a verdict, for a recall with the rows behind it, such as `33.3 % (1 of 3)`."""
    name, selector, _ = split_key(verdict.key)
    metrics = standing.best.metrics if standing.best else {}
    if not verdict.key:
        metric = metric_registry.find(verdict.criterion.metric)
        return "no rows in the validation data" if metric and metric.selector == "class" else "not measured"
    notes = [selector] if verdict.criterion.selector == "*" and selector else []
    rows = metrics.get(f"support[{selector}]", math.nan)
    if name == "recall" and rows > 0:
        notes.append(f"{verdict.value * rows:.0f} of {rows:.0f}")
    if verdict.status == "undecided":
        notes.append("others have no rows")
    return _value(name, verdict.value) + (f" ({', '.join(notes)})" if notes else "")


def _distance(verdict: Verdict) -> str:
    criterion = verdict.criterion
    distance = abs(verdict.value - criterion.threshold)
    side = {">": "short", "<": "too much", "=": "off"}[criterion.op[0]]
    metric = metric_registry.find(criterion.metric)
    if metric and metric.scale == "share":
        return f"{100 * distance:.1f} points {side}"
    return f"{distance:.3g} {side}"


def _values(shown: Sequence[Standing], key: str) -> tuple[str, ...]:
    name, *_ = split_key(key)
    return tuple(_value(name, one.best.metrics.get(key, math.nan) if one.best else math.nan) for one in shown)


def _value(name: str, value: float) -> str:
    """A metric's value: shares as percentages, whole amounts without decimals, "-" for none."""
    metric = metric_registry.find(name)
    if not math.isfinite(value):
        return "-"
    if metric is not None and metric.scale == "share":
        return f"{100 * value:.1f} %"
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def _plain(value: Any) -> str:
    """A parameter's value, numbers to three digits."""
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
