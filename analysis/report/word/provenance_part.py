"""What the document was made from, and what could not be read."""

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.sentences import counted, facts, intervals
from rarecall.analysis.report.word.layout import Layout

_LISTED = 50


def add_provenance(page: Layout, report: Report) -> None:
    """Run, data, versions and problems."""
    page.heading("How this was made")
    rows = [[name, value or "–"] for name, value in facts(report).items()]
    page.table("What the report was made from", ["fact", "value"], rows, words=2)
    page.note(intervals(report.level))
    if report.problems:
        page.heading(f"What could not be read: {counted(len(report.problems), 'item')}", 2)
        more = len(report.problems) - _LISTED
        page.bullets([*report.problems[:_LISTED], *([f"and {more:,} more"] if more > 0 else [])])
