"""Scales: numbers to places on a drawing, and the round numbers that are written beside them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_ROUND = (1, 2, 5, 10)


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` laid out from `start` to `end`, evenly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value; those outside are put at the near end.

        >>> Scale(1, 100, 0, 10, log=True)(10.0), Scale(0, 1, 50, 0)(0.5)
        (5.0, 25.0)
        """
        low, high, value = (math.log(one) if self.log else one for one in (self.low, self.high, max(value, self.low)))
        share = min(1.0, (value - low) / (high - low))
        return self.start + share * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """About `count` round values within.

        >>> Scale(0, 1, 0, 1).ticks(), Scale(1e-4, 3e-2, 0, 1, log=True).ticks(3)
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0001, 0.001, 0.01])
        """
        return _log_ticks(self.low, self.high, count) if self.log else _even_ticks(self.low, self.high, count)


def around(values: Iterable[float], start: float, end: float, *, log: bool = False) -> Scale:
    """A scale that holds all finite values, with a little room on both sides."""
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    if log:
        room = (high / low) ** 0.04 if high > low else 2.0
        return Scale(low / room, high * room, start, end, log=True)
    room = 0.04 * (high - low) or max(abs(high), 1.0) / 2
    return Scale(low - room, high + room, start, end)


def _even_ticks(low: float, high: float, count: int) -> list[float]:
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((power * factor for factor in _ROUND), key=lambda size: abs(math.log(size / rough)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _log_ticks(low: float, high: float, count: int) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    decades = [exponent for exponent in exponents if low * 0.999 <= 10.0**exponent <= high * 1.001]
    if len(decades) >= 2:
        every = math.ceil(len(decades) / count)
        return [10.0**exponent for exponent in decades[::every]]
    fine = (factor * 10.0**exponent for exponent in exponents for factor in (1, 2, 3, 5))
    return [value for value in fine if low <= value <= high]
