"""What the stored predictions of a run add to its ledger: assessments, read and computed when somebody asks."""

import math
from collections.abc import Mapping

from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.criteria.ranking import objective_key
from rarecall.analysis.criteria.verdicts import Assessment, assess, proportion
from rarecall.analysis.errors import RunError
from rarecall.analysis.metrics import registry as metric_registry
from rarecall.analysis.metrics.tally import tally
from rarecall.analysis.predictions.parquet_file import read_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.run import EpochRow, Run
from rarecall.analysis.uncertainty.bootstrap import percentile, posterior
from rarecall.analysis.uncertainty.expected import Expected
from rarecall.analysis.uncertainty.intervals import LEVEL, exact


class Evidence:
    """Reads the predictions of a run's epochs. `problems` tells what could not be read."""

    def __init__(self, run: Run, level: float = LEVEL) -> None:
        self.run, self.level = run, level
        self.problems: list[str] = []

    def predictions(self, row: EpochRow) -> Predictions | None:
        """The stored predictions of an epoch; None where it left none that can be read and counted."""
        if not row.predictions:
            return None
        path = self.run.folder / row.predictions
        try:
            path = self.run.predictions_path(row.predictions)
            predictions = read_predictions(path, self.run.labels)
            tally(predictions, self.run.labels)
        except (RunError, ValueError) as error:
            self.problems.append(str(error) if isinstance(error, RunError) else f"{path}: {error}")
            return None
        return predictions

    def assessment(
        self, row: EpochRow, expected: Mapping[str, Expected] | None = None, correction: str = ""
    ) -> Assessment | None:
        """The criteria of the run held against an epoch; None without its predictions.

        expected, correction: as `analysis.criteria.verdicts.assess` takes them.
        """
        predictions = self.predictions(row)
        if predictions is None:
            return None
        run = self.run
        return assess(predictions, run.labels, run.criteria, self.level, expected=expected, correction=correction)

    def joint(self, row: EpochRow) -> float:
        """Probability that the true values meet all criteria, NaN where it cannot be known."""
        assessment = self.assessment(row)
        return assessment.joint if assessment else math.nan

    def lower_bound(self, row: EpochRow) -> float:
        """The worse end of the objective's interval, negated where lower is better; NaN without predictions."""
        predictions = self.predictions(row)
        if predictions is None:
            return math.nan
        key = objective_key(row.metrics, self.run.objective)
        name, _, part = split_key(key)
        share = None if part else proportion(key, tally(predictions, self.run.labels))
        if share:
            return exact(share.hits, share.rows, self.level).low
        slices = [(part.partition("=")[0], part.partition("=")[2])] if part else []
        interval = percentile(posterior(predictions, self.run.labels, [name], slices)[key], self.level)
        metric = metric_registry.find(name)
        return -interval.high if metric and metric.direction == "min" else interval.low
