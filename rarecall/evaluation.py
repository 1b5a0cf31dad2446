"""Predictions that anyone made, judged."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rarecall.analysis.criteria.verdicts import FINDING_COLUMNS
from rarecall.analysis.evaluation import evaluation as judged
from rarecall.analysis.evaluation.targets import Target, open_target
from rarecall.analysis.predictions.outside_file import Meaning
from rarecall.analysis.uncertainty.intervals import LEVEL
from rarecall.html import table_page

ROWS_FILE = "predictions.parquet"


class Evaluation:
    """What predictions are worth: metrics with intervals, the confusion matrix, and what the criteria say."""

    def __init__(self, result: judged.Evaluation) -> None:
        self._result = result

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric under its key, such as `recall[rare]`."""
        return dict(self._result.metrics)

    @property
    def confusion(self) -> pd.DataFrame:
        """Counts, rows by the true class and columns by the predicted one; of several labels per row, four columns."""
        classes = list(self._result.labels.classes)
        if self._result.labels.multilabel:
            counts = [[cell for line in of_label for cell in line] for of_label in self._result.confusion]
            columns = ["true negatives", "false positives", "false negatives", "true positives"]
            return pd.DataFrame(counts, index=classes, columns=columns)
        return pd.DataFrame(self._result.confusion, index=classes, columns=classes)

    def table(self) -> pd.DataFrame:
        """One row per metric: value, and low and high of its interval where it has one."""
        intervals = self._result.intervals
        ends = {key: (intervals[key].low, intervals[key].high) for key in self._result.metrics if key in intervals}
        rows = [(key, value, *ends.get(key, (None, None))) for key, value in self._result.metrics.items()]
        return pd.DataFrame(rows, columns=["metric", "value", "low", "high"])

    def verdicts(self) -> pd.DataFrame:
        """One row per criterion; `attrs["joint"]`: probability that the true values meet all of them."""
        findings = [finding.plain() for finding in self._result.assessment.findings]
        frame = pd.DataFrame(findings, columns=list(FINDING_COLUMNS))
        frame.attrs["joint"] = self._result.assessment.joint
        return frame

    def plain(self) -> dict[str, Any]:
        """All of it as JSON has it; what `rarecall evaluate --json` prints."""
        return self._result.plain()

    def _repr_html_(self) -> str:
        parts = [("Metrics", self.table())]
        if self._result.assessment.findings:
            parts.append(("Verdicts", self.verdicts()))
        return table_page(self._result.name, parts)


def evaluate(
    predictions: pd.DataFrame | str | os.PathLike[str],
    criteria: Sequence[str] = (),
    *,
    classes: Sequence[str] = (),
    minority: Sequence[str] = (),
    tiers: Mapping[str, float] | None = None,
    weights: Mapping[str, float] | None = None,
    level: float = LEVEL,
) -> Evaluation:
    """Judge predictions.

    predictions: a DataFrame or a file with the columns that docs/verdicts.md tells (`true` and `predicted`, or
    `probability.<class>`, or scores as `true.<dimension>` and `predicted.<dimension>` with `tiers`), the folder of a
    run (its winner) or RUN:TRIAL. criteria: lines such as `recall[rare] >= 0.4`; those of a run without any. classes:
    all names in order. minority: the classes that matter, by default all but the largest. tiers: lower bound of the
    overall score by tier. weights: of the dimensions in it. level: of intervals and verdicts.

    Raises:
        InputError: predictions or criteria cannot be used.
        RunError: no such run or trial.
    """
    from rarecall.search.review.criteria import read_criteria  # noqa: PLC0415  # with YAML and its schema

    meaning = Meaning(tuple(classes), tuple(minority), tiers=dict(tiers or {}), weights=dict(weights or {}))
    target = _opened(predictions, meaning)
    wanted = read_criteria(list(criteria), target.labels) or target.criteria
    return Evaluation(judged.evaluated(target.name, target.predictions, target.labels, wanted, level))


def _opened(predictions: pd.DataFrame | str | os.PathLike[str], meaning: Meaning) -> Target:
    if not isinstance(predictions, pd.DataFrame):
        return open_target(os.fspath(predictions), meaning)
    # Through the reader of files, so that a frame means what the same file would.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, ROWS_FILE)
        predictions.to_parquet(path, index=False)
        target = open_target(str(path), meaning)
        return Target("predictions", target.predictions, target.labels)
