"""The rare rows one by one: what each is, what it was taken for, and how far off that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray, IntArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.markup import Child, element
from rarecall.analysis.report.html.sections.section import Section, note
from rarecall.analysis.report.html.table import Cell, Heading, table, words
from rarecall.analysis.report.sentences import counted

# Rows that are listed of a class, and classes, the rarest first.
_ROWS, _CLASSES, _TEXT = 100, 12, 800


@dataclass(frozen=True)
class RareRow:
    """One row of a minority class.

    row: its number in the data. true, predicted: names. hit: whether the class was found. true_score, predicted_score:
    overall, NaN for a task without scores. probability: of the class, NaN for a task without probabilities.
    """

    row: int
    true: str
    predicted: str
    hit: bool
    true_score: float
    predicted_score: float
    probability: float

    @property
    def error(self) -> float:
        """Predicted minus true overall score."""
        return self.predicted_score - self.true_score


def rare_rows(predictions: Predictions, labels: LabelSpace, name: str) -> list[RareRow]:
    """All rows of a class, those first that were taken for something else, and of these the farthest off."""
    index = labels.classes.index(name)
    own, found = _members(predictions, index)
    rows = [
        _rare_row(predictions, labels, int(position), index, bool(found[position])) for position in np.flatnonzero(own)
    ]
    return sorted(rows, key=lambda one: (one.hit, -_badness(one), one.row))


def rows_section(report: Report) -> Section | None:
    """The rows of every minority class, the rarest class first."""
    predictions = report.predictions
    if predictions is None or not report.labels.minority:
        return None
    by_class = {name: rare_rows(predictions, report.labels, name) for name in report.labels.minority}
    rarest = sorted((name for name in by_class if by_class[name]), key=lambda name: len(by_class[name]))
    if not rarest:
        return None
    told = "Misses come first, the farthest off before the others. Rows are counted from 0 over all usable rows."
    left_out = f" The {_CLASSES} rarest of {len(rarest)} classes." if len(rarest) > _CLASSES else ""
    texts = (
        None
        if report.texts or not report.run
        else note("Texts are left out; --texts shows them, whatever they contain.")
    )
    parts = [_details(report, name, by_class[name], number == 0) for number, name in enumerate(rarest[:_CLASSES])]
    return Section("Rare rows one by one", (element("p", told + left_out), texts, *parts))


def _members(predictions: Predictions, index: int) -> tuple[BoolArray, BoolArray]:
    """Which rows are of a class, and which were predicted as it."""
    if predictions.true_labels is not None and predictions.predicted_labels is not None:
        return predictions.true_labels[:, index], predictions.predicted_labels[:, index]
    true, predicted = _single(predictions)
    return true == index, predicted == index


def _single(predictions: Predictions) -> tuple[IntArray, IntArray]:
    if predictions.true_class is None or predictions.predicted_class is None:
        raise ValueError("predictions must hold classes or labels, got neither")
    return predictions.true_class, predictions.predicted_class


def _rare_row(predictions: Predictions, labels: LabelSpace, position: int, index: int, hit: bool) -> RareRow:
    probabilities = None if predictions.probabilities is None else predictions.probabilities[:, index]
    return RareRow(
        int(predictions.rows[position]),
        *_names(predictions, labels, position),
        hit,
        _at(predictions.true_overall, position),
        _at(predictions.predicted_overall, position),
        _at(probabilities, position),
    )


def _at(values: FloatArray | None, position: int) -> float:
    return math.nan if values is None else float(values[position])


def _names(predictions: Predictions, labels: LabelSpace, position: int) -> tuple[str, str]:
    if predictions.true_labels is not None and predictions.predicted_labels is not None:
        both = (predictions.true_labels[position], predictions.predicted_labels[position])
        true, predicted = (", ".join(np.array(labels.classes, object)[flags]) or "none" for flags in both)
        return true, predicted
    true_class, predicted_class = _single(predictions)
    return labels.classes[int(true_class[position])], labels.classes[int(predicted_class[position])]


def _badness(one: RareRow) -> float:
    if math.isfinite(one.error):
        return abs(one.error)
    return 1 - one.probability if math.isfinite(one.probability) else 0.0


def _details(report: Report, name: str, rows: Sequence[RareRow], first: bool) -> Child:
    hits = sum(one.hit for one in rows)
    shown = rows[:_ROWS]
    left_out = f", the first {_ROWS} shown" if len(rows) > _ROWS else ""
    summary = f"{name}: {hits} of {counted(len(rows), 'row')} found{left_out}"
    return element("details", element("summary", summary), _table(report, name, shown), open=first)


def _table(report: Report, name: str, rows: Sequence[RareRow]) -> Child:
    scores = any(math.isfinite(one.error) for one in rows)
    probabilities = any(math.isfinite(one.probability) for one in rows)
    headings = [Heading("row"), words("true"), words("predicted"), words("found")]
    headings += [Heading("true score"), Heading("predicted score"), Heading("error")] if scores else []
    headings += [Heading("probability", title=f"Probability of {name}")] if probabilities else []
    headings += [words("text")] if report.texts else []
    return table(
        f"Rows of {name}", headings, [_cells(one, report, scores, probabilities) for one in rows], class_="rows"
    )


def _cells(one: RareRow, report: Report, scores: bool, probabilities: bool) -> list[Cell | Child]:
    cells: list[Cell | Child] = [str(one.row), one.true, one.predicted, "✓ yes" if one.hit else "✕ no"]
    if scores:
        cells += [f"{one.true_score:.2f}", f"{one.predicted_score:.2f}", f"{one.error:+.2f}".replace("-", "−")]
    if probabilities:
        cells.append(f"{one.probability:.3f}")
    if report.texts:
        cells.append(Cell(report.texts.get(one.row, "")[:_TEXT], class_="text"))
    return cells
