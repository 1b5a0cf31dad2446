"""The confusion matrix as a picture, or what was found of each label where a row may have several."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.figures.dots import height
from rarecall.analysis.report.figures.style import ACCENT, BAD, INK, RULE, THIN, LeftOut, Picture, canvas
from rarecall.analysis.text.table import cell_len, cut

# Inches of a cell, and of what stands around all of them.
_CELL, _SMALLEST, _AROUND = 0.75, 0.3, 2.0
_WIDEST = 7.0
_LETTERS, _HATCH = 22, "////"
_INCHES_PER_LETTER = 0.085
_SHADES = LinearSegmentedColormap.from_list("share", ["#ffffff", ACCENT])


def confusion_figure(report: Report) -> Picture | LeftOut:
    """True classes from top to bottom, predicted ones from left to right."""
    counts = report.confusion
    if counts is None:
        return LeftOut("the ledger has no counts of this epoch")
    return _by_label(report, counts) if report.labels.multilabel else _matrix(report, counts)


def _matrix(report: Report, counts: IntArray) -> Picture:
    names = [cut(name, _LETTERS) for name in report.labels.classes]
    cell = max(_SMALLEST, min(_CELL, _WIDEST / len(names)))
    side = _AROUND + cell * len(names)
    figure, (axes,) = canvas(side, width=side + 0.3)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap=_SHADES, vmin=0, vmax=1)
    size = max(6.0, min(9.0, 20 * cell))
    _write_counts(axes, counts, shares, size)
    upright = max(map(cell_len, names)) * _INCHES_PER_LETTER < cell
    turned: dict[str, Any] = {} if upright else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(names)), names, fontsize=max(6.5, size), **turned)
    axes.set_yticks(range(len(names)), names, fontsize=max(6.5, size))
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title("Confusion matrix")
    _lines_between(axes, len(names))
    caption = "Rows of the data by true and predicted class; shading is the share of the true class."
    return Picture("Confusion matrix", caption, f"{_told(report, counts)}.", figure)


def _write_counts(axes: Axes, counts: IntArray, shares: np.ndarray, size: float) -> None:
    for (true, predicted), count in np.ndenumerate(counts):
        if count or true == predicted:
            colour = "white" if shares[true, predicted] > 0.55 else INK
            weight = "bold" if true == predicted else "normal"
            axes.text(
                predicted, true, f"{count:,}", ha="center", va="center", color=colour, fontsize=size, weight=weight
            )


def _lines_between(axes: Axes, classes: int) -> None:
    axes.grid(visible=False)
    between = np.arange(classes + 1) - 0.5
    axes.set_xticks(between, minor=True)
    axes.set_yticks(between, minor=True)
    axes.grid(which="minor", color=RULE, linewidth=0.6)
    axes.tick_params(which="both", length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)


def _told(report: Report, counts: IntArray) -> str:
    names = report.labels.classes
    parts = []
    for true, name in enumerate(names):
        order = np.argsort(-counts[true], kind="stable")[:3]
        told = ", ".join(f"{counts[true, one]:,} as {names[one]}" for one in order if counts[true, one])
        parts.append(f"{name}: {told or 'no rows'}")
    return "; ".join(parts)


def _by_label(report: Report, counts: IntArray) -> Picture:
    """Rows with the label that were found and missed, and false alarms, as shares of the rows with the label."""
    names = [cut(name, _LETTERS) for name in report.labels.classes]
    figure, (axes,) = canvas(height(len(names)) + 0.3)
    places = np.arange(len(names))
    found, missed, alarms = counts[:, 1, 1], counts[:, 1, 0], counts[:, 0, 1]
    axes.barh(places, found, color=ACCENT, height=0.7, label="has it, found")
    axes.barh(places, missed, left=found, color="white", edgecolor=THIN, height=0.7, hatch=_HATCH, label="not found")
    axes.barh(places, -alarms, color=BAD, height=0.7, label="false alarms")
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("rows")
    axes.set_title("Confusion per label")
    figure.legend(loc="outside lower center", ncols=3)
    told = [
        f"{name}: {found[at]:,} found, {missed[at]:,} not found, {alarms[at]:,} false alarms"
        for at, name in enumerate(report.labels.classes)
    ]
    caption = "Rows that have each label, found or not, to the right; false alarms to the left."
    return Picture("Confusion per label", caption, f"{'; '.join(told)}.", figure)
