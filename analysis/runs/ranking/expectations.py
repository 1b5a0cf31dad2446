"""What fresh rows should give of the first trials of a run, from the stored predictions of all that could have won."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.criteria.ranking import DEFAULT_OBJECTIVE, objective_key
from rarecall.analysis.criteria.verdicts import Assessment, metric_names, slices_of
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.evidence import Evidence
from rarecall.analysis.runs.ranking.epoch_order import best_first
from rarecall.analysis.runs.run import EpochRow, Run
from rarecall.analysis.uncertainty.expected import REDRAWS, Candidates, Expected, chosen, expected
from rarecall.analysis.uncertainty.intervals import LEVEL
from rarecall.analysis.uncertainty.redraws import Redraws

# Trials that are told about unless more are asked for.
PLACES = 20
# Epochs that are redrawn at first, and at most; more only where those that came last have won on some draws.
_FIRST, _MOST = 96, 512
# A share of the draws below this moves no figure by as much as is shown of it.
_SELDOM = 0.01
# Draws times rows: figures of many rows vary less, so fewer draws tell as much. At least so many draws.
_DRAWN_ROWS, _LEAST_DRAWS = 200_000, 100
# Classes whose recall is told, the minority's; each costs memory for every draw of every epoch.
_CLASSES = 20

Figures = Mapping[str, Expected]


@dataclass(frozen=True)
class Expectations:
    """Figures by trial and metric key. trials, epochs: among which the choice was made. draws: of the rows."""

    by_trial: Mapping[str, Figures] = field(default_factory=dict)
    trials: int = 0
    epochs: int = 0
    draws: int = 0

    def of(self, trial: str) -> Figures:
        """Figures of a trial by metric key; empty where nothing is known."""
        return self.by_trial.get(trial, {})

    @property
    def corrected(self) -> bool:
        """Whether there was a choice."""
        return self.epochs > 1 and bool(self.by_trial)

    @property
    def method(self) -> str:
        """How the figures were found, in one line; "" where nothing was chosen."""
        if not self.corrected:
            return ""
        trials = f"{self.trials:,} trial{'s' if self.trials != 1 else ''} and {self.epochs:,} epochs"
        return f"corrected for the choice among {trials}, made again on {self.draws} bootstrap draws of the rows"

    def plain(self) -> dict[str, int | str] | None:
        """How the figures were found, as JSON has it."""
        if not self.corrected:
            return None
        method = "bootstrap of the selection"
        return {"method": method, "trials": self.trials, "epochs": self.epochs, "draws": self.draws}


def expectations(
    run: Run, places: int = PLACES, also: Collection[str] = (), draws: int = REDRAWS, first: int = _FIRST
) -> Expectations:
    """Expected figures of the trials in the first `places` by criteria, as far as their predictions can be read.

    also: names of trials that are told about as well, in whatever place. first: epochs that are redrawn at once; the
    figures do not depend on it, the time does.
    """
    rows = [row for record in run.trials.values() for row in record.epochs]
    if not rows:
        return Expectations()
    pool = _Pool(run, [rows[index] for index in best_first(rows, run)], draws)
    size = max(first, pool.covering(places))
    while pool.read(size):
        size *= 2
    pool.read_best_of(also)
    if not pool.rows:
        return Expectations()
    return Expectations(pool.figures(places, also), len({row.trial for row in rows}), len(rows), pool.draws)


def assessed(row: EpochRow, run: Run, found: Expectations, level: float = LEVEL) -> Assessment | None:
    """The criteria of a run held against the best epoch of a trial on fresh rows; None without its predictions."""
    return Evidence(run, level).assessment(row, found.of(row.trial), found.method)


class _Pool:
    """Epochs whose predictions were read, the best first, and their metrics on redrawn rows."""

    def __init__(self, run: Run, ordered: Sequence[EpochRow], draws: int) -> None:
        self._run, self._ordered, self._place = run, ordered, 0
        self.draws = draws
        self._evidence = Evidence(run)
        self._names = metric_names(run.criteria) | {
            DEFAULT_OBJECTIVE,
            "macro_f1",
            "recall",
            split_key(run.objective)[0],
        }
        self._redraws: Redraws | None = None
        self._numbers: IntArray = np.empty(0, dtype=np.int64)
        self.rows: list[EpochRow] = []
        self._drawn: list[dict[str, FloatArray]] = []

    def covering(self, places: int) -> int:
        """How many epochs hold that many trials, if there are so many."""
        trials: set[str] = set()
        for count, row in enumerate(self._ordered, start=1):
            trials.add(row.trial)
            if len(trials) >= places:
                return count
        return len(self._ordered)

    def read(self, size: int) -> bool:
        """Read on until `size` epochs were tried; whether more of them could still matter."""
        before = len(self.rows)
        for row, predictions in self._more(size):
            self._add(row, predictions)
        if self._place >= len(self._ordered) or size >= _MOST or not self.rows:
            return False
        # Where the later half of them hardly ever wins, those behind it win no more often.
        late = max(before, len(self.rows) // 2)
        return float((self._chosen(1) >= late).mean()) >= _SELDOM

    def _more(self, size: int) -> Iterator[tuple[EpochRow, Predictions]]:
        part = self._ordered[self._place : size]
        self._place = min(size, len(self._ordered))
        for row in part:
            predictions = self._evidence.predictions(row)
            if predictions is not None:
                yield row, predictions

    def _add(self, row: EpochRow, predictions: Predictions) -> None:
        if self._redraws is None:
            self.draws = min(self.draws, max(_LEAST_DRAWS, _DRAWN_ROWS // max(1, len(predictions))))
            self._redraws, self._numbers = Redraws(predictions.strata, self.draws), predictions.rows
        if not np.array_equal(predictions.rows, self._numbers):
            return  # of other rows: nothing that could be drawn together
        slices = slices_of(self._run.criteria, predictions)
        drawn = self._redraws.values(predictions, self._run.labels, self._names, slices)
        wanted = self._wanted(tuple(drawn))
        self.rows.append(row)
        self._drawn.append({key: drawn[key] for key in wanted})

    def _wanted(self, keys: Sequence[str]) -> set[str]:
        run = self._run
        classes = run.labels.minority[:_CLASSES] if len(run.labels.classes) > _CLASSES else run.labels.classes
        decide = {key for criterion in run.criteria for key in criterion.keys(keys)}
        goals = {objective_key(dict.fromkeys(keys, 0.0), run.objective), DEFAULT_OBJECTIVE, "macro_f1"}
        return (decide | goals | {f"recall[{name}]" for name in classes}) & set(keys)

    def _candidates(self) -> Candidates:
        trials = {trial: number for number, trial in enumerate(dict.fromkeys(row.trial for row in self.rows))}
        keys = self._drawn[0]
        return Candidates(
            np.array([trials[row.trial] for row in self.rows]),
            {key: np.array([row.metrics.get(key, np.nan) for row in self.rows]) for key in keys},
            {key: np.column_stack([drawn[key] for drawn in self._drawn]) for key in keys},
        )

    def _chosen(self, places: int) -> IntArray:
        return chosen(self._candidates(), self._run.criteria, self._run.objective, places)

    def read_best_of(self, trials: Collection[str]) -> None:
        """Read the best epochs of trials of which none was reached yet."""
        missing = set(trials) - {row.trial for row in self._ordered[: self._place]}
        for row in self._ordered[self._place :]:
            if row.trial in missing:
                missing.remove(row.trial)
                predictions = self._evidence.predictions(row)
                if predictions is not None:
                    self._add(row, predictions)

    def figures(self, places: int, also: Collection[str]) -> dict[str, Figures]:
        """Of the trials that come first and of those named, by name and key."""
        first = {row.trial: place for place, row in reversed(list(enumerate(self.rows)))}
        standing = np.array(sorted(first.values()))
        told = [place for place, index in enumerate(standing) if place < places or self.rows[index].trial in also]
        candidates, winners = self._candidates(), standing[told]
        redrawn = chosen(candidates, self._run.criteria, self._run.objective, max(told) + 1)[:, told]
        found = expected(candidates, winners, redrawn, tuple(candidates.measured))
        return {self.rows[winner].trial: figures for winner, figures in zip(winners, found, strict=True)}
