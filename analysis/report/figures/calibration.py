"""Calibration of the rarest classes."""

import math

from matplotlib.axes import Axes

from rarecall.analysis.calibration.reliability import Calibration, of_class
from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.figures.style import ACCENT, INK, THIN, LeftOut, Picture, canvas, percent_axis
from rarecall.analysis.text.table import cut

_PANELS, _COLUMNS = 6, 3


def calibration_figure(report: Report) -> Picture | LeftOut:
    """A diagram for each of the rarest classes."""
    predictions, names = report.predictions, report.rarest[:_PANELS]
    if predictions is None or predictions.probabilities is None or not len(predictions):
        return LeftOut("the predictions hold no probabilities" if predictions else "the predictions cannot be read")
    if not names:
        return LeftOut("no class is a minority class")
    found = {name: of_class(predictions, report.labels.classes.index(name), report.level) for name in names}
    columns = min(_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure, panels = canvas(0.4 + 2.3 * rows, columns, rows, width=0.6 + 2.2 * columns)
    for axes, (name, one) in zip(panels, found.items(), strict=False):
        _panel(axes, name, one)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel("probability of the class", fontsize=9)
    figure.supylabel("share of the rows", fontsize=9)
    some = f"the {_PANELS} rarest classes" if len(report.labels.minority) > _PANELS else "the minority classes"
    caption = f"Calibration of {some}: dots on the line are calibrated; bars are {100 * report.level:g} % intervals."
    return Picture("Calibration", caption, f"{'; '.join(_told(name, one) for name, one in found.items())}.", figure)


def _panel(axes: Axes, name: str, found: Calibration) -> None:
    axes.plot([0, 1], [0, 1], color=THIN, linewidth=1, linestyle=(0, (4, 3)))
    for one in found.bins:
        axes.plot([one.mean_probability] * 2, [one.interval.low, one.interval.high], color=ACCENT, linewidth=1.4)
    points = [(one.mean_probability, one.share) for one in found.bins]
    axes.plot(*zip(*points, strict=True), "o", color=INK, markersize=4.5, clip_on=False, zorder=3)
    percent_axis(axes, "x")
    percent_axis(axes, "y")
    axes.set_title(cut(name, 24))


def _told(name: str, found: Calibration) -> str:
    bins = ", ".join(f"{one.hits} of {one.rows} at about {one.mean_probability:.2f}" for one in found.bins)
    return f"{name}: {bins}"
