"""Tasks by the `kind` of their section in the experiment file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rarecall.analysis.arrays import IntArray
from rarecall.trainables.tasks.protocol import Task

if TYPE_CHECKING:
    from rarecall.trainables.tasks.config import TaskConfig

Builder = Callable[[Any, tuple[str, ...]], Task]
_builders: dict[str, Builder] = {}


def register(kind: str) -> Callable[[Builder], Builder]:
    """Make `build_task` call the decorated builder (config section, classes) for this `kind`.

    Raises ValueError for a kind that is taken.
    """

    def add(builder: Builder) -> Builder:
        if kind in _builders:
            raise ValueError(f"task kind {kind!r} is registered already")
        _builders[kind] = builder
        return builder

    return add


def build_task(config: TaskConfig, classes: tuple[str, ...]) -> Task:
    """The task of a config section; `classes` are those found in the data, used where the section names none.

    The minority is what the section names and empty where it names none: `with_minority` sets it once the training
    split has been counted.
    """
    return _builders[config.kind](config, classes)


def default_minority(classes: tuple[str, ...], counts: IntArray) -> tuple[str, ...]:
    """Every class but the largest; the first of equally large ones counts as the largest. counts: [classes].

    >>> default_minority(("vaporware", "pilot", "deployed"), np.array([1519, 202, 26]))
    ('pilot', 'deployed')
    """
    largest = int(np.argmax(counts))
    return tuple(name for i, name in enumerate(classes) if i != largest)
