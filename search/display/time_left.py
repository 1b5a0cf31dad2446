"""How long a search will still take: by the epochs that are left, and what epochs took so far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rarecall.analysis.runs.run import TrialRecord


@dataclass(frozen=True)
class Plan:
    """What trials are to do.

    shares: of the training rows, by epoch. usual: epochs of a trial, in the mean, as early stopping goes.
    """

    shares: tuple[float, ...]
    usual: float

    @classmethod
    def whole(cls, epochs: int) -> "Plan":
        """Every trial to its end, every epoch with all rows."""
        return cls((1.0,) * epochs, float(epochs))


def seconds_left(
    records: Sequence[TrialRecord], running: Sequence[TrialRecord], waiting: int, slots: int, plan: Plan
) -> float | None:
    """Until the last trial ends; None before the first epoch. records: all trials known, with their epochs.

    Trials that have not ended are taken to go as far as those that got as far as they did, and the plan as one more.
    """
    done = [row for record in records for row in record.epochs if math.isfinite(row.seconds)]
    if not done:
        return None
    of_a_pass = sum(row.seconds for row in done) / sum(_share(plan, row.epoch) for row in done)
    ended = [len(record.epochs) for record in records if record.end is not None and record.end.status != "failed"]
    each = [_passes(len(record.epochs), ended, plan) for record in running]
    each += [_passes(0, ended, plan)] * waiting
    busy = max(1, min(slots, len(each)))
    return of_a_pass * max([sum(each) / busy, *each], default=0.0)


def _passes(done: int, ended: Sequence[int], plan: Plan) -> float:
    """Over the training rows, that a trial with so many epochs is expected to make."""
    further = [count - done for count in ended if count > done]
    planned = (len(plan.shares) if done else plan.usual) - done
    more = max(0.0, (sum(further) + planned) / (len(further) + 1))
    whole, part = divmod(more, 1)
    ahead = plan.shares[done:]
    return sum(ahead[: int(whole)]) + (ahead[int(whole)] * part if int(whole) < len(ahead) else 0.0)


def _share(plan: Plan, epoch: int) -> float:
    return plan.shares[min(epoch, len(plan.shares)) - 1]
