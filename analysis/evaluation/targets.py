"""What a user may name to have looked at: a run, one of its trials, an exported folder or a file of predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rarecall.analysis.criteria.criterion import Criterion
from rarecall.analysis.criteria.ranking import best_epoch
from rarecall.analysis.errors import Fault, InputError, RunError
from rarecall.analysis.evaluation.evaluation import Evaluation, evaluated
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.outside_file import Meaning, read_told
from rarecall.analysis.predictions.parquet_file import PREDICTIONS_NAME, read_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.baseline import BaselineRow
from rarecall.analysis.runs.baselines import baselines_of
from rarecall.analysis.runs.ledger import LEDGER_NAME, read_ledger
from rarecall.analysis.runs.ranking.expectations import expectations
from rarecall.analysis.runs.ranking.leaderboard import winner
from rarecall.analysis.runs.run import Run


@dataclass(frozen=True)
class Target:
    """Predictions and what is known about where they come from.

    params: of the trial, empty for a file. trial, run: that chose it, None for a file. notes: what the user should know
    of how a file was read.
    """

    name: str
    predictions: Predictions
    labels: LabelSpace
    criteria: tuple[Criterion, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    trial: str = ""
    run: Run | None = None
    notes: tuple[str, ...] = ()

    def evaluated(self, criteria: Sequence[Criterion], level: float) -> Evaluation:
        """What they are worth; where the run's own criteria are meant, these are about what fresh rows should give."""
        if self.run is None or (criteria and tuple(criteria) != self.criteria):
            return evaluated(self.name, self.predictions, self.labels, criteria, level)
        found = expectations(self.run, also=[self.trial])
        return evaluated(
            self.name,
            self.predictions,
            self.labels,
            self.criteria,
            level,
            expected=found.of(self.trial),
            correction=found.method,
        )


def open_target(text: str, meaning: Meaning | None = None) -> Target:
    """Open a run (its winner), `RUN:TRIAL` or `RUN:BASELINE`, a folder that holds predictions, or a file of them.

    meaning: of a file from elsewhere; a file within a run folder means what its run says.

    Raises:
        InputError: nothing of the kind, or a file that cannot be used.
        RunError: a run without such a trial, or without predictions of it.
    """
    path = Path(text)
    if path.is_dir():
        return _folder(text, path, meaning or Meaning())
    if path.is_file():
        return _file(text, path, meaning or Meaning())
    run, colon, trial = text.rpartition(":")
    if colon and (Path(run) / LEDGER_NAME).is_file():
        return _trial(text, read_ledger(run), trial)
    remedy = "give RUN, RUN:TRIAL or a .parquet, .csv or .jsonl file"
    raise InputError(text, [Fault(text, "must be a run, a trial of a run or a file of predictions", "", remedy)])


def _folder(name: str, path: Path, meaning: Meaning) -> Target:
    if (path / LEDGER_NAME).is_file():
        run = read_ledger(path)
        best = winner(run)
        if best is None:
            raise RunError(f"{path}: has no winner yet (name a trial: {name}:ID)")
        return _trial(f"{name}:{best.trial}", run, best.trial)
    if (path / PREDICTIONS_NAME).is_file():
        return _file(name, path / PREDICTIONS_NAME, meaning)
    # A model folder that has to predict first belongs here.
    remedy = "name the run that it was exported from, as RUN:TRIAL"
    raise InputError(name, [Fault(name, f"must hold {LEDGER_NAME} or {PREDICTIONS_NAME}", "neither", remedy)])


def _file(name: str, path: Path, meaning: Meaning) -> Target:
    home = next((folder for folder in path.resolve().parents if (folder / LEDGER_NAME).is_file()), None)
    if home is not None and path.suffix == ".parquet":
        run = read_ledger(home)
        return Target(name, read_predictions(path, run.labels), run.labels, run.criteria)
    predictions, labels, notes = read_told(path, meaning)
    return Target(name, predictions, labels, notes=notes)


def _baseline(name: str, run: Run, row: BaselineRow) -> Target:
    if row.predictions is None:
        raise RunError(f"{run.folder}: {row.baseline} has stored no predictions (run the search again)")
    predictions = read_predictions(run.predictions_path(row.predictions), run.labels)
    return Target(name, predictions, run.labels, run.criteria, row.settings)


def _trial(name: str, run: Run, trial: str) -> Target:
    if (row := baselines_of(run).get(trial)) is not None:
        return _baseline(name, run, row)
    if trial not in run.trials:
        raise RunError(f"{run.folder}: has no trial {trial!r} (`rarecall leaderboard {run.folder}` lists them)")
    record = run.trials[trial]
    rows = [row for row in record.epochs if row.predictions]
    if not rows:
        raise RunError(f"{run.folder}: trial {trial!r} has stored no predictions (run it again)")
    best = best_epoch(rows, run.criteria, run.objective)
    predictions = read_predictions(run.predictions_path(best.predictions or ""), run.labels)
    return Target(name, predictions, run.labels, run.criteria, record.params, trial, run)
