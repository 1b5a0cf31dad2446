"""The leaderboard as calm text: a table that fits the terminal, then the winner held against each criterion."""

import math
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rarecall.analysis.criteria.criterion import SECONDS
from rarecall.analysis.criteria.ranking import DEFAULT_OBJECTIVE, objective_key
from rarecall.analysis.runs.opened import Opened
from rarecall.analysis.runs.ranking.advantage import advantage
from rarecall.analysis.runs.ranking.expectations import Expectations
from rarecall.analysis.runs.ranking.separation import separation
from rarecall.analysis.runs.ranking.standings import (
    RankBy,
    Standing,
    bargain,
    baseline_standings,
    judged,
    objective_text,
    pareto_set,
)
from rarecall.analysis.runs.run import Run
from rarecall.analysis.text.advantage import advantage_text
from rarecall.analysis.text.separation import separation_text
from rarecall.analysis.text.table import Column, cut, fitting, render_columns, short_names, total_width
from rarecall.analysis.text.winner import plain, winner_lines
from rarecall.analysis.text.wording import duration_text, interval_text, probability_text, value_text
from rarecall.analysis.uncertainty.intervals import LEVEL, exact

# Trials whose intervals are shown, and trials of the Pareto set that are named.
_WITH_INTERVALS = 5
_NAMED = 8
_NAME_WIDTHS = (12, 9, 7)
_STATUSES = ("completed", "running", "stopped", "interrupted", "failed")


