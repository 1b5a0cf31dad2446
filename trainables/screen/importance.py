"""Which mitigations matter: how much of the differences between heads each explains by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rarecall.analysis.arrays import FloatArray

# Parts of the range of a number, each with as many heads as any other.
PARTS = 8


def importances(params: Sequence[Mapping[str, Any]], values: FloatArray) -> dict[str, float]:
    """Share of the variance of `values` [n] between the parts of each parameter's range, 0 to 1, the highest first.

    The correlation ratio η² of the values (Fisher 1925), without what as many parts would explain by chance (ε², Kelley
    1935). A parameter that does not exist in some of the rows is judged by the others.
    """
    found = {}
    for key in dict.fromkeys(key for one in params for key in one):
        rows = np.array([number for number, one in enumerate(params) if key in one])
        found[key] = _explained([params[number][key] for number in rows.tolist()], values[rows])
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _explained(given: Sequence[Any], values: FloatArray) -> float:
    parts = _parts(given)
    count, groups = len(values), len(np.unique(parts))
    whole = float(((values - values.mean()) ** 2).sum())
    if groups < 2 or count <= groups or whole == 0:
        return 0.0
    means = np.bincount(parts, values) / np.maximum(np.bincount(parts), 1)
    within = float(((values - means[parts]) ** 2).sum())
    return max(0.0, 1 - within / (count - groups) / (whole / (count - 1)))


def _parts(given: Sequence[Any]) -> Any:
    """Number of the part that each value lies in."""
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in given)
    if not numbers or len(set(given)) <= PARTS:
        _, parts = np.unique([repr(one) for one in given], return_inverse=True)
        return parts
    values = np.asarray(given, dtype=np.float64)
    edges = np.quantile(values, np.linspace(0, 1, PARTS + 1)[1:-1])
    return np.digitize(values, edges)
