"""Scores: the error per dimension, and predicted against true."""

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.word.layout import Layout
from rarecall.analysis.text.wording import interval_text, value_text


def add_scores(page: Layout, report: Report) -> None:
    """Mean absolute error of each dimension; nothing for a task without scores."""
    if not report.labels.dimensions or not report.metrics:
        return
    page.heading("Error per dimension")
    page.figure("mae_per_dimension")
    headings = ["dimension", "MAE", f"{100 * report.level:g} % interval", "RMSE"]
    rows = [_dimension(report, name) for name in report.labels.dimensions]
    page.table("Mean absolute error and root mean squared error of each dimension", headings, rows)
    page.figure("predicted_against_true")


def _dimension(report: Report, name: str) -> list[str]:
    key = f"mae[{name}]"
    interval = report.intervals.get(key)
    return [
        name,
        value_text(key, report.metrics.get(key, float("nan"))),
        interval_text(key, interval) if interval else "–",
        value_text("rmse", report.metrics.get(f"rmse[{name}]", float("nan"))),
    ]
