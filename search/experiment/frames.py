"""Rows given in memory: DataFrames, datasets and lists of dicts, kept as Parquet files beside the runs.

A run must find its data again when it is resumed, exported or reported, so rows from a notebook become a file, named
after its contents; from there on they take the path of any other file.
"""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.settings import DATA_PATH

DATA_FOLDER = ".data"
SPLITS = ("train", "validation", "test")


def stored_rows(data: Any, folder: Path) -> dict[str, str]:
    """Keep rows below `folder` and say under which keys of an experiment they are its data.

    data: rows as `as_table` takes them, or a mapping of `train`, `validation` and `test` to rows, a
    `datasets.DatasetDict` for one.

    Raises:
        InputError: something else, or columns that no Parquet file can hold.
    """
    if isinstance(data, Mapping):
        unknown = [str(name) for name in data if name not in SPLITS]
        if unknown or "train" not in data:
            rule = "must be rows, or map `train` and `validation` (and `test`) to rows"
            raise InputError("data", [Fault("data", rule, ", ".join(map(str, data)) or "nothing")])
        return {f"data.{name}": str(_stored(rows, folder, f"data[{name!r}]")) for name, rows in data.items()}
    return {DATA_PATH: str(_stored(data, folder, "data"))}


def as_table(rows: Any, name: str = "data") -> pa.Table:
    """Rows as a table.

    rows: a DataFrame (its index is left out), a `datasets.Dataset` (class labels by their names), or a list of dicts.

    Raises:
        InputError: something else, or a column with values of several kinds.
    """
    try:
        if isinstance(rows, pd.DataFrame):
            return _plain_types(pa.Table.from_pandas(rows, preserve_index=False))
        if hasattr(rows, "features") and hasattr(rows, "to_pandas"):
            return as_table(_named_classes(rows), name)
        if isinstance(rows, list) and rows and all(isinstance(row, Mapping) for row in rows):
            return _plain_types(pa.Table.from_pylist([dict(row) for row in rows]))
    except (pa.ArrowException, TypeError) as error:
        remedy = "give each column values of one kind"
        raise InputError(name, [Fault(name, "must fit a Parquet file", str(error), remedy)]) from None
    rule = "must be a DataFrame, a datasets.Dataset or a list of dicts"
    raise InputError(name, [Fault(name, rule, f"{type(rows).__name__}")])


def _plain_types(table: pa.Table) -> pa.Table:
    """The same rows in the same types whatever held them: texts as `string`, categories as their values."""
    for place, field in enumerate(table.schema):
        plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        plain = pa.string() if pa.types.is_large_string(plain) or pa.types.is_string_view(plain) else plain
        if plain != field.type:
            table = table.set_column(place, field.name, table.column(place).cast(plain))
    return table.replace_schema_metadata(None)


def _named_classes(dataset: Any) -> pd.DataFrame:
    """A dataset's rows, class labels as names instead of numbers."""
    frame: pd.DataFrame = dataset.to_pandas()
    for column, feature in dataset.features.items():
        if hasattr(feature, "int2str"):
            names = [None if number < 0 else feature.int2str(int(number)) for number in frame[column]]
            frame[column] = names
    return frame


def _stored(rows: Any, folder: Path, name: str) -> Path:
    """A file named after its contents; the same rows are kept once."""
    table = as_table(rows, name)
    folder = folder / DATA_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(suffix=".parquet", dir=folder)
    os.close(handle)
    pyarrow.parquet.write_table(table, scratch)
    digest = hashlib.sha256(Path(scratch).read_bytes()).hexdigest()
    path = folder / f"{digest[:16]}.parquet"
    os.replace(scratch, path)
    return path.resolve()
