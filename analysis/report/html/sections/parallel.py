"""Parallel coordinates: every trial as a line through its parameters to what came of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.drawing.charts import Axis, figure, image, line, percent, polyline, text
from rarecall.analysis.report.html.drawing.parameter_axis import axis_of, places_of
from rarecall.analysis.report.html.drawing.scale import around
from rarecall.analysis.report.html.markup import Child, Markup, element
from rarecall.analysis.report.html.sections.leaderboard import SHOWN, meets_all
from rarecall.analysis.report.html.sections.section import Section
from rarecall.analysis.report.html.table import scrolling
from rarecall.analysis.report.parameter_values import values_of
from rarecall.analysis.report.parameters import Effects
from rarecall.analysis.report.sentences import counted
from rarecall.analysis.runs.ranking.standings import Standing
from rarecall.analysis.text.table import cut, short_names

_WIDTH, _GAP, _EDGE, _TOP, _BOTTOM = 900.0, 128.0, 56.0, 44.0, 300.0
_AXES = 10


@dataclass(frozen=True)
class _Column:
    axis: Axis
    places: list[float | None]


def parallel_section(report: Report, found: Effects) -> Section | None:
    """One axis per parameter that varies, then minority recall and, where there are scores, MAE."""
    shown = [one for one in report.ranked[:SHOWN] if one.best]
    paths = [one.path for one in found.effects][:_AXES]
    if len(shown) < 2 or not paths:
        return None
    names = short_names(paths, ".", from_end=True)
    columns = [_parameter(shown, path, name) for path, name in zip(paths, names, strict=True)]
    columns.append(_metric(shown, "minority_recall", "minority recall", True))
    if report.labels.dimensions:
        columns.append(_metric(shown, "mae", "MAE", False))
    meeting = sum(map(meets_all, shown))
    about = (
        f"{counted(len(shown), 'trial')}, one line each: thick the winner, strong those that meet all criteria as "
        f"measured ({meeting}), faint the others. The filter of the leaderboard dims lines as well."
    )
    drawn = _drawing(report, shown, columns)
    return Section(
        "Parallel coordinates",
        (element("p", about), scrolling(figure(drawn, "", "wide"), "Parallel coordinates of the trials")),
    )


def _drawing(report: Report, shown: Sequence[Standing], columns: Sequence[_Column]) -> Markup:
    gap = max(_GAP, (_WIDTH - 2 * _EDGE) / (len(columns) - 1))
    width = 2 * _EDGE + gap * (len(columns) - 1)
    marks: list[Child] = []
    # What stands out is drawn last, above the others.
    for number, one in sorted(enumerate(shown), key=lambda pair: (pair[1] is report.chosen, meets_all(pair[1]))):
        points = [
            (_EDGE + gap * index, place)
            for index, column in enumerate(columns)
            if (place := column.places[number]) is not None
        ]
        kind = "winner" if one is report.chosen else "meets" if meets_all(one) else "trial"
        marks.append(polyline(points, kind, one.record.trial))
    axes = [_axis_marks(_EDGE + gap * index, column.axis, index) for index, column in enumerate(columns)]
    about = "Each line is a trial. The leaderboard has the same values as a table."
    return image("parallel", "Parallel coordinates of the trials", about, (width, _BOTTOM + 16), [marks, axes])


def _axis_marks(x: float, axis: Axis, index: int) -> list[Markup]:
    marks = [
        line(x, _TOP, x, _BOTTOM, "rule"),
        text(x, 16 if index % 2 == 0 else 30, cut(axis.name, 22), class_="axis"),
    ]
    for value in axis.shown:
        marks.append(text(x + 5, axis.scale(value) + 3.5, axis.text(value), anchor="start", class_="tick halo"))
    return marks


def _parameter(shown: Sequence[Standing], path: str, name: str) -> _Column:
    values = values_of([one.record.params.get(path) for one in shown])
    axis = axis_of(values, name, _BOTTOM, _TOP)
    return _Column(axis, places_of(values, axis))


def _metric(shown: Sequence[Standing], key: str, name: str, share: bool) -> _Column:
    values = [one.best.metrics.get(key, math.nan) if one.best else math.nan for one in shown]
    scale = around(values, _BOTTOM, _TOP)
    axis = Axis(scale, name, percent) if share else Axis(scale, name)
    return _Column(axis, [scale(value) if math.isfinite(value) else None for value in values])
