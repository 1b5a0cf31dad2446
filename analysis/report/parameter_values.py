"""A parameter's values over the trials: numbers or names, how they are spread, how they read."""

from collections.abc import Sequence
from statistics import median
from typing import Any

Value = str | float | None

# A scale is logarithmic from this ratio of its ends on.
_LOG_RATIO = 20


def values_of(raw: Sequence[Any]) -> tuple[Value, ...]:
    """Numbers where all are, otherwise names; None for what is missing.

    >>> values_of([8, None, 16]), values_of([True, "focal"])
    ((8.0, None, 16.0), ('True', 'focal'))
    """
    known = [value for value in raw if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return tuple(None if value is None else float(value) for value in raw)
    return tuple(None if value is None else str(value) for value in raw)


def numbers_of(values: Sequence[Value]) -> list[float]:
    """The numbers among the values."""
    return [value for value in values if isinstance(value, float)]


def names_of(values: Sequence[Value]) -> list[str]:
    """The distinct names among the values, sorted."""
    return sorted({value for value in values if isinstance(value, str)})


def logarithmic(numbers: Sequence[float]) -> bool:
    """Whether numbers span so much, and lie so much at the low end, that only their logarithm spreads them."""
    if min(numbers, default=0) <= 0 or max(numbers) / min(numbers) < _LOG_RATIO:
        return False
    return median(numbers) < (min(numbers) + max(numbers)) / 4


def number_text(value: float) -> str:
    """A tick without needless zeros.

    >>> number_text(1e-05), number_text(0.0005), number_text(0.25)
    ('1e-5', '5e-4', '0.25')
    """
    if value and abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:.0e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.3g}"
