"""Data files as columns of raw values, each row with the line it stands on."""

import csv
import difflib
import io
import json
import operator
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from rarecall.analysis.errors import Fault, InputError

Format = Literal["jsonl", "csv", "tsv", "parquet", "npz"]

Column = Sequence[Any] | NDArray[np.uint8]

SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".npz": "npz",
}
BYTE_ORDER_MARK = "\ufeff"


@dataclass
class Records:
    """n rows of a file.

    lines: [n] line on which each row begins, counted from 1; for Parquet the number of the row. columns: n raw values
    of each column asked for, None where a JSON object lacks the key. broken: line and fault of rows that could not be
    taken apart; they are not among the n. A column of images in an .npz file is an array [n, height, width] or
    [n, height, width, 3] of bytes.
    """

    lines: list[int] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)
    broken: list[tuple[int, Fault]] = field(default_factory=list)


def read_records(path: Path, file_format: Format | Literal["auto"], names: Sequence[str]) -> Records:
    """The columns `names` of a JSON Lines, CSV, TSV, Parquet or .npz file; `auto` goes by the file's ending.

    CSV and TSV have a header and the quoting of RFC 4180. Text files are UTF-8, with or without byte order mark.

    Raises:
        InputError: the file is missing, empty, of an unknown format, not UTF-8, or lacks one of the columns.
    """
    try:
        if not path.is_file():
            raise unusable(path, "must be a file", remedy="relative paths count from the experiment file's folder")
        records = _readers[_format_of(path, file_format)](path, tuple(dict.fromkeys(names)))
    except OSError as error:
        raise unusable(path, "must be readable", error.strerror or str(error)) from error
    if not records.lines and not records.broken:
        raise unusable(path, "must hold at least one row", "an empty file" if path.stat().st_size == 0 else "none")
    return records


def unusable(path: Path, rule: str, value: str = "", remedy: str = "") -> InputError:
    """One fault of a file as a whole."""
    return InputError(str(path), [Fault(str(path), rule, value, remedy)])


def _format_of(path: Path, file_format: Format | Literal["auto"]) -> Format:
    if file_format != "auto":
        return file_format
    if path.suffix.lower() not in SUFFIXES:
        raise unusable(path, f"must end in one of {', '.join(SUFFIXES)}", repr(path.suffix), "or set data.format")
    return SUFFIXES[path.suffix.lower()]


def _read_csv(path: Path, names: Sequence[str]) -> Records:
    return _read_delimited(path, names, ",")


def _read_tsv(path: Path, names: Sequence[str]) -> Records:
    return _read_delimited(path, names, "\t")


def _read_delimited(path: Path, names: Sequence[str], delimiter: str) -> Records:
    text = _read_text(path)
    # The csv module refuses fields above a limit of its own; none is longer than the file.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    rows = delimited_rows(path, io.StringIO(text, newline=""), delimiter)
    header = read_header(path, rows)
    records = Records()
    if not header:
        return records
    check_columns(path, names, header)
    places = [header.index(name) for name in names]
    values = []
    for line, row in rows:
        if isinstance(row, Fault):
            records.broken.append((line, row))
        else:
            records.lines.append(line)
            values.append([row[place] for place in places])
    records.columns = _by_column(names, values)
    return records


def read_header(path: Path, rows: Iterator[tuple[int, list[str] | Fault]]) -> list[str]:
    """The first of `delimited_rows`, empty where there is none.

    Raises:
        InputError: it cannot be taken apart.
    """
    _, header = next(rows, (1, []))
    if isinstance(header, Fault):
        raise InputError(str(path), [header])
    return header


