"""Strips: a value with its interval drawn in a table cell, as wide as the cell is. The numbers stand beside it."""

import math
from collections.abc import Sequence

from rarecall.analysis.criteria.criterion import Criterion
from rarecall.analysis.report.html.drawing.scale import Scale
from rarecall.analysis.report.html.markup import Child, Markup, compact, element
from rarecall.analysis.uncertainty.intervals import Interval

_MIDDLE, _HEIGHT = 8, 16
# A line with marks at both ends and in the middle.
_BASE = f"M0 {_MIDDLE}H100M0 4v8M50 5v6M100 4v8"


def strip(scale: Scale, value: float, interval: Interval | None, criterion: Criterion | None = None) -> Markup:
    """A dot for the value and a line for the interval; the zone where a criterion is met is shaded.

    scale: from 0 to 100.
    """
    marks: list[Child] = [_path(_BASE, "base")]
    if criterion:
        marks += _zone(scale, criterion)
    if interval and math.isfinite(interval.low):
        marks.append(_path(f"M{compact(scale(interval.low))} {_MIDDLE}H{compact(scale(interval.high))}", "span"))
    if math.isfinite(value):
        marks.append(_path(f"M{compact(scale(value))} {_MIDDLE}h0", "dot"))
    return element(
        "svg", marks, viewBox=f"0 0 100 {_HEIGHT}", preserveAspectRatio="none", class_="strip", aria_hidden="true"
    )


def share_scale(low: float = 0.0) -> Scale:
    """From 0 % (or lower, where something is) to 100 %."""
    return Scale(min(0.0, low) if math.isfinite(low) else 0.0, 1.0, 0, 100)


def amount_scale(values: Sequence[float]) -> Scale:
    """From 0 to a little more than the largest finite value."""
    highest = max((value for value in values if math.isfinite(value)), default=1.0)
    return Scale(0, 1.15 * highest or 1.0, 0, 100)


def _zone(scale: Scale, criterion: Criterion) -> list[Markup]:
    at = scale(criterion.threshold)
    from_, to = {">": (at, 100.0), "<": (0.0, at), "=": (at, at)}[criterion.op[0]]
    wanted = element("rect", x=from_, y=0, width=to - from_, height=_HEIGHT, class_="wanted")
    return [wanted, _path(f"M{compact(at)} 0V{_HEIGHT}", "limit")]


def _path(way: str, class_: str) -> Markup:
    return element("path", d=way, class_=class_)
