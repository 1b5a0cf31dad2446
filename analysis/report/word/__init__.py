"""The report as a Word document, for people who hand reports around: `layout` is its look, `*_part` what it tells."""

from io import BytesIO

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.figures import figures
from rarecall.analysis.report.sentences import about
from rarecall.analysis.report.word.classes_part import add_classes, add_confusion
from rarecall.analysis.report.word.layout import Layout
from rarecall.analysis.report.word.provenance_part import add_provenance
from rarecall.analysis.report.word.scores_part import add_scores
from rarecall.analysis.report.word.training_part import add_training
from rarecall.analysis.report.word.trials_part import add_finalists, add_leaderboard
from rarecall.analysis.report.word.verdict_part import add_settings, add_verdict

__all__ = ["document"]


def document(report: Report) -> bytes:
    """The whole document as the content of a .docx file."""
    page = Layout(report.title, about(report), figures(report))
    for add in (
        add_verdict,
        add_settings,
        add_finalists,
        add_leaderboard,
        add_classes,
        add_confusion,
        add_scores,
        add_training,
        add_provenance,
    ):
        add(page, report)
    content = BytesIO()
    page.document.save(content)
    return content.getvalue()
