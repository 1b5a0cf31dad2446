"""Excel workbooks: the first sheet, its first row the header."""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import python_calamine

from rarecall.analysis.errors import first_line
from rarecall.trainables.data.files.options import FileOptions, Row, Table, Tell, unusable


def workbook_table(path: Path, options: FileOptions, tell: Tell) -> Table:
    """Header and rows of the first sheet; blank rows are none.

    Raises:
        InputError: it is no workbook.
    """
    try:
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        sheet = book.get_sheet_by_index(0)
        records: list[list[Any]] = sheet.to_python(skip_empty_area=False)
    except (python_calamine.CalamineError, IndexError, ValueError) as error:
        raise unusable(path, "must be an Excel workbook", first_line(error)) from error
    if len(book.sheet_names) > 1:
        told = ", ".join(map(repr, book.sheet_names[1:4]))
        tell(f"{path}: read the sheet {book.sheet_names[0]!r}, not {told}")
    numbered = ((line, record) for line, record in enumerate(records, start=1) if any(map(_filled, record)))
    width = len(records[0]) if records else 0
    if options.columns and width != len(options.columns):
        rule = f"must have as many columns as data.columns names, {len(options.columns)}"
        raise unusable(path, rule, str(width))
    header = options.columns or tuple(str(cell) for cell in next(numbered, (1, []))[1])
    return Table(header, (Row(line, dict(zip(header, map(_cell, record), strict=False))) for line, record in numbered))


def _filled(cell: Any) -> bool:
    return cell is not None and cell != ""


def _cell(cell: Any) -> Any:
    """Excel knows floats only: whole ones are what the user typed. Empty cells are None, dates as ISO 8601 has them."""
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return str(cell) if isinstance(cell, timedelta) else None if cell == "" else cell
