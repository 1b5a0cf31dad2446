"""Predictions from anywhere: a Parquet, CSV or JSON Lines file that somebody else's program wrote.

Columns, of which a file needs those that say what is true and what was predicted:

- `true`, `predicted`: names of classes;
- `probability.<class>`: instead of `predicted` or beside it;
- `true.<dimension>`, `predicted.<dimension>`: scores; with tiers they give the classes as well;
- `true_label.<label>`, `predicted_label.<label>`: 0 or 1, where a row may have several labels;
- `row`: the number of the row in the data, otherwise counted from 0; `slice.<column>`: parts of the data.

In JSON `{"true": {"maturity": 3}}` says the same as `{"true.maturity": 3}`. A `.json` file may hold one object of
parallel arrays: the columns above, or `predictions`, `labels` and, for scores, `dimension_names`.
"""

import json
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.errors import Fault, InputError, first_line
from rarecall.analysis.predictions.label_names import alike_notes, by_meaning, label_of, merged_names
from rarecall.analysis.predictions.label_space import CatastrophicRule, LabelSpace
from rarecall.analysis.predictions.parquet_file import OVERALL, SLICE
from rarecall.analysis.predictions.predictions import Predictions

# Rows that a fault names before it stops counting.
_NAMED = 3
_PACKED = (".gz", ".bz2", ".xz", ".zip")
_DELIMITERS = (",", ";", "\t", "|")
# As for data: quotation marks in TSV are text.
_QUOTING: dict[str, Literal[0, 3]] = {",": 0, "\t": 3}
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,  # of Unicode, JSON, pandas and pyarrow too
    OverflowError,
    RecursionError,
    TypeError,
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    pa.ArrowException,
)
MERGE_REMEDY = "--merge-alike merges them"


@dataclass(frozen=True)
class Gate:
    """A dimension below whose `cut` a row is in no higher tier than `max_tier`."""

    dimension: str
    cut: float
    max_tier: str


@dataclass(frozen=True)
class Meaning:
    """What a file cannot say about itself.

    classes: all names in order, by default those found: numbers ascending, names by how frequent they are. minority: by
    default every class but the largest. ordered: whether the classes ascend. true: column that says what is true, for
    `true`. tiers: lower bound of the overall score by
    tier, ascending. weights: of the dimensions in the overall score, by default equal. catastrophic: the rule for it.
    gatekeeper: of tiers, None for none. merge_alike: whether names that look alike, as `Spam` and `spam`, are one.
    """

    classes: tuple[str, ...] = ()
    minority: tuple[str, ...] = ()
    ordered: bool = False
    true: str = ""
    tiers: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    catastrophic: CatastrophicRule | None = None
    gatekeeper: Gate | None = None
    merge_alike: bool = False


def read_outside(path: str | os.PathLike[str], meaning: Meaning) -> tuple[Predictions, LabelSpace]:
    """The predictions of a file and the label space that it and `meaning` describe.

    Raises:
        InputError: the file cannot be read, columns or values are missing or of the wrong kind, or `meaning` names
            classes or dimensions that the file does not have; all that was found, each with its column and rows.
    """
    return read_told(path, meaning)[:2]


def read_told(path: str | os.PathLike[str], meaning: Meaning) -> tuple[Predictions, LabelSpace, tuple[str, ...]]:
    """As `read_outside`, and what the user should know of names that look alike.

    Raises:
        InputError: as `read_outside`.
    """
    reader = _Reader(str(path), _named_true(str(path), _table(Path(path)), meaning.true), meaning)
    predictions, labels = reader.read()
    return predictions, labels, tuple(reader.notes)


def _table(path: Path) -> pd.DataFrame:
    try:
        suffix = Path(path.stem).suffix if path.suffix in _PACKED else path.suffix
        if suffix == ".parquet":
            return _parquet(path)
        if suffix in (".csv", ".tsv"):
            return _delimited(path, "\t" if suffix == ".tsv" else ",")
        return _whole_json(path) if suffix == ".json" else pd.DataFrame(list(_json_rows(path)))
    except _UNREADABLE as error:
        reason = first_line(error)
        remedy = "give a .parquet, .csv or .tsv file, or JSON Lines"
        raise InputError(str(path), [Fault("file", f"must be a table of predictions: {reason}", "", remedy)]) from error


