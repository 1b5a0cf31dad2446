"""When a trial is given up by its own epochs alone, without a look at its rivals.

Among trials that all name one class only, or all predict the same score, each would be as good as the others. Only the
epochs decide, so a search that goes on decides as before.
"""

import math
from collections.abc import Sequence
from typing import Any

from rarecall.analysis.criteria.criterion import Criterion
from rarecall.analysis.criteria.ranking import judge
from rarecall.analysis.metrics.scores import COLLAPSED
from rarecall.analysis.runs.run import EpochRow
from rarecall.analysis.uncertainty.margins import constraints

SHARE_OF_ONE_CLASS, LEAST_EPOCHS_OF_ONE_CLASS = 1 / 3, 2
# What does not change in half of the planned epochs, and in three at least, will not in the rest.
SHARE_OF_A_TREND, LEAST_EPOCHS_OF_A_TREND = 1 / 2, 3
# In margins of chance (`analysis.uncertainty.margins`): what is far from being met, and a gain that is none.
FAR, NO_GAIN = 3.0, 0.25


def one_class(rows: Sequence[EpochRow], planned: int) -> str:
    """That the last third of the planned epochs, and two at least, named one class only; "" where they did not.

    rows: a trial's epochs so far, ascending.
    """
    others = [place for place, row in enumerate(rows, start=1) if not names_one_class(row.confusion)]
    streak = len(rows) - max(others, default=0)
    if streak < max(LEAST_EPOCHS_OF_ONE_CLASS, math.ceil(planned * SHARE_OF_ONE_CLASS)):
        return ""
    return f"one class named for every row in {streak} epochs in a row"


def collapsed(rows: Sequence[EpochRow], planned: int, criteria: Sequence[Criterion]) -> str:
    """That overall scores were predicted with less than a quarter of the true spread, and no wider, for half of the
    planned epochs and three at least; "" where they were not.

    Never where cuts of its own follow the narrow range (`EpochRow.rule`), or where all criteria are met all the same.
    """
    epochs = _trend(planned)
    spreads = [row.metrics.get("score_spread", math.nan) for row in rows[-epochs:]]
    if len(rows) < epochs or rows[-1].rule or not all(spread < COLLAPSED for spread in spreads):
        return ""
    if spreads[-1] > spreads[0] or (criteria and _meets_all(rows[-1], criteria)):
        return ""
    return f"overall scores predicted with {spreads[-1]:.2g} of the true spread, no wider for {epochs} epochs"


def out_of_reach(rows: Sequence[EpochRow], planned: int, criteria: Sequence[Criterion]) -> str:
    """The criterion that can no longer be met, with its figures; "" where there is none.

    One is out of reach when even the best epoch is more than three margins of chance short of it, and half of the
    planned epochs, three at least, came no nearer than those before, by a quarter of a margin. What is left are fewer
    epochs than that, so at this pace less than a tenth of what is missing would be gained.
    """
    epochs = _trend(planned)
    if len(rows) <= epochs:
        return ""
    lacking = zip(*(constraints(criteria, row) for row in rows), strict=True)
    for criterion, short in zip(criteria, lacking, strict=True):
        if min(short) > FAR and min(short[-epochs:]) > min(short[:-epochs]) - NO_GAIN:
            value = criterion.judge(rows[-1].metrics).value
            where = f"{value:.3g} in epoch {rows[-1].epoch}, {short[-1]:.1f} margins short"
            return f"{criterion.text} is out of reach: {where} and no nearer for {epochs} epochs"
    return ""


def names_one_class(confusion: Any) -> bool:
    """Whether predictions with this confusion matrix [classes][classes] name one class only.

    False without one, and where a row may have several labels.

    >>> names_one_class([[9, 0], [1, 0]]), names_one_class([[8, 1], [1, 0]]), names_one_class(None)
    (True, False, False)
    """
    if not confusion or isinstance(confusion[0][0], list):
        return False
    return sum(any(row[column] for row in confusion) for column in range(len(confusion))) == 1


def _trend(planned: int) -> int:
    return max(LEAST_EPOCHS_OF_A_TREND, math.ceil(planned * SHARE_OF_A_TREND))


def _meets_all(row: EpochRow, criteria: Sequence[Criterion]) -> bool:
    return all(verdict.status == "met" for verdict in judge(row.metrics, criteria))
