"""How training went: pictures and the winner's epochs."""

import math

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.word.layout import Layout
from rarecall.analysis.runs.run import EpochRow
from rarecall.analysis.text.wording import value_text


def add_training(page: Layout, report: Report) -> None:
    """Curves and epochs of the winner; nothing without a run."""
    chosen = report.chosen
    if chosen is None or chosen.best is None:
        return
    page.heading("Training")
    for name in ("loss_curves", "recall_by_epoch", "mae_by_epoch"):
        page.figure(name)
    errors = bool(report.labels.dimensions)
    headings = ["epoch", "training loss", "validation loss", "minority recall"]
    headings += ["training MAE", "validation MAE"] if errors else []
    rows = [_epoch(row, best=row is chosen.best, errors=errors) for row in chosen.record.epochs]
    page.table("Epochs of the winner", headings, rows)
    page.note(
        "Training loss counts rows as they are weighted, validation loss does not: compare their courses, not their "
        "heights."
    )


def _epoch(row: EpochRow, *, best: bool, errors: bool) -> list[str]:
    cells = [f"{row.epoch}{' (best)' if best else ''}", _loss(row.train_loss), _loss(row.validation_loss)]
    cells.append(value_text("recall", row.metrics.get("minority_recall", math.nan)))
    both = (row.train_metrics, row.metrics) if errors else ()
    return [*cells, *(value_text("mae", metrics.get("mae", math.nan)) for metrics in both)]


def _loss(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "–"
