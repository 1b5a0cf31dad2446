"""What the test split said of a trial when an export opened it: read back from the run, never measured again."""

import time
from dataclasses import dataclass
from typing import Any

from rarecall.analysis.criteria.decision import Decision, decide
from rarecall.analysis.criteria.verdicts import Assessment, assess
from rarecall.analysis.errors import RunError
from rarecall.analysis.predictions.parquet_file import read_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.run import EpochRow, OpeningRow, Run
from rarecall.analysis.uncertainty.intervals import LEVEL

# Of test rows, in the run folder.
TEST_FOLDER = "test"


@dataclass(frozen=True)
class Opened:
    """The test rows of one epoch. row: when they were opened, and what was measured. others: trials that they were
    opened for before, by name.
    """

    row: OpeningRow
    predictions: Predictions
    assessment: Assessment
    others: tuple[str, ...] = ()

    @property
    def decision(self) -> Decision | None:
        """Whether to ship; None without criteria."""
        return decide(self.assessment)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        row = self.row
        when = {"trial": row.trial, "epoch": row.epoch, "time": row.time, "opened_before_for": self.others}
        return {**when, "metrics": row.metrics, "confusion": row.confusion, "assessment": self.assessment.plain()}

    @property
    def day(self) -> str:
        """When the split was opened, in UTC."""
        return day_of(self.row)


def opening_of(run: Run, row: EpochRow) -> OpeningRow | None:
    """The latest opening of the test split for an epoch; None where it is closed, or that epoch was trained anew."""
    known = (one for one in reversed(run.openings) if (one.trial, one.epoch) == (row.trial, row.epoch))
    return next((one for one in known if not one.time < row.time), None)


def read_opened(run: Run, row: EpochRow | None, level: float = LEVEL) -> Opened | None:
    """What the test split said of an epoch, held against the criteria of the run; None where it is closed for it.

    Raises:
        RunError: the stored test predictions cannot be read.
    """
    opening = opening_of(run, row) if row else None
    if opening is None:
        return None
    path = run.resolve(opening.predictions)
    predictions = read_predictions(path, run.labels)
    try:
        assessment = assessed_test(run, predictions, level)
    except ValueError as error:
        raise RunError(f"{path}: {error} (export the trial again to measure the test split)") from error
    return Opened(opening, predictions, assessment, others_before(run, opening))


def assessed_test(run: Run, predictions: Predictions, level: float = LEVEL) -> Assessment:
    """The criteria held against test rows: nobody chose a model by them, so there is nothing to correct."""
    return assess(predictions, run.labels, run.criteria, level)


def day_of(opening: OpeningRow) -> str:
    """When the split was opened, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(opening.time))


def others_before(run: Run, opening: OpeningRow) -> tuple[str, ...]:
    """Trials that the test split had been opened for when it was opened for this one."""
    earlier = (one.trial for one in run.openings if one.time < opening.time and one.trial != opening.trial)
    return tuple(dict.fromkeys(earlier))


def predictions_place(row: EpochRow) -> str:
    """Where the test predictions of an epoch are kept, relative to the run folder."""
    return f"{TEST_FOLDER}/{row.trial}-epoch-{row.epoch:03d}.parquet"
