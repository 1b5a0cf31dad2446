"""Where the figures come from, and what could not be read."""

import time

from analysis.report.contents import Report
from analysis.report.markup import Child, element
from analysis.report.section import Section, counted, note

_LISTED = 50


def provenance_section(report: Report) -> Section:
    """Run, data, versions and problems."""
    facts = [element("div", element("dt", name), element("dd", value)) for name, value in _facts(report).items()]
    intervals = (
        f"Intervals are {100 * report.level:g} %: exact (Clopper and Pearson) for shares that are a count of rows, "
        "from a bootstrap over the rows otherwise. A criterion is met from a probability of "
        f"{report.level:g} on, missed up to {1 - report.level:.2g} and undecided in between."
    )
    return Section("How this was made", (note(intervals), element("dl", facts, class_="facts"), *_problems(report)))


def _facts(report: Report) -> dict[str, str]:
    if report.run is None:
        return {"predictions": report.title, "rows": f"{len(report.predictions or ()):,}"}
    header = report.run.header
    versions = header.get("versions")
    return {
        "run": str(header.get("run_id", "")),
        "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(float(report.run.headers[0].get("time", 0)))),
        "starts": str(len(report.run.headers)),
        "objective": report.run.objective,
        "seed": str(header.get("seed", "")),
        "data": str(header.get("data_hash", ""))[:20],
        "versions": ", ".join(f"{name} {one}" for name, one in versions.items()) if isinstance(versions, dict) else "",
    }


def _problems(report: Report) -> list[Child]:
    if not report.problems:
        return []
    items = [element("li", problem) for problem in report.problems[:_LISTED]]
    more = len(report.problems) - _LISTED
    return [
        element("h3", f"What could not be read: {counted(len(report.problems), 'item')}"),
        element("ul", items, element("li", f"and {more:,} more") if more > 0 else None, class_="problems"),
    ]
