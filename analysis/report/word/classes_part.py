"""Metrics per class with their intervals, metrics over all classes, and what is taken for what."""

import math
from collections.abc import Sequence

from rarecall.analysis.metrics import registry as metric_registry
from rarecall.analysis.report.confusions import largest
from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.sentences import minority
from rarecall.analysis.report.word.layout import Layout
from rarecall.analysis.text.wording import interval_text, value_text

# Of a larger matrix the largest confusions are listed, below its picture.
_READABLE = 8


def add_classes(page: Layout, report: Report) -> None:
    """Recall, precision and F1 of each class, then what is about all of them."""
    if not report.metrics:
        return
    page.heading("Recall per class")
    page.paragraph(minority(report))
    page.figure("recall_per_class")
    level = f"{100 * report.level:g} %"
    headings = ["class", "rows", "recall", level, "precision", level, "F1", level]
    rows = [_class(report, name) for name in report.labels.classes]
    page.table(f"Recall, precision and F1 of each class, each with its {level} interval", headings, rows)
    page.heading("Overall metrics", 2)
    page.figure("overall_metrics")
    page.table("Metrics over all rows", ["metric", "value", f"{level} interval"], _overall(report))


def add_confusion(page: Layout, report: Report) -> None:
    """The confusion matrix, or that of each label where a row may have several."""
    counts = report.confusion
    if counts is None:
        return
    names = report.labels.classes
    page.heading("Confusion per label" if report.labels.multilabel else "Confusion matrix")
    page.figure("confusion_matrix")
    if report.labels.multilabel:
        headings = ["label", "has it, found", "has it, not found", "false alarms", "rightly without"]
        told = [
            _numbers(name, (own[1, 1], own[1, 0], own[0, 1], own[0, 0]))
            for name, own in zip(names, counts, strict=True)
        ]
        page.table("How many rows have each label, and were found to have it", headings, told)
    elif len(names) <= _READABLE:
        told = [_numbers(name, own) for name, own in zip(names, counts.tolist(), strict=True)]
        page.table("Rows are the true class, columns the predicted one", ["true \\ predicted", *names], told)
    else:
        told = [[names[true], names[one], f"{rows:,}"] for rows, true, one in largest(counts)]
        page.table("The largest confusions", ["true", "predicted as", "rows"], told, words=2)
    page.figure("calibration", "Calibration")


def _numbers(name: str, counts: Sequence[int]) -> list[str]:
    return [name, *(f"{count:,}" for count in counts)]


def _class(report: Report, name: str) -> list[str]:
    support = report.metrics.get(f"support[{name}]", math.nan)
    marked = f"{name} (minority)" if name in report.labels.minority else name
    cells = [marked, f"{support:.0f}" if math.isfinite(support) else "–"]
    for metric in ("recall", "precision", "f1"):
        cells += _figure(report, f"{metric}[{name}]")
    return cells


def _figure(report: Report, key: str) -> list[str]:
    value, interval = report.metrics.get(key, math.nan), report.intervals.get(key)
    return [value_text(key, value), interval_text(key, interval) if interval and math.isfinite(value) else "–"]


def _overall(report: Report) -> list[list[str]]:
    keys = [one.name for one in metric_registry.registered() if math.isfinite(report.metrics.get(one.name, math.nan))]
    return [[key, *_figure(report, key)] for key in keys]
