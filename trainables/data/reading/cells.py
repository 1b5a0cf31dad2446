"""One cell of a data file: as text, class name or number, and what is wrong where it is none.

Problems are rule, received value and remedy, as `Fault` takes them after the place.
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from rarecall.analysis.predictions.label_names import label_of
from rarecall.trainables.data.reading.listed import NotAListError, listed_cells

SHOWN_NAMES = 8
SHOWN_CHARACTERS = 60

Problem = tuple[str, str, str]


def text_of(cells: Sequence[object]) -> str:
    """The cells' texts joined by line breaks, blank ones left out; empty where they cannot be used.

    Chat messages, a list of objects with `role` and `content`, are a line for each.

    >>> text_of(("Solar roof", None, "A pilot began."))
    'Solar roof\\nA pilot began.'
    """
    if not all(cell is None or isinstance(cell, str) for cell in cells):
        cells = [_conversation(cell) if isinstance(cell, list) else cell for cell in cells]
        if not all(cell is None or isinstance(cell, str) for cell in cells):
            return ""
    text = "\n".join(cell for cell in cells if isinstance(cell, str) and cell.strip())
    return text if _is_unicode(text) else ""


def _conversation(messages: list[object]) -> object:
    """The text of chat messages, the list itself where it holds something else.

    >>> _conversation([{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}])
    'user: Hello\\nassistant: Hi'
    """
    lines = []
    for message in messages:
        content = message.get("content") if isinstance(message, Mapping) else None
        if not isinstance(message, Mapping) or not isinstance(content, str):
            return messages
        lines.append(f"{message.get('role', 'user')}: {content}")
    return "\n".join(lines)


def text_problem(cells: Mapping[str, object]) -> Problem:
    """Why `text_of` found no text in the cells of these columns."""
    for name, cell in cells.items():
        if cell is not None and not isinstance(cell, str):
            return f"column {name!r} must hold text", shown(cell), ""
        if cell is not None and not _is_unicode(cell):
            return f"column {name!r} must hold valid Unicode", "half of a surrogate pair", ""
    return f"must have text in column {' or '.join(map(repr, cells))}", "none", ""


def label_problem(name: str, cell: object) -> Problem:
    """Why `label_of` found no class in the cell of this column."""
    if cell is None or isinstance(cell, float) or (isinstance(cell, str) and not cell.strip()):
        return f"must have a class in column {name!r}", "none", ""
    return f"column {name!r} must hold the name of one class", shown(cell), ""


def labels_of(cell: object, separator: str) -> tuple[str, ...] | None:
    """The labels a cell names: a list of them, also one that was written as text, or one text with `separator` between
    them; None where it is neither.

    >>> labels_of(["joy", "love"], "|"), labels_of("joy|love", "|"), labels_of("['joy', 'love']", "|")
    (('joy', 'love'), ('joy', 'love'), ('joy', 'love'))
    >>> labels_of("", "|"), labels_of("[]", "|"), labels_of(3.5, "|")
    ((), (), None)
    """
    try:
        listed = listed_cells(cell)
    except NotAListError:
        return None
    if listed is None and isinstance(cell, str):
        return tuple(name for part in cell.split(separator) if (name := label_of(part)))
    names = None if listed is None else tuple(label_of(part) for part in listed)
    return names if names is not None and all(names) else None


def labels_problem(name: str, cell: object, separator: str) -> Problem:
    """Why `labels_of` found no labels in the cell of this column."""
    rule = f"column {name!r} must hold a list of labels, or a text with {separator!r} between them"
    return rule, "none" if cell is None else shown(cell), "see data.label_separator"


def flag_of(cell: object) -> bool | None:
    """Whether a cell says yes (1, true) or no (0, false); None where it says neither.

    >>> flag_of("1"), flag_of("1.0"), flag_of(0), flag_of("TRUE"), flag_of("maybe")
    (True, True, False, True, None)
    """
    return {"1": True, "true": True, "0": False, "false": False}.get(label_of(cell).lower())


def flag_problem(name: str, cell: object) -> Problem:
    """Why `flag_of` found neither in the cell of this column."""
    return f"label column {name!r} must hold 0 or 1", "none" if cell is None else shown(cell), ""


def unknown_label(label: str, classes: Sequence[str]) -> Problem:
    """A label that is not among the classes."""
    match = difflib.get_close_matches(label, classes, n=1)
    remedy = f"did you mean {match[0]!r}?" if match else ""
    return f"class must be one of {listed(classes)}", shown(label), remedy


def number_of(cell: object) -> float:
    """The number a cell holds, also written as text; NaN where it holds none.

    >>> number_of("7.5"), number_of(8), number_of("high"), number_of(True)
    (7.5, 8.0, nan, nan)
    """
    if isinstance(cell, bool) or not isinstance(cell, int | float | str | Decimal):
        return math.nan
    try:
        return float(cell)
    except (ValueError, OverflowError):
        return math.nan


def time_of(cell: object) -> float:
    """Seconds since 1970 of a date or time, also as ISO 8601 writes them, or the number that the cell holds; else NaN.

    >>> time_of("1970-01-02"), time_of(2019), time_of("1970-01-01T00:00:10Z"), time_of("soon"), time_of("inf")
    (86400.0, 2019.0, 10.0, nan, nan)
    """
    number = number_of(cell)
    if not math.isnan(number):
        return number if math.isfinite(number) else math.nan
    try:
        moment = datetime.fromisoformat(cell.strip()) if isinstance(cell, str) else cell
        if isinstance(moment, datetime):
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return (
            datetime(moment.year, moment.month, moment.day, tzinfo=UTC).timestamp()
            if isinstance(moment, date)
            else math.nan
        )
    except (ValueError, OverflowError):
        return math.nan


def number_problem(name: str, cell: object, bounds: tuple[float, float]) -> Problem:
    """Why the cell of a score column is no number within the bounds."""
    low, high = bounds
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return f"must have a score in column {name!r}", "none", ""
    if math.isnan(number_of(cell)):
        return f"score {name!r} must be a number", shown(cell), ""
    return f"score {name!r} must be from {low:g} to {high:g}", shown(cell), "see task.range"


def shown(value: object) -> str:
    """The value as an error shows it, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def listed(names: Sequence[str]) -> str:
    """The first 8 names, and how many more there are."""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(map(repr, names[:SHOWN_NAMES])) + more


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
