"""What `rarecall evaluate` and `rarecall compare` read from their options."""

from collections.abc import Sequence
from dataclasses import replace

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.evaluation.targets import Target, open_target
from rarecall.analysis.predictions.outside_file import Meaning


def meaning(minority: str | None, classes: str | None, tiers: str | None, weights: str | None) -> Meaning:
    """What the options say about a file of predictions.

    Raises:
        InputError: an entry of --tiers or --weights that is not NAME=NUMBER, or tiers that do not ascend.
    """
    bounds = _numbers("--tiers", tiers)
    if list(bounds.values()) != sorted(set(bounds.values())):
        raise InputError("--tiers", [Fault("--tiers", "must ascend", repr(tiers), "name the lowest tier first")])
    return Meaning(
        classes=_names(classes),
        minority=_names(minority),
        ordered=False,
        tiers=bounds,
        weights=_numbers("--weights", weights),
    )


def open_alike(names: Sequence[str], given: Meaning) -> list[Target]:
    """Open targets; what the options leave open about files is taken from the first target.

    Raises:
        InputError: fewer than two, or one that cannot be used.
        RunError: a run without such a trial, or without predictions of it.
    """
    if len(names) < 2:
        remedy = "name two or more, such as RUN:t001 RUN:t002"
        raise InputError("compare", [Fault("TARGETS", "must be at least two", str(len(names)), remedy)])
    first = open_target(names[0], given)
    alike = replace(
        given, classes=given.classes or first.labels.classes, minority=given.minority or first.labels.minority
    )
    return [first, *(open_target(name, alike) for name in names[1:])]


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else ()


def _numbers(option: str, text: str | None) -> dict[str, float]:
    numbers = {}
    for entry in _names(text):
        name, _, number = entry.rpartition("=")
        try:
            numbers[name.strip()] = float(number)
        except ValueError:
            name = ""
        if not name.strip():
            raise InputError(option, [Fault(option, "must read NAME=NUMBER,…", repr(entry))])
    return numbers
