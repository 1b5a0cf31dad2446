"""A run, finished or still going on, as its folder tells it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rarecall.analysis.criteria.ranking import best_epoch
from rarecall.analysis.criteria.verdicts import FINDING_COLUMNS, Assessment
from rarecall.analysis.diagnosis import diagnose
from rarecall.analysis.errors import RunError
from rarecall.analysis.plugins.stored import trusting
from rarecall.analysis.predictions.outside_file import Meaning
from rarecall.analysis.runs.evidence import Evidence
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking import finalists as finals
from rarecall.analysis.runs.ranking.expectations import expectations
from rarecall.analysis.runs.ranking.leaderboard import leaderboard, winner
from rarecall.analysis.runs.ranking.standings import RankBy
from rarecall.analysis.runs.run import EpochRow
from rarecall.analysis.runs.run import Run as Records
from rarecall.analysis.uncertainty.intervals import LEVEL
from rarecall.html import table_page

if TYPE_CHECKING:
    from rarecall.model import Model

SHOWN_TRIALS = 10
# Of `diagnose`, also where no warning applies.
WARNING_COLUMNS = ("rule", "says", "source", "figure", "evidence", "changes", "advice")


class Run:
    """The results of a search. Reading them needs neither torch nor Ray; `finalists` and `export` do.

    folder: of the run. The ledger is read anew for each question, so a run that goes on can be watched.

    Raises:
        RunError: the folder holds no run.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._records()

    def _records(self) -> Records:
        return read_ledger(self.folder)

    def leaderboard(self, rank_by: RankBy = "criteria") -> pd.DataFrame:
        """One row per trial, the best first; columns as `rarecall leaderboard --csv` has them."""
        return leaderboard(self._records(), rank_by)

    @property
    def winner(self) -> str | None:
        """The name of the trial to export; None where no trial left a checkpoint."""
        best = winner(self._records())
        return best.trial if best else None

    def verdicts(self, trial: str | None = None, level: float = LEVEL) -> pd.DataFrame:
        """One row per criterion: status (met, missed, undecided), value, expected on fresh rows, interval, probability.

        trial: the winner without one. `attrs["joint"]`: probability that the true values meet all criteria.

        Raises:
            RunError: no such trial, or without stored predictions.
        """
        assessment = self._assessment(trial, level)
        frame = pd.DataFrame([finding.plain() for finding in assessment.findings], columns=list(FINDING_COLUMNS))
        frame.attrs["joint"] = assessment.joint
        return frame

    def predictions(self, trial: str | None = None) -> pd.DataFrame:
        """The validation predictions of a trial's best epoch, true and predicted, one row each.

        Raises:
            RunError: no such trial, or without stored predictions.
        """
        records = self._records()
        return pd.read_parquet(records.predictions_path(self._best_row(records, trial).predictions or ""))

    def report(self, path: str | os.PathLike[str], texts: bool = False) -> Path:
        """Write the run as a web page (.html), a Word document (.docx) or a folder of figures.

        texts: whether the texts of rare rows are shown, whatever they contain.
        """
        from rarecall.analysis.report import form_of, write_report  # noqa: PLC0415  # matplotlib
        from rarecall.search.review.report import gathered  # noqa: PLC0415

        output = Path(path)
        write_report(output, gathered(str(self.folder), (), Meaning(), LEVEL, texts=texts), form_of(output, None))
        return output

    def split(self, folder: str | os.PathLike[str]) -> dict[str, int]:
        """Write the splits as JSON Lines, to compare any other model on the same rows; how many each has.

        Raises:
            RunError: the folder exists, or the data have changed since the run.
        """
        from rarecall.search.review.splits import write_splits  # noqa: PLC0415  # torch

        return write_splits(self._records(), Path(folder))

    def diagnose(self, trial: str | None = None) -> pd.DataFrame:
        """Why a trial is not better, and which settings to change: one row per warning, causes first."""
        from rarecall.search.review.diagnose import open_case  # noqa: PLC0415  # knows torch

        case = open_case(f"{self.folder}:{trial}" if trial else str(self.folder))
        return pd.DataFrame([warning.plain() for warning in diagnose(case)], columns=list(WARNING_COLUMNS))

    def finalists(
        self,
        count: int = 3,
        folds: int = 5,
        *,
        race: bool = True,
        overwrite: bool = False,
        address: str | None = None,
        progress: bool = True,
    ) -> pd.DataFrame:
        """Train the best trials again on other folds and seeds, and compare them; what is trained already is kept.

        race: folds are added only as long as they can change which one wins.

        One row per finalist, the winner first: trial, folds, rows, criteria_met, the objective on its folds with its
        90 % interval, and every metric of the pooled predictions.
        """
        from rich.console import Console  # noqa: PLC0415  # with what follows

        from rarecall.search.engine.retraining.finalists import FinalsOptions  # noqa: PLC0415  # Ray
        from rarecall.search.engine.search import train_finalists  # noqa: PLC0415

        options = FinalsOptions(count, folds, race, overwrite, address)
        records = train_finalists(self.folder, options, Console(quiet=not progress))
        return pd.DataFrame([_row(one, records) for one in finals.finalists(records)])

    def export(
        self, folder: str | os.PathLike[str], trial: str | None = None, *, force: bool = False, merge: bool = False
    ) -> "Model":
        """Write the winner, or another trial, as a folder that transformers and peft load, and open it.

        force: even if it misses a criterion. merge: whole weights instead of an adapter. What the test split decides is
        the model's `decision`; a criterion missed there raises nothing.

        Raises:
            RunError: nothing to export, a criterion is missed, or the folder exists.
        """
        from rich.console import Console  # noqa: PLC0415  # with what follows

        from rarecall.model import Model  # noqa: PLC0415  # torch
        from rarecall.search.export.command import ExportOptions, export_trial  # noqa: PLC0415

        export_trial(ExportOptions(self.folder, Path(folder), trial, force, merge), Console(quiet=True))
        return Model(folder)

    def __repr__(self) -> str:
        records = self._records()
        return f"Run({str(self.folder)!r}: {len(records.trials)} trials, winner {self.winner})"

    def _repr_html_(self) -> str:
        frame = self.leaderboard()
        shown = ["rank", "trial", "status", "epoch", "criteria_met", "minority_recall", *_parameters(frame)]
        parts = [("Leaderboard", frame[shown].head(SHOWN_TRIALS))]
        if self.winner is not None:
            columns = ["criterion", "status", "value", "rows", "low", "high", "probability"]
            parts.append((f"Verdicts on {self.winner}", self.verdicts().reindex(columns=columns)))
        return table_page(str(self.folder), parts)

    def _assessment(self, trial: str | None, level: float) -> Assessment:
        records = self._records()
        evidence, row = Evidence(records, level), self._best_row(records, trial)
        found = expectations(records, also=[row.trial])
        assessment = evidence.assessment(row, found.of(row.trial), found.method)
        if assessment is None:
            raise RunError("; ".join(evidence.problems) or f"{self.folder}: the trial has stored no predictions")
        return assessment

    def _best_row(self, records: Records, trial: str | None) -> EpochRow:
        name = trial or self.winner
        if name is None:
            raise RunError(f"{self.folder}: has no winner yet (name a trial)")
        if name not in records.trials:
            raise RunError(f"{self.folder}: has no trial {name!r} (leaderboard() lists them)")
        rows = [row for row in records.trials[name].epochs if row.predictions]
        if not rows:
            raise RunError(f"{self.folder}: trial {name!r} has stored no predictions (run it again)")
        return best_epoch(rows, records.criteria, records.objective)


def load_run(folder: str | os.PathLike[str], *, trust_plugins: bool = False) -> Run:
    """Open the folder of a run.

    trust_plugins: run the plugins that the folder brings, whoever wrote them; those of one's own searches are known.

    Raises:
        RunError: it holds no run, or brings plugins that nobody asked for.
    """
    with trusting(trust_plugins):
        return Run(folder)


def _parameters(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame.columns if name.startswith(("training.", "model."))]


def _row(finalist: finals.Finalist, records: Records) -> dict[str, Any]:
    objective = finalist.objective
    return {
        "trial": finalist.trial,
        "folds": finalist.folds,
        "rows": finalist.rows,
        "criteria_met": finalist.met,
        records.objective: finalist.value(records),
        "low": objective.low,
        "high": objective.high,
        **finalist.metrics,
    }
