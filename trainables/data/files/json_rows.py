"""JSON: an object per line, an array of objects, or one object of parallel arrays."""

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from rarecall.analysis.errors import Fault, first_line
from rarecall.trainables.data.files.charset import misfit, text_lines
from rarecall.trainables.data.files.options import FileOptions, Row, Tell, unusable

ARRAY_REMEDY = "give an array of objects, one object of arrays of equal length, or JSON Lines"


def line_rows(path: object, file: BinaryIO, options: FileOptions, tell: Tell) -> Iterator[Row]:
    """The rows of JSON Lines; where the file turns out to be one array of objects, its objects."""
    # JSON strings may hold U+2028 and other breaks: only \n ends a line.
    lines = text_lines(path, file, options.encoding, "\n", tell)
    head = list(_until_first(lines))
    if head and head[-1].lstrip().startswith("["):
        text = "".join([*head, *lines])
        if (found := _array(text)) is not None:
            yield from _of_value(path, found)
            return
        head, lines = [], iter(text.split("\n"))
    for line, text in enumerate(itertools.chain(head, lines), start=1):
        if text.strip():
            yield _row(path, line, text)


def _until_first(lines: Iterator[str]) -> Iterator[str]:
    """Blank lines and the first other one."""
    for line in lines:
        yield line
        if line.strip():
            return


def _array(text: str) -> list[Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(value, dict) for value in found) else None


def whole_rows(path: object, file: BinaryIO, options: FileOptions, tell: Tell) -> Iterator[Row]:
    """The rows of a `.json` file: an array of objects, an object of arrays, or JSON Lines under another name."""
    text = "".join(text_lines(path, file, options.encoding, "\n", tell))
    if not text.strip():
        return
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise unusable(path, "must be JSON", _place(error), ARRAY_REMEDY) from error
        lines = enumerate(text.split("\n"), start=1)
        yield from (_row(path, number, line) for number, line in lines if line.strip())
    except (ValueError, RecursionError) as error:
        raise unusable(path, "must be JSON", first_line(error), ARRAY_REMEDY) from error
    else:
        yield from _of_value(path, found)


def _of_value(path: object, found: Any) -> Iterator[Row]:
    if isinstance(found, Mapping):
        found = _parallel(path, found)
    if not isinstance(found, list):
        raise unusable(path, "must hold rows", f"a JSON {type(found).__name__}", ARRAY_REMEDY)
    for number, value in enumerate(found, start=1):
        where = f"{path}:{number}"
        fault = None if isinstance(value, dict) else Fault(where, "must be one JSON object", _named(value))
        yield Row(number, {} if fault else value, fault)


def _parallel(path: object, found: Mapping[str, Any]) -> Any:
    """Rows of an object: under its only list of objects, of arrays by column, or of values by row number by column."""
    lists = [value for value in found.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if len(lists) == 1:
        return lists[0]
    columns = {name: list(value.values()) if isinstance(value, dict) else value for name, value in found.items()}
    if not columns or not all(isinstance(column, list) for column in columns.values()):
        return [found]
    if len({len(column) for column in columns.values()}) > 1:
        told = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise unusable(path, "must hold arrays of equal length", told, ARRAY_REMEDY)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _row(path: object, line: int, text: str) -> Row:
    where = f"{path}:{line}"
    if bad := misfit(text):
        return Row(line, {}, Fault(where, "must be UTF-8", bad, "or name the file's encoding with data.encoding"))
    rule = "must be one JSON object"
    try:
        value = json.loads(text.removesuffix("\n"))
    except json.JSONDecodeError as error:
        return Row(line, {}, Fault(where, rule, _place(error)))
    except (ValueError, RecursionError) as error:
        return Row(line, {}, Fault(where, rule, first_line(error)))
    return Row(line, value) if isinstance(value, dict) else Row(line, {}, Fault(where, rule, _named(value)))


def _place(error: json.JSONDecodeError) -> str:
    line = f" of line {error.lineno}" if error.lineno > 1 else ""
    return f"{error.msg} at column {error.colno}{line}"


def _named(value: object) -> str:
    return f"a JSON {type(value).__name__}"
