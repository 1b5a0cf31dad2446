"""The metrics that are about all rows, and the error of each dimension."""

import math

from rarecall.analysis.metrics import registry as metric_registry
from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.figures.dots import Dot, dot_plot, height
from rarecall.analysis.report.figures.style import LeftOut, Picture, canvas, percent_axis
from rarecall.analysis.text.wording import interval_text, value_text

_INITIALS = frozenset({"f1", "roc", "pr", "auc"})


def overall_metrics(report: Report) -> Picture | LeftOut:
    """Shares that are about all rows, from accuracy to the areas under curves."""
    lines = [_dot(report, key, _words(key)) for key in _shares(report)]
    if not lines:
        return LeftOut("no metrics are known")
    figure, (axes,) = canvas(height(len(lines)))
    dot_plot(axes, lines)
    percent_axis(axes, "x")
    low = min([0.0, *(one.interval.low for one in lines if one.interval), *(one.value for one in lines)])
    axes.set_xlim(left=1.04 * low - 0.02)
    axes.set_title("Overall metrics")
    caption = f"Metrics over all classes with {100 * report.level:g} % intervals; orange bars are the criteria."
    return Picture("Overall metrics", caption, f"{'; '.join(_told('recall', one) for one in lines)}.", figure)


def dimension_errors(report: Report) -> Picture | LeftOut:
    """Mean absolute error of each dimension and of all."""
    if not report.labels.dimensions:
        return LeftOut("the task has no scores")
    if not report.metrics:
        return LeftOut("no metrics are known")
    lines = [_dot(report, f"mae[{name}]", name) for name in report.labels.dimensions]
    if math.isfinite(report.metrics.get("mae", math.nan)):
        lines.append(_dot(report, "mae", "mean of all"))
    figure, (axes,) = canvas(height(len(lines)))
    dot_plot(axes, lines)
    axes.set_xlim(left=0.0)
    axes.set_xlabel("mean absolute error, on the scale of the scores")
    axes.set_title("Error per dimension")
    level = f"{100 * report.level:g} % intervals"
    caption = f"Mean absolute error (MAE) of each dimension with {level}; orange bars are the criteria."
    return Picture("Error per dimension", caption, f"{'; '.join(_told('mae', one) for one in lines)}.", figure)


def _shares(report: Report) -> list[str]:
    """Keys of all known shares over all rows, in the order of their registration."""
    return [
        one.name
        for one in metric_registry.registered()
        if one.scale == "share" and math.isfinite(report.metrics.get(one.name, math.nan))
    ]


def _words(key: str) -> str:
    return " ".join(word.upper() if word in _INITIALS else word for word in key.split("_"))


def _dot(report: Report, key: str, name: str) -> Dot:
    value = report.metrics.get(key, math.nan)
    return Dot(name, value, report.intervals.get(key), report.limit(key), value_text(key, value))


def _told(key: str, line: Dot) -> str:
    interval = f" ({interval_text(key, line.interval)})" if line.interval else ""
    return f"{line.name}: {line.note}{interval}"
