"""The check of an export: its folder, loaded by a fresh process, must predict what training had stored."""

from pathlib import Path

import numpy as np

from rarecall.analysis.errors import RunError
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.parquet_file import read_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.run import EpochRow, Run
from rarecall.search.export.exported_model import Metrics
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepared import LabelledSplits
from rarecall.trainables.exported.writing import outputs_in_fresh_process
from rarecall.trainables.models import checkpoint
from rarecall.trainables.tasks import writes_answers

# Largest difference of a probability or score between training and reload that rounding explains.
TOLERANCE = {"float32": 1e-3}
REDUCED_PRECISION_TOLERANCE = 0.2
# Largest share of rows whose written answer may be another one.
OTHER_ANSWERS = {"float32": 0.02}


def check_and_measure(
    run: Run, row: EpochRow, data: LabelledSplits, config: TrialConfig, folder: Path
) -> tuple[Metrics, Predictions | None]:
    """Predict validation and test rows in a fresh process; the former must be what training had stored.

    Gives the metrics of the validation split and the predictions of the test split, None without one.

    Raises:
        RunError: the folder does not load, or its model predicts something else.
    """
    splits = [data.validation, *([data.test] if data.test is not None else [])]
    outputs = outputs_in_fresh_process(folder, splits, config.model.max_length, len(data.task.output_names))
    size = len(data.validation)
    reloaded = data.task.predictions(outputs[:size], data.validation)
    stored = read_predictions(run.predictions_path(row.predictions or ""), run.labels)
    # Of a trial with folds all rows are stored, and those of the first fold are what its model was not trained on.
    held_out = stored.take(np.isin(stored.rows, reloaded.rows))
    precision = checkpoint.precision(run.resolve(row.checkpoint or ""))
    (_compare_answers if writes_answers(data.task) else _compare)(reloaded, held_out, precision, folder)
    # Cross-fitted where there is a rule; `reloaded` was decided by the rule that all its rows gave.
    validation = dict(row.metrics) if row.rule or config.data.folds else evaluate(reloaded, run.labels)
    return validation, None if data.test is None else data.task.predictions(outputs[size:], data.test)


def _compare_answers(reloaded: Predictions, stored: Predictions, precision: str, folder: Path) -> None:
    """Where two tokens are about as likely, rounding decides which is written, and the rest of the answer follows."""
    _check_rows(reloaded, stored, folder)
    one, other = reloaded.predicted_scores, stored.predicted_scores
    assert one is not None
    assert other is not None
    share = float((np.abs(one - other).max(axis=1) > TOLERANCE["float32"]).mean())
    allowed = OTHER_ANSWERS.get(precision, REDUCED_PRECISION_TOLERANCE)
    if share > allowed:
        raise RunError(
            f"{folder}: the reloaded model answers {100 * share:.3g} % of the validation rows otherwise than stored, "
            f"more than {100 * allowed:g} %; the export was removed"
        )


def _check_rows(reloaded: Predictions, stored: Predictions, folder: Path) -> None:
    if not np.array_equal(reloaded.rows, stored.rows):
        raise RunError(f"{folder}: the validation rows are not those that the trial predicted; the export was removed")


def _compare(reloaded: Predictions, stored: Predictions, precision: str, folder: Path) -> None:
    _check_rows(reloaded, stored, folder)
    difference = _largest_difference(reloaded, stored)
    allowed = TOLERANCE.get(precision, REDUCED_PRECISION_TOLERANCE)
    if not difference <= allowed:
        raise RunError(
            f"{folder}: the reloaded model disagrees with the stored validation predictions by {difference:.2g}, "
            f"more than {allowed:g}; the export was removed"
        )


def _largest_difference(one: Predictions, other: Predictions) -> float:
    """Between probabilities, or between overall and dimension scores."""
    pairs = [(one.probabilities, other.probabilities), (one.predicted_scores, other.predicted_scores)]
    return max(float(np.abs(a - b).max()) for a, b in pairs if a is not None and b is not None)
