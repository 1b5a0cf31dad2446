"""Parameters of what is registered, a loss, a weighting scheme or a sampler: the fields of its frozen dataclass."""

import dataclasses
import difflib
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

Buildable = Callable[..., Any]


def require_parameters_with_defaults(kind: str, built: object) -> None:
    """Accept a frozen dataclass of which every field has a default.

    Raises:
        TypeError: it is something else; kind: what it should become.
    """
    if not (isinstance(built, type) and dataclasses.is_dataclass(built)) or not _is_frozen(built):
        raise TypeError(f"a {kind} must be a frozen dataclass, got {built!r}")
    bare = [field.name for field in dataclasses.fields(built) if field.default is dataclasses.MISSING]
    if bare:
        raise TypeError(f"every parameter of a {kind} needs a default, got {built.__name__} without one for {bare}")


def _is_frozen(built: type) -> bool:
    return bool(built.__dataclass_params__.frozen)  # type: ignore[attr-defined]


def defaults(built: Buildable) -> dict[str, float]:
    """The parameters by name, with their defaults.

    >>> defaults(dataclasses.make_dataclass("Focal", [("gamma", float, 2.0)], frozen=True))
    {'gamma': 2.0}
    """
    fields: Any = dataclasses.fields(built)  # type: ignore[arg-type]  # held by `register`
    return {field.name: field.default for field in fields}


def parameter_faults(built: Buildable, parameters: Mapping[str, object]) -> dict[str, str]:
    """What is wrong with each parameter, the others at their defaults; empty when nothing is."""
    found = {key: _fault(built, key, value) for key, value in parameters.items()}
    return {key: fault for key, fault in found.items() if fault}


def _fault(built: Buildable, key: str, value: object) -> str:
    allowed = list(defaults(built))
    if key not in allowed:
        return f"no parameter is called {key!r}: must be one of {allowed}{nearest(key, allowed)}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"{key} must be a finite number, got {value!r}"
    try:
        built(**{key: value})
    except ValueError as error:
        return str(error)
    return ""


def nearest(given: str, allowed: Collection[str]) -> str:
    """`, did you mean …?`, or nothing where nothing is near.

    >>> nearest("gama", ["gamma", "delta"])
    ", did you mean 'gamma'?"
    """
    near = difflib.get_close_matches(given, allowed, n=1)
    return f", did you mean {near[0]!r}?" if near else ""
