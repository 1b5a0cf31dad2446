"""What fresh rows should give of a trial that was chosen for what it measured: the best of many has been lucky.

The bootstrap of the whole selection (after BBC; Tsamardinos, Greasidou and Borboudakis 2018; the best of nine methods
in arXiv 2406.08099): the rows are drawn again, the epoch of each trial and the order of the trials are chosen on that
draw as the search does, and what the draw flatters its own choice by, against what it does to the trial in question, is
its luck. A trial in place k of the leaderboard has the luck of place k of the draws. All trials share the draws, so
those that a sampler drew near to each other need not be independent.

What is measured has been drawn once already, so a draw finds the trials further apart than they truly are and is less
often mistaken than the search was: where all are truly alike, by the square root of 2. That much is taken off. To have
been chosen makes no trial better, so no figure gets better than measured. Nor is the luck of a choice the same on every
draw: where it varies more than the noise of the one trial does, the figure is that much less sure.

BBC itself takes the mean of what all draws chose, measured on the rows that they left out. That is right on average but
says little about one trial: where two trials of different kinds come first by turns, it tells of both what lies between
them. Other estimates, in simulations and replayed searches: docs/verdicts.md, `benchmarks/honest_winner.py`.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.criteria.criterion import Criterion, split_key
from rarecall.analysis.criteria.judging import MetricsTable
from rarecall.analysis.metrics import registry as metric_registry

REDRAWS = 300
_TWICE_DRAWN = math.sqrt(2)


@dataclass(frozen=True, slots=True)
class Expected:
    """A figure of one trial. measured: on the validation rows. value: what fresh rows should give.

    wider: how many times less sure that is than the figure of a trial that nobody chose.
    """

    measured: float
    value: float
    wider: float = 1.0

    @property
    def corrected(self) -> bool:
        """Whether a choice has made it another figure."""
        return self.value != self.measured or self.wider > 1


@dataclass(frozen=True)
class Candidates:
    """Epochs of trials that a search could have chosen, on the same rows.

    owner: [c] number of the trial of each. measured: by metric key, [c]. drawn: by metric key, [draws, c] on redrawn
    rows. Both have all keys that the order needs.
    """

    owner: IntArray
    measured: Mapping[str, FloatArray]
    drawn: Mapping[str, FloatArray]

    @property
    def draws(self) -> int:
        return len(next(iter(self.drawn.values())))


def chosen(candidates: Candidates, criteria: Sequence[Criterion], objective: str, places: int) -> IntArray:
    """The candidate in each place of the leaderboard of each draw, [draws, places]; a trial has one place.

    Ties go to the earlier candidate. places: at most as many as there are trials.
    """
    draws, count = candidates.draws, len(candidates.owner)
    table = MetricsTable.of_columns({key: values.ravel() for key, values in candidates.drawn.items()})
    keys = table.rank_keys(criteria, objective)
    number = np.repeat(np.arange(draws), count)
    order = (np.lexsort([*(-column for column in keys.T[::-1]), number]) % count).reshape(draws, count)
    return np.array([_of_trials(line, candidates.owner, places) for line in order])


def expected(
    candidates: Candidates, winners: IntArray, redrawn: IntArray, keys: Collection[str]
) -> list[dict[str, Expected]]:
    """Figures of the candidate in each place of the leaderboard, by key.

    winners: [places] candidates as the search chose them. redrawn: [draws, places] as `chosen` gives them.
    """
    result: list[dict[str, Expected]] = [{} for _ in winners]
    for key in keys:
        measured = candidates.measured[key][winners]
        luck = candidates.drawn[key] - candidates.measured[key]
        own, choices = luck[:, winners], np.take_along_axis(luck, redrawn, axis=1)
        values = _not_better(measured - _TWICE_DRAWN * _mean(choices - own), measured, key)
        wider = _wider(choices, own)
        for figures, *told in zip(result, measured.tolist(), values.tolist(), wider.tolist(), strict=True):
            figures[key] = Expected(*told)
    return result


def _wider(choices: FloatArray, own: FloatArray) -> FloatArray:
    """How many times more the luck of the draws' choices varies than that of the winner, [places]; at least 1.

    choices, own: [draws, places].
    """
    spreads = [_mean((one - _mean(one)) ** 2) for one in (choices, own)]
    known = np.isfinite(spreads[0]) & (spreads[1] > 0)
    ratio = np.divide(spreads[0], spreads[1], out=np.ones(len(known)), where=known)
    return np.asarray(np.sqrt(np.maximum(1.0, ratio)))


def _not_better(values: FloatArray, measured: FloatArray, key: str) -> FloatArray:
    """The worse of both; of a value that is not known the measured one, and of a share nothing beyond 0."""
    metric = metric_registry.find(split_key(key)[0])
    if metric is not None and metric.direction == "min":
        return np.fmax(values, measured)
    return np.where(np.isfinite(measured), np.fmin(np.maximum(values, np.minimum(0.0, measured)), measured), np.nan)


def _mean(values: FloatArray) -> FloatArray:
    """Over the draws [draws, places] that are defined, NaN where none is."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0))


def _of_trials(order: IntArray, owner: IntArray, places: int) -> IntArray:
    """The first candidate of each trial in an order, as many as there are places."""
    _, first = np.unique(owner[order], return_index=True)
    return np.asarray(order[np.sort(first)[:places]])
