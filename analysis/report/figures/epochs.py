"""How training went, from epoch to epoch: losses, recall of the rare classes, error of the dimensions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.figures.style import (
    BAD,
    COLOURS,
    DASHES,
    INK,
    THIN,
    LeftOut,
    Picture,
    canvas,
    epoch_axis,
    percent_axis,
)
from rarecall.analysis.report.training import Figure, recall_of, training_loss, usual, validation_loss
from rarecall.analysis.runs.run import EpochRow
from rarecall.analysis.text.table import cut

# Trials that are drawn behind the winner, and lines of classes or dimensions.
_TRIALS, _LINES = 500, 5
_NO_EPOCHS = "predictions alone have no epochs"
_ONE_EPOCH = "there is one epoch only"


def loss_courses(report: Report) -> Picture | LeftOut:
    """Training and validation loss of the winner; beside it the training loss of all trials, where there are others."""
    rows = _rows(report)
    if not any(math.isfinite(training_loss(row)) for row in rows):
        return LeftOut("the ledger has no losses" if rows else _NO_EPOCHS)
    others = [one.record.epochs for one in report.ranked[:_TRIALS] if one.best and one is not report.chosen]
    figure, panels = canvas(2.9, columns=2 if others else 1, width=6.3 if others else 4.4)
    _own_losses(panels[0], report, rows)
    if others:
        _all_losses(panels[1], others, rows)
    courses = {"training": training_loss, "validation": validation_loss}
    told = ". ".join(f"{name.capitalize()}: {_course(rows, figure_of)}" for name, figure_of in courses.items())
    beside = f" Right: training loss of all {len(others) + 1} trials, the winner thick." if others else ""
    caption = f"Losses of the winner by epoch; the dotted line is its best epoch.{beside}"
    return Picture("Loss curves", caption, f"{told}.", figure)


def recall_courses(report: Report) -> Picture | LeftOut:
    """Recall of the minority classes of the winner."""
    rows, names = _rows(report), report.rarest[:_LINES]
    if len(rows) < 2:
        return LeftOut(_ONE_EPOCH if rows else _NO_EPOCHS)
    if not names:
        return LeftOut("no class is a minority class")
    figure, (axes,) = canvas(3.1, width=6.0)
    for index, name in enumerate(names):
        _line(axes, rows, recall_of(name), index, name)
    percent_axis(axes)
    _frame(axes, report, rows, "recall", "Recall of the rarest classes by epoch")
    told = "; ".join(f"{name}: {_course(rows, recall_of(name))}" for name in names)
    caption = "Recall of the rarest classes of the winner on the validation rows; the dotted line is its best epoch."
    return Picture("Recall by epoch", caption, f"{told}.", figure)


def dimension_courses(report: Report) -> Picture | LeftOut:
    """Mean absolute error on validation and training rows; beside it that of each dimension."""
    rows = _rows(report)
    if not report.labels.dimensions:
        return LeftOut("the task has no scores")
    if len(rows) < 2:
        return LeftOut(_ONE_EPOCH if rows else _NO_EPOCHS)
    figure, (whole, parts) = canvas(3.4, columns=2, width=7.0)
    _line(whole, rows, _training("mae"), 0, "training")
    _line(whole, rows, _validation("mae"), 1, "validation")
    _frame(whole, report, rows, "MAE", "Mean absolute error by epoch")
    # The worst at the end first: these are looked for.
    order = sorted(report.labels.dimensions, key=lambda name: -rows[-1].metrics.get(f"mae[{name}]", -math.inf))
    for index, name in enumerate(order[:_LINES]):
        _line(parts, rows, _validation(f"mae[{name}]"), index, name)
    _frame(parts, report, rows, "", "Dimensions, validation")
    told = "; ".join(f"{name}: {_course(rows, _validation(f'mae[{name}]'))}" for name in order)
    some = f"the {_LINES} dimensions" if len(order) > _LINES else "the dimensions"
    caption = f"Mean absolute error (MAE) of the winner by epoch; right: {some} of largest error, on validation rows."
    return Picture("MAE by epoch", caption, f"All: {_course(rows, _validation('mae'))}; {told}.", figure)


def _own_losses(axes: Axes, report: Report, rows: Sequence[EpochRow]) -> None:
    _line(axes, rows, training_loss, 0, "training")
    _line(axes, rows, validation_loss, 1, "validation")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    _frame(axes, report, rows, "loss", "Loss curves of the winner")


def _all_losses(axes: Axes, others: Sequence[Sequence[EpochRow]], rows: Sequence[EpochRow]) -> None:
    for own in others:
        single: dict[str, Any] = {"marker": "o", "markersize": 1.5} if len(own) == 1 else {}
        axes.plot(*_points(own, training_loss), color=THIN, linewidth=0.6, alpha=0.5, **single)
    axes.plot(*_points(rows, training_loss), color=BAD, linewidth=2.0, marker="o", markersize=3)
    known = usual([training_loss(row) for own in (*others, rows) for row in own])
    axes.set_ylim(min(0.0, *known), 1.05 * max(*known, 0.01))
    epoch_axis(axes, [row.epoch for own in (*others, rows) for row in own])
    axes.set_title("Training loss of all trials")


def _frame(axes: Axes, report: Report, rows: Sequence[EpochRow], name: str, title: str) -> None:
    if report.chosen and report.chosen.best:
        axes.axvline(report.chosen.best.epoch, color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
    epoch_axis(axes, [row.epoch for row in rows])
    axes.set_ylabel(name)
    axes.set_title(title)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, handlelength=2.6)


def _line(axes: Axes, rows: Sequence[EpochRow], figure_of: Figure, index: int, name: str) -> None:
    """One course, left out where nothing of it is known."""
    epochs, values = _points(rows, figure_of)
    if not values:
        return
    # A name with an underscore in front would be left out of the legend.
    label = cut(name, 28) if not name.startswith("_") else f"\u200b{cut(name, 28)}"
    axes.plot(
        epochs,
        values,
        color=COLOURS[index],
        linestyle=DASHES[index],
        linewidth=1.8,
        marker=".",
        markersize=6,
        label=label,
    )


def _points(rows: Sequence[EpochRow], figure_of: Figure) -> tuple[list[int], list[float]]:
    known = [row for row in rows if math.isfinite(figure_of(row))]
    return [row.epoch for row in known], [figure_of(row) for row in known]


def _course(rows: Sequence[EpochRow], figure_of: Figure) -> str:
    return ", ".join(f"{value:.3g}" for value in _points(rows, figure_of)[1]) or "not known"


def _validation(key: str) -> Figure:
    return lambda row: _value(row.metrics, key)


def _training(key: str) -> Figure:
    return lambda row: _value(row.train_metrics, key)


def _value(metrics: Mapping[str, float], key: str) -> float:
    return metrics.get(key, math.nan)


def _rows(report: Report) -> Sequence[EpochRow]:
    return report.chosen.record.epochs if report.chosen else []
