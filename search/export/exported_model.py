"""What an export is: the facts that its files, its model card and the terminal tell."""

from dataclasses import dataclass
from pathlib import Path

from rarecall.analysis.criteria.verdicts import Assessment
from rarecall.analysis.metrics.evaluation import Confusion
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.runs.run import EpochRow, TrialRecord
from rarecall.analysis.text.table import Column, render_columns
from rarecall.trainables.models.classifier import ParameterCounts

Metrics = dict[str, float]


@dataclass(frozen=True)
class Exported:
    """test, test_confusion: None without a test split. assessment: of the criteria, by the stored predictions.
    parameters: of the model, as it was trained.
    """

    folder: Path
    trial: TrialRecord
    epoch: EpochRow
    validation: Metrics
    test: Metrics | None
    test_confusion: Confusion | None
    assessment: Assessment
    parameters: ParameterCounts

    def recall_rows(self, labels: LabelSpace) -> list[tuple[str, str, str]]:
        """Class, validation recall and test recall, as texts with the number of rows behind each figure."""
        return [(name, _recall(self.validation, name), _recall(self.test or {}, name)) for name in labels.classes]

    def recall_text(self, labels: LabelSpace) -> str:
        """The same as a table for the terminal."""
        names, validation, test = zip(*self.recall_rows(labels), strict=True)
        columns = [
            Column(("class",), names, "<"),
            Column(("validation recall",), validation),
            Column(("test recall",), test),
        ]
        return "\n".join(render_columns(columns))


def _recall(metrics: Metrics, name: str) -> str:
    rows = metrics.get(f"support[{name}]", 0)
    return f"{100 * metrics[f'recall[{name}]']:.1f} % of {rows:,.0f}" if rows else "no rows"
