"""The page: all sections in one HTML file that asks for nothing else."""

from collections.abc import Iterator
from importlib.resources import files
from string import Template

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.markup import Markup, element, joined
from rarecall.analysis.report.html.sections.calibration import calibration_section
from rarecall.analysis.report.html.sections.cells import cells_section
from rarecall.analysis.report.html.sections.classes import classes_section, confusion_section, slices_section
from rarecall.analysis.report.html.sections.errors import errors_section
from rarecall.analysis.report.html.sections.finalists import finalists_section
from rarecall.analysis.report.html.sections.leaderboard import leaderboard_section
from rarecall.analysis.report.html.sections.parallel import parallel_section
from rarecall.analysis.report.html.sections.parameters import parameters_section
from rarecall.analysis.report.html.sections.provenance import provenance_section
from rarecall.analysis.report.html.sections.rows import rows_section
from rarecall.analysis.report.html.sections.section import Section
from rarecall.analysis.report.html.sections.thresholds import thresholds_section
from rarecall.analysis.report.html.sections.tiers import tiers_section
from rarecall.analysis.report.html.sections.training import training_section
from rarecall.analysis.report.html.sections.verdict import verdict_section
from rarecall.analysis.report.parameters import effects
from rarecall.analysis.report.sentences import about


def page(report: Report) -> str:
    """The whole HTML document."""
    sections = [section for section in _sections(report) if section]
    return Template(_part("page.html")).substitute(
        title=joined(f"{report.title} · rarecall report"),
        style=_part("page.css"),
        script=_part("page.js"),
        heading=joined(report.title),
        about=joined(about(report)),
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
    yield thresholds_section(report)
    yield calibration_section(report)
    yield rows_section(report)
    yield cells_section(report)
    yield training_section(report)
    found = effects(report.ranked, report.level)
    yield parameters_section(report, found)
    yield parallel_section(report, found)
    yield provenance_section(report)


def _contents(sections: list[Section]) -> Markup:
    links = [element("li", element("a", section.title, href=f"#{section.id}")) for section in sections]
    return element("nav", element("ul", links), aria_label="Sections")


def _part(name: str) -> str:
    return files("rarecall.analysis.report.html").joinpath(name).read_text(encoding="utf-8")
