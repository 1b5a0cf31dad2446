"""The section `task` of an experiment: whatever kind of task it names, and which losses fit that."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import SerializeAsAny, ValidationError, WrapValidator

from rarecall import losses
from rarecall.trainables.tasks.registry import section_of
from rarecall.trainables.tasks.section import TaskSection


def _by_kind(values: Any, handler: Any) -> TaskSection:
    """The section of the kind, looked up when it is read: a plugin may have brought it."""
    return section_of(values)


TaskConfig = Annotated[SerializeAsAny[TaskSection], WrapValidator(_by_kind)]


def loss_target(task: Mapping[str, Any]) -> losses.Target | None:
    """Which losses fit a section `task`; None for one that is not valid.

    >>> grades = {"kind": "ordinal", "classes": ["mild", "severe"]}
    >>> loss_target(grades), loss_target({**grades, "link": "softmax"}), loss_target({"kind": "ordinal"})
    ('corn', 'classes', None)
    """
    try:
        return section_of(task).target
    except (ValidationError, ValueError):
        return None


def default_loss(target: losses.Target) -> str | None:
    """The loss where the experiment names none."""
    return losses.default(target)


def loss_parameters(name: str | None, target: losses.Target | None) -> tuple[str, ...]:
    """Names of the parameters that a loss reads, the target's default one for None; none for an unknown loss."""
    return losses.parameters(name, target) if target is not None else ()
