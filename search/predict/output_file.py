"""The file that predictions are written to, chunk by chunk, so that a run that was killed goes on where it stopped.

Beside an unfinished OUTPUT lies `OUTPUT.progress.json`: how many rows are there for sure, where the next one belongs,
and what model, input and options they come from. A row that was half written is cut off. Parquet cannot grow: its
chunks are files in `OUTPUT.parts`, joined at the end. Both are gone once OUTPUT is complete.
"""

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rarecall.analysis.errors import Fault, InputError, RunError
from rarecall.analysis.strict_json import dumps
from rarecall.search.predict.table import LABEL, ROW, Columns

PROGRESS_SUFFIX = ".progress.json"
PARTS_SUFFIX = ".parts"
LABEL_SEPARATOR = "|"

Lines = Callable[[Columns, pa.Schema], str]


class PredictionOutput:
    """An output that takes rows in order.

    Raises:
        InputError: the file's ending is none of .jsonl, .csv and .parquet.
        RunError: the file exists already and is not the beginning of the same predictions.
    """

    def __init__(self, path: Path, schema: pa.Schema, of: dict[str, Any], overwrite: bool) -> None:
        """of: what tells these predictions from others; plain JSON values."""
        self.path, self._schema = path, schema
        self._of = json.loads(dumps({**of, "columns": schema.names}))
        self._progress = path.with_name(path.name + PROGRESS_SUFFIX)
        self._sink = _sink(path, schema)
        # What is to be known of the rows that are there, when the output is resumed; plain JSON values.
        self.told: dict[str, Any] = {}
        if overwrite:
            self._discard()
        self.rows = self._resumed()

    def begin(self) -> None:
        """Create the file where there is none yet."""
        if not self._progress.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._sink.begin()
            self._remember()

    def append(self, columns: Columns) -> None:
        """Write the next rows; they are safe from a kill of this process once this returns."""
        self._sink.append(columns)
        self.rows += len(columns[ROW])
        self._remember()

    def finish(self) -> None:
        """Make the output complete."""
        self._sink.finish()
        self._progress.unlink()

    def _resumed(self) -> int:
        """Rows that are there already."""
        if not self._progress.exists():
            if self.path.exists():
                remedy = "name another file with -o, or add --overwrite"
                raise RunError(f"{self.path}: exists already and is complete ({remedy})")
            return 0
        state = self._read_progress()
        changed = [name for name in self._of if state["of"].get(name) != self._of[name]]
        if changed:
            raise RunError(
                f"{self.path}: was begun with another {', '.join(changed)}; give the same command again to resume "
                "it, or add --overwrite to start anew"
            )
        self._sink.go_on(state["position"])
        self.told = state["told"]
        return int(state["rows"])

    def _read_progress(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self._progress.read_text(encoding="utf-8"))
            told = {"of": dict(state["of"]), "told": dict(state.get("told") or {})}
            return {"rows": int(state["rows"]), "position": int(state["position"]), **told}
        except (OSError, ValueError, KeyError, TypeError) as error:
            remedy = "add --overwrite to start anew"
            raise RunError(f"{self._progress}: must tell how far {self.path} is, got {error!r} ({remedy})") from error

    def _remember(self) -> None:
        state = {"rows": self.rows, "position": self._sink.position(), "of": self._of, "told": self.told}
        partial = self._progress.with_name(f".{self._progress.name}.{os.getpid()}")
        partial.write_text(dumps(state, indent=2) + "\n", encoding="utf-8")
        partial.replace(self._progress)

    def _discard(self) -> None:
        self._progress.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        shutil.rmtree(_parts(self.path), ignore_errors=True)


