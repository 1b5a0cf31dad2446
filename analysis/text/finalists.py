"""The finalists in words: what the search had said of each, what the folds say, and the winner's verdicts there."""

import math
import textwrap
from collections.abc import Sequence

from rarecall.analysis.criteria.ranking import best_epoch
from rarecall.analysis.criteria.verdicts import assess
from rarecall.analysis.runs.ranking.finalists import Finalist
from rarecall.analysis.runs.run import Run
from rarecall.analysis.text.table import Column, render_columns
from rarecall.analysis.text.verdicts import verdict_lines, wrapped
from rarecall.analysis.text.wording import interval_text, value_text


def finalists_text(finals: tuple[Finalist, ...], run: Run, width: int) -> str:
    """A table within `width` columns, the winner first, and its verdicts on its folds together."""
    columns = [
        Column(("trial",), tuple(one.trial for one in finals), "<"),
        Column(("criteria", "met"), tuple(f"{one.met}/{len(run.criteria)}" for one in finals)),
        Column(
            (run.objective, "in the search"), tuple(value_text(run.objective, _searched(one, run)) for one in finals)
        ),
        Column(("folds",), tuple(str(one.folds) for one in finals)),
        Column(("on these", "folds"), tuple(value_text(run.objective, one.value(run)) for one in finals)),
        Column(("", "90 %"), tuple(interval_text(run.objective, one.objective) for one in finals)),
    ]
    support = {name: finals[0].metrics[f"support[{name}]"] for name in run.labels.minority}
    columns += [
        Column((name, f"n={support[name]:.0f}"), tuple(_recall(one, name) for one in finals))
        for name in sorted(support, key=lambda name: support[name])
    ]
    while len(columns) > 6 and sum(column.width + 2 for column in columns) > width:
        columns.pop()
    best = finals[0]
    lines = [
        *textwrap.wrap(
            f"Finalists: trained again on {best.folds} folds; each of the {best.rows:,} rows predicted by a model that "
            "had not seen it.",
            width,
        ),
        "",
        *render_columns(columns),
        "",
        *textwrap.wrap(race_text(finals), width),
        *textwrap.wrap(
            f"Winner: {best.trial}; among those that meet most criteria, its {run.objective} is surely the highest.",
            width,
        ),
    ]
    if run.criteria:
        lines += verdict_lines(assess(best.predictions, run.labels, run.criteria), width)
        lines += wrapped(uncorrected(finals), width)
    return "\n".join(lines)


def race_text(finals: Sequence[Finalist]) -> str:
    """Which finalists left the race, and what that saved; "" where all have every fold."""
    left = [one for one in finals if one.left is not None]
    trained, planned = sum(one.folds for one in finals), sum(one.planned for one in finals)
    if not left:
        return ""
    told = ", ".join(
        f"{one.trial} after {one.left.folds} of {one.planned} folds ({100 * one.left.probability:.0f} %)"
        for one in left
        if one.left
    )
    return (
        f"Left the race, as the remaining folds would hardly make it the winner: {told}. {trained} of {planned} folds "
        "were trained; --all-folds trains the rest."
    )


def uncorrected(finals: Sequence[Finalist]) -> str:
    """Why the figures of finalists are told as measured."""
    among = f"; only the choice among {len(finals)} finalists flatters a little" if len(finals) > 1 else ""
    return f"No model was chosen by the rows that it predicted here, so nothing is corrected{among}."


def _searched(finalist: Finalist, run: Run) -> float:
    """What the search had measured, on its one validation split."""
    row = best_epoch(run.trials[finalist.trial].epochs, run.criteria, run.objective)
    return row.metrics.get(run.objective, math.nan)


def _recall(finalist: Finalist, name: str) -> str:
    return value_text("recall", finalist.metrics.get(f"recall[{name}]", math.nan))
