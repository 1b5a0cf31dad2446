"""The leaderboard: one row per trial, to be sorted and filtered."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from rarecall.analysis.criteria.bands import band_of
from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.markup import Attribute, Markup, element
from rarecall.analysis.report.html.sections.section import Section
from rarecall.analysis.report.html.table import Cell, Heading, table, words
from rarecall.analysis.report.sentences import counted, order
from rarecall.analysis.runs.baselines import baselines_of
from rarecall.analysis.runs.ranking.standings import Standing, baseline_standings, pareto_set
from rarecall.analysis.text.table import short_names
from rarecall.analysis.text.winner import plain
from rarecall.analysis.text.wording import distance_text, duration_text, value_text

# Trials that are listed and drawn: a page of more is slow and nobody reads it.
SHOWN = 500
# With more classes than this only the rare ones have a column, the first of them.
_CLASSES = 8
_UNLISTED = frozenset({"minority_recall", "mae"})


@dataclass(frozen=True)
class _Column:
    heading: Heading
    cell: Callable[[int, Standing], Cell]


def leaderboard_section(report: Report) -> Section | None:
    """The trials of a run in their order."""
    if not report.ranked:
        return None
    columns = _columns(report)
    shown = report.ranked[:SHOWN]
    board = table(
        "Trials, each with its best epoch",
        [column.heading for column in columns],
        [[column.cell(number, one) for column in columns] for number, one in enumerate(shown)],
        class_="sortable",
        row_attributes=[_attributes(one, report) for one in shown],
        head=1,
    )
    return Section(
        "Leaderboard", (element("p", order(report, SHOWN)), _controls(len(shown)), board, _baselines(report))
    )


def _baselines(report: Report) -> Markup | None:
    """What simple models reach on the same rows, in the columns of the metrics."""
    ranked = baseline_standings(report.run) if report.run else []
    if not ranked or report.run is None:
        return None
    rows = baselines_of(report.run)
    columns = [
        _Column(words("baseline"), lambda _, one: Cell(one.record.trial)),
        _Column(words("what it is"), lambda _, one: Cell(rows[one.record.trial].title)),
        _Column(Heading("met", title="Criteria met as measured"), lambda _, one: _met(one)),
        *_metric_columns(report),
    ]
    return table(
        f"Baselines, fitted to all {max(row.train_rows for row in rows.values()):,} training rows",
        [column.heading for column in columns],
        [[column.cell(number, one) for column in columns] for number, one in enumerate(ranked)],
    )


def meets_all(standing: Standing) -> bool:
    """Whether every criterion is met as measured."""
    return bool(standing.criteria) and standing.best is not None and standing.met == len(standing.criteria)


def _controls(rows: int) -> Markup:
    """Search field and switch; the page's script shows them."""
    return element(
        "form",
        element("label", "Find ", element("input", type="search", id="find", autocomplete="off", spellcheck="false")),
        element("label", element("input", type="checkbox", id="meets"), " meets all criteria as measured"),
        element("output", counted(rows, "trial"), id="count", for_="find meets", aria_live="polite"),
        class_="controls",
        hidden=True,
        role="search",
        aria_label="Filter the trials",
    )


def _attributes(standing: Standing, report: Report) -> dict[str, Attribute]:
    return {
        "data_trial": standing.record.trial,
        "data_meets": meets_all(standing),
        "class_": "chosen" if report.chosen and standing is report.chosen else None,
    }


def _columns(report: Report) -> list[_Column]:
    front = pareto_set(report.ranked, report.run).tolist() if report.run else []
    return [
        _Column(Heading("rank"), lambda number, _: Cell(number + 1)),
        _Column(words("trial"), lambda _, one: Cell(one.record.trial)),
        _Column(words("status"), lambda _, one: Cell(one.status)),
        _Column(Heading("epoch", title="Best epoch of those that ran"), lambda _, one: _epoch(one)),
        _Column(Heading("met", title="Criteria met as measured"), lambda _, one: _met(one)),
        *_metric_columns(report),
        _Column(Heading("violation", title="Sum of what is lacking for the criteria"), lambda _, one: _violation(one)),
        _Column(words("closest miss"), lambda _, one: _missed(one)),
        *_outcome(report),
        _Column(words("Pareto"), lambda number, _: Cell("yes" if front[number] else "", 0.0 if front[number] else 1.0)),
        _Column(Heading("time"), lambda _, one: Cell(duration_text(one.seconds), one.seconds)),
        *_parameter_columns(report),
    ]


def _epoch(standing: Standing) -> Cell:
    epochs = len(standing.record.epochs)
    return Cell(f"{standing.best.epoch} of {epochs}", float(standing.best.epoch)) if standing.best else Cell("–")


def _met(standing: Standing) -> Cell:
    if not standing.best:
        return Cell("–")
    return Cell(f"{standing.met} of {len(standing.criteria)}", float(standing.met))


def _violation(standing: Standing) -> Cell:
    return Cell(f"{standing.violation:.3f}", standing.violation) if standing.best else Cell("–")


def _missed(standing: Standing) -> Cell:
    missed = standing.closest_miss
    if missed is None:
        return Cell("")
    return Cell([element("code", missed.criterion.text), element("small", distance_text(missed))], class_="wide")


def _outcome(report: Report) -> list[_Column]:
    bands = report.run.bands if report.run else ()
    if not bands:
        return []

    def cell(_: int, standing: Standing) -> Cell:
        band = band_of(standing.best.metrics, bands) if standing.best else None
        return Cell(band.name if band else "")

    return [_Column(words("outcome"), cell)]


def _metric_columns(report: Report) -> list[_Column]:
    classes = _listed(report.labels)
    columns = [_metric_column("minority_recall", "minority recall", "Mean recall of the minority classes")]
    for name, short in zip(classes, short_names(classes, "_- "), strict=True):
        columns.append(_metric_column(f"recall[{name}]", short, f"Recall of {name}"))
    if report.labels.dimensions:
        columns.append(_metric_column("mae", "MAE", "Mean absolute error over the dimensions"))
    objective = report.run.objective if report.run else "minority_recall"
    if objective not in _UNLISTED and split_key(objective)[0] != "recall":
        columns.append(_metric_column(objective, objective, "The objective"))
    return columns


def _listed(labels: LabelSpace) -> tuple[str, ...]:
    return labels.classes if len(labels.classes) <= _CLASSES else labels.minority[:_CLASSES]


def _metric_column(key: str, name: str, title: str) -> _Column:
    def cell(_: int, standing: Standing) -> Cell:
        value = standing.best.metrics.get(key, math.nan) if standing.best else math.nan
        return Cell(value_text(key, value), value)

    return _Column(Heading(name, title=title), cell)


def _parameter_columns(report: Report) -> list[_Column]:
    paths = list(dict.fromkeys(path for one in report.ranked for path in one.record.params))
    return [
        _parameter_column(path, short)
        for path, short in zip(paths, short_names(paths, ".", from_end=True), strict=True)
    ]


def _parameter_column(path: str, short: str) -> _Column:
    def cell(_: int, standing: Standing) -> Cell:
        value = standing.record.params.get(path)
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        return Cell(plain(value), number)

    return _Column(Heading(short, title=path), cell)
