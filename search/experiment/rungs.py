"""Successive halving: when trials are compared, and how many rows their epochs take until then."""

import math

from pydantic import Field

from rarecall.trainables.section import Section


class StopEarlyConfig(Section):
    """Asynchronous successive halving (Li et al. 2020, arXiv 1810.05934): at epochs grace, grace·reduction, …, a trial
    goes on only among the best 1/reduction that got there.
    """

    grace_epochs: int = Field(1, ge=1)
    reduction: float = Field(3.0, gt=1)
    grow_rows: bool = Field(
        False, description="search.rows before the first comparison, `reduction` times as many after each, then all"
    )

    def growing(self, rows: int, epochs: int) -> list[int | None]:
        """Training rows of each of a trial's epochs, None for all of them: rows are a budget as epochs are.

        Comparisons after epochs 1 and 3, and of three epochs after the first one alone:

        >>> StopEarlyConfig(grace_epochs=1, reduction=3).growing(1000, epochs=5)
        [1000, 3000, 3000, None, None]
        >>> StopEarlyConfig(grace_epochs=1, reduction=3).growing(1000, epochs=3)
        [1000, None, None]
        """
        rung, found = 0, list[int | None]()
        while (compared := math.ceil(round(self.grace_epochs * self.reduction**rung, 9))) < epochs:
            found += [round(rows * self.reduction**rung)] * (compared - len(found))
            rung += 1
        return [*found, *[None] * (epochs - len(found))]
