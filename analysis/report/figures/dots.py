"""Dots with their intervals, a line for each name: the figures of classes, dimensions and whole runs alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from rarecall.analysis.criteria.criterion import Criterion
from rarecall.analysis.report.figures.style import ACCENT, BAD, INK, SOFT, THIN
from rarecall.analysis.text.table import cut
from rarecall.analysis.uncertainty.intervals import Interval

INCHES_PER_LINE, INCHES_AROUND = 0.24, 1.15
_LETTERS = 30


@dataclass(frozen=True)
class Dot:
    """One line. note: stands at its end. strong: whether it stands out from the others."""

    name: str
    value: float
    interval: Interval | None = None
    limit: Criterion | None = None
    note: str = ""
    strong: bool = True


def height(lines: int) -> float:
    """Inches that so many lines take, with title and axis."""
    return INCHES_AROUND + INCHES_PER_LINE * max(lines, 2)


def dot_plot(axes: Axes, lines: Sequence[Dot]) -> None:
    """The first line on top, a short orange bar where a criterion draws its limit."""
    for place, one in enumerate(lines):
        _draw(axes, place, one)
    axes.set_yticks(range(len(lines)), [cut(one.name, _LETTERS) for one in lines])
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)


def _draw(axes: Axes, place: int, one: Dot) -> None:
    colour = ACCENT if one.strong else THIN
    if one.interval and math.isfinite(one.interval.low):
        axes.plot([one.interval.low, one.interval.high], [place, place], color=colour, linewidth=2.2, alpha=0.75)
    if math.isfinite(one.value):
        shape, size = ("o", 6.0) if one.strong else ("s", 4.5)
        axes.plot([one.value], [place], shape, color=colour, markersize=size, markeredgecolor="white", clip_on=False)
    if one.limit:
        axes.plot([one.limit.threshold] * 2, [place - 0.38, place + 0.38], color=BAD, linewidth=1.6, zorder=3)
    # At the right edge, outside, where nothing else is drawn.
    beside = axes.get_yaxis_transform()
    axes.text(1.02, place, one.note, transform=beside, va="center", color=SOFT, fontsize=7.5)