class _TextSink:
    """A file that grows. The position is its length in bytes."""

    def __init__(self, path: Path, schema: pa.Schema, header: str, lines: Lines) -> None:
        self._path, self._schema, self._header, self._lines = path, schema, header, lines

    def begin(self) -> None:
        self._path.write_text(self._header, encoding="utf-8", newline="")

    def go_on(self, position: int) -> None:
        size = self._path.stat().st_size if self._path.exists() else 0
        if size < position:
            raise RunError(
                f"{self._path}: must still hold the {position:,} bytes that were written, got {size:,} "
                "(add --overwrite to start anew)"
            )
        os.truncate(self._path, position)

    def position(self) -> int:
        return self._path.stat().st_size

    def append(self, columns: Columns) -> None:
        # Halves of surrogate pairs become the escapes by which JSON has them.
        with self._path.open("a", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(self._lines(columns, self._schema))

    def finish(self) -> None:
        """Nothing is left to do."""


class _ParquetSink:
    """A folder of numbered parts. The position is their number."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema, self._count = path, schema, 0

    def begin(self) -> None:
        shutil.rmtree(_parts(self._path), ignore_errors=True)
        _parts(self._path).mkdir()

    def go_on(self, position: int) -> None:
        self._count = position
        missing = [part for part in self._all() if not part.is_file()]
        if missing:
            raise RunError(
                f"{missing[0]}: is gone, so {self._path} cannot be completed (add --overwrite to start anew)"
            )

    def position(self) -> int:
        return self._count

    def append(self, columns: Columns) -> None:
        pq.write_table(as_table(columns, self._schema), self._part(self._count))
        self._count += 1

    def finish(self) -> None:
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with pq.ParquetWriter(partial, self._schema) as writer:
            for part in self._all():
                writer.write_table(pq.read_table(part, schema=self._schema))
        partial.replace(self._path)
        shutil.rmtree(_parts(self._path))

    def _part(self, number: int) -> Path:
        return _parts(self._path) / f"{number:06d}.parquet"

    def _all(self) -> list[Path]:
        return [self._part(number) for number in range(self._count)]


def _parts(path: Path) -> Path:
    return path.with_name(path.name + PARTS_SUFFIX)


def _sink(path: Path, schema: pa.Schema) -> _TextSink | _ParquetSink:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _ParquetSink(path, schema)
    if suffix == ".csv":
        return _TextSink(path, schema, _csv_text([schema.names]), _csv_lines)
    if suffix == ".jsonl":
        return _TextSink(path, schema, "", _json_lines)
    raise InputError("-o", [Fault("-o", "must end in .jsonl, .csv or .parquet", repr(str(path)))])


def as_table(columns: Columns, schema: pa.Schema) -> pa.Table:
    """The columns in the types of the schema; values of text columns that are no texts become JSON."""
    arrays = [
        pa.array(map(_unicode, columns[field.name]) if field.type == pa.string() else columns[field.name], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _unicode(value: Any) -> str | None:
    """As `_text`, with halves of surrogate pairs, which JSON can write and UTF-8 cannot, as escapes."""
    text = _text(value)
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def _json_lines(columns: Columns, schema: pa.Schema) -> str:
    """One object per row; a row that could not be predicted has `error` in place of predictions."""
    objects = ({name: _known(value) for name, value in _present(row, schema)} for row in _rows(columns, schema))
    return "".join(f"{dumps(row)}\n" for row in objects)


def _present(row: Sequence[Any], schema: pa.Schema) -> Iterable[tuple[str, Any]]:
    own = schema.names.index(LABEL)
    pairs = enumerate(zip(schema.names, row, strict=True))
    return ((name, value) for place, (name, value) in pairs if place < own or value is not None)


def _known(value: Any) -> Any:
    """What JSON has no type for, such as dates of a Parquet file, as text."""
    return value if value is None or isinstance(value, str | int | float | list | dict) else str(value)


def _csv_lines(columns: Columns, schema: pa.Schema) -> str:
    return _csv_text([[_cell(value) for value in row] for row in _rows(columns, schema)])


def _csv_text(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """What stands in a field of a CSV file: several labels with | between them, other structures as JSON."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return LABEL_SEPARATOR.join(value)
    return _text(value) if isinstance(value, list | dict | bool) else value


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else dumps(_known(value))


def _rows(columns: Columns, schema: pa.Schema) -> Iterable[tuple[Any, ...]]:
    return zip(*(columns[name] for name in schema.names), strict=True)
