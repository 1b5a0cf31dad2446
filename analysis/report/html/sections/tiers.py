"""Predicted against true overall score, by tier."""

import numpy as np

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.drawing.charts import BOTTOM, LEFT, RIGHT, TOP, Axis, chart, dots, figure, line
from rarecall.analysis.report.html.drawing.scale import Scale, around
from rarecall.analysis.report.html.markup import Child, Markup, element
from rarecall.analysis.report.html.sections.section import Section
from rarecall.analysis.report.html.table import Cell, Heading, table, words
from rarecall.analysis.report.scores import Scores, scores_of, shifts, thinned
from rarecall.analysis.report.sentences import counted
from rarecall.analysis.text.table import cut, short_names

# Rows of the same true score are moved aside by up to so much.
_SIDEWAYS = 5.0
_TICK_LETTERS = 40
# Signs of the tiers, and how they are drawn as relative moves from the centre.
_SIGNS = {
    "●": "h0",
    "▲": "m0-3.4l3.2 5.6h-6.4z",
    "■": "m-2.6-2.6h5.2v5.2h-5.2z",
    "◆": "m0-3.8l3.4 3.8l-3.4 3.8l-3.4-3.8z",
    "✕": "m-2.5-2.5l5 5m0-5l-5 5",
    "+": "m-3 0h6m-3-3v6",
}


def tiers_section(report: Report) -> Section | None:
    """A dot for each row, the range of predictions and figures for each tier."""
    scores = scores_of(report)
    if scores is None:
        return None
    panels = element("div", _scatter(scores), _ranges(scores), class_="panels")
    return Section("Predicted against true score", (panels, _by_tier(scores)))


def _scatter(scores: Scores) -> Markup:
    both = np.concatenate([scores.true, scores.predicted])
    x, y = around(both, LEFT, RIGHT), around(both, BOTTOM, TOP)
    kept, aside = thinned(scores.tiers), _SIDEWAYS * shifts(scores.true)
    marks: list[Child] = [line(x(x.low), y(x.low), x(x.high), y(x.high), "ideal")]
    for index, shape in enumerate(_of_tiers(list(_SIGNS.values()), scores)):
        rows = kept[scores.tiers[kept] == index].tolist()
        places = [(x(scores.true[row]) + aside[row], y(scores.predicted[row])) for row in rows]
        marks.append(dots(places, f"tier {_colour(index)}{' round' if shape == 'h0' else ''}", shape))
    drawn = chart(
        "tiers",
        "Predicted against true overall score",
        f"{counted(len(kept), 'row')}; dots on the diagonal are predicted rightly. The table below has the figures.",
        Axis(x, "true overall score"),
        Axis(y, "predicted"),
        marks,
    )
    return figure(drawn, [_caption(len(scores.true) - len(kept), bool(aside.any())), _legend(scores)])


def _caption(left_out: int, spread: bool) -> str:
    parts = ["Signs tell the true tier; the line is a perfect prediction."]
    if spread:
        parts.append("Rows of the same true score are spread a little sideways.")
    if left_out:
        parts.append(f"{counted(left_out, 'row')} of the common tiers left out at random.")
    return " ".join(parts)


def _legend(scores: Scores) -> Markup:
    items = [
        element("li", element("span", sign, class_=f"sign {_colour(index)}", aria_hidden="true"), f" {name}")
        for index, (sign, name) in enumerate(zip(_of_tiers(list(_SIGNS), scores), scores.names, strict=True))
    ]
    return element("ul", items, class_="legend")


def _of_tiers(signs: list[str], scores: Scores) -> list[str]:
    """One for each tier, again from the front where there are more tiers than signs."""
    return [signs[index % len(signs)] for index in range(len(scores.names))]


def _colour(index: int) -> str:
    return f"t{min(index, len(_SIGNS) - 1)}"


def _ranges(scores: Scores) -> Markup:
    """Predicted scores of each tier: 5 to 95 %, the middle half, the median."""
    x, y = Scale(-0.5, len(scores.names) - 0.5, LEFT, RIGHT), around(scores.predicted, BOTTOM, TOP)
    marks: list[Child] = []
    told = []
    for index in np.unique(scores.tiers).tolist():
        own = scores.predicted[scores.tiers == index]
        low, first, median, third, high = np.quantile(own, (0.05, 0.25, 0.5, 0.75, 0.95))
        place = x(index)
        marks += [line(place, y(low), place, y(high), "whisker"), line(place, y(first), place, y(third), "half")]
        marks.append(dots([(place, y(median))], "winner-dots round"))
        told.append(f"{scores.names[index]}: median {median:.2f}, middle half {first:.2f} to {third:.2f}")
    about = f"{'; '.join(told)}."
    drawn = chart("ranges", "Predicted score by true tier", about, _tier_axis(x, scores), Axis(y, "predicted"), marks)
    return figure(drawn, "Dot: median; thick line: middle half of the rows; thin line: 5 to 95 %.")


def _tier_axis(scale: Scale, scores: Scores) -> Axis:
    short = [cut(name, max(5, _TICK_LETTERS // len(scores.names))) for name in short_names(scores.names, "_- ")]
    return Axis(scale, "true tier", lambda place: short[round(place)], ticks=range(len(short)))


def _by_tier(scores: Scores) -> Markup:
    headings = [
        words("true tier"),
        Heading("rows"),
        Heading("mean true"),
        Heading("mean predicted"),
        Heading("mean error"),
        Heading("MAE"),
        Heading("spread", title="Standard deviation of the error"),
    ]
    return table("Overall score by true tier", headings, [_tier(scores, index) for index in range(len(scores.names))])


def _tier(scores: Scores, index: int) -> list[Cell | Child]:
    own = scores.tiers == index
    true, predicted = scores.true[own], scores.predicted[own]
    if not len(true):
        return [scores.names[index], "0", *["–"] * 5]
    error = predicted - true
    figures = (true.mean(), predicted.mean(), error.mean(), np.abs(error).mean(), error.std())
    return [scores.names[index], f"{len(true):,}", *(f"{one:.2f}".replace("-", "−") for one in figures)]
