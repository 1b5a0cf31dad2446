"""The rows behind the cells of the confusion matrix, which its figures lead to."""

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.markup import Child, Markup, element
from rarecall.analysis.report.html.sections.rows import rows_table
from rarecall.analysis.report.html.sections.section import Section
from rarecall.analysis.report.row_list import Confused, confused
from rarecall.analysis.report.sentences import counted

# Rows that are listed of a cell.
_ROWS = 50


def cells_section(report: Report) -> Section | None:
    """The rows of each cell off the diagonal, the surest first; of labels, the false alarms of the rare ones."""
    found = [] if report.predictions is None else confused(report.predictions, report.labels)
    if not found:
        return None
    told = (
        "What was taken for what, those rows first of which the model was surest. Of many cells, those of rare classes."
    )
    parts = [_cell(report, one) for one in found]
    return Section("Rows behind the confusions", (element("p", told), *parts))


def cell_id(true: int | None, predicted: int) -> str:
    """Where the rows of a cell stand on the page."""
    return f"cell-{'any' if true is None else true}-{predicted}"


def _cell(report: Report, one: Confused) -> Markup:
    names = report.labels.classes
    predicted = names[one.predicted]
    what = f"named {predicted} without being it" if one.true is None else f"{names[one.true]} taken for {predicted}"
    left_out = f", the first {_ROWS} shown" if len(one.rows) > _ROWS else ""
    rows: Child = rows_table(report, f"Rows: {what}", predicted, one.rows[:_ROWS])
    summary = element("summary", f"{what}: {counted(len(one.rows), 'row')}{left_out}")
    return element("details", summary, element("div", rows, id=cell_id(one.true, one.predicted)))
