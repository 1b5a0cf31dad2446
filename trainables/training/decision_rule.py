"""Decision rules: what turns outputs into labels, chosen on validation predictions and told by cross-fitting.

A rule is the values of a task's `rule`: offsets of classes, thresholds of grades and labels, cuts between tiers. One
that was chosen on rows is optimistic on the same rows; so the rows are divided, each part is decided by the rule of the
other parts, and what is reported comes from these. The rule of all rows is the one that is exported.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from sklearn.model_selection import StratifiedKFold

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.criteria.ranking import score
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.bootstrap import Resampling
from rarecall.trainables.config import DecisionRuleConfig
from rarecall.trainables.data.examples import Labelled, Part
from rarecall.trainables.tasks import Task, switched
from rarecall.trainables.tasks.protocol import Outputs

# Draws of the Bayesian bootstrap that a rule is judged by: without them, cuts would stop a hair beside a threshold.
DRAWS = 24
SWEEPS = 2

AnyTask = TypeVar("AnyTask", bound=Task)


def decide(
    task: AnyTask, outputs: Outputs, truth: Labelled, goal: Goal, folds: int, seed: int
) -> tuple[AnyTask, Predictions]:
    """The task with the rule that all rows give, and cross-fitted predictions of the same rows.

    outputs: [n, outputs], or answers [n]. folds: parts, each decided by the rule of the others; fewer where the rarest
    class has fewer rows, and with less than two the rows are told as the plain rule decides them.
    """
    parts = _folds(task.predictions(outputs, truth).strata, folds, seed)
    if not parts:
        return task, task.predictions(outputs, truth)
    decided, order = [], []
    for inside, outside in parts:
        fitted = fit(task, outputs[inside], Part(truth, inside), goal)
        decided.append(fitted.predictions(outputs[outside], Part(truth, outside)))
        order.append(outside)
    pooled = Predictions.joined(decided).take(np.argsort(np.concatenate(order)))
    return fit(task, outputs, truth, goal), pooled


def by_rule(
    task: AnyTask, outputs: Outputs, truth: Labelled, rule: DecisionRuleConfig, goal: Goal, seed: int
) -> tuple[AnyTask, Predictions]:
    """The task as a trial decides, with keyword rules and a rule of its own as `rule` says, and its predictions."""
    chosen = switched(task, rule.keywords)
    if rule.fit:
        return decide(chosen, outputs, truth, goal, rule.folds, seed)
    return chosen, chosen.predictions(outputs, truth)


def fit(task: AnyTask, outputs: Outputs, truth: Labelled, goal: Goal) -> AnyTask:
    """The task with the rule that is best for these rows [n].

    A task may know it (`Task.best_rule`). Other rules are searched one value at a time, for the highest mean of the
    score (objective minus violations) over draws of a Bayesian bootstrap.
    """
    known = task.best_rule(outputs, truth)
    if known is not None:
        return task.with_rule(known)
    plain = task.predictions(outputs, truth)
    best, fitness = task, Fitness(task, plain.strata, goal)
    highest = fitness(plain)
    for _ in range(SWEEPS):
        before = highest
        for position in range(len(task.rule)):
            for value in best.rule_candidates(position, outputs):
                rule = (*best.rule[:position], value, *best.rule[position + 1 :])
                tried = best.with_rule(rule)
                found = fitness(tried.predictions(outputs, truth))
                if found > highest:
                    best, highest = tried, found
        if highest == before:
            break
    return best


class Fitness:
    """Mean score over draws of the bootstrap, the same draws for all predictions of the same rows.

    strata: [n] of the rows. Without criteria, the macro F1 takes the place of the objective.
    """

    def __init__(self, task: Task, strata: IntArray, goal: Goal) -> None:
        self._labels = task.label_space
        self._criteria = goal.criteria
        # Without criteria nothing would keep a rule from naming every row rare.
        self._objective = goal.objective if self._criteria else "macro_f1"
        chosen = {criterion.metric for criterion in self._criteria} | {split_key(self._objective)[0]}
        self._names = chosen | {"minority_recall"}
        self._resampling = Resampling(strata, DRAWS)

    def __call__(self, predictions: Predictions) -> float:
        drawn = self._resampling.posterior(predictions, self._labels, self._names)
        columns = {key: values.tolist() for key, values in drawn.items()}
        scores = [
            score({key: values[i] for key, values in columns.items()}, self._criteria, self._objective)
            for i in range(DRAWS)
        ]
        return float(np.mean(scores))


def _folds(strata: IntArray, folds: int, seed: int) -> Sequence[tuple[IntArray, IntArray]]:
    """Positions for the rule and positions it decides; no class is missing from the former."""
    counts = np.unique(strata, return_counts=True)[1]
    count = int(min(folds, counts.min())) if len(counts) else 0
    if count < 2:
        return ()
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    return [(inside, outside) for inside, outside in splitter.split(np.zeros(len(strata)), strata)]
