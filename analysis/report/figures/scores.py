"""Predicted against true overall score, and the predictions of each tier."""

import numpy as np
from matplotlib.axes import Axes

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.figures.style import (
    ACCENT,
    INK,
    THIN,
    TIER_COLOURS,
    TIER_SIGNS,
    LeftOut,
    Picture,
    canvas,
)
from rarecall.analysis.report.scores import Scores, scores_of, shifts, thinned
from rarecall.analysis.text.table import cut

# How far rows of the same true score are moved aside, as a share of the axis.
_SIDEWAYS = 0.012
_COMMON, _RARE = 7.0, 16.0


def predicted_against_true(report: Report) -> Picture | LeftOut:
    """A sign for each row, and where the middle of each tier's predictions lies."""
    scores = scores_of(report)
    if scores is None:
        return LeftOut("the task has no scores" if not report.labels.dimensions else "the predictions cannot be read")
    if not len(scores.true):
        return LeftOut("there are no rows")
    figure, (left, right) = canvas(3.9, columns=2, width=7.2)
    _scatter(left, scores)
    told = _ranges(right, scores)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    caption = (
        "Left: a sign is a row, the line a perfect prediction. Right: predictions of each tier, median, middle half "
        "and 5 to 95 %."
    )
    return Picture("Predicted against true score", caption, f"{'; '.join(told)}.", figure)


def _scatter(axes: Axes, scores: Scores) -> None:
    ends = [min(scores.true.min(), scores.predicted.min()), max(scores.true.max(), scores.predicted.max())]
    axes.plot(ends, ends, color=THIN, linewidth=1, linestyle=(0, (4, 3)))
    kept = thinned(scores.tiers)
    places = scores.true + _SIDEWAYS * (ends[1] - ends[0]) * shifts(scores.true)
    largest = np.bincount(scores.tiers).argmax()
    for index, name in enumerate(scores.names):
        rows = kept[scores.tiers[kept] == index]
        common = bool(index == largest)
        axes.scatter(
            places[rows],
            scores.predicted[rows],
            marker=TIER_SIGNS[index % len(TIER_SIGNS)],
            s=_COMMON if common else _RARE,
            color=TIER_COLOURS[min(index, len(TIER_COLOURS) - 1)],
            alpha=0.4 if common else 0.85,
            linewidths=0.8,
            label=cut(f"\u200b{name}", 28),
        )
    axes.set_xlabel("true overall score")
    axes.set_ylabel("predicted")
    axes.set_title("Predicted against true")


def _ranges(axes: Axes, scores: Scores) -> list[str]:
    told = []
    for index in np.unique(scores.tiers).tolist():
        own = scores.predicted[scores.tiers == index]
        low, first, median, third, high = np.quantile(own, (0.05, 0.25, 0.5, 0.75, 0.95))
        axes.plot([low, high], [index, index], color=ACCENT, linewidth=1.3)
        axes.plot([first, third], [index, index], color=ACCENT, linewidth=6, alpha=0.55, solid_capstyle="butt")
        axes.plot([median], [index], "o", color=INK, markersize=5)
        told.append(f"{scores.names[index]}: median {median:.2f}, middle half {first:.2f} to {third:.2f}")
    axes.set_yticks(range(len(scores.names)), [cut(name, 18) for name in scores.names])
    axes.set_ylim(-0.6, len(scores.names) - 0.4)
    axes.set_xlabel("predicted")
    axes.set_title("Predictions by true tier")
    return told
