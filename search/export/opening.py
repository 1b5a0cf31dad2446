"""The test split, opened by an export: measured once for a trial, and written down in the run that was exported."""

import time

from rarecall.analysis.errors import RunError
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import LEDGER_NAME, Ledger
from rarecall.analysis.runs.opened import Opened, assessed_test, others_before, predictions_place, read_opened
from rarecall.analysis.runs.run import EpochRow, OpeningRow, Run

NO_TEST_SPLIT = "Not decided: no test split was held out (data.split.test)"
STILL_SEARCHING = "Not decided: the search goes on, so the test split stays closed; export again when it has ended"


def known_opening(run: Run, row: EpochRow) -> Opened | None:
    """What an earlier export of the epoch measured; None where there was none, or its predictions are gone."""
    try:
        return read_opened(run, row)
    except RunError:
        return None


def open_test(run: Run, row: EpochRow, test: Predictions) -> tuple[Opened, str]:
    """Measure the test rows of an epoch and add them to the ledger; what kept that from being written, "" for nothing.

    A run folder that belongs to somebody else does not stop the export, whose own folder tells the same.
    """
    metrics, confusion = evaluate(test, run.labels), confusion_matrix(test, run.labels)
    now = round(time.time(), 3)
    opening = OpeningRow(row.trial, row.epoch, metrics, confusion, predictions_place(row), now)
    problem = ""
    try:
        write_predictions(run.resolve(opening.predictions), test, run.labels)
        with Ledger(run.folder / LEDGER_NAME) as ledger:
            ledger.append(opening.as_row())
    except (OSError, RunError) as error:
        problem = f"the run does not know that its test split was opened: {error}"
    return Opened(opening, test, assessed_test(run, test), others_before(run, opening)), problem
