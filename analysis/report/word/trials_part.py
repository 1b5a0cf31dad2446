"""The trials: finalists and the top of the leaderboard."""

import math

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.sentences import order
from rarecall.analysis.report.word.layout import Layout
from rarecall.analysis.runs.ranking.standings import Standing
from rarecall.analysis.text.finalists import race_text, uncorrected
from rarecall.analysis.text.table import short_names
from rarecall.analysis.text.winner import plain
from rarecall.analysis.text.wording import duration_text, interval_text, value_text

SHOWN = 10
# Settings that fit beside the trial on a page.
_SETTINGS = 6


def add_finalists(page: Layout, report: Report) -> None:
    """One row per finalist, the winner first."""
    run = report.run
    if run is None or not report.finalists:
        return
    page.heading("Finalists")
    headings = ["trial", "folds", "rows", "met", run.objective, f"{100 * report.level:g} % interval"]
    rows = [
        [
            one.trial,
            str(one.folds),
            f"{one.rows:,}",
            f"{one.met} of {len(run.criteria)}",
            value_text(run.objective, one.value(run)),
            interval_text(run.objective, one.objective),
        ]
        for one in report.finalists
    ]
    page.table("Finalists on their folds together, trained again on other folds and seeds", headings, rows)
    page.note(" ".join(filter(None, [race_text(report.finalists), uncorrected(report.finalists)])))


def add_leaderboard(page: Layout, report: Report) -> None:
    """The best trials, each with its best epoch, and their settings."""
    if not report.ranked:
        return
    page.heading("Leaderboard")
    page.paragraph(order(report, SHOWN))
    shown = report.ranked[:SHOWN]
    columns = _metrics(report)
    headings = ["rank", "trial", "status", "epoch", "met", *columns.values(), "violation", "time"]
    rows = [
        [
            str(number),
            one.record.trial,
            one.status,
            str(one.best.epoch) if one.best else "–",
            f"{one.met} of {len(one.criteria)}" if one.best else "–",
            *(_value(one, key) for key in columns),
            f"{one.violation:.3f}" if one.best else "–",
            duration_text(one.seconds),
        ]
        for number, one in enumerate(shown, start=1)
    ]
    page.table(f"The first {len(shown)} trials, each with its best epoch", headings, rows, words=3)
    _settings(page, report)
    page.figure("parameters", "Settings and minority recall")


def _metrics(report: Report) -> dict[str, str]:
    """Names of the metrics shown by their keys."""
    shown = {"minority_recall": "minority recall"}
    if report.labels.dimensions:
        shown["mae"] = "MAE"
    if report.run and report.run.objective not in shown:
        shown[report.run.objective] = report.run.objective
    return shown


def _value(standing: Standing, key: str) -> str:
    return value_text(key, standing.best.metrics.get(key, math.nan) if standing.best else math.nan)


def _settings(page: Layout, report: Report) -> None:
    shown = report.ranked[:SHOWN]
    paths = list(dict.fromkeys(path for one in shown for path in one.record.params))[:_SETTINGS]
    if paths:
        rows = [[one.record.trial, *(plain(one.record.params.get(path)) for path in paths)] for one in shown]
        page.table("Settings of these trials", ["trial", *short_names(paths, ".", from_end=True)], rows)
