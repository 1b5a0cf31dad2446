"""The finalists: configurations trained again on other folds and seeds, and what their folds together say."""

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.drawing.strip import amount_scale, share_scale, strip
from rarecall.analysis.report.html.markup import Child, element
from rarecall.analysis.report.html.sections.section import Section, note
from rarecall.analysis.report.html.table import Cell, Heading, table, words
from rarecall.analysis.runs.ranking.finalists import Finalist
from rarecall.analysis.runs.run import Run
from rarecall.analysis.text.finalists import race_text, uncorrected
from rarecall.analysis.text.wording import interval_text, is_share, value_text

_CLASSES = 6


def finalists_section(report: Report) -> Section | None:
    """One row per finalist, the winner first."""
    if not report.finalists or report.run is None:
        return None
    names = report.labels.minority[:_CLASSES]
    headings = [
        words("trial"),
        Heading("folds"),
        Heading("rows"),
        Heading("met", title="Criteria met on its folds together"),
        Heading(report.run.objective),
        Heading(f"{100 * report.level:g} % interval"),
        words("where the true value lies"),
        *(Heading(name, title=f"Recall of {name}") for name in names),
    ]
    rows = [_row(one, report.run, names) for one in report.finalists]
    about = (
        "The best trials were trained again on other folds and seeds, so that each row was predicted by models that "
        "had not seen it. The winner meets the most criteria, and among those its objective is surely highest. "
        f"{uncorrected(report.finalists)}"
    )
    left = race_text(report.finalists)
    race = note(left) if left else None
    return Section("Finalists", (element("p", about), table("Finalists on their folds together", headings, rows), race))


def _row(one: Finalist, run: Run, names: tuple[str, ...]) -> list[Cell | Child]:
    value = one.value(run)
    scale = share_scale(one.objective.low) if is_share(run.objective) else amount_scale([value, one.objective.high])
    return [
        one.trial,
        str(one.folds),
        f"{one.rows:,}",
        f"{one.met} of {len(run.criteria)}",
        value_text(run.objective, value),
        interval_text(run.objective, one.objective),
        Cell(strip(scale, value, one.objective), class_="picture"),
        *(value_text("recall", one.metrics[f"recall[{name}]"]) for name in names),
    ]
