"""A race of finalists: the chance to overturn by hand, who leaves when, and that the order of the folds is nothing."""

from math import sqrt

import numpy as np
import pytest
from scipy.stats import norm

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ranking.racing import Left, overturning, raced

LABELS = LabelSpace(("common", "rare"), ("rare",))
GOAL = Goal()


def told(right, first_row=0):
    """Of rare rows, whether each is right; as many common rows, all right."""
    right = np.asarray(right, dtype=np.int64)
    rows = np.arange(first_row, first_row + 2 * len(right))
    return Predictions(rows, np.repeat([1, 0], len(right)), np.concatenate([right, 0 * right]))


def pair(both, first, second, neither):
    """Two models that are right together, each alone, and not at all on so many rare rows."""
    one = [1] * both + [1] * first + [0] * second + [0] * neither
    other = [1] * both + [0] * first + [1] * second + [0] * neither
    return told(one), told(other)


def best(pooled):
    return max(pooled, key=lambda name: (pooled[name].predicted_class[pooled[name].true_class == 1].sum(), name))


@pytest.mark.parametrize("seen", [0.4, 0.8])
def test_the_chance_to_overturn_is_that_of_the_rows_that_are_left(seen):
    leader, challenger = pair(30, 30, 20, 20)
    # Paired shares: variance (0.3 + 0.2 - 0.1²) / 100, of which the rest leaves 1 - f.
    expected = norm.cdf(-0.1 / sqrt(0.49 / 100 * (1 - seen)))
    assert overturning(leader, challenger, seen, LABELS, GOAL) == pytest.approx(expected, abs=0.015)
    assert overturning(challenger, leader, seen, LABELS, GOAL) == pytest.approx(1 - expected, abs=0.015)


def test_at_the_end_the_figures_decide_and_equals_stay_equal():
    leader, challenger = pair(30, 30, 20, 20)
    assert overturning(leader, challenger, 1.0, LABELS, GOAL) == 0
    assert overturning(challenger, leader, 1.0, LABELS, GOAL) == 1
    assert overturning(leader, leader, 0.4, LABELS, GOAL) == 0.5


def test_violations_count_as_well():
    # The challenger finds 10 points more and misses a criterion on the common rows by 20.
    leader, challenger = pair(30, 20, 30, 20)
    common = challenger.predicted_class.copy()
    common[100:140] = 1
    worse = Predictions(challenger.rows, challenger.true_class, common)
    goal = Goal.of(["recall[common] >= 0.8"])
    assert overturning(leader, worse, 0.4, LABELS, goal) < 0.1 < 0.9 < overturning(leader, worse, 0.4, LABELS, GOAL)


def folds(hits, of=40):
    return {number: told([1] * found + [0] * (of - found), 1000 * number) for number, found in enumerate(hits, start=1)}


def test_who_cannot_win_any_more_leaves_and_the_race_ends():
    race = raced({"a": folds([34, 33]), "b": folds([8, 9]), "c": folds([20, 20])}, 5, LABELS, GOAL, best)
    assert (race.racing, race.rounds, race.decided) == (("a",), 2, True)
    assert race.left["b"] == Left(2, pytest.approx(0, abs=1e-3))


def test_who_may_still_win_gets_another_round():
    by_trial = {"a": folds([30, 30]), "b": folds([29, 31]), "c": folds([5, 5])}
    race = raced(by_trial, 5, LABELS, GOAL, best)
    assert (race.racing, list(race.left), race.decided) == (("a", "b"), ["c"], False)
    # What a slot had begun before changes nothing, and in whatever order folds come in.
    early = {"c": folds([5, 5, 40]), "b": by_trial["b"], "a": folds([30, 30, 30])}
    assert raced(early, 5, LABELS, GOAL, best).left == race.left
    whole = {name: folds([30, 30, 30, 30, found]) for name, found in (("a", 30), ("b", 31))}
    assert raced({**whole, "c": folds([5, 5])}, 5, LABELS, GOAL, best).decided


def test_nothing_is_decided_by_one_fold():
    assert not raced({"a": folds([40]), "b": folds([0])}, 5, LABELS, GOAL, best).decided
    assert not raced({"a": folds([40])}, 5, LABELS, GOAL, best).decided
    assert not raced({}, 5, LABELS, GOAL, best).left


def test_those_who_leave_are_hardly_ever_the_better_ones_in_the_end():
    random, overturned, left = np.random.default_rng(0), 0, 0
    for _ in range(150):
        hits = [random.binomial(20, share, 5) for share in (0.6, 0.5)]
        race = raced({"a": folds(hits[0][:2], 20), "b": folds(hits[1][:2], 20)}, 5, LABELS, GOAL, best)
        left += len(race.left)
        overturned += sum((hits[0].sum() - hits[1].sum()) * (1 if name == "b" else -1) < 0 for name in race.left)
    assert left > 20
    assert overturned <= 0.1 * left
