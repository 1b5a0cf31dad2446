"""What the searched parameters have to do with minority recall: figures, one scatter each, all of them at once."""

import math
from collections.abc import Sequence

import numpy as np

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.drawing.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Axis,
    chart,
    dots,
    figure,
    line,
    percent,
    polyline,
)
from rarecall.analysis.report.html.drawing.parameter_axis import axis_of, places_of
from rarecall.analysis.report.html.drawing.scale import Scale
from rarecall.analysis.report.html.drawing.strip import strip
from rarecall.analysis.report.html.markup import Child, Markup, element
from rarecall.analysis.report.html.sections.section import Section, note
from rarecall.analysis.report.html.table import Cell, Heading, table, words
from rarecall.analysis.report.parameter_values import names_of
from rarecall.analysis.report.parameters import FEWEST, FOR_FOREST, Effect, Effects, medians

_FEW_PLACES, _SIDEWAYS = 8, 6.0


def parameters_section(report: Report, found: Effects) -> Section | None:
    """Correlation and importance of each parameter, and its effect trial by trial; left out for few trials."""
    if not found.effects:
        return None
    if found.trials < FEWEST:
        return Section(
            "Parameters",
            (note(f"{found.trials} trials are too few to tell what a parameter does; it takes {FEWEST}."),),
        )
    caption = (
        f"A dot is a trial ({found.trials} in all), equal values are spread sideways; the line joins the medians of "
        "groups of neighbours."
    )
    content = (_importance(found, report.level), _trust(found), element("p", caption), *_panels(found))
    return Section("Parameters", content)


def _panels(found: Effects) -> list[Child]:
    """A scatter for each parameter, the mitigations first."""
    drawn = [(one, _panel(f"effect-{number}", one)) for number, one in enumerate(found.effects)]
    groups = {
        "Each mitigation and minority recall": [panel for one, panel in drawn if one.mitigation],
        "Each other setting and minority recall": [panel for one, panel in drawn if not one.mitigation],
    }
    return [
        [element("h3", title), element("div", panels, class_="panels")] for title, panels in groups.items() if panels
    ]


def _trust(found: Effects) -> Markup:
    if math.isnan(found.held_out):
        forest = f"That is too few for a random forest, which takes {FOR_FOREST}."
    elif found.held_out <= 0:
        forest = "A random forest predicts trials it has not seen no better than the mean does: no importances."
    else:
        share = f"{100 * found.held_out:.0f} % of the variance of trials it has not seen"
        forest = f"A random forest explains {share}; importance is what of it is lost when the parameter is shuffled."
    hints = (
        "The searcher tried more of what looked good, parameters vary together, and trials stopped early count with "
        "the epochs they had: read these as hints."
    )
    return note(f"{found.trials} trials. {forest} {hints}")


def _importance(found: Effects, level: float) -> Markup:
    forest = found.held_out > 0
    headings = [
        words("parameter"),
        Heading("rank correlation", title="Spearman’s, with minority recall"),
        Heading(f"{100 * level:g} % interval"),
        words("−1 to 1"),
    ]
    headings += [Heading("importance", title="Loss of R² when shuffled")] if forest else []
    scale = Scale(-1, 1, 0, 100)
    rows: list[list[Cell | Child]] = []
    for one in found.effects:
        known = math.isfinite(one.rank_correlation)
        row: list[Cell | Child] = [
            [element("code", one.path), element("small", "mitigation", class_="beside") if one.mitigation else None],
            _signed(one.rank_correlation) if known else "–",
            f"{_signed(one.interval.low)} to {_signed(one.interval.high)}" if known else "–",
            Cell(strip(scale, one.rank_correlation, one.interval), class_="picture middle"),
        ]
        rows.append([*row, _signed(one.importance)] if forest else row)
    return table("Parameters and minority recall", headings, rows)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−") if abs(value) >= 0.005 else "0.00"


def _panel(id_: str, effect: Effect) -> Markup:
    x = axis_of(effect.values, effect.path.rpartition(".")[2], LEFT + 6, RIGHT - 6)
    y = Scale(0, min(1.0, max(0.1, 1.1 * float(effect.outcome.max()))), BOTTOM, TOP)
    pairs = zip(places_of(effect.values, x), effect.outcome.tolist(), strict=True)
    points = [(place, outcome) for place, outcome in pairs if place is not None]
    middles = medians(points, by_place=bool(names_of(effect.values)))
    told = ", ".join(f"{100 * value:.0f} %" for _, value in middles) or "too few trials"
    drawn = chart(
        id_,
        f"{effect.path} and minority recall",
        f"{len(points)} trials. Medians of minority recall from left to right: {told}.",
        x,
        Axis(y, "minority recall", percent),
        dots(_apart(points, y), "trial-dots round"),
        _median_marks([(place, y(value)) for place, value in middles], joined=not names_of(effect.values)),
    )
    return figure(drawn, [element("code", effect.path), f": {_correlation(effect)}n = {len(points)}"])


def _apart(points: Sequence[tuple[float, float]], y: Scale) -> list[tuple[float, float]]:
    """Points on the drawing, moved sideways at random where many have the same place."""
    few = len({place for place, _ in points}) <= _FEW_PLACES
    aside = np.random.default_rng(0).uniform(-_SIDEWAYS, _SIDEWAYS, len(points)) if few else np.zeros(len(points))
    return [(place + float(shift), y(outcome)) for (place, outcome), shift in zip(points, aside, strict=True)]


def _median_marks(points: Sequence[tuple[float, float]], *, joined: bool) -> Child:
    if joined:
        return polyline(points, "median")
    return [line(x - 12, y, x + 12, y, "median") for x, y in points]


def _correlation(effect: Effect) -> str:
    if not math.isfinite(effect.rank_correlation):
        return ""
    interval = f"{_signed(effect.interval.low)} to {_signed(effect.interval.high)}"
    return f"rank correlation {_signed(effect.rank_correlation)} ({interval}), "
