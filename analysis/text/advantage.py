"""What the winner gains over the best baseline, in one sentence."""

import math

from rarecall.analysis.criteria.ranking import DEFAULT_OBJECTIVE
from rarecall.analysis.runs.ranking.advantage import Advantage
from rarecall.analysis.text.wording import is_share, value_text


def advantage_text(found: Advantage, criteria: int) -> str:
    """The sentence that stands under the verdict. criteria: how many there are."""
    gain = found.value - found.baseline_value
    low, high = found.interval.low, found.interval.high
    span = f"{100 * found.level:g} %: {_number(found.key, low)} to {_amount(found.key, high)}"
    met = f"; of {criteria} criteria it meets {found.trial_met}, the baseline {found.baseline_met}" if criteria else ""
    if found.surely_better and found.key == DEFAULT_OBJECTIVE:
        what = f"finds {_amount(found.key, gain)} more of the rare rows than the best baseline, {found.baseline}"
    elif found.surely_better:
        what = f"is better than the best baseline, {found.baseline}: {_values(found)}"
    else:
        how = "surely worse" if found.surely_worse else "not surely better"
        what = f"is {how} than the best baseline, {found.baseline}: {_values(found)}"
    return f"The winner {what} ({span}){met}."


def _values(found: Advantage) -> str:
    name = found.key.replace("_", " ") if found.key == DEFAULT_OBJECTIVE else found.key
    values = (value_text(found.key, value) for value in (found.value, found.baseline_value))
    return f"{name} {' to '.join(values)}"


def _amount(key: str, difference: float) -> str:
    """A difference, of a share in points."""
    return f"{_number(key, difference)} points" if is_share(key) else _number(key, difference)


def _number(key: str, difference: float) -> str:
    if not math.isfinite(difference):
        return "-"
    return f"{100 * difference:.1f}" if is_share(key) else f"{difference:.2f}"