def render(
    ranked: Sequence[Standing],
    run: Run,
    width: int,
    limit: int | None,
    rank_by: RankBy = "criteria",
    found: Expectations | None = None,
    opened: Opened | None = None,
) -> str:
    """The text of ranked standings; `width` in terminal columns, `limit` in rows of the table, None for all.

    found: what fresh rows should give of the trials, as far as it is known. opened: what the test split said of the
    first that may win.
    """
    found = found or Expectations()
    parts = [_title(ranked, run, width, rank_by)]
    if ranked:
        parts += [
            _table(ranked[:limit], run, width, rank_by, found),
            _left_out(ranked, limit),
            baseline_lines(run, width),
            _intervals(ranked[:limit], run, width),
            winner_lines(ranked, run, width, found, opened),
            _against_baselines(ranked, run, width),
            _told_apart(ranked, run, width),
            _front(ranked, run, width),
        ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _title(ranked: Sequence[Standing], run: Run, width: int, rank_by: RankBy) -> list[str]:
    counts = Counter(standing.status for standing in ranked)
    shown = ", ".join(f"{counts[status]} {status}" for status in _STATUSES if counts[status])
    trials = f"{len(ranked)} trial{'s' if len(ranked) != 1 else ''}"
    name = f"{run.header.get('name', run.folder.name)}: {trials}{f' ({shown})' if shown else ''}"
    order = f"{_order_text(run, rank_by)} Class columns: recall on validation data."
    return [*textwrap.wrap(name, width), *textwrap.wrap(order, width)]


def _table(shown: Sequence[Standing], run: Run, width: int, rank_by: RankBy, found: Expectations) -> list[str]:
    fixed = [*_fixed_columns(shown, run, found), *_ranked_by(shown, run, rank_by)]
    columns = _classes_within(fixed, shown, run, width)
    status = Column(("status",), tuple(standing.status for standing in shown), "<")
    lines = render_columns(fitting(columns, [status, *_parameters(shown)], width))
    hidden = len(run.labels.classes) + len(fixed) - len(columns)
    return [*lines, f"{hidden} more class{'es' if hidden > 1 else ''}: --json holds all."] if hidden else lines


def baseline_lines(run: Run, width: int, test: Mapping[str, Mapping[str, float]] | None = None) -> list[str]:
    """The baselines of a run as a table with the columns of its trials; nothing without any.

    test: metrics of the test split by name, which then take the place of the others.
    """
    ranked = [_measured(standing, test) for standing in baseline_standings(run)]
    if not ranked:
        return []
    rows = max(row.train_rows for row in run.baselines.values())
    title = f"Baselines, fitted to all {rows:,} training rows and judged as trials are:"
    title = title if test is None else "On the test split, in the same order:"
    names = Column(("baseline",), tuple(standing.record.trial for standing in ranked), "<")
    fixed = [names, *_figure_columns(ranked, run, Expectations())]
    return [*textwrap.wrap(title, width), *render_columns(_classes_within(fixed, ranked, run, width))]


def _measured(standing: Standing, test: Mapping[str, Mapping[str, float]] | None) -> Standing:
    """The same with the metrics of the test split in the place of its own."""
    if test is None or standing.best is None:
        return standing
    return replace(standing, best=replace(standing.best, metrics=test[standing.record.trial]))


def _against_baselines(ranked: Sequence[Standing], run: Run, width: int) -> list[str]:
    """What the winner gains over the best of them."""
    found = advantage(next((standing for standing in ranked if standing.exportable), None), run)
    return textwrap.wrap(advantage_text(found, len(run.criteria)), width) if found else []


def _told_apart(ranked: Sequence[Standing], run: Run, width: int) -> list[str]:
    """Whether more trials would decide anything; finalists decide by more rows."""
    found = separation(ranked, run)
    return textwrap.wrap(separation_text(found), width) if found else []


def _fixed_columns(shown: Sequence[Standing], run: Run, found: Expectations) -> list[Column]:
    return [
        Column(("#",), tuple(str(rank) for rank in range(1, len(shown) + 1))),
        Column(("trial",), tuple(standing.record.trial for standing in shown), "<"),
        Column(("epoch",), tuple(str(one.best.epoch) if one.best else "-" for one in shown)),
        *_figure_columns(shown, run, found),
    ]


def _figure_columns(shown: Sequence[Standing], run: Run, found: Expectations) -> list[Column]:
    """What trials and baselines are ranked by."""
    total = len(run.criteria)
    columns = [
        Column(("criteria", "met"), tuple(f"{one.met}/{total}" if one.best else "-" for one in shown)),
        Column(("minority", "recall"), _values(shown, "minority_recall")),
        *_expected(shown, DEFAULT_OBJECTIVE, found),
    ]
    told = [one for one in (run.objective, run.second_objective) if one not in (None, DEFAULT_OBJECTIVE)]
    for objective in map(str, told):
        columns += [_objective_column(shown, objective), *_expected(shown, objective, found)]
    return columns


def _expected(shown: Sequence[Standing], objective: str, found: Expectations) -> list[Column]:
    """What fresh rows should give, where a choice has made that another figure."""
    if not found.corrected or objective == SECONDS:
        return []
    key = _key_of(shown, objective)
    figures = (found.of(one.record.trial).get(key) for one in shown)
    return [Column(("", "expected"), tuple(value_text(key, one.value if one else math.nan) for one in figures))]


def _objective_column(shown: Sequence[Standing], objective: str) -> Column:
    if objective == SECONDS:
        return Column(("time",), tuple(duration_text(one.seconds) for one in shown))
    return Column((cut(objective, 16),), _values(shown, _key_of(shown, objective)))


def _key_of(shown: Sequence[Standing], objective: str) -> str:
    return next((objective_key(one.best.metrics, objective) for one in shown if one.best), objective)


def _ranked_by(shown: Sequence[Standing], run: Run, rank_by: RankBy) -> list[Column]:
    """The figure that decided the order, where it is no column anyway."""
    if rank_by == "probability":
        return [Column(("P(all)",), tuple(probability_text(one.ranked_by) for one in shown))]
    if rank_by == "lower_bound":
        return [Column(("worse", "end"), tuple(value_text(run.objective, abs(one.ranked_by)) for one in shown))]
    return []


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
        cells = tuple(cut(plain(standing.record.params.get(path)), 16) for standing in shown)
        if len(set(cells)) > 1 or len(shown) == 1:
            columns.append(Column(tuple(labels[path].rsplit("_", 1)), cells))
    return columns


def _left_out(ranked: Sequence[Standing], limit: int | None) -> list[str]:
    more = len(ranked) - len(ranked[:limit])
    return [f"{more} more trial{'s' if more > 1 else ''} below; --csv and --json hold all."] if more > 0 else []


def _intervals(ranked: Sequence[Standing], run: Run, width: int) -> list[str]:
    """Recall of the minority classes with exact intervals, for the first trials of the table."""
    shown = [standing for standing in ranked if standing.best][:_WITH_INTERVALS]
    classes = sorted(run.labels.minority, key=lambda name: _rows_of(name, shown))
    columns = [_interval_column(name, shown) for name in classes if _rows_of(name, shown) > 0]
    if not shown or not columns:
        return []
    places = {id(standing): str(rank) for rank, standing in enumerate(ranked, start=1)}
    first = [
        Column(("#",), tuple(places[id(standing)] for standing in shown)),
        Column(("trial",), tuple(standing.record.trial for standing in shown), "<"),
    ]
    title = f"Recall of the minority classes with {100 * LEVEL:g} % intervals, by the rows of validation data:"
    return [*textwrap.wrap(title, width), *render_columns(fitting(first, columns, width))]


def _interval_column(name: str, shown: Sequence[Standing]) -> Column:
    return Column((cut(name, 16), f"n={_rows_of(name, shown):.0f}"), tuple(_with_interval(name, one) for one in shown))


def _with_interval(name: str, standing: Standing) -> str:
    metrics = standing.best.metrics if standing.best else {}
    rows, recall = metrics.get(f"support[{name}]", math.nan), metrics.get(f"recall[{name}]", math.nan)
    if not rows > 0 or not math.isfinite(recall):
        return "-"
    interval = exact(round(recall * rows), round(rows))
    return f"{value_text('recall', recall)}  {interval_text('recall', interval)}"


def _front(ranked: Sequence[Standing], run: Run, width: int) -> list[str]:
    """The Pareto set, and what a trial that meets all criteria has cost."""
    lines = []
    front = [one.record.trial for one, inside in zip(ranked, pareto_set(ranked, run), strict=True) if inside]
    if len(front) > 1:
        more = f" and {len(front) - _NAMED} more" if len(front) > _NAMED else ""
        names = f"{', '.join(front[:_NAMED])}{more}"
        lines += textwrap.wrap(f"No trial beats these in both {' and '.join(bargain(ranked, run))}: {names}", width)
    seconds, hours = sum(one.seconds for one in ranked), sum(one.gpu_hours for one in ranked)
    meeting = int(judged(ranked, run).met.all(axis=1).sum())
    if seconds > 0 and run.criteria:
        of_one = _spent(seconds / meeting, hours / meeting) if meeting else ""
        each = f"{of_one} for each trial that meets" if meeting else "no trial meets"
        summed = "" if hours else ", its slots together"
        lines += textwrap.wrap(f"Training took {_spent(seconds, hours)} in all{summed}, {each} all criteria.", width)
    return lines


def _spent(seconds: float, gpu_hours: float) -> str:
    return f"{gpu_hours:.2g} GPU-hours" if gpu_hours else duration_text(seconds)


def _values(shown: Sequence[Standing], key: str) -> tuple[str, ...]:
    return tuple(value_text(key, one.best.metrics.get(key, math.nan) if one.best else math.nan) for one in shown)


def _order_text(run: Run, rank_by: RankBy) -> str:
    objective = objective_text(run.objective)
    return {
        "criteria": f"By criteria met, then by how far the others are missed, then {objective}.",
        "objective": f"By {objective}, then criteria met.",
        "probability": "By the probability that the true values meet all criteria, P(all).",
        "lower_bound": f"By the worse end of the {100 * LEVEL:g} % interval of {objective}.",
        "expected": f"By the {objective} that fresh rows should give.",
    }[rank_by]
