"""The report as pictures, drawn with matplotlib: for slides, papers, mails and the Word document."""

from collections.abc import Callable

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.figures.calibration import calibration_figure
from rarecall.analysis.report.figures.classes import class_recalls
from rarecall.analysis.report.figures.confusion import confusion_figure
from rarecall.analysis.report.figures.epochs import dimension_courses, loss_courses, recall_courses
from rarecall.analysis.report.figures.metrics import dimension_errors, overall_metrics
from rarecall.analysis.report.figures.parameters import parameter_effects
from rarecall.analysis.report.figures.scores import predicted_against_true
from rarecall.analysis.report.figures.style import LeftOut, Picture, style

__all__ = ["LeftOut", "Picture", "figures"]

# What draws each figure, or says why there is none, by its name.
_MAKERS: dict[str, Callable[[Report], Picture | LeftOut]] = {
    "overall_metrics": overall_metrics,
    "recall_per_class": class_recalls,
    "confusion_matrix": confusion_figure,
    "mae_per_dimension": dimension_errors,
    "predicted_against_true": predicted_against_true,
    "calibration": calibration_figure,
    "loss_curves": loss_courses,
    "recall_by_epoch": recall_courses,
    "mae_by_epoch": dimension_courses,
    "parameters": parameter_effects,
}


def figures(report: Report) -> dict[str, Picture | LeftOut]:
    """All figures by name, in the order in which they are read."""
    with style():
        return {name: make(report) for name, make in _MAKERS.items()}
