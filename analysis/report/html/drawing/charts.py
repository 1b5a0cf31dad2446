"""Drawings: one frame for all charts, with axes, a title and a description that a screen reader tells."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rarecall.analysis.report.html.drawing.scale import Scale
from rarecall.analysis.report.html.markup import Child, Markup, compact, element

WIDTH, HEIGHT = 340.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 42.0, 322.0, 26.0, 200.0

Point = tuple[float, float]
TickText = Callable[[float], str]


@dataclass(frozen=True)
class Axis:
    """A scale with its name and how its ticks read. ticks: at these values instead of round ones."""

    scale: Scale
    name: str
    text: TickText = "{:g}".format
    ticks: Sequence[float] | None = None

    @property
    def shown(self) -> Sequence[float]:
        return self.scale.ticks(5 if self.scale.start > self.scale.end else 4) if self.ticks is None else self.ticks


def percent(value: float) -> str:
    """A share as a tick.

    >>> percent(0.25)
    '25 %'
    """
    return f"{100 * value:g} %"


def chart(name: str, title: str, description: str, x: Axis, y: Axis, *marks: Child) -> Markup:
    """Marks within two axes; `name` makes ids that the page has once."""
    return image(name, title, description, (WIDTH, HEIGHT), [_axis_x(x), _axis_y(y), *marks])


def image(name: str, title: str, description: str, size: tuple[float, float], marks: Iterable[Child]) -> Markup:
    """An SVG with a title and a description."""
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        list(marks),
        viewBox=f"0 0 {compact(size[0])} {compact(size[1])}",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
    )


def figure(drawing: Markup, caption: Child, class_: str | None = None) -> Markup:
    """A drawing with its caption below."""
    return element("figure", drawing, element("figcaption", caption), class_=class_)


def polyline(points: Iterable[Point], class_: str, trial: str | None = None) -> Markup:
    """Points joined by lines; a single one is a dot."""
    placed = [f"{compact(x)} {compact(y)}" for x, y in points]
    way = f"M{'L'.join(placed)}{'h0' if len(placed) == 1 else ''}" if placed else ""
    return element("path", d=way, class_=class_, data_trial=trial)


def dots(points: Iterable[Point], class_: str, shape: str = "h0") -> Markup:
    """All points as one path of dots, or of another shape given as relative moves from its centre."""
    return element("path", d="".join(f"M{compact(x)} {compact(y)}{shape}" for x, y in points), class_=class_)


def text(x: float, y: float, *content: Child, class_: str = "tick", anchor: str = "middle") -> Markup:
    """A piece of text at a place."""
    return element("text", *content, x=x, y=y, class_=class_, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("path", d=f"M{compact(x1)} {compact(y1)}L{compact(x2)} {compact(y2)}", class_=class_)


def _axis_x(axis: Axis) -> list[Markup]:
    ticks = [(axis.scale(value), value) for value in axis.shown]
    return [
        *(line(x, TOP, x, BOTTOM, "grid") for x, _ in ticks),
        *(text(x, BOTTOM + 15, axis.text(value)) for x, value in ticks),
        text((LEFT + RIGHT) / 2, HEIGHT - 7, axis.name, class_="axis"),
    ]


def _axis_y(axis: Axis) -> list[Markup]:
    ticks = [(axis.scale(value), value) for value in axis.shown]
    return [
        *(line(LEFT, y, RIGHT, y, "grid") for y, _ in ticks),
        *(text(LEFT - 6, y + 3.5, axis.text(value), anchor="end") for y, value in ticks),
        text(4, 14, axis.name, class_="axis", anchor="start"),
    ]
