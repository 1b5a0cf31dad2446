"""The registry of weighting schemes: what makes weights, of classes from their counts or of rows from their scores.

A scheme is a frozen dataclass with `@register(name)` beside it. Its fields, numbers with a default each, are its
parameters, under the names that they have in the experiment file below `training.class_weights`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from rarecall.analysis.arrays import FloatArray
from rarecall.losses.parameters import (
    defaults,
    nearest,
    parameter_faults,
    require_parameters_with_defaults,
)


class Scheme(Protocol):
    """Weights [k] of classes from counts [k], all above 0."""

    def __call__(self, counts: FloatArray, /) -> FloatArray: ...


class RowScheme(Protocol):
    """Weights [n] of rows from their scores [n, dimensions] and how often each comes in an epoch [n]."""

    def __call__(self, scores: FloatArray, times: FloatArray, /) -> FloatArray: ...


SchemeClass = TypeVar("SchemeClass", bound=Callable[..., Scheme] | Callable[..., RowScheme])


@dataclass(frozen=True)
class _Registered:
    scheme: Callable[..., Any]
    by_row: bool


_schemes: dict[str, _Registered] = {}


def register(name: str, *, by_row: bool = False) -> Callable[[SchemeClass], SchemeClass]:
    """Decorator for a frozen dataclass that becomes the scheme `name`.

    by_row: it weighs rows by their scores (`RowScheme`), so the task must have some.

    Raises:
        TypeError: the class is not such a dataclass.
        ValueError: the name is taken.
    """
    if name in _schemes:
        raise ValueError(f"weighting schemes must have unique names, got {name!r} twice")

    def add(scheme: SchemeClass) -> SchemeClass:
        require_parameters_with_defaults("weighting scheme", scheme)
        _schemes[name] = _Registered(scheme, by_row)
        return scheme

    return add


def names() -> tuple[str, ...]:
    """All schemes, sorted."""
    return tuple(sorted(_schemes))


def weighs_rows(name: str) -> bool:
    """Whether the scheme weighs rows by their scores; no for an unknown one."""
    return name in _schemes and _schemes[name].by_row


def parameters(name: str) -> dict[str, float]:
    """The scheme's parameters with their defaults; none for an unknown one."""
    return defaults(_schemes[name].scheme) if name in _schemes else {}


def faults(name: str, given: Mapping[str, object]) -> dict[str, str]:
    """What is wrong with each of the parameters of a scheme that exists."""
    return parameter_faults(_schemes[name].scheme, given)


def unknown(name: str) -> str:
    """What is wrong with the name of a scheme; empty when nothing is."""
    if name in _schemes:
        return ""
    return f"must be one of {list(names())}, got {name!r}{nearest(name, names())}"


def build_scheme(name: str, given: Mapping[str, Any]) -> Scheme:
    """The scheme of classes `name` with those of the parameters that it has.

    Raises:
        ValueError: no such scheme, or a parameter outside its range.
    """
    if name not in _schemes or weighs_rows(name):
        of_classes = [one for one in names() if not weighs_rows(one)]
        raise ValueError(f"the scheme of class weights must be one of {of_classes}, got {name!r}")
    scheme: Scheme = _build(name, given)
    return scheme


def build_row_scheme(name: str, given: Mapping[str, Any]) -> RowScheme:
    """The scheme of rows `name` with those of the parameters that it has.

    Raises:
        ValueError: no such scheme, or a parameter outside its range.
    """
    if not weighs_rows(name):
        of_rows = [one for one in names() if weighs_rows(one)]
        raise ValueError(f"the scheme of row weights must be one of {of_rows}, got {name!r}")
    scheme: RowScheme = _build(name, given)
    return scheme


def _build(name: str, given: Mapping[str, Any]) -> Any:
    own = parameters(name)
    return _schemes[name].scheme(**{key: value for key, value in given.items() if key in own})
