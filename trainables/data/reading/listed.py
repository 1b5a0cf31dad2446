"""Lists in the cells of a data file: as such, or as Python, JSON or numpy wrote them into a text."""

import ast
import json
import re
from collections.abc import Sequence
from typing import Any

# Beyond it, a text is no list of labels; Python's parser needs a hundred times the memory.
LONGEST = 100_000
_WORDS = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)"|([^\s'",\[\]]+))[\s,]*""")


class NotAListError(ValueError):
    """A text that begins and ends as a list does and is none."""


def listed_cells(cell: object) -> list[Any] | None:
    """The items of a list; None for what is no list.

    Raises:
        NotAListError: a text in brackets that neither Python, JSON nor numpy would have written.

    >>> listed_cells('["a", "b"]'), listed_cells("['a' 'b']"), listed_cells("[1. 0.]"), listed_cells("a")
    (['a', 'b'], ['a', 'b'], [1.0, 0.0], None)
    """
    if isinstance(cell, str):
        text = cell.strip()
        return _written(text) if text[:1] in "[({" and text[-1:] in "])}" and len(text) > 1 else None
    if isinstance(cell, list | tuple):
        return list(cell)
    found = cell.tolist() if hasattr(cell, "tolist") and getattr(cell, "ndim", 0) == 1 else None
    return found if isinstance(found, list) else None


def _written(text: str) -> list[Any]:
    if len(text) > LONGEST:
        raise NotAListError(text)
    # numpy before Python, which takes 'a' 'b' for one text.
    for read in (json.loads, _spaced, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(found, list | tuple | set):
            return sorted(found, key=str) if isinstance(found, set) else list(found)
    raise NotAListError(text)


def _spaced(text: str) -> list[Any]:
    """As numpy prints an array: blanks between the items, quotes around texts.

    Raises:
        ValueError: words without quotes that are no numbers, or something else.
    """
    if not (text.startswith("[") and text.endswith("]")):
        raise ValueError(text)
    items: list[Any] = []
    place, end = 1, len(text) - 1
    while place < end and (match := _WORDS.match(text, place, end)) is not None:
        bare = match[3]
        items.append(float(bare) if bare is not None else match[1] if match[1] is not None else match[2])
        place = match.end()
    if text[place:end].strip():
        raise ValueError(text)
    return items


def multi_hot(cells: Sequence[object]) -> int:
    """How many labels the cells mark with 0 and 1, one number for each; 0 where they do something else.

    Lists of names may be of any length and repeat nothing; marks are of one length, and repeat 0 or 1 somewhere.

    >>> multi_hot([[0, 1, 0], "[1, 0, 0]", None]), multi_hot([["a"], ["b", "c"]]), multi_hot([[0], [1, 0]])
    (3, 0, 0)
    """
    lengths: set[int] = set()
    repeated = False
    for cell in cells:
        try:
            items = listed_cells(cell)
        except NotAListError:
            return 0
        if items is None:
            if cell is None or (isinstance(cell, str) and not cell.strip()):
                continue
            return 0
        lengths.add(len(items))
        if len(lengths) > 1 or not all(isinstance(item, bool | int | float) and item in (0, 1) for item in items):
            return 0
        repeated = repeated or len({float(item) for item in items}) < len(items)
    return lengths.pop() if repeated else 0
