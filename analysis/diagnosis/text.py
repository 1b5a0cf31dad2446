"""A diagnosis in words: each warning with its evidence, the settings to change and its source."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from rarecall.analysis.diagnosis import applied
from rarecall.analysis.diagnosis.rules import Case, Change, DiagnosedWarning
from rarecall.analysis.text.table import cell_len, pad
from rarecall.analysis.text.winner import plain

INDENT = "   "


def render(case: Case, warnings: tuple[DiagnosedWarning, ...], width: int) -> str:
    """The text within `width` columns; the first warning is the one to mend first."""
    lines = [*textwrap.wrap(_title(case), width), ""]
    if not warnings:
        return "\n".join([*lines, "No warning applies.", ""])
    chosen = applied(warnings)
    for number, warning in enumerate(warnings, start=1):
        lines += [*_warning(number, warning, chosen, width), ""]
    return "\n".join(lines)


def change_text(change: Change) -> str:
    """Key, value now and value to try.

    >>> change_text(Change("training.learning_rate", 0.3, 0.005))
    'training.learning_rate: 0.3 -> 0.005'
    """
    return f"{change.key}: {_value(change.before)} -> {_value(change.after)}"


def _title(case: Case) -> str:
    role = " (the winner)" if case.of_run else ""
    epoch = f", epoch {case.best.epoch} of {len(case.epochs)}" if case.best else ", no epoch finished"
    return f"{case.run.header.get('name', case.run.folder.name)}: trial {case.record.trial}{role}{epoch}"


def _warning(number: int, warning: DiagnosedWarning, chosen: Mapping[str, Change], width: int) -> Iterator[str]:
    yield from _wrapped(f"{number}  {warning.says}", width, "", INDENT)
    for line in warning.observed.evidence:
        yield from _told("seen", line, width)
    for change in warning.observed.changes:
        other = chosen.get(change.key)
        note = "" if other is None or other.after == change.after else "  (the warning above decides)"
        yield from _told("change", change_text(change) + note, width)
    for line in warning.observed.advice:
        yield from _told("do", line, width)
    yield from _told("why", warning.source, width)


def _told(what: str, text: str, width: int) -> list[str]:
    start = f"{INDENT}{pad(what, 6)}  "
    return _wrapped(text, width, start, " " * cell_len(start))


def _wrapped(text: str, width: int, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_value(one)}" for key, one in value.items() if one is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else plain(value)
