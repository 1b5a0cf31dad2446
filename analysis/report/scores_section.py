"""Scores: the error per dimension, and predicted against true overall by tier."""

import math

import numpy as np

from analysis.predictions import FloatArray, IntArray
from analysis.report.classes_section import thresholds
from analysis.report.contents import Report
from analysis.report.drawing import BOTTOM, LEFT, RIGHT, TOP, Axis, chart, dots, figure, line
from analysis.report.markup import Child, Markup, element
from analysis.report.scale import Scale, around
from analysis.report.section import Section, counted
from analysis.report.strip import amount_scale, strip
from analysis.report.table import Cell, Heading, table, words
from analysis.table import cut, short_names
from analysis.wording import interval_text, value_text

# Dots of the common tiers are thinned out above this.
_DOTS = 2500
# With no more different true scores than this, rows are moved aside by up to so much.
_FEW_SCORES, _SIDEWAYS = 30, 5.0
# Relative moves from the centre: circle, triangle, square, diamond, cross, plus.
_SHAPES = (
    "h0",
    "m0-3.4l3.2 5.6h-6.4z",
    "m-2.6-2.6h5.2v5.2h-5.2z",
    "m0-3.8l3.4 3.8l-3.4 3.8l-3.4-3.8z",
    "m-2.5-2.5l5 5m0-5l-5 5",
    "m-3 0h6m-3-3v6",
)
SHAPE_SIGNS = ("●", "▲", "■", "◆", "✕", "+")


def errors_section(report: Report) -> Section | None:
    """Mean absolute error per dimension."""
    names = report.labels.dimensions
    if not names or not report.metrics:
        return None
    keys = [f"mae[{name}]" for name in names]
    values = [report.metrics.get(key, math.nan) for key in keys]
    limits = thresholds(report)
    every = limits.get("mae[*]")
    upper = [interval.high for key in keys if (interval := report.intervals.get(key))]
    scale = amount_scale(
        [*values, *upper, *(limits[key].threshold for key in keys if key in limits), every.threshold if every else 0]
    )
    rows: list[list[Cell | Child]] = []
    for name, key, value in zip(names, keys, values, strict=True):
        interval = report.intervals.get(key)
        rows.append(
            [
                name,
                value_text(key, value),
                interval_text(key, interval) if interval else "–",
                Cell(strip(scale, value, interval, limits.get(key, every)), class_="picture"),
                value_text("rmse", report.metrics.get(f"rmse[{name}]", math.nan)),
            ]
        )
    level = f"{100 * report.level:g} % interval"
    headings = [
        words("dimension"),
        Heading("MAE", title="Mean absolute error on the score scale"),
        Heading(level),
        words(f"0 to {scale.high:.2g}"),
        Heading("RMSE", title="Root mean squared error"),
    ]
    return Section("Error per dimension", (table("Mean absolute error per dimension", headings, rows),))


def tiers_section(report: Report) -> Section | None:
    """Predicted against true overall score, each tier with its own sign."""
    predictions = report.predictions
    if predictions is None or predictions.true_class is None:
        return None
    true, predicted, tiers = predictions.true_overall, predictions.predicted_overall, predictions.true_class
    if true is None or predicted is None or not len(true):
        return None
    return Section(
        "Predicted against true score",
        (
            element(
                "div", _scatter(report, true, predicted, tiers), _ranges(report, predicted, tiers), class_="panels"
            ),
            _by_tier(report, true, predicted, tiers),
        ),
    )


