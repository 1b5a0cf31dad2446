"""Kinds of tasks, by the `kind` of their section in the experiment file."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from rarecall.analysis.arrays import IntArray
from rarecall.trainables.data.reading.cells import unknown_label
from rarecall.trainables.section import joined_errors, key_errors
from rarecall.trainables.tasks.protocol import Task
from rarecall.trainables.tasks.section import TaskSection

SectionClass = TypeVar("SectionClass", bound=type[TaskSection])
_sections: dict[str, type[TaskSection]] = {}


def register(kind: str) -> Callable[[SectionClass], SectionClass]:
    """Decorator for the section of a new kind of task: a `TaskSection`, which says all that the other parts ask.

    Raises:
        ValueError: the kind is taken.
        TypeError: the class is no such section, or lacks one of the fields `kind` and `minority`.
    """
    if kind in _sections:
        raise ValueError(f"task kind {kind!r} is registered already")

    def add(section: SectionClass) -> SectionClass:
        given: Any = section
        if not (isinstance(given, type) and issubclass(given, TaskSection)):
            raise TypeError(f"a kind of task must be registered by its section, a TaskSection, got {section!r}")
        if missing := {"kind", "minority"} - set(given.model_fields):
            raise TypeError(f"the section of task kind {kind!r} must have the fields {sorted(missing)}")
        _sections[kind] = section
        return section

    return add


def kinds() -> tuple[str, ...]:
    """All kinds of tasks, sorted."""
    return tuple(sorted(_sections))


def sections() -> tuple[type[TaskSection], ...]:
    """The sections of all kinds."""
    return tuple(_sections.values())


def section_of(values: Any) -> TaskSection:
    """The section that a mapping with `kind` is.

    Raises:
        ValidationError: all that is wrong with it; keys of the section stand below its kind, as in a tagged union.
    """
    if isinstance(values, TaskSection):
        return values
    if not isinstance(values, Mapping):
        raise ValueError(f"must be a section with keys of its own, got {values!r}")
    kind = values.get("kind")
    if kind is None:
        raise key_errors("task", {("kind",): f"is required: one of {list(kinds())}"})
    if kind not in _sections:
        _, value, remedy = unknown_label(str(kind), kinds())
        raise key_errors("task", {("kind",): f"must be one of {list(kinds())}, got {value}, {remedy}".rstrip(", ")})
    try:
        return _sections[kind].model_validate(values)
    except ValidationError as error:
        raise joined_errors([error], below=(str(kind),)) from None


def build_task(config: TaskSection, classes: tuple[str, ...]) -> Task:
    """The task of a config section; `classes` are those found in the data, used where the section names none.

    The minority is what the section names and empty where it names none: `with_minority` sets it once the training
    split has been counted.
    """
    return config.task(classes)


def default_minority(classes: tuple[str, ...], counts: IntArray) -> tuple[str, ...]:
    """Every class but the largest; the first of equally large ones counts as the largest. counts: [classes].

    >>> default_minority(("vaporware", "pilot", "deployed"), np.array([1519, 202, 26]))
    ('pilot', 'deployed')
    """
    largest = int(np.argmax(counts))
    return tuple(name for i, name in enumerate(classes) if i != largest)
