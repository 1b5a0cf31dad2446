"""Calibration of the rare classes, for tasks with probabilities."""

from rarecall.analysis.calibration.changes import on_fitted_rows
from rarecall.analysis.calibration.reliability import Calibration, of_class
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
)
from rarecall.analysis.report.html.drawing.scale import Scale
from rarecall.analysis.report.html.markup import Child, Markup, element
from rarecall.analysis.report.html.sections.section import Section, note
from rarecall.analysis.report.html.table import Cell, Heading, table, words
from rarecall.analysis.text.wording import value_text

_PANELS = 6


def calibration_section(report: Report) -> Section | None:
    """A diagram for each of the rarest classes, and figures for all."""
    predictions = report.predictions
    if predictions is None or predictions.probabilities is None or not len(predictions):
        return None
    found = {name: of_class(predictions, index, report.level) for index, name in enumerate(report.labels.classes)}
    rarest = report.rarest
    panels = [_panel(f"calibration-{number}", name, found[name]) for number, name in enumerate(rarest[:_PANELS])]
    about = (
        "Of the rows that are given a class with a probability of about x, the share that is of it. Dots on the line "
        f"are calibrated; whiskers are {100 * report.level:g} % intervals, long where there are few rows."
    )
    remedies = (
        "Class weights, oversampling and focal loss shift probabilities on purpose: then they rank rows, but are no "
        "frequencies."
    )
    if report.run:
        remedies += " An export puts them right, and `rarecall predict` tells those: the calibrated gap, cross-fitted."
    left_out = f" The {_PANELS} rarest classes." if len(rarest) > _PANELS else ""
    return Section(
        "Calibration",
        (
            element("p", about + left_out),
            element("div", panels, class_="panels"),
            _figures(report, found),
            note(remedies),
        ),
    )


def _panel(id_: str, name: str, found: Calibration) -> Markup:
    x, y = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    whiskers = [
        line(x(one.mean_probability), y(one.interval.low), x(one.mean_probability), y(one.interval.high), "whisker")
        for one in found.bins
    ]
    points = dots(((x(one.mean_probability), y(one.share)) for one in found.bins), "winner-dots round")
    told = "; ".join(f"about {one.mean_probability:.2f}: {one.hits} of {one.rows}" for one in found.bins)
    drawn = chart(
        id_,
        f"Calibration of {name}",
        f"Rows of the class by probability: {told}.",
        Axis(x, f"probability of {name}", percent),
        Axis(y, "share of the rows", percent),
        line(x(0), y(0), x(1), y(1), "ideal"),
        whiskers,
        points,
    )
    rows = sum(one.rows for one in found.bins)
    return figure(drawn, [element("strong", name), f", {sum(one.hits for one in found.bins)} of {rows:,} rows"])


def _figures(report: Report, found: dict[str, Calibration]) -> Markup:
    headings = [
        words("class"),
        Heading("rows"),
        Heading("mean probability"),
        Heading("share", title="Share of the rows that are of the class"),
        Heading("calibration gap", title="Mean distance between probability and share"),
        Heading("Brier score"),
    ]
    calibrated = on_fitted_rows(report.predictions, report.labels) if report.run and report.predictions else {}
    headings += [Heading("calibrated gap", title="The same as an export tells it, cross-fitted")] if calibrated else []
    rows: list[list[Cell | Child]] = []
    for name, one in found.items():
        total, hits = sum(part.rows for part in one.bins), sum(part.hits for part in one.bins)
        mean = sum(part.mean_probability * part.rows for part in one.bins) / total
        rows.append(
            [
                name,
                f"{hits:,}",
                value_text("recall", mean),
                value_text("recall", hits / total),
                value_text("recall", one.gap),
                f"{one.brier:.4f}",
                *([value_text("recall", calibrated[name].after)] if calibrated else []),
            ]
        )
    return table("Calibration of each class", headings, rows)
