"""Data files of any size, row by row: what is held in memory does not grow with the file, except for .npz arrays."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow
import pyarrow.parquet

from rarecall.analysis.errors import Fault
from rarecall.trainables.data.records import (
    SUFFIXES,
    Format,
    check_columns,
    delimited_rows,
    json_object,
    plain_arrays,
    read_header,
    unusable,
)

# Beyond it, an open quote is taken for a mistake instead of swallowing the rest of a large file.
LONGEST_FIELD = 2**24
PARQUET_ROWS = 2048


@dataclass(frozen=True)
class Row:
    """One row of a file. line: as in `Records`. cells: raw values by column, none where there is a fault."""

    line: int
    cells: Mapping[str, Any]
    fault: Fault | None = None


def stream_rows(
    path: Path, names: Sequence[str] | None = None, file_format: Format | Literal["auto"] = "auto"
) -> Iterator[Row]:
    """The rows of a JSON Lines, CSV, TSV, Parquet or .npz file in their order; `auto` goes by the file's ending.

    names: columns that are needed, None for all. A JSON object that lacks one is a row like any other; whether a
    column stands in any of them, only the whole file can tell.

    Raises:
        InputError: the file is missing, of an unknown format, or lacks one of the columns; broken rows carry a fault.
    """
    if file_format == "auto" and path.suffix.lower() not in SUFFIXES:
        raise unusable(path, f"must end in one of {', '.join(SUFFIXES)}", repr(path.suffix))
    known = SUFFIXES[path.suffix.lower()] if file_format == "auto" else file_format
    try:
        if not path.is_file():
            raise unusable(path, "must be a file")
        yield from _streams[known](path, names)
    except OSError as error:
        raise unusable(path, "must be readable", error.strerror or str(error)) from error


def _csv(path: Path, names: Sequence[str] | None) -> Iterator[Row]:
    yield from _delimited(path, names, ",")


def _tsv(path: Path, names: Sequence[str] | None) -> Iterator[Row]:
    yield from _delimited(path, names, "\t")


def _delimited(path: Path, names: Sequence[str] | None, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = delimited_rows(path, file, delimiter)
        header = read_header(path, rows)
        check_columns(path, header if names is None else names, header)
        for line, row in rows:
            found = row if isinstance(row, Fault) else _utf8_fault(path, line, "".join(row)) or row
            yield Row(line, {}, found) if isinstance(found, Fault) else Row(line, dict(zip(header, found, strict=True)))


def _jsonl(path: Path, names: Sequence[str] | None) -> Iterator[Row]:
    # JSON strings may hold U+2028 and other breaks: only \n ends a line.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        for line, text in enumerate(file, start=1):
            if text.strip():
                row = _utf8_fault(path, line, text) or json_object(path, line, text.removesuffix("\n"))
                yield Row(line, {}, row) if isinstance(row, Fault) else Row(line, row)


def _utf8_fault(path: Path, line: int, text: str) -> Fault | None:
    """Bytes that are not UTF-8, which reading turned into lone surrogates (PEP 383)."""
    if text.isascii():
        return None
    bad = next((character for character in text if "\udc80" <= character <= "\udcff"), "")
    return Fault(f"{path}:{line}", "must be UTF-8", f"byte 0x{ord(bad) - 0xDC00:02x}") if bad else None


def _parquet(path: Path, names: Sequence[str] | None) -> Iterator[Row]:
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            columns = file.schema_arrow.names
            check_columns(path, columns if names is None else names, columns)
            line = 0
            for batch in file.iter_batches(batch_size=PARQUET_ROWS, columns=None if names is None else list(names)):
                for cells in batch.to_pylist():
                    line += 1
                    yield Row(line, cells)
    except pyarrow.ArrowException as error:
        value = str(error).splitlines()[0] if path.stat().st_size else "an empty file"
        raise unusable(path, "must be a Parquet file", value) from error


def _npz(path: Path, names: Sequence[str] | None) -> Iterator[Row]:
    arrays = plain_arrays(path, names)
    for index in range(len(next(iter(arrays.values()), ()))):
        yield Row(index + 1, {name: _item(array[index]) for name, array in arrays.items()})


def _item(value: Any) -> Any:
    """A plain value, or the array of an image."""
    return value.squeeze().item() if value.size == 1 else value


_streams: dict[Format, Callable[[Path, Sequence[str] | None], Iterator[Row]]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "tsv": _tsv,
    "parquet": _parquet,
    "npz": _npz,
}
