"""Whether n rows can decide a criterion at all, known before anything is trained, and how many rows could.

A verdict is met where the true share reaches the threshold with a probability of at least `level` (docs/verdicts.md).
Of three rows, three of three give `recall >= 0.40` a probability of 0.99, and two of three, which is 67 %, one of 0.83.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import betainc
from scipy.stats import binom

from rarecall.analysis.uncertainty.intervals import LEVEL, probability_at_least

# How far above the threshold the true value is taken to be: a model that is good, but not beyond all doubt.
MARGIN = 0.1
# Beyond that many rows no answer is of use.
MOST_ROWS = 1_000_000

Outlook = Literal["decidable", "too few rows", "cannot be met"]


@dataclass(frozen=True)
class Decidability:
    """What n rows can say about a share that is to reach a threshold.

    at_best: probability that the criterion is met when all rows are right. expected: the same when a share of
    threshold + `MARGIN` of them is. least: right rows that make the verdict met, None where not even all do. chance:
    how often there are as many where threshold + `MARGIN` is the true share. needed: rows from which on the expected
    outcome decides.
    """

    rows: int
    at_best: float
    expected: float
    least: int | None
    chance: float
    needed: int
    level: float = LEVEL

    @property
    def outlook(self) -> Outlook:
        """In three words."""
        if self.at_best < self.level:
            return "cannot be met"
        return "decidable" if self.expected >= self.level else "too few rows"


def decidability(rows: int, threshold: float, *, at_most: bool = False, level: float = LEVEL) -> Decidability:
    """What `rows` rows can say about `share >= threshold`, or `share <= threshold` with `at_most`.

    Raises:
        ValueError: a negative number of rows, or a threshold outside 0..1.

    >>> three = decidability(3, 0.40)
    >>> three.outlook, round(three.at_best, 2), three.least, three.needed
    ('too few rows', 0.99, 3, 40)
    """
    if rows < 0 or not 0 <= threshold <= 1:
        raise ValueError(f"rows must not be negative and a threshold lies within 0 and 1, got {rows} and {threshold}")
    # To stay below a share of wrong ones is to reach a share of right ones.
    bound = 1 - threshold if at_most else threshold
    hoped = min(1.0, bound + MARGIN)
    least = _least(rows, bound, level)
    return Decidability(
        rows,
        at_best=_met(rows, rows, bound),
        expected=_met(hoped * rows, rows, bound),
        least=least,
        chance=0.0 if least is None else float(binom.sf(least - 1, rows, hoped)),
        needed=_needed(hoped, bound, level),
        level=level,
    )


def rows_that_decide(share: float, threshold: float, level: float = LEVEL) -> int:
    """Rows from which on `share` of right ones says whether the threshold is reached; `MOST_ROWS` where no number does.

    Raises:
        ValueError: a share or threshold outside 0..1.

    >>> rows_that_decide(0.5, 0.4), rows_that_decide(0.5, 0.5)
    (40, 1000000)
    """
    if not (0 <= share <= 1 and 0 <= threshold <= 1):
        raise ValueError(f"a share and its threshold lie within 0 and 1, got {share} and {threshold}")
    if share == threshold:
        return MOST_ROWS
    # To be sure that a share is missed is to be sure that its wrong ones are more than allowed.
    reached = (share, threshold) if share > threshold else (1 - share, 1 - threshold)
    return min(MOST_ROWS, _needed(*reached, level))


def _met(hits: float, rows: int, bound: float) -> float:
    """Posterior probability under Jeffreys' prior; a share of rows may be a fraction here."""
    if float(hits).is_integer():
        return probability_at_least(hits, rows, bound)
    return float(betainc(rows - hits + 0.5, hits + 0.5, 1 - bound))


def _least(rows: int, bound: float, level: float) -> int | None:
    """The fewest hits that decide."""
    hits = np.arange(rows + 1)
    decides = betainc(rows - hits + 0.5, hits + 0.5, 1 - bound) >= level
    return int(decides.argmax()) if decides.any() else None


def _needed(hoped: float, bound: float, level: float) -> int:
    """By doubling and halving: more rows of the same share make the probability larger."""
    high = 1
    while high < MOST_ROWS and _met(hoped * high, high, bound) < level:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _met(hoped * middle, middle, bound) >= level else (middle, high)
    return high
