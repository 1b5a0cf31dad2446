"""What an export is: the facts that its files, its model card and the terminal tell."""

from dataclasses import dataclass
from pathlib import Path

from rarecall.analysis.criteria.decision import Decision
from rarecall.analysis.criteria.verdicts import Assessment
from rarecall.analysis.metrics.evaluation import Confusion
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.runs.opened import Opened
from rarecall.analysis.runs.run import EpochRow, TrialRecord
from rarecall.analysis.text.table import Column, render_columns
from rarecall.trainables.models.classifier import ParameterCounts

Metrics = dict[str, float]


@dataclass(frozen=True)
class Exported:
    """assessment: of the criteria, by the stored predictions. parameters: of the model, as it was trained.

    opened: what the test split said, None where it stays closed or there is none; closed: why. again: whether an
    earlier export of the trial had measured it. unrecorded: why the run does not know of it, "" where it does.
    """

    folder: Path
    trial: TrialRecord
    epoch: EpochRow
    validation: Metrics
    assessment: Assessment
    parameters: ParameterCounts
    opened: Opened | None = None
    closed: str = ""
    again: bool = False
    unrecorded: str = ""

    @property
    def test(self) -> Metrics | None:
        """Metrics of the test split."""
        return dict(self.opened.row.metrics) if self.opened else None

    @property
    def test_confusion(self) -> Confusion | None:
        """Counts of the test split."""
        return self.opened.row.confusion if self.opened else None

    @property
    def decision(self) -> Decision | None:
        """Whether to ship; None where nothing decides."""
        return self.opened.decision if self.opened else None

    @property
    def refused(self) -> bool:
        """Whether the test split says not to ship."""
        return self.decision is not None and self.decision.outcome == "do not ship"

    @property
    def headline(self) -> str:
        """The line that decides, or why none does; "" without criteria."""
        if not self.assessment.findings:
            return ""
        return self.decision.sentence if self.decision else self.closed

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
