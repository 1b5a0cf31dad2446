"""That more trials would be chosen among by chance, in two sentences."""

from rarecall.analysis.runs.ranking.separation import Separation
from rarecall.analysis.text.wording import is_share


def separation_text(found: Separation) -> str:
    """What stands under the leaderboard, and what would help."""
    names = f"{', '.join(found.trials[:-1])} and {found.trials[-1]}"
    within = f"{_amount(found, found.difference)}, chance alone {_amount(found, found.noise)}"
    now = f"there are {found.rows} now"
    if found.more_rows is None:
        remedy = f"Take them for equal: hardly any number of {found.rare} rows would tell them apart; {now}"
    else:
        remedy = f"If the difference is real, about {found.more_rows:,} more {found.rare} rows would decide it; {now}"
    return (
        f"More trials of this kind decide nothing: the difference between the best three, {names}, is below chance "
        f"({within}). {remedy}; `rarecall finalists` compares them on the training rows as well."
    )


def _amount(found: Separation, difference: float) -> str:
    return f"{100 * difference:.1f} points" if is_share(found.objective) else f"{difference:.3g}"
