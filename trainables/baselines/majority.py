"""The same answer for every row: what is right most often when nothing is known of it."""

import time

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.trainables.baselines.fitting import Fitted, FittedBaseline, Judging, judged
from rarecall.trainables.baselines.kinds import KINDS
from rarecall.trainables.baselines.linear import ABSENT_LOGIT, LinearHead
from rarecall.trainables.baselines.rows import BaselineRows
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.tasks import Task
from rarecall.trainables.tasks.protocol import logit

NAME, TITLE = "baseline-majority", "the largest class for every row"


def majority(rows: BaselineRows, judging: Judging) -> FittedBaseline:
    """The largest class, the labels that most rows have, or the mean scores of the largest tier; no rule is chosen."""
    started, answer = time.perf_counter(), _outputs(judging.task, rows.train)
    head = LinearHead(np.zeros((len(answer), 0)), answer)
    fitted = Fitted(head, None, np.tile(answer, (len(rows.judged), 1)), {})
    return judged(NAME, TITLE, fitted, rows, judging, started, rule=False)


def _outputs(task: Task, train: Examples) -> FloatArray:
    """Outputs [outputs] of every row."""
    kind, targets = KINDS[task.target], np.asarray(task.targets(train), dtype=np.float64)
    if kind == "classes":
        # All but the largest out of reach: shares would make the median grade of an ordinal task.
        counts = np.bincount(train.classes, minlength=len(task.label_space.classes))
        return np.where(np.arange(len(counts)) == counts.argmax(), 0.0, ABSENT_LOGIT)
    if kind == "labels":
        return logit(np.asarray(targets.mean(axis=0)))
    largest = train.classes == np.bincount(train.classes).argmax()
    mean = np.asarray(targets[largest].mean(axis=0))
    if kind == "two_stage":
        mean[:1] = logit(np.asarray(targets[:, :1].mean(axis=0)))
    return mean
