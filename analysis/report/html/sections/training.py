"""How training went: losses and minority recall by epoch, the winner among all trials."""

import math
from collections.abc import Iterable, Sequence

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.drawing.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Axis,
    chart,
    figure,
    line,
    percent,
    polyline,
)
from rarecall.analysis.report.html.drawing.scale import Scale, around
from rarecall.analysis.report.html.markup import Child, Markup, element
from rarecall.analysis.report.html.sections.leaderboard import SHOWN
from rarecall.analysis.report.html.sections.section import Section, note
from rarecall.analysis.report.html.table import Cell, Heading, table
from rarecall.analysis.report.sentences import counted
from rarecall.analysis.report.training import (
    Figure,
    minority_recall,
    recall_of,
    training_loss,
    usual,
    validation_loss,
)
from rarecall.analysis.runs.ranking.standings import Standing
from rarecall.analysis.runs.run import EpochRow
from rarecall.analysis.text.wording import value_text


def training_section(report: Report) -> Section | None:
    """Curves of all trials that ran, and the winner's epochs as a table."""
    shown = [one for one in report.ranked[:SHOWN] if one.best]
    if not shown:
        return None
    panels = [_losses(report, shown), _own_losses(report), _recalls(report, shown), _own_recalls(report)]
    about = "Thin lines are trials, the thick one is the winner."
    return Section("Training", (element("p", about), element("div", panels, class_="panels"), _epochs(report)))


def _losses(report: Report, shown: Sequence[Standing]) -> Markup | None:
    return _all_trials(report, shown, "losses", "Training loss by epoch", "training loss", training_loss)


def _recalls(report: Report, shown: Sequence[Standing]) -> Markup | None:
    return _all_trials(
        report,
        shown,
        "recalls",
        "Minority recall by epoch",
        "minority recall",
        minority_recall,
    )


def _all_trials(
    report: Report, shown: Sequence[Standing], name: str, title: str, axis: str, figure_of: Figure
) -> Markup | None:
    values = [figure_of(row) for one in shown for row in one.record.epochs]
    if not any(map(math.isfinite, values)):
        return None
    x = _epoch_axis(shown)
    share = name == "recalls"
    scale = Scale(0, 1, BOTTOM, TOP) if share else around([0.0, *usual(values)], BOTTOM, TOP)
    y = Axis(scale, axis, percent) if share else Axis(scale, axis)
    # The winner is drawn last, above the others.
    ordered = sorted(shown, key=lambda one: one is report.chosen)
    marks = [
        polyline(
            _points(one.record.epochs, figure_of, x.scale, scale),
            "winner" if one is report.chosen else "trial",
            one.record.trial,
        )
        for one in ordered
    ]
    told = f"{counted(len(shown), 'trial')}; the winner: {_told(report, figure_of)}."
    return figure(chart(name, title, told, x, y, marks), [title, ", ", counted(len(shown), "trial")])


def _own_losses(report: Report) -> Markup | None:
    """Training and validation loss of the winner, where the ledger has both."""
    chosen = report.chosen
    if not chosen or not any(math.isfinite(row.validation_loss) for row in chosen.record.epochs):
        return None
    rows, x = chosen.record.epochs, _epoch_axis([chosen])
    scale = around([0.0, *map(training_loss, rows), *map(validation_loss, rows)], BOTTOM, TOP)
    drawn = chart(
        "own-losses",
        "Training and validation loss of the winner",
        f"Training: {_told(report, training_loss)}. Validation: {_told(report, validation_loss)}.",
        x,
        Axis(scale, "loss"),
        polyline(_points(rows, training_loss, x.scale, scale), "winner"),
        polyline(_points(rows, validation_loss, x.scale, scale), "winner dashed"),
        _best_epoch(report, x.scale),
    )
    return figure(
        drawn, "The winner’s losses, training solid and validation dashed; the vertical line is its best epoch."
    )