def delimited_rows(path: Path, lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str] | Fault]]:
    """Header and rows with their first lines, without blank lines.

    Quoting is strict: an open quote would otherwise swallow the rows up to the next one without a word.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    fields = 0
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            rule = "must be quoted as in RFC 4180, a field with quotes in quotes and its own quotes doubled"
            yield line, Fault(f"{path}:{line}", rule, str(error))
            continue
        fields = fields or len(row)
        if row and len(row) != fields:
            rule = f"must have as many fields as the header, {fields}"
            yield line, Fault(f"{path}:{line}", rule, str(len(row)))
        elif row:
            yield line, row


def _read_jsonl(path: Path, names: Sequence[str]) -> Records:
    records = Records()
    values = []
    keys: dict[str, None] = {}
    # Not splitlines(): JSON strings may hold U+2028 and other breaks that it knows.
    for line, text in enumerate(_read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        row = json_object(path, line, text)
        if isinstance(row, Fault):
            records.broken.append((line, row))
        else:
            keys.update(dict.fromkeys(row))
            records.lines.append(line)
            values.append([row.get(name) for name in names])
    if records.lines:
        check_columns(path, names, keys)
    records.columns = _by_column(names, values)
    return records


def json_object(path: Path, line: int, text: str) -> dict[str, Any] | Fault:
    """The object that a line of JSON Lines holds, or what is wrong with it."""
    where, rule = f"{path}:{line}", "must be one JSON object"
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return Fault(where, rule, f"{error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:
        return Fault(where, rule, str(error))
    return value if isinstance(value, dict) else Fault(where, rule, f"a JSON {type(value).__name__}")


def _read_parquet(path: Path, names: Sequence[str]) -> Records:
    try:
        file = pyarrow.parquet.ParquetFile(path)
        check_columns(path, names, file.schema_arrow.names)
        table = file.read(columns=list(names))
    except pyarrow.ArrowException as error:
        value = str(error).splitlines()[0] if path.stat().st_size else "an empty file"
        raise unusable(path, "must be a Parquet file", value) from error
    columns = {name: table.column(name).to_pylist() for name in names}
    return Records(lines=list(range(1, table.num_rows + 1)), columns=columns)


def _read_npz(path: Path, names: Sequence[str]) -> Records:
    """Arrays as columns: [n] is a list of values, [n, height, width] and [n, height, width, 3] of bytes are images."""
    arrays = plain_arrays(path, names)
    columns = {name: _array_column(path, name, array) for name, array in arrays.items()}
    return Records(lines=list(range(1, len(next(iter(arrays.values()))) + 1)), columns=columns)


def plain_arrays(path: Path, names: Sequence[str] | None) -> dict[str, NDArray[Any]]:
    """The arrays `names` of an .npz file, all of them with None.

    Raises:
        InputError: not such a file, an array is missing, or they are not of equally many rows.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            wanted = file.files if names is None else names
            check_columns(path, wanted, file.files)
            arrays = {name: file[name] for name in wanted}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise unusable(path, "must be an .npz file of plain arrays", str(error).splitlines()[0]) from error
    if len({len(array) for array in arrays.values()}) > 1:
        told = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        raise unusable(path, "must hold arrays of equally many rows", told)
    return arrays


def _array_column(path: Path, name: str, array: Any) -> Column:
    if array.ndim >= 3 and array.dtype == np.uint8 and (array.ndim == 3 or array.shape[3:] == (3,)):
        images: NDArray[np.uint8] = array
        return images
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if flat.ndim != 1:
        rule = f"array {name!r} must be [n], or images of bytes [n, height, width] or [n, height, width, 3]"
        raise unusable(path, rule, f"{array.dtype} {list(array.shape)}")
    values: list[object] = flat.tolist()
    return values


_readers: dict[Format, Callable[[Path, Sequence[str]], Records]] = {
    "jsonl": _read_jsonl,
    "csv": _read_csv,
    "tsv": _read_tsv,
    "parquet": _read_parquet,
    "npz": _read_npz,
}


def _by_column(names: Sequence[str], rows: Sequence[Sequence[object]]) -> dict[str, Column]:
    return {name: list(map(operator.itemgetter(i), rows)) for i, name in enumerate(names)}


def check_columns(path: Path, names: Sequence[str], found: Collection[str]) -> None:
    """Refuse a file without one of the columns `names`, or with two of that name.

    Raises:
        InputError: each column that is missing or doubled, with the nearest one.
    """
    faults = [_missing_column(path, name, found) for name in names if name not in found]
    faults += [
        Fault(str(path), "must name each column once", repr(name)) for name in names if list(found).count(name) > 1
    ]
    if faults:
        raise InputError(str(path), faults)


def _missing_column(path: Path, name: str, found: Collection[str]) -> Fault:
    match = difflib.get_close_matches(name, found, n=1)
    remedy = f"did you mean {match[0]!r}? " if match else ""
    columns = ", ".join(map(repr, found)) or "none"
    return Fault(str(path), f"must have the column {name!r}", remedy=f"{remedy}columns there are: {columns}")


def _read_text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8").removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        where = f"{path}:{line}"
        value = f"byte 0x{content[error.start]:02x} at byte offset {error.start}"
        remedy = "save the file as UTF-8, for example with `iconv -f LATIN1 -t UTF-8`"
        raise InputError(str(path), [Fault(where, "must be UTF-8", value, remedy)]) from error
