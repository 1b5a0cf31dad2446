"""Where the screen has trials begin."""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution

from rarecall.analysis.runs.screen import ScreenRow
from rarecall.search.engine.known_points import SHARE, KnownPoint, own_within, plain_point


def screen_points(
    row: ScreenRow, distributions: Mapping[str, BaseDistribution], own: Mapping[str, Any], trials: int
) -> tuple[KnownPoint, ...]:
    """No mitigation and the best ones, as points for the search to begin with, as many as there are known ones.

    own: the experiment's settings by dotted key; all that is no mitigation is taken from there.
    """
    inside, plain = own_within(distributions, own), plain_point(distributions, own)
    first = [plain] if plain is not None and plain.params != inside else []
    best = (KnownPoint(f"screen {place}", {**inside, **one.params}) for place, one in enumerate(row.best, start=1))
    return tuple([*first, *best][: int(trials * SHARE)])
