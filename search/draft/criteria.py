"""Criteria that the rows of a file can decide, each with the reason for its threshold."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from rarecall.analysis.uncertainty.decidability import decidability

# Rare rows that a validation split should hold, and what shares it may take for them.
WANTED, LEAST_SHARE, MOST_SHARE = 30, 0.1, 0.25
# Of the largest class; of rare ones the highest that the rows decide where a model finds 80 % of them.
COMMON = 0.85
RARE, GOOD = (0.5, 0.4, 0.3), 0.8
# Rare classes that have a line of their own, the rarest first.
MOST_LINES = 3


@dataclass(frozen=True)
class Line:
    """A criterion and why. decided: whether the validation rows can decide it; a line that is not stays a comment."""

    text: str
    why: str
    decided: bool = True


def validation_share(counts: Mapping[str, int]) -> float:
    """Share of the rows for validation: a tenth, or more where the rarest class would have fewer than 30 rows there.

    >>> validation_share({"common": 5000, "rare": 1000}), validation_share({"common": 900, "rare": 100})
    (0.1, 0.25)
    """
    rarest = min(counts.values(), default=0)
    share = WANTED / rarest if rarest else MOST_SHARE
    return min(MOST_SHARE, max(LEAST_SHARE, math.ceil(share * 20) / 20))


def criteria_for(counts: Mapping[str, int], share: float, *, several: bool) -> list[Line]:
    """Lines for classes or labels with so many rows, the commonest first.

    share: of the rows that validate. several: whether a row may have several labels, of which none is the majority.
    """
    names = list(counts)
    lines = [] if several else [_common(names[0], round(counts[names[0]] * share))]
    rare = names if several else names[1:]
    return [*lines, *(_rare(name, round(counts[name] * share)) for name in list(reversed(rare))[:MOST_LINES])]


def _common(name: str, rows: int) -> Line:
    return Line(f"recall[{name}] >= {COMMON:.2f}", f"the majority stays what it is: {rows:,} rows validate")


def _deciding(rows: int, threshold: float) -> int | None:
    """Found rows that say the threshold is reached; None where a model that finds 80 % does not have so many."""
    least = decidability(rows, threshold).least
    return least if least is not None and least <= GOOD * rows else None


def _rare(name: str, rows: int) -> Line:
    for threshold in RARE:
        if (least := _deciding(rows, threshold)) is not None:
            why = f"{rows:,} rows validate; {least} of them found say so"
            return Line(f"recall[{name}] >= {threshold:.2f}", why)
    needed = next(count for count in itertools.count(1) if _deciding(count, RARE[-1]) is not None)
    why = f"{rows:,} rows validate, which cannot decide it; {needed} could"
    return Line(f"recall[{name}] >= {RARE[-1]:.2f}", why, decided=False)
