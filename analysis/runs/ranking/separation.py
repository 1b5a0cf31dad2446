"""Whether the rows can tell the best trials of a search apart, and how many more would."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.evidence import Evidence
from rarecall.analysis.runs.ranking.finalists import FINALISTS_FOLDER
from rarecall.analysis.runs.ranking.racing import paired_scores
from rarecall.analysis.runs.ranking.standings import Standing
from rarecall.analysis.runs.run import Run
from rarecall.analysis.uncertainty.intervals import LEVEL

BEST = 3
# So many times the rows that there are: more will not be labelled.
MOST_TIMES = 20


@dataclass(frozen=True)
class Separation:
    """The first trials, of which none is surely better than the others.

    difference: of the first one's score and the last one's, as measured; the score is the objective minus what criteria
    lack. noise: within which chance alone keeps it, at the level. rows: of the rarest class, in validation. more_rows:
    that would decide between the first and the last if the difference is real; None where hardly any number would.
    """

    trials: tuple[str, ...]
    objective: str
    difference: float
    noise: float
    level: float
    rare: str
    rows: int
    more_rows: int | None

    def plain(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {**asdict(self), "trials": list(self.trials)}


def separation(ranked: Sequence[Standing], run: Run, level: float = LEVEL) -> Separation | None:
    """The best three trials where chance may have put them in their order; None where the first is surely better than
    the second or the third.

    None as well where there are fewer, their predictions are not of the same rows, or finalists decide already.
    """
    if (run.folder / FINALISTS_FOLDER).is_dir():
        return None
    first = [one for one in ranked if one.may_win and one.best is not None][:BEST]
    found = _predictions(first, run)
    if len(found) < BEST or not run.labels.minority:
        return None
    goal = Goal(run.criteria, run.objective)
    scores = [paired_scores(one, run.labels, goal) for one in found]
    wanted = float(ndtri(level))
    apart = [scores[0] - other for other in scores[1:]]
    if any(one[0] > wanted * one[1:].std() for one in apart):
        return None
    measured, spread = float(apart[-1][0]), float(apart[-1][1:].std())
    rare, rows = _rarest(first[0], run)
    times = (wanted * spread / measured) ** 2 if measured > 0 else math.inf
    more = math.ceil(rows * (times - 1)) if times <= MOST_TIMES else None
    noise = float(ndtri((1 + level) / 2)) * spread
    names = tuple(one.record.trial for one in first)
    return Separation(names, run.objective, measured, noise, level, rare, rows, more)


def _predictions(standings: Sequence[Standing], run: Run) -> list[Predictions]:
    """Of the best epochs, in the order of their rows; none where these differ."""
    evidence = Evidence(run)
    read = [evidence.predictions(one.best) for one in standings if one.best is not None]
    found = [one.take(np.argsort(one.rows)) for one in read if one is not None]
    alike = all(np.array_equal(one.rows, found[0].rows) for one in found)
    return found if alike and len(found) == len(standings) else []


def _rarest(first: Standing, run: Run) -> tuple[str, int]:
    """The rarest minority class that has rows, and how many."""
    metrics = first.best.metrics if first.best else {}
    support = {name: int(metrics.get(f"support[{name}]", 0)) for name in run.labels.minority}
    present = {name: rows for name, rows in support.items() if rows} or support
    rare = min(present, key=present.__getitem__)
    return rare, present[rare]
