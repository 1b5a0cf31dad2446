"""Columns by name: those that a file must have, and keys within keys."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rarecall.analysis.errors import Fault, InputError


def check_columns(path: object, names: Sequence[str], found: Collection[str]) -> None:
    """Refuse a file without one of the columns `names`, or with two of that name.

    Raises:
        InputError: each column that is missing or doubled, with the nearest one.
    """
    listed = list(found)
    needed = dict.fromkeys(names)
    faults = [_missing_column(path, name, listed) for name in needed if top_level(name, found) not in found]
    faults += [Fault(str(path), "must name each column once", repr(name)) for name in needed if listed.count(name) > 1]
    if faults:
        raise InputError(str(path), faults)


def top_level(name: str, found: Collection[str]) -> str:
    """The column that holds `name`, which may be a key within it.

    >>> top_level("meta.label", ["meta", "text"]), top_level("meta.label", ["meta.label"])
    ('meta', 'meta.label')
    """
    return name if name in found else name.partition(".")[0] if "." in name else name


def cell_at(cells: Mapping[str, Any], name: str) -> Any:
    """The cell of a column, or of a key within keys; None where there is none.

    >>> cell_at({"meta": {"label": "a"}}, "meta.label"), cell_at({"meta.label": "b"}, "meta.label"), cell_at({}, "x")
    ('a', 'b', None)
    """
    if name in cells or "." not in name:
        return cells.get(name)
    value: Any = cells
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _missing_column(path: object, name: str, found: Sequence[str]) -> Fault:
    match = difflib.get_close_matches(name, found, n=1)
    remedy = f"did you mean {match[0]!r}? " if match else ""
    columns = ", ".join(map(repr, found)) or "none"
    return Fault(str(path), f"must have the column {name!r}", remedy=f"{remedy}columns there are: {columns}")
