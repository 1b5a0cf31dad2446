"""Class weights: how much more a row of a rare class counts."""

import numpy as np

from analysis.predictions import FloatArray, IntArray


def class_weights(counts: IntArray, strength: float, cap: float) -> FloatArray:
    """Row weight of each class [k]: min(cap, (n_max / n_c) ** strength), from the rows [k] that an epoch holds of it.

    The largest class has weight 1, and so has a class without rows. Strength 0 weighs all alike, 1 by the inverse
    frequency: the “balanced” n / (k · n_c) that scikit-learn gives after King & Zeng 2001, scaled to 1 for the largest
    class. The cap keeps training stable where a class has only a few rows.

    1519 / 303 = 5.0132, and 1519 / 26 = 58.4 is capped:

    >>> class_weights(np.array([1519, 303, 26]), strength=1.0, cap=10.0).round(4)
    array([ 1.    ,  5.0132, 10.    ])

    Raises:
        ValueError: the strength is outside 0 to 1, the cap below 1, or a count negative.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"the class weights' strength must be from 0 to 1, got {strength!r}")
    if not cap >= 1:
        raise ValueError(f"the class weights' cap must be at least 1, got {cap!r}")
    if (counts < 0).any():
        raise ValueError(f"counts must not be negative, got {counts.tolist()}")
    present = counts > 0
    ratios = np.where(present, counts.max(initial=1) / np.where(present, counts, 1), 1.0)
    return np.asarray(np.minimum(cap, ratios**strength), dtype=np.float64)
