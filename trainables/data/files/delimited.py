"""CSV and its relatives: which delimiter, which quoting, and rows of which none is lost in silence."""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rarecall.analysis.errors import Fault, InputError
from rarecall.trainables.data.files.charset import misfit
from rarecall.trainables.data.files.options import FileOptions, Row, Table, Tell

# Beyond it, an open quote is taken for a mistake instead of swallowing the rest of a large file.
LONGEST_FIELD = 2**24
DELIMITERS = (",", ";", "\t", "|")
# Lines that show which delimiter a file has.
SHOWN_LINES = 20
# Not fields of the same file: blank ones, and the line by which Excel says its delimiter.
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
RULE = "must be quoted as in RFC 4180, a field with quotes in quotes and its own quotes doubled"
QUOTING_REMEDY = "or set data.quoting: none, where quotation marks are part of the texts"


@dataclass(frozen=True)
class Dialect:
    """How a file is delimited. quoted: whether quotation marks are those of RFC 4180."""

    delimiter: str
    quoted: bool

    def reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        """Fields of lines. Quoting is strict: an open quote would swallow rows without a word."""
        if self.quoted:
            return csv.reader(lines, delimiter=self.delimiter, strict=True)
        return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE, strict=True)


def table(
    path: object, lines: Iterator[str], usual: str, wanted: Sequence[str], options: FileOptions, tell: Tell
) -> Table:
    """Header and rows; blank lines are none.

    usual: the delimiter that the file's name stands for. wanted: columns that the file must have.

    Raises:
        InputError: the header cannot be taken apart.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))
    head = list(itertools.islice(lines, SHOWN_LINES))
    skipped = 0
    if head and options.delimiter is None and (said := _SEPARATOR_LINE.fullmatch(head[0])):
        usual, head, skipped = said[1], head[1:], 1
    dialect = _dialect(path, head, usual, wanted, options, tell)
    records = _Records(path, itertools.chain(head, lines), dialect, skipped)
    header = options.columns or _header(path, records)
    return Table(header, _rows(path, records, header, options, tell))


def _header(path: object, records: "_Records") -> tuple[str, ...]:
    _, header = next(records, (1, []))
    if isinstance(header, Fault):
        raise InputError(str(path), [header])
    return tuple(header)


def _rows(path: object, records: "_Records", names: tuple[str, ...], options: FileOptions, tell: Tell) -> Iterator[Row]:
    yield from _with_names(path, records, names, options)
    for note in records.notes():
        tell(note)


def _with_names(path: object, records: "_Records", names: tuple[str, ...], options: FileOptions) -> Iterator[Row]:
    what = "the header" if not options.columns else "data.columns"
    for line, record in records:
        if isinstance(record, Fault):
            yield Row(line, {}, record)
        elif len(record) != len(names):
            rule = f"must have as many fields as {what}, {len(names)}"
            for swallowed in range(line, records.line + 1):
                yield Row(swallowed, {}, Fault(f"{path}:{swallowed}", rule, str(len(record)), records.remedy()))
        elif bad := misfit("".join(record)):
            remedy = "save the file in one encoding, or name it with data.encoding"
            more = f" in a row of {records.line - line + 1} lines" if records.line > line else ""
            yield Row(line, {}, Fault(f"{path}:{line}", "must be UTF-8", f"{bad}{more}", remedy))
        else:
            yield Row(line, dict(zip(names, record, strict=True)))


class _Records:
    """Fields by record with its first line; every line that a broken quote swallowed is told by itself."""

    def __init__(self, path: object, lines: Iterator[str], dialect: Dialect, skipped: int) -> None:
        self._path, self._source, self._dialect = path, lines, dialect
        self._held: list[str] = []  # lines of the record that is being read
        self.line = skipped  # the last one of the last record
        self._reader = dialect.reader(self._remembered(lines))
        self._faults: list[tuple[int, Fault]] = []
        self._swallowing: list[tuple[int, int]] = []
        self._doubled = 0

    def __iter__(self) -> "_Records":
        return self

    def __next__(self) -> tuple[int, list[str] | Fault]:
        while True:
            if self._faults:
                return self._faults.pop(0)
            self._held.clear()
            try:
                record = next(self._reader)
            except csv.Error as error:
                self._broken(error)
                continue
            line = self.line + 1
            self.line += len(self._held)
            if record:
                self._look_at(line, record)
                return line, record

    def remedy(self) -> str:
        """What may mend a row with too many or too few fields."""
        if not self._dialect.quoted and self._doubled:
            return "or set data.quoting: standard, where quotation marks set fields apart"
        return QUOTING_REMEDY if self._dialect.quoted and len(self._held) > 1 else ""

    def notes(self) -> Iterator[str]:
        """What looks as if it were read in another way than it was written."""
        if self._swallowing:
            line, lines = max(self._swallowing, key=lambda one: one[1])
            cells = f"{len(self._swallowing):,} cells hold" if len(self._swallowing) > 1 else "1 cell holds"
            told = f"{self._path}: {cells} line breaks together with delimiters; that at line {line} has {lines} lines"
            yield f"{told} ({QUOTING_REMEDY.removeprefix('or ')})"
        if self._doubled:
            rows = f"{self._doubled:,} rows have" if self._doubled > 1 else "1 row has"
            told = f"{self._path}: {rows} cells in quotation marks, which are taken as part of them"
            yield f"{told} (set data.quoting: standard, where they set fields apart)"

    def _remembered(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            self._held.append(line)
            yield line

    def _broken(self, error: csv.Error) -> None:
        """Tell each line of a record that cannot be taken apart; an open quote costs its own line only."""
        first, count = self.line + 1, max(1, len(self._held))
        message = str(error)
        if count > 1 and ("unexpected end" in message or "field larger" in message):
            self._source = itertools.chain(self._held[1:], self._source)
            self._reader = self._dialect.reader(self._remembered(self._source))
            count, message = 1, "a quotation mark that is never closed"
        self._held = []
        self.line += count
        remedy = QUOTING_REMEDY if self._dialect.quoted else ""
        for line in range(first, first + count):
            self._faults.append((line, Fault(f"{self._path}:{line}", RULE, message, remedy)))

    def _look_at(self, line: int, record: list[str]) -> None:
        if self._dialect.quoted:
            if len(self._held) > 1 and any(self._looks_like_rows(cell, len(record)) for cell in record):
                self._swallowing.append((line, len(self._held)))
        elif any(cell[:1] == '"' == cell[-1:] and len(cell) > 1 for cell in record):
            self._doubled += 1

    def _looks_like_rows(self, cell: str, fields: int) -> bool:
        """Whether a line within a cell has enough delimiters for a row of its own."""
        parts = cell.split("\n")
        return (
            len(parts) > 1 and fields > 1 and any(part.count(self._dialect.delimiter) >= fields - 1 for part in parts)
        )


def _dialect(
    path: object, head: Sequence[str], usual: str, wanted: Sequence[str], options: FileOptions, tell: Tell
) -> Dialect:
    def quoted(delimiter: str) -> bool:
        return options.quoting == "standard" or (options.quoting == "auto" and delimiter != "\t")

    if options.delimiter is not None:
        return Dialect(options.delimiter, quoted(options.delimiter))
    candidates = [usual, *(one for one in DELIMITERS if one != usual)]
    fields = {one: _fields(head, Dialect(one, quoted(one))) for one in candidates}
    best = max(candidates, key=lambda one: _fit(fields[one], wanted, options.columns))
    if best != usual:
        tell(f"{path}: delimited by {best!r} (data.delimiter)")
    return Dialect(best, quoted(best))


def _fields(head: Sequence[str], dialect: Dialect) -> list[list[str]]:
    """The first records, as far as they can be taken apart."""
    found: list[list[str]] = []
    try:
        for record in dialect.reader(iter(head)):
            found += [record] if record else []
    except csv.Error:
        pass
    return found


def _fit(found: list[list[str]], wanted: Sequence[str], columns: Sequence[str]) -> tuple[int, int]:
    """How well a delimiter fits: columns that are wanted, then records that agree on more than one field."""
    if not found:
        return 0, 0
    if columns:
        return sum(len(record) == len(columns) for record in found), 0
    named = sum(name in found[0] for name in wanted)
    alike = sum(len(record) == len(found[0]) for record in found)
    return named, alike if len(found[0]) > 1 and alike == len(found) else 0
