"""What the searched parameters have to do with minority recall, as far as the trials tell.

Two figures of each: Spearman's rank correlation, and by how much a random forest that never saw a trial predicts it
worse when the parameter is shuffled (Breiman 2001, §10). The second is worth no more than the forest itself, whose
held-out R² is told with it. Neither is an experiment: a searcher tries what looked good before.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, spearmanr

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.report.parameter_values import Value, names_of, numbers_of, values_of
from rarecall.analysis.runs.ranking.standings import Standing
from rarecall.analysis.uncertainty.intervals import LEVEL, Interval

# Trials that it takes to say anything at all, and to grow a forest.
FEWEST, FOR_FOREST = 8, 40
_BINS, _PER_BIN = 5, 4
_FOLDS, _TREES, _SHUFFLES = 5, 60, 5
_MITIGATIONS = ("oversampling", "weighted_sampling", "class_weights", "loss", "decision_rule", "augmentation")


@dataclass(frozen=True)
class Effect:
    """One parameter over the trials that have it.

    values: [n] numbers, or names where not all are numbers; None for trials without it. outcome: [n] minority recall.
    rank_correlation, interval: NaN for names and for a parameter that does not vary. importance: loss of R² when
    shuffled, NaN without a forest.
    """

    path: str
    values: tuple[Value, ...]
    outcome: FloatArray
    rank_correlation: float
    interval: Interval
    importance: float = math.nan

    @property
    def mitigation(self) -> bool:
        """Whether the parameter belongs to a mitigation for rare classes."""
        return any(part in _MITIGATIONS for part in self.path.split("."))


@dataclass(frozen=True)
class Effects:
    """All parameters, those first that seem to matter most; held_out: R² of the forest, NaN without one."""

    effects: tuple[Effect, ...]
    trials: int
    held_out: float


def effects(ranked: Sequence[Standing], level: float = LEVEL) -> Effects:
    """The effects of all parameters that vary, from the best epoch of each trial."""
    told = [one for one in ranked if one.best and math.isfinite(one.best.metrics.get("minority_recall", math.nan))]
    outcome = np.array([one.best.metrics["minority_recall"] for one in told if one.best])
    paths = dict.fromkeys(path for one in told for path in one.record.params)
    columns = {path: values_of([one.record.params.get(path) for one in told]) for path in paths}
    columns = {path: values for path, values in columns.items() if len(set(values)) > 1}
    importances, held_out = _importances(list(columns.values()), outcome)
    found = [
        _effect(path, values, outcome, importance, level)
        for (path, values), importance in zip(columns.items(), importances, strict=True)
    ]
    return Effects(tuple(sorted(found, key=_weight)), len(told), held_out)


def spearman(first: FloatArray, second: FloatArray, level: float = LEVEL) -> tuple[float, Interval]:
    """Spearman's rank correlation with the interval of Bonett and Wright (2000): variance (1 + ρ²/2) / (n - 3) of
    Fisher's z. NaN for fewer than 4 pairs or where one side does not vary.
    """
    unknown = math.nan, Interval(math.nan, math.nan)
    if len(first) < 4 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return unknown
    correlation = float(spearmanr(first, second).statistic)
    centre = math.atanh(max(-1 + 1e-9, min(1 - 1e-9, correlation)))
    reach = norm.ppf((1 + level) / 2) * math.sqrt((1 + correlation**2 / 2) / (len(first) - 3))
    return correlation, Interval(math.tanh(centre - reach), math.tanh(centre + reach))


def medians(points: Sequence[tuple[float, float]], *, by_place: bool) -> list[tuple[float, float]]:
    """Median place and outcome of at most `_BINS` groups of neighbours of about equal size, or of each place."""
    if not points:
        return []
    places, outcomes = np.array(points).T
    distinct = np.unique(places)
    if by_place or len(distinct) <= _BINS:
        return [(float(place), float(np.median(outcomes[places == place]))) for place in distinct]
    count = min(_BINS, len(places) // _PER_BIN)
    if count < 2:
        return []
    groups = np.array_split(np.argsort(places, kind="stable"), count)
    return [(float(np.median(places[group])), float(np.median(outcomes[group]))) for group in groups]


def _effect(path: str, values: tuple[Value, ...], outcome: FloatArray, importance: float, level: float) -> Effect:
    there = np.array([value is not None for value in values])
    correlation, interval = math.nan, Interval(math.nan, math.nan)
    numbers = numbers_of(values)
    if len(numbers) == there.sum():
        correlation, interval = spearman(np.array(numbers), outcome[there], level)
    return Effect(path, values, outcome, correlation, interval, importance)


def _weight(effect: Effect) -> tuple[float, float]:
    """Sorts the most important first: by the forest where there is one, else by the correlation."""
    correlation = abs(effect.rank_correlation) if math.isfinite(effect.rank_correlation) else 0.0
    return (-effect.importance if math.isfinite(effect.importance) else 0.0, -correlation)


def _importances(columns: Sequence[tuple[Value, ...]], outcome: FloatArray) -> tuple[list[float], float]:
    """Loss of held-out R² by column, and that R² itself; NaN where there are too few trials."""
    if len(outcome) < FOR_FOREST or not columns or np.ptp(outcome) == 0:
        return [math.nan] * len(columns), math.nan
    from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415  # a second that small runs do without
    from sklearn.model_selection import KFold  # noqa: PLC0415  # as above

    table = np.stack([_codes(values) for values in columns], axis=1)
    generator = np.random.default_rng(0)
    error, shuffled = 0.0, np.zeros(len(columns))
    for known, held in KFold(_FOLDS, shuffle=True, random_state=0).split(table):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=3, max_features=0.5, random_state=0)
        forest.fit(table[known], outcome[known])
        error += float(((forest.predict(table[held]) - outcome[held]) ** 2).sum())
        for column in range(len(columns)):
            copies = np.repeat(table[held][None], _SHUFFLES, axis=0)
            copies[:, :, column] = [generator.permutation(table[held, column]) for _ in range(_SHUFFLES)]
            predicted = forest.predict(copies.reshape(-1, len(columns))).reshape(_SHUFFLES, -1)
            shuffled[column] += float(((predicted - outcome[held]) ** 2).sum() / _SHUFFLES)
    spread = float(((outcome - outcome.mean()) ** 2).sum())
    return ((shuffled - error) / spread).tolist(), 1 - error / spread


def _codes(values: tuple[Value, ...]) -> FloatArray:
    """Numbers as they are, names by their order; what is missing lies below all others, where a tree can part it."""
    names = names_of(values)
    numbers = np.array(
        [math.nan if one is None else names.index(one) if isinstance(one, str) else one for one in values]
    )
    lowest = np.nanmin(numbers)
    return np.where(np.isnan(numbers), lowest - 1 - np.nanmax(np.abs(numbers)), numbers).astype(np.float64)
