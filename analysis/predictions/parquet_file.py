"""The predictions of one epoch as a Parquet file that any tool can read: class names and scores, one row each."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rarecall.analysis.arrays import BoolArray, FloatArray, IntArray, NameArray
from rarecall.analysis.errors import RunError, first_line
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions

# Under which an epoch and an export keep their predictions.
PREDICTIONS_NAME = "predictions.parquet"
OVERALL = "overall"
SLICE = "slice"
UNREADABLE = "unreadable"


def write_predictions(path: str | os.PathLike[str], predictions: Predictions, labels: LabelSpace) -> None:
    """Write the predictions; the file is complete or not there at all.

    Columns: row, true, predicted (class names), probability.<class>, true.<dimension>, predicted.<dimension>,
    true.overall, predicted.overall, true_label.<label>, predicted_label.<label>, unreadable, slice.<column>; those that
    the task has.

    Raises:
        ValueError: a dimension named `overall`, which the overall score needs.
    """
    if OVERALL in labels.dimensions:
        raise ValueError(f"a dimension must not be named {OVERALL!r}, got {list(labels.dimensions)} (rename it)")
    names = pa.array(labels.classes, pa.string())
    columns = {"row": pa.array(predictions.rows)}
    for column, index in (("true", predictions.true_class), ("predicted", predictions.predicted_class)):
        if index is not None:
            columns[column] = names.take(pa.array(index))
    for prefix, members, values in _blocks(predictions, labels):
        for name, values_of_one in zip(members, values.T, strict=True):
            columns[f"{prefix}.{name}"] = pa.array(values_of_one)
    if predictions.unreadable is not None:
        columns[UNREADABLE] = pa.array(predictions.unreadable, pa.string())
    for column, parts in predictions.slices.items():
        columns[f"{SLICE}.{column}"] = pa.array(parts, pa.string())
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    pq.write_table(pa.table(columns), partial)
    partial.replace(target)


def read_predictions(path: str | os.PathLike[str], labels: LabelSpace) -> Predictions:
    """Read predictions back, equal to those written.

    Raises:
        RunError: no such file, not a Parquet file, a column missing, or a class that the label space does not have.
    """
    try:
        table = pq.ParquetFile(path).read()
        table.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        reason = first_line(error)
        raise RunError(f"{path}: the stored predictions cannot be read: {reason} (run the trial again)") from error
    needed = ("row",) if labels.multilabel else ("row", "true", "predicted")
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise RunError(f"{path}: must have the columns {', '.join(needed)}, got none of {', '.join(missing)}")
    return Predictions(
        rows=table["row"].to_numpy().astype(np.int64),
        true_class=None if labels.multilabel else _classes(path, table, "true", labels),
        predicted_class=None if labels.multilabel else _classes(path, table, "predicted", labels),
        probabilities=_block(path, table, "probability", labels.classes),
        true_scores=_block(path, table, "true", labels.dimensions),
        predicted_scores=_block(path, table, "predicted", labels.dimensions),
        true_overall=_column(path, table, f"true.{OVERALL}"),
        predicted_overall=_column(path, table, f"predicted.{OVERALL}"),
        true_labels=_flags(path, table, "true_label", labels),
        predicted_labels=_flags(path, table, "predicted_label", labels),
        unreadable=_answers(table) if labels.written else None,
        slices=_slices(table),
    )


def _blocks(predictions: Predictions, labels: LabelSpace) -> list[tuple[str, tuple[str, ...], FloatArray | BoolArray]]:
    """Column prefix, names behind it and values [n, names] of every part that is there."""
    true_overall, predicted_overall = predictions.true_overall, predictions.predicted_overall
    parts: list[tuple[str, tuple[str, ...], FloatArray | BoolArray | None]] = [
        ("probability", labels.classes, predictions.probabilities),
        ("true", labels.dimensions, predictions.true_scores),
        ("predicted", labels.dimensions, predictions.predicted_scores),
        ("true", (OVERALL,), None if true_overall is None else true_overall[:, None]),
        ("predicted", (OVERALL,), None if predicted_overall is None else predicted_overall[:, None]),
        ("true_label", labels.classes, predictions.true_labels),
        ("predicted_label", labels.classes, predictions.predicted_labels),
    ]
    return [(prefix, members, values) for prefix, members, values in parts if values is not None]


def _classes(path: str | os.PathLike[str], table: pa.Table, column: str, labels: LabelSpace) -> IntArray:
    known = pa.array(labels.classes, pa.string())
    index = pc.index_in(table[column], value_set=known)
    if index.null_count:
        unknown = pc.unique(table[column].filter(pc.is_null(index))).to_pylist()
        raise RunError(f"{path}: the classes of {column} must be among {list(labels.classes)}, got {unknown}")
    classes: IntArray = index.to_numpy().astype(np.int64)
    return classes


def _block(path: str | os.PathLike[str], table: pa.Table, prefix: str, members: tuple[str, ...]) -> FloatArray | None:
    """Values [n, members], None when the file has none of these columns."""
    columns = [_column(path, table, f"{prefix}.{name}") for name in members]
    present = [column for column in columns if column is not None]
    if present and len(present) < len(columns):
        lacking = [name for name, column in zip(members, columns, strict=True) if column is None]
        raise RunError(f"{path}: {prefix} must have a column for each of {list(members)}, got none of {lacking}")
    return np.stack(present, axis=1) if present else None


def _flags(path: str | os.PathLike[str], table: pa.Table, prefix: str, labels: LabelSpace) -> BoolArray | None:
    """Whether each row has each label [n, labels], None for a task with one class per row."""
    values = _block(path, table, prefix, labels.classes) if labels.multilabel else None
    return None if values is None else values.astype(np.bool_)


def _answers(table: pa.Table) -> NameArray | None:
    """Answers that could not be read [n], None where one could."""
    if UNREADABLE not in table.column_names:
        return None
    return np.array(table[UNREADABLE].to_pylist(), dtype=np.object_)


def _slices(table: pa.Table) -> dict[str, NameArray]:
    names = [name for name in table.column_names if name.startswith(f"{SLICE}.")]
    return {name.removeprefix(f"{SLICE}."): table[name].to_numpy(zero_copy_only=False) for name in names}


def _column(path: str | os.PathLike[str], table: pa.Table, name: str) -> FloatArray | None:
    if name not in table.column_names:
        return None
    values: FloatArray = table[name].to_numpy(zero_copy_only=False).astype(np.float64)
    return values