def _parquet(path: Path) -> pd.DataFrame:
    """Texts that are not Unicode would be found only when they are read, one by one."""
    table = pyarrow.parquet.read_table(path)
    table.validate(full=True)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _delimited(path: Path, usual: str) -> pd.DataFrame:
    """A table of texts; another delimiter than the usual one is found by the columns that it gives."""
    given: dict[str, Any] = {"dtype": str, "keep_default_na": False, "encoding": _encoding(path)}
    names = {one: list(pd.read_csv(path, sep=one, nrows=0, **given).columns) for one in _DELIMITERS}
    fits = [one for one in (usual, *_DELIMITERS) if any(_is_ours(str(name)) for name in names[one])]
    table: pd.DataFrame = pd.read_csv(path, sep=fits[0] if fits else usual, quoting=_QUOTING[usual], **given)
    return table


def _encoding(path: Path) -> str:
    """UTF-8 with or without its mark, or what another mark says; a packed file shows none."""
    with path.open("rb") as file:
        head = file.read(2)
    return "utf-16" if head in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _is_ours(column: str) -> bool:
    return column.partition(".")[0] in ("true", "predicted", "probability", "true_label", "predicted_label")


def _named_true(source: str, table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The table with the column that says what is true under that name."""
    if not column:
        return table
    if column not in table:
        raise InputError(source, [Fault("--true", f"must be a column among {_listed(table.columns)}", repr(column))])
    others = table if column == "true" else table.drop(columns="true", errors="ignore")
    return others.rename(columns={column: "true"})


def _whole_json(path: Path) -> pd.DataFrame:
    """A table from one JSON object of parallel arrays or a list of rows, or from JSON Lines under another name."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError:
        return pd.DataFrame(list(_json_rows(path)))
    if isinstance(found, list):
        return pd.DataFrame([dict(_flat(row)) for row in found])
    if not isinstance(found, dict):
        raise ValueError(f"one JSON object or list is needed, got {type(found).__name__}")
    columns = dict(_flat(found))
    if not all(isinstance(value, list) for value in columns.values()):
        return pd.DataFrame([columns])
    return pd.DataFrame(_of_arrays(columns))


def _of_arrays(columns: dict[str, Any]) -> dict[str, Any]:
    """Parallel arrays as columns; `predictions` and `labels` may hold one score per dimension in each row."""
    names = columns.pop("dimension_names", None)
    for given, column in (("predictions", "predicted"), ("labels", "true")):
        if given not in columns:
            continue
        rows = columns.pop(given)
        if names is None:
            columns[column] = rows
        else:
            columns |= {f"{column}.{name}": list(one) for name, one in zip(names, zip(*rows, strict=True), strict=True)}
    return columns


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"line {number} is no JSON: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"line {number} must be an object, got {type(row).__name__}")
            yield dict(_flat(row))


def _flat(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


class _Reader:
    """Reads one table and collects what is wrong with it."""

    def __init__(self, source: str, table: pd.DataFrame, meaning: Meaning) -> None:
        self._source, self._table, self._meaning = source, table, meaning
        self._faults: list[Fault] = []
        self._merged: dict[str, str] = {}
        self.notes: list[str] = []

    def read(self) -> tuple[Predictions, LabelSpace]:
        if self._table.empty:
            self._fault("", "must hold at least one row", "none")
            self._stop()
        several = self._names("true_label")
        dimensions = tuple(name for name in self._names("true") if name != OVERALL)
        found = self._several(several) if several else self._single(dimensions)
        self._stop()
        return found

    def _several(self, labels: tuple[str, ...]) -> tuple[Predictions, LabelSpace]:
        true, predicted = self._block("true_label", labels), self._block("predicted_label", labels)
        self._stop()
        minority = self._minority(labels, true.sum(axis=0))
        probabilities = self._block("probability", labels) if self._names("probability") else None
        predictions = Predictions(
            self._rows(),
            true_labels=true > 0,
            predicted_labels=predicted > 0,
            probabilities=probabilities,
            slices=self._slices(),
        )
        return predictions, LabelSpace(labels, minority, multilabel=True)

    def _single(self, dimensions: tuple[str, ...]) -> tuple[Predictions, LabelSpace]:
        true_scores = self._block("true", dimensions) if dimensions else None
        predicted_scores = self._block("predicted", dimensions) if dimensions else None
        true_overall, predicted_overall = (
            self._overall(dimensions, true_scores),
            self._overall(dimensions, predicted_scores),
        )
        classes = self._classes()
        self._stop()
        true = self._gated(self._class_index("true", classes, true_overall), "true", classes, dimensions, true_scores)
        predicted = self._class_index("predicted", classes, predicted_overall)
        predicted = self._gated(predicted, "predicted", classes, dimensions, predicted_scores)
        self._stop()
        predictions = Predictions(
            self._rows(),
            true,
            predicted,
            self._block("probability", classes) if self._names("probability") else None,
            true_scores,
            predicted_scores,
            true_overall,
            predicted_overall,
            slices=self._slices(),
        )
        minority = self._minority(classes, np.bincount(true, minlength=len(classes)))
        ordered = self._meaning.ordered or bool(self._meaning.tiers)
        return predictions, LabelSpace(classes, minority, dimensions, self._catastrophic(dimensions), ordered)

    def _classes(self) -> tuple[str, ...]:
        declared = self._meaning.classes or tuple(self._meaning.tiers) or self._names("probability")
        columns = [self._labels(column, declared) for column in ("true", "predicted") if column in self._table]
        self._look_alike(columns, declared)
        columns = [column.replace(self._merged) for column in columns] if self._merged else columns
        if declared:
            return declared
        if len(columns) < 2:
            lacking = " and ".join(column for column in ("true", "predicted") if column not in self._table)
            remedy = "for scores give --tiers; other names: rename the columns"
            self._fault(lacking, f"must be a column among {_listed(self._table.columns)}", "none", remedy)
            return ()
        if not self._faults and not set(columns[0]) & set(columns[1]):
            shown = f"{_listed(sorted(set(columns[1])))} beside {_listed(sorted(set(columns[0])))}"
            remedy = f"{MERGE_REMEDY} where they look alike; else rename them, or name all with --classes"
            self._fault("predicted", "must name some of the classes in column true", shown, remedy)
        counts = pd.concat(columns).value_counts()
        names = [str(name) for name in counts.index]
        numeric = all(_is_number(name) for name in names)
        return tuple(sorted(names, key=float) if numeric else sorted(names, key=lambda name: (-counts[name], name)))

    def _look_alike(self, columns: "list[pd.Series[str]]", declared: tuple[str, ...]) -> None:
        """Tell names that look alike, or note which of them stand for others."""
        found = pd.concat(columns).value_counts().to_dict() if columns else {}
        counts = {**dict.fromkeys(declared, 0), **{str(name): int(count) for name, count in found.items()}}
        if self._meaning.merge_alike:
            self._merged = merged_names(counts, declared)
            self.notes += [
                f"labels merged: {one!r} into {other!r} (--merge-alike)" for one, other in self._merged.items()
            ]
        else:
            self.notes += alike_notes(counts, MERGE_REMEDY)

    def _class_index(self, column: str, classes: tuple[str, ...], overall: FloatArray | None) -> IntArray:
        if column in self._table:
            return self._named(column, classes)
        if overall is not None and self._meaning.tiers:
            cuts = list(self._meaning.tiers.values())
            return np.asarray(np.searchsorted(cuts[1:], overall, side="right"), dtype=np.int64)
        if column == "predicted" and self._names("probability"):
            return np.asarray(self._block("probability", classes).argmax(axis=1), dtype=np.int64)
        self._fault(
            column, f"must be a column among {_listed(self._table.columns)}", "none", "or give --tiers with scores"
        )
        return np.zeros(len(self._table), dtype=np.int64)

    def _gated(
        self,
        index: IntArray,
        column: str,
        classes: tuple[str, ...],
        dimensions: tuple[str, ...],
        scores: FloatArray | None,
    ) -> IntArray:
        """Tiers that were cut from scores, as far as the gatekeeper lets them; given ones stay."""
        gate = self._meaning.gatekeeper
        if gate is None or column in self._table:
            return index
        if gate.dimension not in dimensions or gate.max_tier not in classes or scores is None:
            rule = f"must name one of {_listed(dimensions)} and one of {_listed(classes)}"
            self._fault("--gatekeeper", rule, f"{gate.dimension} and {gate.max_tier}")
            return index
        closed = scores[:, dimensions.index(gate.dimension)] < gate.cut
        return np.where(closed, np.minimum(index, classes.index(gate.max_tier)), index)

    def _named(self, column: str, classes: tuple[str, ...]) -> IntArray:
        names = self._labels(column, classes)
        index = pd.Index(classes).get_indexer(pd.Index(names.replace(self._merged) if self._merged else names))
        if (index < 0).any():
            self._bad(column, index < 0, f"must be one of {_listed(classes)}")
        return np.asarray(index, dtype=np.int64)

    def _block(self, prefix: str, names: tuple[str, ...]) -> FloatArray:
        """Numbers [n, names] of the columns with that prefix."""
        return np.column_stack([self._numbers(f"{prefix}.{name}") for name in names])

    def _numbers(self, column: str) -> FloatArray:
        if column not in self._table:
            self._fault(column, f"must be a column among {_listed(self._table.columns)}", "none")
            return np.zeros(len(self._table))
        values = pd.to_numeric(self._table[column], errors="coerce").to_numpy(np.float64)
        if not np.isfinite(values).all():
            self._bad(column, ~np.isfinite(values), "must be a number")
        return values

    def _overall(self, dimensions: tuple[str, ...], scores: FloatArray | None) -> FloatArray | None:
        if scores is None:
            return None
        for name in self._meaning.weights.keys() - set(dimensions):
            self._fault("--weights", f"must name dimensions of {_listed(dimensions)}", repr(name))
        weights = np.array(
            [self._meaning.weights.get(name, 0.0 if self._meaning.weights else 1.0) for name in dimensions]
        )
        if not weights.sum() > 0:
            self._fault("--weights", "must have a sum above 0", f"{weights.sum():g}")
            return None
        return np.asarray(np.round(scores @ weights / weights.sum(), 9))

    def _catastrophic(self, dimensions: tuple[str, ...]) -> CatastrophicRule | None:
        return self._meaning.catastrophic if dimensions else None

    def _minority(self, classes: tuple[str, ...], counts: FloatArray | IntArray) -> tuple[str, ...]:
        unknown = [name for name in self._meaning.minority if name not in classes]
        if unknown:
            self._fault("--minority", f"must name classes of {_listed(classes)}", _listed(unknown))
        largest = classes[int(np.argmax(counts))]
        chosen = self._meaning.minority or tuple(name for name in classes if name != largest)
        return tuple(name for name in classes if name in chosen)

    def _rows(self) -> IntArray:
        if "row" not in self._table:
            return np.arange(len(self._table))
        return self._numbers("row").astype(np.int64)

    def _slices(self) -> dict[str, Any]:
        return {name: self._text(f"{SLICE}.{name}").to_numpy(object) for name in self._names(SLICE)}

    def _names(self, prefix: str) -> tuple[str, ...]:
        columns = (str(column) for column in self._table.columns)
        return tuple(column.removeprefix(f"{prefix}.") for column in columns if column.startswith(f"{prefix}."))

    def _text(self, column: str) -> "pd.Series[str]":
        values = self._table[column]
        missing = values.isna() | (values.astype(str) == "")
        if missing.any():
            self._bad(column, missing.to_numpy(), "must have a value in every row")
        return values.astype(str)

    def _labels(self, column: str, declared: tuple[str, ...]) -> "pd.Series[str]":
        """Names of classes, each read as in a data file."""
        values = self._table[column]
        codes, found = pd.factorize(values.astype(object).map(_hashable))
        spelled = by_meaning(declared)
        names = [spelled.get(name, name) for name in map(label_of, found.tolist())]
        read = pd.Series([*names, ""], dtype=object).take(np.where(codes < 0, len(names), codes))
        missing = (read == "").to_numpy()
        if missing.any():
            self._bad(column, missing, "must have a value in every row")
        return read.reset_index(drop=True)

    def _bad(self, column: str, rows: Any, rule: str) -> None:
        places = np.flatnonzero(rows)
        shown = ", ".join(f"{self._table[column].iloc[place]!r} in row {place + 1}" for place in places[:_NAMED])
        more = f" and {len(places) - _NAMED:,} more rows" if len(places) > _NAMED else ""
        self._fault(column, rule, f"{shown}{more}")

    def _fault(self, where: str, rule: str, value: str, remedy: str = "") -> None:
        self._faults.append(Fault(where or self._source, rule, value, remedy))

    def _stop(self) -> None:
        if self._faults:
            raise InputError(self._source, list(dict.fromkeys(self._faults)))


def _hashable(value: Any) -> Any:
    """Lists and the like are no names, whatever is in them."""
    return None if isinstance(value, list | dict | set | np.ndarray) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _listed(names: Any) -> str:
    names = [str(name) for name in names]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
