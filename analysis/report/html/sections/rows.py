"""The rare rows one by one: what each is, what it was taken for, and how far off that is."""

import math
from collections.abc import Sequence

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.markup import Child, element
from rarecall.analysis.report.html.sections.section import Section, note
from rarecall.analysis.report.html.table import Cell, Heading, table, words
from rarecall.analysis.report.row_list import RareRow, rare_rows
from rarecall.analysis.report.sentences import counted

# Rows that are listed of a class, and classes, the rarest first.
_ROWS, _CLASSES, _TEXT = 100, 12, 800


def listed_classes(report: Report) -> list[str]:
    """The minority classes whose rows are listed, the rarest first."""
    predictions = report.predictions
    if predictions is None:
        return []
    support = {name: len(rare_rows(predictions, report.labels, name)) for name in report.labels.minority}
    return sorted((name for name in support if support[name]), key=support.__getitem__)[:_CLASSES]


def rows_section(report: Report) -> Section | None:
    """The rows of every minority class, the rarest class first."""
    predictions = report.predictions
    if predictions is None or not report.labels.minority:
        return None
    by_class = {name: rare_rows(predictions, report.labels, name) for name in report.labels.minority}
    rarest = sorted((name for name in by_class if by_class[name]), key=lambda name: len(by_class[name]))
    if not rarest:
        return None
    told = "Misses come first, the farthest off before the others. Rows are counted from 0 over all usable rows."
    left_out = f" The {_CLASSES} rarest of {len(rarest)} classes." if len(rarest) > _CLASSES else ""
    texts = (
        None
        if report.texts or not report.run
        else note("Texts are left out; --texts shows them, whatever they contain.")
    )
    parts = [_details(report, name, by_class[name], number == 0) for number, name in enumerate(rarest[:_CLASSES])]
    return Section("Rare rows one by one", (element("p", told + left_out), texts, *parts))


def _details(report: Report, name: str, rows: Sequence[RareRow], first: bool) -> Child:
    hits = sum(one.hit for one in rows)
    shown = rows[:_ROWS]
    left_out = f", the first {_ROWS} shown" if len(rows) > _ROWS else ""
    summary = f"{name}: {hits} of {counted(len(rows), 'row')} found{left_out}"
    listed = element("div", rows_table(report, f"Rows of {name}", name, shown), id=rare_id(report, name))
    return element("details", element("summary", summary), listed, open=first)


def rare_id(report: Report, name: str) -> str:
    """Where the rows of a rare class stand on the page."""
    return f"rare-{report.labels.classes.index(name)}"


def rows_table(report: Report, caption: str, name: str, rows: Sequence[RareRow]) -> Child:
    """Rows with what is known of each; name: of the class whose probability is told."""
    scores = any(math.isfinite(one.error) for one in rows)
    probabilities = any(math.isfinite(one.probability) for one in rows)
    headings = [Heading("row"), words("true"), words("predicted"), words("found")]
    headings += [Heading("true score"), Heading("predicted score"), Heading("error")] if scores else []
    headings += [Heading("probability", title=f"Probability of {name}")] if probabilities else []
    headings += [words("text")] if report.texts else []
    return table(caption, headings, [_cells(one, report, scores, probabilities) for one in rows], class_="rows")


def _cells(one: RareRow, report: Report, scores: bool, probabilities: bool) -> list[Cell | Child]:
    cells: list[Cell | Child] = [str(one.row), one.true, one.predicted, "✓ yes" if one.hit else "✕ no"]
    if scores:
        cells += [f"{one.true_score:.2f}", f"{one.predicted_score:.2f}", f"{one.error:+.2f}".replace("-", "−")]
    if probabilities:
        cells.append(f"{one.probability:.3f}")
    if report.texts:
        cells.append(Cell(report.texts.get(one.row, "")[:_TEXT], class_="text"))
    return cells
