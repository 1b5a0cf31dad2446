"""One baseline: fitted to all training rows at several strengths, judged on the rows that trials are judged on."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.metrics.evaluation import Confusion, confusion_matrix, evaluate
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.baselines.inputs import Read, Source
from rarecall.trainables.baselines.kinds import KINDS, as_outputs
from rarecall.trainables.baselines.linear import LinearHead, TrainingTargets, fit_linear
from rarecall.trainables.baselines.quality import ranking_quality
from rarecall.trainables.baselines.rows import BaselineRows
from rarecall.trainables.data.examples import Examples, Part
from rarecall.trainables.tasks import Task
from rarecall.trainables.training.decision_rule import decide


@dataclass(frozen=True)
class Judging:
    """How a baseline is judged: as trials are. folds, seed: of the decision rule."""

    task: Task
    goal: Goal
    folds: int
    seed: int


@dataclass(frozen=True)
class Recipe:
    """A baseline to be fitted. strengths: of which the best one is taken, as `fit_linear` has them. balanced: whether
    each class, or label, counts as much as any other.
    """

    name: str
    title: str
    source: Source
    strengths: Sequence[float]
    balanced: bool


@dataclass(frozen=True, eq=False)
class Fitted:
    """A linear model. outputs: [m, outputs] of the judged rows, each by the model that had not seen it. head, read: of
    the model of the training split; `read` is None for one that reads nothing. settings: what was chosen.
    """

    head: LinearHead
    read: Read | None
    outputs: FloatArray
    settings: dict[str, Any]


@dataclass(frozen=True, eq=False)
class FittedBaseline:
    """A baseline and what it is worth.

    task: with the decision rule that all judged rows gave. predictions: of the rows that trials are judged on,
    cross-fitted where a rule was chosen. rule: empty where none was. seconds: of fitting and deciding.
    """

    name: str
    title: str
    task: Task
    fitted: Fitted
    predictions: Predictions
    metrics: dict[str, float]
    confusion: Confusion
    rule: tuple[float, ...]
    train_rows: int
    seconds: float

    def predict(self, examples: Examples) -> Predictions:
        """Predictions of other rows, such as those of the test split."""
        read = self.fitted.read
        inputs = np.zeros((len(examples), 0)) if read is None else read.others(examples)
        return self.task.predictions(as_outputs(self.fitted.head.outputs(inputs), self.task), examples)


def fit_baseline(recipe: Recipe, rows: BaselineRows, judging: Judging) -> FittedBaseline:
    """Fit a linear model with each strength, and judge the one that ranks the judged rows best."""
    started = time.perf_counter()
    reads = [recipe.source(inside) for inside, _ in rows.folds]
    seen = [read.pool(inside) for read, (inside, _) in zip(reads, rows.folds, strict=True)]
    unseen = [read.pool(outside) for read, (_, outside) in zip(reads, rows.folds, strict=True)]
    targets = [_targets(rows, judging.task, inside, balanced=recipe.balanced) for inside, _ in rows.folds]
    truth, best, highest = rows.judged_truth(), None, -np.inf
    for strength in recipe.strengths:
        heads = [fit_linear(*given, strength) for given in zip(seen, targets, strict=True)]
        outputs = _pooled([head.outputs(inputs) for head, inputs in zip(heads, unseen, strict=True)], rows)
        quality = ranking_quality(outputs, truth, judging.task, balanced=recipe.balanced)
        if best is None or quality > highest:
            settings = {"strength": strength, "class_weights": "balanced" if recipe.balanced else "none"}
            best, highest = Fitted(heads[0], reads[0], outputs, settings), quality
    assert best is not None, "at least one strength"
    return judged(recipe.name, recipe.title, best, rows, judging, started)


def judged(
    name: str, title: str, fitted: Fitted, rows: BaselineRows, judging: Judging, started: float, *, rule: bool = True
) -> FittedBaseline:
    """A fitted model and what it is worth. rule: whether a decision rule is chosen, as for a trial."""
    task, truth, outputs = judging.task, rows.judged_truth(), as_outputs(fitted.outputs, judging.task)
    if rule:
        task, predictions = decide(task, outputs, truth, judging.goal, judging.folds, judging.seed)
    else:
        predictions = task.predictions(outputs, truth)
    return FittedBaseline(
        name=name,
        title=title,
        task=task,
        fitted=fitted,
        predictions=predictions,
        metrics=evaluate(predictions, task.label_space),
        confusion=confusion_matrix(predictions, task.label_space),
        rule=task.rule if rule else (),
        train_rows=len(rows.train),
        seconds=time.perf_counter() - started,
    )


def _targets(rows: BaselineRows, task: Task, inside: IntArray, *, balanced: bool) -> TrainingTargets:
    part = Part(rows.truth, inside)
    return TrainingTargets(KINDS[task.target], task.targets(part), part.classes, len(task.output_names), balanced)


def _pooled(parts: Sequence[FloatArray], rows: BaselineRows) -> FloatArray:
    """The outputs of all folds in the order of `rows.judged`."""
    order = np.argsort(np.concatenate([outside for _, outside in rows.folds]), kind="stable")
    return np.concatenate(parts)[order]
