"""How a data file is to be read, where it does not say so itself."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from rarecall.analysis.errors import Fault, InputError

Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "arrow", "xlsx", "npz", "folder"]
FormatChoice = Format | Literal["auto"]
Quoting = Literal["auto", "standard", "none"]

# Hears what a user should know of how a file was read.
Tell = Callable[[str], None]

# What is looked at to find out how a file is written.
SAMPLE_BYTES = 2**20


@dataclass(frozen=True)
class FileOptions:
    """What `data` says of its files.

    delimiter, encoding: None to find out. quoting: `standard` is RFC 4180, `none` takes quotation marks as they are,
    `auto` is `none` for TSV and `standard` for CSV. columns: names of the columns of a file without a header.
    """

    format: FormatChoice = "auto"
    delimiter: str | None = None
    encoding: str | None = None
    quoting: Quoting = "auto"
    columns: tuple[str, ...] = ()


class Row(NamedTuple):
    """One row of a file.

    line: on which it begins, counted from 1; in files without lines the number of the row. cells: raw values by column,
    none where there is a fault.
    """

    line: int
    cells: Mapping[str, Any]
    fault: Fault | None = None


class Table(NamedTuple):
    """Rows below a header. names: of the columns, some of them perhaps twice; none where the file is empty."""

    names: tuple[str, ...]
    rows: Iterator[Row]


def unusable(path: object, rule: str, value: str = "", remedy: str = "") -> InputError:
    """One fault of a file as a whole."""
    return InputError(str(path), [Fault(str(path), rule, value, remedy)])
