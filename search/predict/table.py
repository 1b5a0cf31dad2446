"""Predictions as a table for a user: names of classes, probabilities, scores, and what was handed on of the input."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.predictions.parquet_file import OVERALL
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.data.files.columns import cell_at
from rarecall.trainables.data.reading.unlabelled import Source, Unlabelled
from rarecall.trainables.tasks import Task, TieredScores

ROW, LABEL, CUT_DISTANCE, ERROR, REVIEW = "row", "predicted", "cut_distance", "error", "review"
# Far below what rounding does to the outputs of a model, and short enough to be read.
DECIMALS = 6
# Of an answer that cannot be read.
SHOWN_CHARACTERS = 80

Columns = dict[str, list[Any]]


def table_schema(task: Task, source: Source, carried: Sequence[str], errors: bool, review: bool = False) -> pa.Schema:
    """Columns of the output in their order.

    errors: whether a row of the input may have one; where answers are written, any row may. review: whether rows may go
    to a person.

    row, the columns of the input that are handed on, predicted (a list where a row may have several labels), review (a
    list of classes that the row may be of), probability.<class>, predicted.<dimension>, predicted.overall,
    cut_distance, and error where rows may have one; those that the task has.

    Raises:
        InputError: a column of the input has a name that is needed here.
    """
    label, *others = _own(task)
    held = [(REVIEW, pa.list_(pa.string()))] if review else []
    own = [label, *held, *others, *([(ERROR, pa.string())] if errors or task.label_space.written else [])]
    taken = [name for name in carried if name in {ROW, *(name for name, _ in own)}]
    if taken:
        rule = f"columns named {', '.join(taken)} cannot be handed on, since the output needs the names"
        raise InputError(str(source.path), [Fault(str(source.path), rule, remedy="rename them, or leave out --keep")])
    types = _types(source)
    return pa.schema([(ROW, pa.int64()), *((name, types.get(name, pa.string())) for name in carried), *own])


def _own(task: Task) -> list[tuple[str, pa.DataType]]:
    labels = task.label_space
    label = (LABEL, pa.list_(pa.string()) if labels.multilabel else pa.string())
    if not labels.dimensions:
        return [label, *((f"probability.{name}", pa.float64()) for name in labels.classes)]
    scores = [f"{LABEL}.{name}" for name in (*labels.dimensions, OVERALL)]
    return [label, *((name, pa.float64()) for name in (*scores, CUT_DISTANCE))]


def _types(source: Source) -> Mapping[str, pa.DataType]:
    """Types of a Parquet file's columns; those of other files are handed on as texts."""
    if source.path.suffix.lower() not in (".parquet", ".pq"):
        return {}
    return {field.name: field.type for field in pyarrow.parquet.read_schema(source.path)}


def table_columns(
    rows: Sequence[Unlabelled],
    predictions: Predictions | None,
    task: Task,
    carried: Sequence[str],
    review: BoolArray | None = None,
) -> Columns:
    """Values of the columns of `table_schema` for n rows of the input, None where a row has none.

    A row whose answer cannot be read has nothing but its error, since nobody may guess what it says.

    predictions: of the usable rows among them, in their order; None if there are none. review: [usable, classes] for
    which classes a row goes to a person.
    """
    usable = [place for place, row in enumerate(rows) if row.fault is None]
    columns: Columns = {name: [cell_at(row.cells, name) for row in rows] for name in carried}
    columns[ROW] = [row.number for row in rows]
    columns[ERROR] = [None if row.fault is None else str(row.fault) for row in rows]
    unread = _unread(predictions, len(usable))
    found = _predicted(predictions, task) if predictions is not None else {name: [] for name, _ in _own(task)}
    # A column of the input may have this name as long as no row goes to a person.
    columns.setdefault(REVIEW, [None] * len(rows))
    if review is not None:
        found[REVIEW] = _names(review, task.label_space.classes)
    for name, values in found.items():
        columns[name] = [None] * len(rows)
        for place, value, answer in zip(usable, values, unread, strict=True):
            columns[name][place] = value if answer is None else None
    for place, answer in zip(usable, unread, strict=True):
        if answer is not None:
            columns[ERROR][place] = f"the answer cannot be read: {answer[:SHOWN_CHARACTERS]}"
    return columns


def _unread(predictions: Predictions | None, count: int) -> list[str | None]:
    """Answers that cannot be read, None for the other ones of `count` rows."""
    if predictions is None or predictions.unreadable is None:
        return [None] * count
    return list(predictions.unreadable)


def _predicted(predictions: Predictions, task: Task) -> Columns:
    labels = task.label_space
    columns: Columns = {LABEL: _labels(predictions, labels.classes)}
    if predictions.probabilities is not None:
        columns |= _block("probability", labels.classes, predictions.probabilities)
    if predictions.predicted_scores is not None and predictions.predicted_overall is not None:
        overall = predictions.predicted_overall
        columns |= _block(LABEL, labels.dimensions, predictions.predicted_scores)
        columns |= _block(LABEL, (OVERALL,), overall[:, None])
        assert isinstance(task, TieredScores)
        columns[CUT_DISTANCE] = _plain(cut_distance(overall, np.asarray(task.cuts_in_force)))
    return columns


def cut_distance(overall: FloatArray, cuts: FloatArray) -> FloatArray:
    """How far each overall score [n] is above the nearest cut, below it where negative.

    >>> cut_distance(np.array([3.5, 4.5, 9.0]), np.array([4.0, 6.0])).tolist()
    [-0.5, 0.5, 3.0]
    """
    distances = overall[:, None] - cuts
    nearest = np.abs(distances).argmin(axis=1)
    return np.asarray(np.take_along_axis(distances, nearest[:, None], axis=1)[:, 0])


def _labels(predictions: Predictions, classes: tuple[str, ...]) -> list[Any]:
    """The name of each row's class, or the list of its labels."""
    if predictions.predicted_labels is not None:
        return _names(predictions.predicted_labels, classes)
    assert predictions.predicted_class is not None
    return [classes[i] for i in predictions.predicted_class.tolist()]


def _names(given: BoolArray, classes: tuple[str, ...]) -> list[list[str]]:
    """The names of the classes that each row [n, classes] has."""
    return [[classes[i] for i in np.flatnonzero(row)] for row in given]


def _block(prefix: str, names: Sequence[str], values: FloatArray) -> Columns:
    return {f"{prefix}.{name}": _plain(column) for name, column in zip(names, values.T, strict=True)}


def _plain(values: FloatArray) -> list[float]:
    # Adding zero makes -0.0 a plain 0.0.
    plain: list[float] = (np.round(values, DECIMALS) + 0.0).tolist()
    return plain
