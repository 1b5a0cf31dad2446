"""Parquet and Arrow, batch by batch."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc
import pyarrow.parquet

from rarecall.analysis.errors import first_line
from rarecall.trainables.data.files.columns import check_columns, top_level
from rarecall.trainables.data.files.options import Row, unusable

BATCH_ROWS = 2048


def parquet_rows(path: Path, names: Sequence[str] | None) -> Iterator[Row]:
    """The rows of a Parquet file."""
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            wanted = _wanted(path, file.schema_arrow, names)
            yield from _numbered(path, file.iter_batches(batch_size=BATCH_ROWS, columns=wanted))
    except (pyarrow.ArrowException, UnicodeDecodeError, OverflowError) as error:
        value = first_line(error) if path.stat().st_size else "an empty file"
        raise unusable(path, "must be a Parquet file", value) from error


def arrow_rows(path: Path, names: Sequence[str] | None) -> Iterator[Row]:
    """The rows of an Arrow file, as a file or as a stream (Feather, `datasets`)."""
    try:
        with pyarrow.memory_map(str(path)) as source:
            reader = _ipc(source)
            wanted = _wanted(path, reader.schema, names)
            batches = _batches(reader)
            yield from _numbered(path, (batch if wanted is None else batch.select(wanted) for batch in batches))
    except (pyarrow.ArrowException, UnicodeDecodeError, OverflowError) as error:
        value = first_line(error) if path.stat().st_size else "an empty file"
        raise unusable(path, "must be an Arrow file", value) from error


def _ipc(source: Any) -> Any:
    with contextlib.suppress(pyarrow.ArrowInvalid):
        return pyarrow.ipc.open_file(source)
    source.seek(0)
    return pyarrow.ipc.open_stream(source)


def _batches(reader: Any) -> Iterator[Any]:
    if hasattr(reader, "num_record_batches"):
        yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
    else:
        yield from reader


def _wanted(path: Path, schema: Any, names: Sequence[str] | None) -> list[str] | None:
    check_columns(path, schema.names if names is None else names, schema.names)
    return None if names is None else list(dict.fromkeys(top_level(name, schema.names) for name in names))


def _numbered(path: Path, batches: Iterator[Any]) -> Iterator[Row]:
    line = 0
    for batch in batches:
        # Nobody has looked at what a file's offsets point to; reading cells would, and end the process.
        batch.validate(full=True)
        for start in range(0, batch.num_rows, BATCH_ROWS):
            for cells in batch.slice(start, BATCH_ROWS).to_pylist():
                line += 1
                yield Row(line, cells)