def _scatter(report: Report, true: FloatArray, predicted: FloatArray, tiers: IntArray) -> Markup:
    both = np.concatenate([true, predicted])
    x, y = around(both, LEFT, RIGHT), around(both, BOTTOM, TOP)
    kept = _thinned(tiers)
    sideways = _sideways(true)
    marks: list[Child] = [line(x(x.low), y(x.low), x(x.high), y(x.high), "ideal")]
    legend: list[Child] = []
    for index, name in enumerate(report.labels.classes):
        rows = kept[tiers[kept] == index]
        shape = index % len(_SHAPES)
        places = [(x(float(true[row])) + sideways[row], y(float(predicted[row]))) for row in rows]
        marks.append(dots(places, f"tier t{min(index, 5)}{' round' if shape == 0 else ''}", _SHAPES[shape]))
        sign = element("span", SHAPE_SIGNS[shape], class_=f"sign t{min(index, 5)}", aria_hidden="true")
        legend.append(element("li", sign, f" {name}"))
    left_out = (
        f" {counted(len(true) - len(kept), 'row')} of the common tiers left out at random."
        if len(kept) < len(true)
        else ""
    )
    drawn = chart(
        "tiers",
        "Predicted against true overall score",
        f"{counted(len(kept), 'row')}; dots on the diagonal are predicted rightly. The table below has the figures.",
        Axis(x, "true overall score"),
        Axis(y, "predicted"),
        marks,
    )
    spread = " Rows of the same true score are spread a little sideways." if sideways.any() else ""
    caption = [
        "Signs tell the true tier; the line is a perfect prediction.",
        spread,
        left_out,
        element("ul", legend, class_="legend"),
    ]
    return figure(drawn, caption)


def _sideways(true: FloatArray) -> FloatArray:
    """Shifts [n] that part rows of the same true score, where there are few different ones."""
    if len(np.unique(true)) > _FEW_SCORES:
        return np.zeros(len(true))
    return np.random.default_rng(0).uniform(-_SIDEWAYS, _SIDEWAYS, len(true))


def _ranges(report: Report, predicted: FloatArray, tiers: IntArray) -> Markup:
    """Predicted scores of each tier: 5 to 95 %, the middle half, the median."""
    names = report.labels.classes
    short = short_names(names, "_- ")
    x, y = Scale(-0.5, len(names) - 0.5, LEFT, RIGHT), around(predicted, BOTTOM, TOP)
    marks: list[Child] = []
    told = []
    for index in np.unique(tiers).tolist():
        low, first, median, third, high = np.quantile(predicted[tiers == index], (0.05, 0.25, 0.5, 0.75, 0.95))
        place = x(index)
        marks += [line(place, y(low), place, y(high), "whisker"), line(place, y(first), place, y(third), "half")]
        marks.append(dots([(place, y(median))], "winner-dots round"))
        told.append(f"{names[index]}: median {median:.2f}, middle half {first:.2f} to {third:.2f}")
    axis = Axis(
        x, "true tier", lambda place: cut(short[round(place)], max(5, 40 // len(names))), ticks=range(len(names))
    )
    drawn = chart("ranges", "Predicted score by true tier", f"{'; '.join(told)}.", axis, Axis(y, "predicted"), marks)
    return figure(drawn, "Dot: median; thick line: middle half of the rows; thin line: 5 to 95 %.")


def _thinned(tiers: IntArray) -> IntArray:
    """Rows [m] to draw: all of the small tiers, an even share of the large ones."""
    counts = np.bincount(tiers)
    limit = _DOTS // max(len(counts), 1)
    spare = _DOTS - int(np.minimum(counts, limit).sum())
    generator = np.random.default_rng(0)
    parts = []
    for index in np.argsort(counts):
        rows = np.flatnonzero(tiers == index)
        take = min(len(rows), limit + spare)
        spare -= max(0, take - limit)
        parts.append(generator.permutation(rows)[:take])
    return np.sort(np.concatenate(parts)).astype(np.int64)


def _by_tier(report: Report, true: FloatArray, predicted: FloatArray, tiers: IntArray) -> Markup:
    headings = [
        words("true tier"),
        Heading("rows"),
        Heading("mean true"),
        Heading("mean predicted"),
        Heading("mean error"),
        Heading("MAE"),
        Heading("spread", title="Standard deviation of the error"),
    ]
    rows: list[list[Cell | Child]] = []
    for index, name in enumerate(report.labels.classes):
        own = tiers == index
        if not own.any():
            rows.append([name, "0", *("–" for _ in headings[2:])])
            continue
        error = predicted[own] - true[own]
        figures = (true[own].mean(), predicted[own].mean(), error.mean(), np.abs(error).mean(), error.std())
        rows.append([name, f"{own.sum():,}", *(f"{figure_:.2f}".replace("-", "−") for figure_ in figures)])
    return table("Overall score by true tier", headings, rows)
