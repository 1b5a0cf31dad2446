"""How much a search trains: its epochs, and how many passes over all training rows they come to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rarecall.search.experiment.rungs import StopEarlyConfig
from rarecall.search.experiment.schema import Experiment


@dataclass(frozen=True)
class Work:
    """Epochs, each with a pass over the validation rows. passes: over the training rows, which an epoch may take a part
    of.
    """

    epochs: int
    passes: float


@dataclass(frozen=True)
class Epochs:
    """What the search trains: if all trials stop at the first rung, if none does, and as its rungs say."""

    least: Work
    usual: Work
    most: Work


def epochs_of(trials: int, shares: Sequence[float], rule: StopEarlyConfig | None) -> Epochs:
    """Epochs of a whole search: usually one in `reduction` trials goes on at each rung, the first at `grace_epochs`.

    shares: of the training rows that each epoch of a trial takes, 1 for all.

    27 trials of 9 epochs, with a reduction of 3 after 1 epoch: 27 reach epoch 1, 9 epoch 3 and 3 epoch 9, which makes
    27 · 1 + 9 · 2 + 3 · 6 = 63:

    >>> rule = StopEarlyConfig(grace_epochs=1, reduction=3)
    >>> epochs_of(27, [1.0] * 9, rule).usual
    Work(epochs=63, passes=63.0)

    With a tenth of the rows before the first comparison, and all after the second one, 27 · 0.1 + 9 · 2 · 0.3 + 3 · 6:

    >>> round(epochs_of(27, [0.1, 0.3, 0.3] + [1.0] * 6, rule).usual.passes, 1)
    26.1
    """
    epochs = len(shares)
    whole = Work(trials * epochs, trials * float(sum(shares)))
    if rule is None:
        return Epochs(whole, whole, whole)
    first = min(rule.grace_epochs, epochs)
    left, counts = float(trials), list[float]()
    rung = rule.grace_epochs * 1.0
    for epoch in range(1, epochs + 1):
        counts.append(left)
        while epoch >= rung:
            left, rung = left / rule.reduction, rung * rule.reduction
    usual = sum(count * share for count, share in zip(counts, shares, strict=True))
    return Epochs(
        Work(trials * first, trials * float(sum(shares[:first]))), Work(math.ceil(round(sum(counts), 9)), usual), whole
    )


def epochs_of_search(experiment: Experiment, rows: int) -> Epochs:
    """The same for an experiment with so many training rows."""
    search = experiment.search
    return epochs_of(search.trials, epoch_shares(experiment, rows), search.stop_early)


def epoch_shares(experiment: Experiment, rows: int) -> list[float]:
    """Of the training rows that each epoch of a trial takes."""
    counts = experiment.search.rows_by_epoch(experiment.training.epochs) or experiment.training.rows_by_epoch()
    return [min(count or rows, rows) / rows for count in counts]
