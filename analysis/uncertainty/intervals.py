"""What k hits out of n rows say about the true proportion: intervals, and the probability that it reaches a threshold.

Two views of the same count. The exact interval (Clopper and Pearson 1934) covers the true proportion at least as often
as it claims, whatever that is; it is what tables show. The posterior under Jeffreys' prior, Beta(k + ½, n - k + ½),
answers how probable it is that the true proportion lies above a threshold (Brown, Cai and DasGupta 2001, §4.1).
"""

from dataclasses import dataclass

from scipy.special import betainc, betaincinv

LEVEL = 0.90


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true value lies, as far as the rows tell. Both ends belong to it; NaN where nothing is known."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether the value lies within."""
        return self.low <= value <= self.high


def exact(hits: float, rows: float, level: float = LEVEL) -> Interval:
    """Clopper and Pearson's interval of a proportion, [0, 1] without rows.

    Raises:
        ValueError: not 0 <= hits <= rows, or a level outside 0..1.

    >>> three_of_three = exact(3, 3)
    >>> round(three_of_three.low, 4), three_of_three.high  # 0.05 ** (1 / 3)
    (0.3684, 1.0)
    """
    tail = _tail(hits, rows, level)
    low = float(betaincinv(hits, rows - hits + 1, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, rows - hits, 1 - tail)) if hits < rows else 1.0
    return Interval(low, high)


def jeffreys(hits: float, rows: float, level: float = LEVEL) -> Interval:
    """The equal-tailed interval of Beta(k + ½, n - k + ½), from 0 where there is no hit and to 1 where all are.

    Raises:
        ValueError: not 0 <= hits <= rows, or a level outside 0..1.

    >>> interval = jeffreys(1, 3)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.062, 0.764)
    """
    tail = _tail(hits, rows, level)
    first, second = hits + 0.5, rows - hits + 0.5
    low = float(betaincinv(first, second, tail)) if hits > 0 else 0.0
    high = float(betaincinv(first, second, 1 - tail)) if hits < rows else 1.0
    return Interval(low, high)


def probability_at_least(hits: float, rows: float, threshold: float) -> float:
    """How probable it is that the true proportion is the threshold or more, given k of n, under Jeffreys' prior.

    Raises:
        ValueError: not 0 <= hits <= rows.

    >>> round(probability_at_least(1, 2, 0.5), 3)  # symmetric
    0.5
    """
    _check(hits, rows)
    if threshold <= 0:
        return 1.0
    return 0.0 if threshold > 1 else float(betainc(rows - hits + 0.5, hits + 0.5, 1 - threshold))


def _tail(hits: float, rows: float, level: float) -> float:
    _check(hits, rows)
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval must lie between 0 and 1, got {level} (write 0.9 for 90 %)")
    return (1 - level) / 2


def _check(hits: float, rows: float) -> None:
    if not 0 <= hits <= rows:
        raise ValueError(f"hits must lie between 0 and the number of rows, got {hits} of {rows}")
