"""Scores written as JSON, and read back strictly: what cannot be read is nobody's to guess."""

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

# Where the text goes in a prompt.
PLACE_OF_TEXT = "{text}"


def completion(scores: Iterable[float], names: Sequence[str], decimals: int) -> str:
    """What the model has to answer: one compact JSON object, the dimensions in their order.

    >>> completion([7.24, 3], ("maturity", "proof"), decimals=1)
    '{"maturity":7.2,"proof":3.0}'
    """
    # Adding zero makes -0.0 a plain 0.0.
    values = (f"{round(score, decimals) + 0.0:.{decimals}f}" for score in scores)
    pairs = (f"{json.dumps(name, ensure_ascii=False)}:{value}" for name, value in zip(names, values, strict=True))
    return "{" + ",".join(pairs) + "}"


def parse_answer(text: str, names: Sequence[str], bounds: tuple[float, float]) -> tuple[float, ...] | None:
    """The scores that an answer gives, in the order of `names`; None where it is not exactly what was asked for.

    That is one JSON object and nothing else, each of the names once and no other key, and finite numbers from the lower
    to the upper bound, neither texts nor true or false.

    >>> parse_answer('{"proof": 3, "maturity": 7.2}', ("maturity", "proof"), (0, 10))
    (7.2, 3.0)
    >>> parse_answer('{"maturity": 7.2, "proof": 3} I hope this helps!', ("maturity", "proof"), (0, 10))
    """
    try:
        # An object becomes a tuple of its pairs, which nothing else in JSON does; a repeated key stays visible.
        found = json.loads(text, object_pairs_hook=tuple, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, tuple) or sorted(key for key, _ in found) != sorted(names):
        return None
    scores = {key: value for key, value in found if _is_score(value, bounds)}
    return tuple(float(scores[name]) for name in names) if len(scores) == len(names) else None


def _refuse(constant: str) -> Any:
    """NaN and the infinities are not JSON, whatever Python takes."""
    raise ValueError(constant)


def _is_score(value: Any, bounds: tuple[float, float]) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and bounds[0] <= value <= bounds[1]
