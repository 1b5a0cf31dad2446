"""Which format a file is in, and its rows."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rarecall.analysis.errors import first_line
from rarecall.trainables.data.files import arrays, columnar, delimited, folders, json_rows, workbook
from rarecall.trainables.data.files.charset import text_lines
from rarecall.trainables.data.files.columns import check_columns
from rarecall.trainables.data.files.options import FileOptions, Format, Row, Table, Tell, unusable
from rarecall.trainables.data.files.unpacking import SUFFIXES as PACKED
from rarecall.trainables.data.files.unpacking import inner_name, opened

SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".xlsx": "xlsx",
    ".xls": "xlsx",
    ".ods": "xlsx",
    ".npz": "npz",
}
AS_THEY_ARE = FileOptions()


def unheard(note: str) -> None:
    """What nobody wants to hear of a file."""


def format_of(path: Path, options: FileOptions = AS_THEY_ARE) -> Format:
    """The format of a file or folder, by its options or its ending, behind that of a packed file.

    Raises:
        InputError: an ending that stands for none.
    """
    if path.is_dir():
        return "folder"
    if options.format != "auto":
        return options.format
    suffix = Path(inner_name(path)).suffix.lower()
    if suffix not in SUFFIXES:
        rule = f"must end in one of {', '.join(SUFFIXES)}, packed ones in {', '.join(PACKED)} behind it"
        raise unusable(path, rule, repr(suffix or path.suffix), "or set data.format")
    return SUFFIXES[suffix]


def file_rows(
    path: Path, names: Sequence[str] | None = None, options: FileOptions = AS_THEY_ARE, tell: Tell = unheard
) -> Iterator[Row]:
    """The rows of a file in their order; what is held in memory does not grow with it, but for JSON, Excel and arrays.

    names: columns that are needed, None for all; `meta.label` is the key `label` within `meta`. A JSON object that
    lacks one is a row like any other; whether a column stands in any of them, only the whole file can tell. tell:
    hears how the file was read where that is not plain.

    Raises:
        InputError: the file is missing, of an unknown format, or lacks one of the columns; broken rows carry a fault.
    """
    try:
        if not path.exists():
            raise unusable(path, "must be a file", remedy="relative paths count from the experiment file's folder")
        yield from _readers[format_of(path, options)](path, names, options, tell)
    except UnicodeDecodeError as error:
        value = f"{error.reason} at byte {error.start}"
        raise unusable(path, f"must be {error.encoding}", value, "name the encoding with data.encoding") from error
    except OSError as error:
        raise unusable(path, "must be readable", error.strerror or first_line(error)) from error


def _csv(path: Path, names: Sequence[str] | None, options: FileOptions, tell: Tell) -> Iterator[Row]:
    yield from _delimited(path, ",", names, options, tell)


def _tsv(path: Path, names: Sequence[str] | None, options: FileOptions, tell: Tell) -> Iterator[Row]:
    yield from _delimited(path, "\t", names, options, tell)


def _delimited(path: Path, usual: str, names: Sequence[str] | None, options: FileOptions, tell: Tell) -> Iterator[Row]:
    with opened(path) as file:
        lines = text_lines(path, file, options.encoding, "", tell)
        yield from _below_header(path, delimited.table(path, lines, usual, names or (), options, tell), names)


def _below_header(path: Path, table: Table, names: Sequence[str] | None) -> Iterator[Row]:
    if table.names:
        check_columns(path, table.names if names is None else names, table.names)
        yield from table.rows


def _jsonl(path: Path, names: Sequence[str] | None, options: FileOptions, tell: Tell) -> Iterator[Row]:
    with opened(path) as file:
        yield from json_rows.line_rows(path, file, options, tell)


def _json(path: Path, names: Sequence[str] | None, options: FileOptions, tell: Tell) -> Iterator[Row]:
    with opened(path) as file:
        yield from json_rows.whole_rows(path, file, options, tell)


def _parquet(path: Path, names: Sequence[str] | None, options: FileOptions, tell: Tell) -> Iterator[Row]:
    yield from columnar.parquet_rows(path, names)


def _arrow(path: Path, names: Sequence[str] | None, options: FileOptions, tell: Tell) -> Iterator[Row]:
    yield from columnar.arrow_rows(path, names)


def _xlsx(path: Path, names: Sequence[str] | None, options: FileOptions, tell: Tell) -> Iterator[Row]:
    yield from _below_header(path, workbook.workbook_table(path, options, tell), names)


def _npz(path: Path, names: Sequence[str] | None, options: FileOptions, tell: Tell) -> Iterator[Row]:
    found = arrays.plain_arrays(path, names)
    for index in range(len(next(iter(found.values()), ()))):
        yield Row(index + 1, {name: arrays.item_of(array[index]) for name, array in found.items()})


def _folder(path: Path, names: Sequence[str] | None, options: FileOptions, tell: Tell) -> Iterator[Row]:
    yield from folders.folder_rows(path, names)


_readers: dict[Format, Callable[[Path, Sequence[str] | None, FileOptions, Tell], Iterator[Row]]] = {
    "csv": _csv,
    "tsv": _tsv,
    "jsonl": _jsonl,
    "json": _json,
    "parquet": _parquet,
    "arrow": _arrow,
    "xlsx": _xlsx,
    "npz": _npz,
    "folder": _folder,
}
