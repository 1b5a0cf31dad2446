"""A race of finalists: which of them can still change the decision, by the folds that are there.

After each round, in which every finalist that races gets one more fold, those leave whose score will hardly be above
the leader's once all folds are in. With a share f of the rows seen, d the difference of the scores on them and s the
standard deviation that the rows leave to it (paired draws of the bootstrap), the difference on all rows is normal with
mean d and standard deviation s·√(1 - f): the rest has a true difference that is known to s, and noise of its own. A
race with one finalist left is decided, however many folds it lacks (stochastic curtailment, Lan et al. 1982; racing,
Maron and Moore 1994).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.criteria.ranking import score
from rarecall.analysis.criteria.verdicts import metric_names, slices_of
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.bootstrap import Resampling

# Of two folds one can say how far rows carry a difference.
LEAST_FOLDS = 2
CHANCE = 0.05
DRAWS = 300

# Predictions of a finalist by fold, from 1.
Folds = Mapping[int, Predictions]


@dataclass(frozen=True)
class Left:
    """When a finalist left: after how many folds, and the probability that it would have overturned the decision."""

    folds: int
    probability: float


@dataclass(frozen=True)
class Race:
    """racing: finalists that may still win, by name. rounds: folds that all of them have. left: the others."""

    racing: tuple[str, ...]
    rounds: int
    left: Mapping[str, Left]
    folds: int

    @property
    def decided(self) -> bool:
        """Whether no further fold can change the decision."""
        return self.rounds >= self.folds or (len(self.racing) == 1 and bool(self.left))


def raced(
    by_trial: Mapping[str, Folds],
    folds: int,
    labels: LabelSpace,
    goal: Goal,
    best: Callable[[Mapping[str, Predictions]], str],
    chance: float = CHANCE,
) -> Race:
    """How far the race is; what it says does not depend on the order in which folds came in.

    by_trial: the folds of each finalist. folds: in all. best: the name of the best of pooled predictions by name.
    """
    racing, left, rounds = list(by_trial), dict[str, Left](), 0
    for number in range(1, folds + 1):
        if not all(number in by_trial[trial] for trial in racing):
            break
        rounds = number
        if number < LEAST_FOLDS or number == folds or len(racing) < 2:
            continue
        pooled = {trial: _pooled(by_trial[trial], number) for trial in racing}
        leader = best(pooled)
        others = [trial for trial in racing if trial != leader]
        seen = number / folds
        chances = {trial: overturning(pooled[leader], pooled[trial], seen, labels, goal) for trial in others}
        left |= {trial: Left(number, found) for trial, found in chances.items() if found < chance}
        racing = [trial for trial in racing if trial not in left]
        if len(racing) == 1:
            break
    return Race(tuple(racing), rounds, left, folds)


def overturning(leader: Predictions, challenger: Predictions, seen: float, labels: LabelSpace, goal: Goal) -> float:
    """Probability that the challenger's score is above the leader's once all rows are in; on the same rows [n].

    seen: share of all rows. One half where nothing tells both apart.
    """
    apart = paired_scores(leader, labels, goal) - paired_scores(challenger, labels, goal)
    measured, spread = float(apart[0]), float(apart[1:].std())
    remaining = spread * math.sqrt(max(0.0, 1 - seen))
    if remaining > 0:
        return float(ndtr(-measured / remaining))
    return 0.5 if measured == 0 else float(measured < 0)


def paired_scores(predictions: Predictions, labels: LabelSpace, goal: Goal) -> FloatArray:
    """Objective minus violations, as measured and then on each draw, [1 + draws].

    The draws of predictions of the same rows, in the same order, are paired.
    """
    objective, _, part = split_key(goal.objective)
    slices = {*slices_of(goal.criteria, predictions), *([part.partition("=")[::2]] if part else [])}
    names = metric_names(goal.criteria) | {objective, "minority_recall"}
    drawn = Resampling(predictions.strata, DRAWS).posterior(predictions, labels, names, slices)
    columns = {key: values.tolist() for key, values in drawn.items()}
    lines = [{key: values[number] for key, values in columns.items()} for number in range(DRAWS)]
    measured = evaluate(predictions, labels)
    return np.array([score(line, goal.criteria, goal.objective) for line in [measured, *lines]])


def _pooled(folds: Folds, number: int) -> Predictions:
    """The first folds together, in the order of their rows, so that two finalists have the same ones."""
    pooled = Predictions.joined([folds[one] for one in range(1, number + 1)])
    return pooled.take(np.argsort(pooled.rows, kind="stable"))