def _own_recalls(report: Report) -> Markup | None:
    """Recall of each minority class of the winner by epoch."""
    names = report.labels.minority[:5]
    if not report.chosen or len(names) < 2 or len(report.chosen.record.epochs) < 2:
        return None
    rows = report.chosen.record.epochs
    x, y = _epoch_axis([report.chosen]), Scale(0, 1, BOTTOM, TOP)
    lines, legend, told = [], [], []
    for index, name in enumerate(names):
        figure_of = recall_of(name)
        lines.append(polyline(_points(rows, figure_of, x.scale, y), f"class c{index}"))
        key = element(
            "svg",
            element("path", d="M0 6H28", class_=f"class c{index}"),
            viewBox="0 0 28 12",
            class_="key",
            aria_hidden="true",
        )
        legend.append(element("li", key, f" {name}"))
        told.append(f"{name} {_told(report, figure_of)}")
    drawn = chart(
        "own-recalls",
        "Recall of the minority classes by epoch, winner",
        f"{'; '.join(told)}.",
        x,
        Axis(y, "recall", percent),
        lines,
        _best_epoch(report, x.scale),
    )
    return figure(
        drawn,
        ["The winner’s recall by epoch; the vertical line is its best epoch.", element("ul", legend, class_="legend")],
    )


def _best_epoch(report: Report, x: Scale) -> Child:
    best = report.chosen.best if report.chosen else None
    return line(x(best.epoch), TOP, x(best.epoch), BOTTOM, "marker") if best else None


def _epoch_axis(shown: Sequence[Standing]) -> Axis:
    last = max((one.record.epochs[-1].epoch for one in shown), default=1)
    scale = Scale(1, last, LEFT + 6, RIGHT - 6) if last > 1 else Scale(0, 2, LEFT, RIGHT)
    every = max(1, math.ceil(last / 8))
    return Axis(scale, "epoch", ticks=range(1, last + 1, every))


def _points(rows: Iterable[EpochRow], figure_of: Figure, x: Scale, y: Scale) -> list[tuple[float, float]]:
    return [(x(row.epoch), y(value)) for row in rows if math.isfinite(value := figure_of(row))]


def _told(report: Report, figure_of: Figure) -> str:
    rows = report.chosen.record.epochs if report.chosen else []
    return ", ".join(f"{figure_of(row):.3g}" for row in rows if math.isfinite(figure_of(row))) or "not known"


def _epochs(report: Report) -> Child:
    """The winner's epochs one by one."""
    chosen = report.chosen
    if chosen is None or chosen.best is None:
        return None
    names = report.labels.minority[:5]
    keys = ["minority_recall", *(f"recall[{name}]" for name in names), *(["mae"] if report.labels.dimensions else [])]
    titles = ["minority recall", *names, *(["MAE"] if report.labels.dimensions else [])]
    headings = [
        Heading("epoch"),
        Heading("training loss"),
        Heading("validation loss"),
        *map(Heading, titles),
        Heading("time"),
    ]
    rows: list[list[Cell | Child]] = [
        [
            f"{row.epoch}{' (best)' if row is chosen.best else ''}",
            f"{row.train_loss:.4g}",
            f"{row.validation_loss:.4g}" if math.isfinite(row.validation_loss) else "–",
            *(value_text(key, row.metrics.get(key, math.nan)) for key in keys),
            f"{row.seconds:.0f} s" if math.isfinite(row.seconds) else "–",
        ]
        for row in chosen.record.epochs
    ]
    return [table("Epochs of the winner", headings, rows), _weighted_note(report)]


def _weighted_note(report: Report) -> Child:
    rows = report.chosen.record.epochs if report.chosen else []
    if not any(math.isfinite(row.validation_loss) for row in rows):
        return None
    about = "Training loss counts rows as they are weighted, validation loss does not"
    return note(f"{about}: compare their courses, not their heights.")
