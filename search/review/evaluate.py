"""What `rarecall evaluate` and `rarecall compare` read from their options."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.evaluation.targets import Target, open_target
from rarecall.analysis.predictions.outside_file import Gate, Meaning
from rarecall.search.experiment.yaml_file import read_yaml
from rarecall.search.review.criteria import is_file


def meaning(
    minority: str | None,
    classes: str | None,
    tiers: str | None,
    weights: str | None,
    true: str | None = None,
    gatekeeper: str | None = None,
    merge_alike: bool = False,
    criteria: Sequence[str] = (),
) -> Meaning:
    """What the options say about a file of predictions, and an experiment that is given for its criteria.

    Options go before the experiment, whose tiers, weights and gatekeeper count where scores are cut.

    Raises:
        InputError: an entry of --tiers or --weights that is not NAME=NUMBER, tiers that do not ascend, or a gatekeeper
            that is not DIMENSION<CUT=TIER.
    """
    bounds = _numbers("--tiers", tiers)
    if list(bounds.values()) != sorted(set(bounds.values())):
        raise InputError("--tiers", [Fault("--tiers", "must ascend", repr(tiers), "name the lowest tier first")])
    task = _task(criteria)
    bounds = bounds or {str(name): float(cut) for name, cut in (task.get("tiers") or {}).items()}
    shares = _numbers("--weights", weights) or {
        str(name): float((one or {}).get("weight", 1.0)) for name, one in (task.get("dimensions") or {}).items()
    }
    return Meaning(
        classes=_names(classes),
        minority=_names(minority),
        ordered=False,
        true=true or "",
        tiers=bounds,
        weights=shares,
        merge_alike=merge_alike,
        gatekeeper=_gate(gatekeeper) if gatekeeper else Gate(**gate) if (gate := task.get("gatekeeper")) else None,
    )


def _task(criteria: Sequence[str]) -> dict[str, Any]:
    """The section of scores and tiers of the experiment among the criteria, empty without one."""
    files = (Path(text) for text in criteria if is_file(text) and Path(text).suffix in (".yaml", ".yml"))
    tasks = (read_yaml(path).get("task") for path in files)
    return next((task for task in tasks if isinstance(task, dict) and task.get("kind") == "tiered_scores"), {})


def _gate(text: str) -> Gate:
    condition, _, tier = text.rpartition("=")
    dimension, _, cut = condition.rpartition("<")
    try:
        return Gate(dimension.strip(), float(cut), tier.strip())
    except ValueError:
        raise InputError("--gatekeeper", [Fault("--gatekeeper", "must read DIMENSION<CUT=TIER", repr(text))]) from None


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
