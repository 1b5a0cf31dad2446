"""Columns of text laid out side by side within a width; nothing here knows what they mean."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

GAP = "  "


@dataclass(frozen=True)
class Column:
    """One column: the lines of its header from top to bottom, and a cell per row. align: "<" left, ">" right."""

    header: tuple[str, ...]
    cells: tuple[str, ...]
    align: Literal["<", ">"] = ">"

    @property
    def width(self) -> int:
        """Terminal cells that the widest line takes."""
        return max(map(cell_len, (*self.header, *self.cells)))


def cell_len(text: str) -> int:
    """Terminal cells that a text takes: two for each wide East Asian character, none for combining marks.

    >>> cell_len("有害"), cell_len("rare")
    (4, 4)
    """
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def pad(text: str, width: int, align: Literal["<", ">"] = "<") -> str:
    """The text with blanks up to that many terminal cells."""
    blank = " " * (width - cell_len(text))
    return text + blank if align == "<" else blank + text


def total_width(columns: Sequence[Column]) -> int:
    """Terminal cells that the columns take side by side."""
    return sum(column.width for column in columns) + len(GAP) * max(0, len(columns) - 1)


def fitting(columns: Sequence[Column], optional: Iterable[Column], width: int) -> list[Column]:
    """The columns and, behind them, each optional one that the width still takes, in their order."""
    taken = list(columns)
    for column in optional:
        if total_width([*taken, column]) <= width:
            taken.append(column)
    return taken


def render_columns(columns: Sequence[Column]) -> list[str]:
    """The lines of the table: headers (short ones end at the bottom), a rule, the rows.

    >>> recall = Column(("recall", "n=3"), ("66.7 %", "0.0 %"))
    >>> print("\\n".join(render_columns([Column(("trial",), ("a", "b"), "<"), recall])))
           recall
    trial     n=3
    -------------
    a      66.7 %
    b       0.0 %
    """
    depth = max(len(column.header) for column in columns)
    headers = [("",) * (depth - len(column.header)) + column.header for column in columns]
    lines = [_line(columns, texts) for texts in zip(*headers, strict=True)]
    rows = [_line(columns, texts) for texts in zip(*(column.cells for column in columns), strict=True)]
    return [*lines, "-" * total_width(columns), *rows]


def short_names(names: Sequence[str], separators: str, *, from_end: bool = False) -> list[str]:
    """Each name cut to as few of its parts as keep it apart from all others.

    >>> short_names(["vaporware", "early_commercial", "early_stop"], "_")
    ['vaporware', 'early_commercial', 'early_stop']
    >>> short_names(["model.lora.rank", "training.loss.gamma"], ".", from_end=True)
    ['rank', 'gamma']
    """
    return [_shortest(name, [other for other in names if other != name], separators, from_end) for name in names]


def cut(text: str, width: int) -> str:
    """The text in at most `width` terminal cells, two dots for what is missing.

    >>> cut("deployed_proven", 10)
    'deployed..'
    """
    if cell_len(text) <= width:
        return text
    while cell_len(text) > width - 2:
        text = text[:-1]
    return text.rstrip() + ".."


def _line(columns: Sequence[Column], texts: Sequence[str]) -> str:
    cells = (pad(text, column.width, column.align) for column, text in zip(columns, texts, strict=True))
    return GAP.join(cells).rstrip()


def _shortest(name: str, others: Sequence[str], separators: str, from_end: bool) -> str:
    ends = [index for index, letter in enumerate(name) if letter in separators and 0 < index < len(name) - 1]
    shorter = [name[index + 1 :] for index in reversed(ends)] if from_end else [name[:index] for index in ends]
    for short in shorter:
        if not any(other.endswith(short) if from_end else other.startswith(short) for other in others):
            return short
    return name
