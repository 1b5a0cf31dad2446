"""The classes one by one: recall with its interval, and what is taken for what."""

import math

import numpy as np

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.report.confusions import largest
from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.drawing.strip import share_scale, strip
from rarecall.analysis.report.html.markup import Child, Markup, element
from rarecall.analysis.report.html.sections.cells import cell_id
from rarecall.analysis.report.html.sections.rows import listed_classes, rare_id
from rarecall.analysis.report.html.sections.section import Section, note
from rarecall.analysis.report.html.table import Cell, Heading, table, words
from rarecall.analysis.report.row_list import confused
from rarecall.analysis.report.sentences import counted, minority
from rarecall.analysis.text.wording import interval_text, value_text

_BY_CLASS = {"precision": "precision", "f1": "F1"}
# Of a larger matrix the largest confusions are listed as well, and more classes stay a table on a narrow page.
_READABLE = 12
_ABOUT = "Rows are the true class, columns the predicted one; shading is the share of the row"


def classes_section(report: Report) -> Section | None:
    """Recall, precision and F1 of each class."""
    if not report.metrics:
        return None
    level = f"{100 * report.level:g} % interval"
    headings = [
        words("class"),
        Heading("rows"),
        Heading("recall"),
        Heading(level),
        words("0 to 100 %"),
        *(heading for name in _BY_CLASS.values() for heading in (Heading(name), Heading("interval", title=level))),
    ]
    rows = [_class_row(report, name) for name in report.labels.classes]
    shaded = "The line is the interval of the true recall, the shaded zone where a criterion is met."
    return Section(
        "Recall per class",
        (
            element("p", f"{minority(report)} {shaded}"),
            table(
                "Recall, precision and F1 of each class",
                headings,
                rows,
                stacked=len(rows) <= _READABLE,
            ),
            _balance(report),
        ),
    )


def confusion_section(report: Report) -> Section | None:
    """The confusion matrix, or one of two by two per label where a row may have several."""
    counts = report.confusion
    if counts is None:
        return None
    if report.labels.multilabel:
        return Section("Confusion per label", (_by_label(report, counts),))
    largest = _largest(report, counts) if len(report.labels.classes) > _READABLE else None
    return Section("Confusion matrix", (_matrix(report, counts), largest))


def _class_row(report: Report, name: str) -> list[Cell | Child]:
    key = f"recall[{name}]"
    value, interval = report.metrics.get(key, math.nan), report.intervals.get(key)
    support = report.metrics.get(f"support[{name}]", math.nan)
    picture = strip(share_scale(), value, interval if support else None, report.limit(key))
    rare = element("small", "minority", class_="beside") if name in report.labels.minority else None
    return [
        [name, rare],
        f"{support:.0f}" if math.isfinite(support) else "–",
        value_text(key, value),
        interval_text(key, interval) if interval and support else "–",
        Cell(picture, class_="picture"),
        *(cell for metric in _BY_CLASS for cell in _figure(report, f"{metric}[{name}]")),
    ]


def _figure(report: Report, key: str) -> list[Cell | Child]:
    interval = report.intervals.get(key)
    value = report.metrics.get(key, math.nan)
    return [value_text(key, value), interval_text(key, interval) if interval and math.isfinite(value) else "–"]


def _balance(report: Report) -> Child:
    """Rows of each class in the splits, as the run counted them."""
    counts = report.run.header.get("class_counts") if report.run else None
    if not isinstance(counts, dict):
        return None
    splits = [split for split in ("train", "validation", "test") if isinstance(counts.get(split), dict)]
    rows: list[list[Cell | Child]] = [
        [name, *(f"{counts[split].get(name, 0):,}" for split in splits)] for name in report.labels.classes
    ]
    return element(
        "details",
        element("summary", "Rows of each class in the splits"),
        table("Rows of each class in the splits", [words("class"), *map(Heading, splits)], rows),
    )


def _matrix(report: Report, counts: IntArray) -> Markup:
    names, links = report.labels.classes, _links(report)
    headings = [words("true \\ predicted"), *(Heading(name) for name in names)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows: list[list[Cell | Child]] = [
        [
            name,
            *(
                _shaded(int(counts[true, one]), float(shares[true, one]), true == one, links.get((true, one)))
                for one in range(len(names))
            ),
        ]
        for true, name in enumerate(names)
    ]
    return table(_ABOUT, headings, rows, class_="matrix")


def _links(report: Report) -> dict[tuple[int | None, int], str]:
    """Where the rows of a cell are listed, by true class (None for a false alarm of a label) and predicted one."""
    if report.predictions is None:
        return {}
    places = [report.labels.classes.index(name) for name in listed_classes(report)]
    rare: dict[tuple[int | None, int], str] = {(at, at): rare_id(report, report.labels.classes[at]) for at in places}
    cells = confused(report.predictions, report.labels)
    return rare | {(one.true, one.predicted): cell_id(one.true, one.predicted) for one in cells}


def _linked(count: int, place: str | None) -> Child:
    return element("a", f"{count:,}", href=f"#{place}") if place and count else f"{count:,}"


def _shaded(count: int, share: float, right: bool, place: str | None) -> Cell:
    return Cell(
        element("span", _linked(count, place), style=f"--share:{share:.2f}"),
        class_="hit" if right else None if count else "none",
    )


def _largest(report: Report, counts: IntArray) -> Child:
    names = report.labels.classes
    rows: list[list[Cell | Child]] = [[f"{rows:,}", names[true], names[one]] for rows, true, one in largest(counts)]
    headings = [Heading("rows"), words("true"), words("predicted as")]
    return table("The largest confusions", headings, rows) if rows else None


def _by_label(report: Report, counts: IntArray) -> Markup:
    titles = ("has it, found", "has it, not found", "false alarms", "rightly without")
    links = _links(report)
    rows: list[list[Cell | Child]] = [
        [
            name,
            *(_linked(int(own[1, told]), links.get((at, at))) for told in (1, 0)),
            _linked(int(own[0, 1]), links.get((None, at))),
            f"{own[0, 0]:,}",
        ]
        for at, (name, own) in enumerate(zip(report.labels.classes, counts, strict=True))
    ]
    caption = "How many rows have each label, and were found to have it"
    return table(caption, [words("label"), *map(Heading, titles)], rows)


def slices_section(report: Report) -> Section | None:
    """The parts of the data that are looked at one by one."""
    parts = list(dict.fromkeys(part for key in report.metrics if (part := split_key(key)[2])))
    if not parts:
        return None
    shown = report.labels.minority[:6]
    headings = [
        words("part"),
        Heading("accuracy"),
        Heading("minority recall"),
        *(Heading(name, title=f"Recall of {name}") for name in shown),
    ]
    keys = ["accuracy", "minority_recall", *(f"recall[{name}]" for name in shown)]
    rows: list[list[Cell | Child]] = [
        [part.replace("=", ": "), *(_with_rows(report, key, part) for key in keys)] for part in parts
    ]
    about = "Each figure is recall or accuracy within the part; small parts say little."
    return Section("Parts of the data", (table("Figures by part of the data", headings, rows), note(about)))


def _with_rows(report: Report, key: str, part: str) -> Child:
    value = value_text(key, report.metrics.get(f"{key}@{part}", math.nan))
    selector = split_key(key)[1]
    rows = report.metrics.get(f"support[{selector}]@{part}", math.nan)
    return [value, element("small", counted(int(rows), "row"))] if math.isfinite(rows) else value
