"""Data files as columns of raw values, each row with the line it stands on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rarecall.analysis.errors import Fault
from rarecall.trainables.data.files.arrays import Column, array_column, plain_arrays
from rarecall.trainables.data.files.columns import cell_at, check_columns
from rarecall.trainables.data.files.formats import AS_THEY_ARE, file_rows, format_of
from rarecall.trainables.data.files.options import FileOptions, unusable


@dataclass
class Records:
    """n rows of a file.

    lines: [n] line on which each row begins, as in `Row`. columns: n raw values of each column asked for, None where a
    JSON object lacks the key. broken: line and fault of rows that could not be taken apart; they are not among the n. A
    column of images in an .npz file is an array [n, height, width] or [n, height, width, 3] of bytes. notes: how the
    file was read, where that is not plain.
    """

    lines: list[int] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)
    broken: list[tuple[int, Fault]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_records(path: Path, names: Sequence[str], options: FileOptions = AS_THEY_ARE) -> Records:
    """The columns `names` of a file, as `file_rows` finds them.

    Raises:
        InputError: as `file_rows`, or the file is empty.
    """
    wanted = tuple(dict.fromkeys(names))
    try:
        arrays = path.is_file() and format_of(path, options) == "npz"
        records = _of_arrays(path, wanted) if arrays else _of_rows(path, wanted, options)
    except OSError as error:
        raise unusable(path, "must be readable", error.strerror or str(error)) from error
    if not records.lines and not records.broken:
        empty = path.is_file() and path.stat().st_size == 0
        raise unusable(path, "must hold at least one row", "an empty file" if empty else "none")
    return records


def _of_rows(path: Path, names: tuple[str, ...], options: FileOptions) -> Records:
    records = Records()
    keys: dict[str, None] = {}
    columns: list[list[object]] = [[] for _ in names]
    for row in file_rows(path, names, options, records.notes.append):
        if row.fault is not None:
            records.broken.append((row.line, row.fault))
            continue
        if not keys.keys() >= row.cells.keys():
            keys.update(dict.fromkeys(row.cells))
        records.lines.append(row.line)
        for name, column in zip(names, columns, strict=True):
            column.append(cell_at(row.cells, name))
    if records.lines:
        check_columns(path, names, keys)
    records.columns = dict(zip(names, columns, strict=True))
    return records


def _of_arrays(path: Path, names: tuple[str, ...]) -> Records:
    arrays = plain_arrays(path, names)
    columns = {name: array_column(path, name, array) for name, array in arrays.items()}
    return Records(lines=list(range(1, len(next(iter(arrays.values()))) + 1)), columns=columns)
