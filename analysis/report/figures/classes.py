"""Recall of each class with its interval and the criteria about it."""

import math

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.figures.dots import Dot, dot_plot, height
from rarecall.analysis.report.figures.style import LeftOut, Picture, canvas, percent_axis
from rarecall.analysis.text.wording import interval_text, value_text


def class_recalls(report: Report) -> Picture | LeftOut:
    """A line for each class, minority classes strong."""
    if not report.metrics:
        return LeftOut("no metrics are known")
    lines = [_line(report, name) for name in report.labels.classes]
    figure, (axes,) = canvas(height(len(lines)))
    dot_plot(axes, lines)
    percent_axis(axes, "x")
    axes.set_xlabel("recall")
    axes.set_title("Recall per class")
    level = f"{100 * report.level:g} % intervals"
    caption = f"Recall per class with {level}; blue dots are minority classes, orange bars the criteria."
    return Picture("Recall per class", caption, f"{'; '.join(map(_told, lines))}.", figure)


def _line(report: Report, name: str) -> Dot:
    key = f"recall[{name}]"
    rows = report.metrics.get(f"support[{name}]", math.nan)
    known = math.isfinite(rows) and rows > 0
    value = report.metrics.get(key, math.nan)
    note = f"{value * rows:.0f} of {rows:,.0f}" if known and math.isfinite(value) else "no rows"
    interval = report.intervals.get(key) if known else None
    return Dot(name, value, interval, report.limit(key), note, name in report.labels.minority)


def _told(line: Dot) -> str:
    interval = f" ({interval_text('recall', line.interval)})" if line.interval else ""
    return f"{line.name}: {value_text('recall', line.value)}{interval}, {line.note}"
