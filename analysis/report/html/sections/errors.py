"""Scores: the error per dimension, with its interval and what the criteria allow."""

import math

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.drawing.scale import Scale
from rarecall.analysis.report.html.drawing.strip import amount_scale, strip
from rarecall.analysis.report.html.sections.section import Section
from rarecall.analysis.report.html.table import Cell, Heading, table, words
from rarecall.analysis.text.wording import interval_text, value_text


def errors_section(report: Report) -> Section | None:
    """Mean absolute error of each dimension."""
    names = report.labels.dimensions
    if not names or not report.metrics:
        return None
    scale = _scale(report)
    headings = [
        words("dimension"),
        Heading("MAE", title="Mean absolute error on the score scale"),
        Heading(f"{100 * report.level:g} % interval"),
        words(f"0 to {scale.high:.2g}"),
        Heading("RMSE", title="Root mean squared error"),
    ]
    rows = [_row(report, name, scale) for name in names]
    return Section("Error per dimension", (table("Mean absolute error per dimension", headings, rows, stacked=True),))


def _scale(report: Report) -> Scale:
    """One for all dimensions, which holds their values, intervals and criteria."""
    keys = [f"mae[{name}]" for name in report.labels.dimensions]
    values = [report.metrics.get(key, math.nan) for key in keys]
    upper = [report.intervals[key].high for key in keys if key in report.intervals]
    return amount_scale([*values, *upper, *(limit.threshold for key in keys if (limit := report.limit(key)))])


def _row(report: Report, name: str, scale: Scale) -> list[Cell | str]:
    key = f"mae[{name}]"
    value, interval = report.metrics.get(key, math.nan), report.intervals.get(key)
    return [
        name,
        value_text(key, value),
        interval_text(key, interval) if interval else "–",
        Cell(strip(scale, value, interval, report.limit(key)), class_="picture"),
        value_text("rmse", report.metrics.get(f"rmse[{name}]", math.nan)),
    ]
