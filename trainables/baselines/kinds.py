"""What kinds of targets a linear model can be fitted to, and the tasks that have them."""

from dataclasses import replace

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.trainables.baselines.linear import Kind
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.tasks import InstructedScores, Ordinal, Task
from rarecall.trainables.tasks.protocol import Outputs

KINDS: dict[str, Kind] = {
    "classes": "classes",
    "labels": "labels",
    "scores": "scores",
    "tokens": "scores",
    "two_stage": "two_stage",
}


def for_baselines(task: Task, truth: Labelled) -> Task | None:
    """The task as a linear model can do it; None where it cannot, as with some kinds of plugins.

    Outputs of ordinal tasks become logits of the grades, which say as much: probabilities and thresholds stay.
    """
    if isinstance(task, Ordinal):
        task = replace(task, link="softmax")
    kind = KINDS.get(task.target)
    if kind is None or isinstance(task, InstructedScores):
        return None if kind is None else task
    outputs, targets = len(task.output_names), np.asarray(task.targets(truth))
    fits = outputs == len(task.label_space.classes) if kind == "classes" else targets.shape[1:] == (outputs,)
    return task if fits else None


def as_outputs(values: FloatArray, task: Task) -> Outputs:
    """The outputs of a head as the task takes them; written out as answers where its answers are written."""
    if not isinstance(task, InstructedScores):
        return values
    low, high = task.range
    scores = np.clip(low + values * (high - low), low, high)
    return np.array([task.completion(row) for row in scores.tolist()], dtype=np.object_)
