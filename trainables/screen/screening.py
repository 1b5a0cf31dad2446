"""Mitigations held against each other on heads over frozen features, by training rows that no head was fitted to.

The validation split is not looked at: what is chosen here is one more trial there, and not the luckiest of a thousand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.criteria.ranking import score
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.trainables.baselines.linear import LinearHead
from rarecall.trainables.baselines.quality import quality
from rarecall.trainables.config import TrainingConfig
from rarecall.trainables.data.examples import Examples, Labelled, Part
from rarecall.trainables.data.split import split
from rarecall.trainables.models.frozen.features import Features
from rarecall.trainables.screen.stacked import HeadSettings, fit_heads
from rarecall.trainables.tasks import Task
from rarecall.trainables.training.decision_rule import by_rule

# Of the training rows, those that heads are judged by.
HELD_OUT = 0.25
# Heads that are judged by a decision rule of their own, which takes longest; by how well they rank the rows before.
JUDGED = 48
# Parts of the held-out rows, each decided by the rule of the other.
RULE_FOLDS = 2


@dataclass(frozen=True)
class Candidate:
    """Mitigations that may be tried. params: by dotted key, as a trial of the search would have them."""

    params: Mapping[str, Any]
    settings: HeadSettings


@dataclass(frozen=True)
class Screened:
    """A candidate and what its head gave on held-out training rows.

    quality: of the ranking alone. score: objective minus violations, as trials are compared; NaN for
    heads that were not among the best by quality.
    """

    candidate: Candidate
    quality: float
    score: float


@dataclass(frozen=True)
class Held:
    """Training rows of a screen: positions of those that heads are fitted to, and of those that judge them."""

    inside: IntArray
    outside: IntArray

    @classmethod
    def of(cls, rows: Examples, seed: int) -> "Held":
        """A quarter held out, equal texts and groups kept together, each class in its share."""
        parts = split(rows, HELD_OUT, 0.0, seed)
        return cls(parts.train, parts.validation)


def screen(
    features: Features,
    rows: Examples,
    task: Task,
    goal: Goal,
    candidates: Sequence[Candidate],
    seed: int = 0,
    most: int = JUDGED,
) -> list[Screened]:
    """What each candidate is worth, the best first: those with a score by it, all others by their quality.

    features: [n, d] of the training rows. most: heads that are judged by a decision rule.
    """
    held = Held.of(rows, seed)
    inside, outside = Part(rows, held.inside), Part(rows, held.outside)
    heads = fit_heads(features[held.inside], task, inside, [one.settings for one in candidates], seed)
    seen = features[held.outside]
    qualities = np.array([quality(task.predictions(head.outputs(seen), outside), task.label_space) for head in heads])
    scores = np.full(len(heads), np.nan)
    for number in np.argsort(-qualities, kind="stable")[:most].tolist():
        training = candidates[number].settings.training
        scores[number] = judged(heads[number].outputs(seen), outside, task, goal, training, seed)
    found = [Screened(*parts) for parts in zip(candidates, qualities.tolist(), scores.tolist(), strict=True)]
    return sorted(found, key=lambda one: (np.isnan(one.score), -np.nan_to_num(one.score), -one.quality))


def judged(outputs: FloatArray, truth: Labelled, task: Task, goal: Goal, training: TrainingConfig, seed: int) -> float:
    """The score of outputs as that of a trial's epoch: by a cross-fitted rule where the trial fits one."""
    rule = training.decision_rule.model_copy(update={"folds": RULE_FOLDS})
    _, predictions = by_rule(task, outputs, truth, rule, goal, seed)
    return score(evaluate(predictions, task.label_space), goal.criteria, goal.objective)


def fit_one(features: Features, rows: Examples, task: Task, chosen: Candidate, seed: int = 0) -> LinearHead:
    """The head of one candidate, fitted to all rows."""
    (head,) = fit_heads(features, task, rows, [chosen.settings], seed)
    return head
