"""Where the figures come from, and what could not be read."""

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.markup import Child, element
from rarecall.analysis.report.html.sections.section import Section, note
from rarecall.analysis.report.sentences import counted, facts, intervals

_LISTED = 50


def provenance_section(report: Report) -> Section:
    """Run, data, versions and problems."""
    items = [element("div", element("dt", name), element("dd", value)) for name, value in facts(report).items()]
    made_from = element("dl", items, class_="facts")
    return Section("How this was made", (note(intervals(report.level)), made_from, *_problems(report)))


def _problems(report: Report) -> list[Child]:
    if not report.problems:
        return []
    items = [element("li", problem) for problem in report.problems[:_LISTED]]
    more = len(report.problems) - _LISTED
    return [
        element("h3", f"What could not be read: {counted(len(report.problems), 'item')}"),
        element("ul", items, element("li", f"and {more:,} more") if more > 0 else None, class_="problems"),
    ]
