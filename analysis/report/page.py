"""The page: all sections in one HTML file that asks for nothing else."""

from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from string import Template

from analysis.report.calibration_section import calibration_section
from analysis.report.classes_section import classes_section, confusion_section, slices_section
from analysis.report.contents import Report
from analysis.report.errors_section import errors_section
from analysis.report.finalists_section import finalists_section
from analysis.report.leaderboard_section import leaderboard_section
from analysis.report.markup import Markup, element, joined
from analysis.report.parallel_section import parallel_section
from analysis.report.parameters import effects
from analysis.report.parameters_section import parameters_section
from analysis.report.provenance_section import provenance_section
from analysis.report.rows_section import rows_section
from analysis.report.section import Section, counted
from analysis.report.tiers_section import tiers_section
from analysis.report.training_section import training_section
from analysis.report.verdict_section import verdict_section


def page(report: Report) -> str:
    """The whole HTML document."""
    sections = [section for section in _sections(report) if section]
    return Template(_part("page.html")).substitute(
        title=joined(f"{report.title} · rarecall report"),
        style=_part("page.css"),
        script=_part("page.js"),
        heading=joined(report.title),
        about=joined(_about(report)),
        contents=_contents(sections),
        sections=joined([section.html() for section in sections]),
    )


def _sections(report: Report) -> Iterator[Section | None]:
    yield verdict_section(report)
    yield finalists_section(report)
    yield leaderboard_section(report)
    yield classes_section(report)
    yield slices_section(report)
    yield confusion_section(report)
    yield errors_section(report)
    yield tiers_section(report)
    yield calibration_section(report)
    yield rows_section(report)
    yield training_section(report)
    found = effects(report.ranked, report.level)
    yield parameters_section(report, found)
    yield parallel_section(report, found)
    yield provenance_section(report)


def _contents(sections: list[Section]) -> Markup:
    links = [element("li", element("a", section.title, href=f"#{section.id}")) for section in sections]
    return element("nav", element("ul", links), aria_label="Sections")


def _about(report: Report) -> str:
    parts = []
    if report.ranked:
        counts = Counter(standing.status for standing in report.ranked)
        statuses = ", ".join(f"{number} {status}" for status, number in counts.items())
        parts.append(f"{counted(len(report.ranked), 'trial')} ({statuses})")
    if report.predictions is not None:
        parts.append(f"{len(report.predictions):,} {'validation ' if report.run else ''}rows")
    parts.append(f"{len(report.labels.classes)} classes, {len(report.labels.minority)} of them minority")
    return " · ".join(parts)


def _part(name: str) -> str:
    return files("analysis.report").joinpath(name).read_text(encoding="utf-8")
