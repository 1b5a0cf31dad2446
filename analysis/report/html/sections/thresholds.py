"""A precision-recall curve for each rare class, with a threshold that can be moved and what it costs."""

from dataclasses import replace

from rarecall.analysis.calibration.rescaling import fit
from rarecall.analysis.predictions.predictions import Predictions
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
    percent,
    polyline,
)
from rarecall.analysis.report.html.drawing.scale import Scale
from rarecall.analysis.report.html.markup import Child, Markup, element
from rarecall.analysis.report.html.sections.section import Section, note
from rarecall.analysis.report.html.table import Cell, Heading, table
from rarecall.analysis.report.thresholds import Curve, Point, class_curve
from rarecall.analysis.strict_json import dumps
from rarecall.analysis.text.wording import interval_text, value_text

_PANELS = 6
# Recalls that the table shows the thresholds of.
_STEPS = (0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
ABOUT = (
    "Rows with at least the threshold are named: how many of the class are found (recall), and how many of those named "
    "are of it (precision). The dot is the decision rule as it is, the line the threshold chosen below it."
)
CHOSEN_HERE = (
    "These are the rows that the model was chosen on. A threshold that is chosen here as well looks better than it "
    "will be: take one in the middle of a range that you like, and measure it on other rows."
)
AS_PREDICT = "Thresholds are calibrated probabilities, as `rarecall predict` writes them."


def thresholds_section(report: Report) -> Section | None:
    """A panel for each of the rarest classes."""
    predictions = report.predictions
    if predictions is None or not len(predictions):
        return None
    found = _calibrated(report, predictions)
    curves = {name: class_curve(found, report.labels, name, report.level) for name in report.rarest}
    shown = [(name, one) for name, one in curves.items() if one is not None][:_PANELS]
    if not shown:
        return None
    scores = found.probabilities is None
    panels = [_panel(number, name, one, scores) for number, (name, one) in enumerate(shown)]
    left_out = f" The {_PANELS} rarest classes." if len(curves) > _PANELS else ""
    unit = [element("p", AS_PREDICT)] if report.run and not scores else []
    return Section(
        "Thresholds",
        (element("p", ABOUT + left_out), *unit, element("div", panels, class_="panels"), note(CHOSEN_HERE)),
    )


def _calibrated(report: Report, predictions: Predictions) -> Predictions:
    """Of a run, with the probabilities that its export would write; of other predictions as they are."""
    if report.run is None or predictions.probabilities is None:
        return predictions
    return replace(predictions, probabilities=fit(predictions).applied(predictions.probabilities))


def _panel(number: int, name: str, one: Curve, scores: bool) -> Markup:
    x, y = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    hits, alarms = one.named
    at = [(x(hits / one.rows), y(hits / (hits + alarms)))] if hits else []
    what = f"{name} or above" if scores else name
    drawn = chart(
        f"threshold-{number}",
        f"Precision and recall of {what}",
        f"Average precision {one.average_precision:.2f}. The table below has the values.",
        Axis(x, f"recall of {what}", percent),
        Axis(y, "precision", percent),
        polyline(((x(one.recall(point)), y(point.precision)) for point in one.points), "class c0"),
        dots(at, "winner-dots round"),
        element("path", d="", class_="marker chosen"),
    )
    caption = [element("strong", what), f", {one.rows:,} of {one.all_rows:,} rows; average precision "]
    caption += [f"{one.average_precision:.2f}"]
    return element("div", figure(drawn, caption), _control(number, what, one), _table(what, one), class_="threshold")


def _control(number: int, what: str, one: Curve) -> Markup:
    """The slider, which only a script can move something with; hidden until it runs."""
    last = len(one.points) - 1
    hits, alarms = one.named
    start = next((place for place, point in enumerate(one.points) if point.hits >= max(1, hits)), last)
    points = [[point.threshold, point.hits, point.alarms, *_ends(point)] for point in one.points]
    slider, weight = f"threshold-{number}-place", f"threshold-{number}-cost"
    return element(
        "form",
        element("label", f"Threshold for {what}", for_=slider),
        element("input", type="range", id=slider, min=0, max=last, value=start, step=1),
        element("output", for_=slider, class_="told"),
        element("label", "One missed costs as much as so many false alarms", for_=weight),
        element("input", type="number", id=weight, min=0, value=10, step="any"),
        element("button", "Cheapest", type="button"),
        element("output", for_=f"{slider} {weight}", class_="cost"),
        class_="controls slider",
        hidden=True,
        data_points=dumps(points),
        data_rows=one.rows,
        data_all=one.all_rows,
        data_named=dumps([hits, alarms]),
    )


def _ends(point: Point) -> list[float]:
    return [round(point.interval.low, 3), round(point.interval.high, 3)]


def _table(what: str, one: Curve) -> Markup:
    headings = [Heading("threshold"), Heading("found"), Heading("recall"), Heading("interval")]
    headings += [Heading("false alarms"), Heading("precision"), Heading("named of 1,000 rows")]
    wanted = [next(point for point in one.points if one.recall(point) >= step - 1e-9) for step in _STEPS]
    rows: list[list[Cell | Child]] = [
        [
            f"{point.threshold:.3g}",
            f"{point.hits:,}",
            value_text("recall", one.recall(point)),
            interval_text("recall", point.interval),
            f"{point.alarms:,}",
            value_text("precision", point.precision),
            f"{1000 * (point.hits + point.alarms) / one.all_rows:.3g}",
        ]
        for point in dict.fromkeys(wanted)
    ]
    return element("details", element("summary", "As a table"), table(f"Thresholds for {what}", headings, rows))
