"""Successive halving: when trials are compared, and how many rows their epochs take until then."""

import math

from pydantic import Field

from rarecall.trainables.section import Section


class StopEarlyConfig(Section):
    """Asynchronous successive halving (Li et al. 2020, arXiv 1810.05934): at epochs grace, grace·reduction, …, a trial
    goes on only among the best 1/reduction that got there.

    Rows are a budget as epochs are: those of an epoch before the first comparison are `rows`, `reduction` times as many
    after each, and all after the last one and in the last epoch.
    """

    grace_epochs: int = Field(1, ge=1)
    reduction: float = Field(3.0, gt=1)
    rows: int | None = Field(None, ge=1, description="training rows of an epoch before the first comparison; null: all")

    def rows_by_epoch(self, epochs: int) -> list[int | None] | None:
        """Training rows of each of a trial's epochs, None for all of them; None where every epoch takes all.

        Comparisons after epochs 1 and 3, and of three epochs after the first one alone:

        >>> StopEarlyConfig(grace_epochs=1, reduction=3, rows=1000).rows_by_epoch(5)
        [1000, 3000, 3000, None, None]
        >>> StopEarlyConfig(grace_epochs=1, reduction=3, rows=1000).rows_by_epoch(3)
        [1000, None, None]
        """
        if self.rows is None:
            return None
        rung, found = 0, list[int | None]()
        while (compared := math.ceil(round(self.grace_epochs * self.reduction**rung, 9))) < epochs:
            found += [round(self.rows * self.reduction**rung)] * (compared - len(found))
            rung += 1
        return [*found, *[None] * (epochs - len(found))]
