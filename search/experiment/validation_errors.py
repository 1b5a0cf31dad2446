"""Pydantic's errors as faults a user can mend: key path, rule, value, nearest valid key."""

import difflib
import re
import types
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from rarecall.analysis.errors import Fault
from rarecall.trainables.tasks.registry import sections
from rarecall.trainables.tasks.section import TaskSection

_KEY_PATH = re.compile(r"[a-z_]+(\.[a-z_]+)*")


def faults_of(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """One fault per error, in the file's own key paths."""
    return [_fault(details, model) for details in error.errors()]


def nearest(name: str, candidates: Iterable[str]) -> str:
    """`did you mean …?`, or what there is to choose from when nothing is near."""
    names = list(dict.fromkeys(candidates))
    match = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if match:
        return f"did you mean `{match[0]}`?"
    return f"allowed: {', '.join(names)}" if names else ""


def _fault(details: Any, model: type[BaseModel]) -> Fault:
    location = tuple(details["loc"])
    where = _path(location, model)
    if details["type"] == "extra_forbidden":
        siblings = _fields_at(location[:-1], model)
        return Fault(where, "is not a key of this section", remedy=nearest(str(location[-1]), siblings))
    if details["type"] == "missing":
        return Fault(where, "is required")
    rule = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if details["type"] == "value_error":
        return Fault(where, rule) if where else value_fault(rule)
    if details["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return Fault(where, "must be a section with keys of its own", _shown(details["input"]))
    return Fault(where or "experiment", rule[0].lower() + rule[1:], _shown(details["input"]))


def value_fault(message: str) -> Fault:
    """A validator's message that begins with the key path it is about, as `training.loss: …`."""
    where, colon, rule = message.partition(": ")
    return Fault(where, rule) if colon and _KEY_PATH.fullmatch(where) else Fault("experiment", message)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _path(location: tuple[Any, ...], model: type[BaseModel]) -> str:
    """`task.tiers[0]` from pydantic's location, without the tags of unions that the file does not contain."""
    text = ""
    for part in _without_tags(location, model):
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _without_tags(location: tuple[Any, ...], model: type[BaseModel]) -> list[Any]:
    parts: list[Any] = []
    annotation: Any = model
    for part in location:
        members = _models_in(annotation)
        if _is_tag(part, members):
            annotation = _tagged(part, members)
            continue
        parts.append(part)
        annotation = _step(annotation, part)
    return parts


def _fields_at(location: tuple[Any, ...], model: type[BaseModel]) -> list[str]:
    annotation: Any = model
    for part in location:
        members = _models_in(annotation)
        annotation = _tagged(part, members) if _is_tag(part, members) else _step(annotation, part)
    return [name for member in _models_in(annotation) for name in member.model_fields]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The sections an annotation stands for: one, those of all kinds of tasks, or the members of a union."""
    if annotation is TaskSection:
        return [*sections()]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        return [model for member in typing.get_args(annotation) for model in _models_in(member)]
    return []


def _tag(member: type[BaseModel]) -> str:
    """What pydantic calls a member of a union: its `kind`, or the first word of its name."""
    field = member.model_fields.get("kind")
    return str(typing.get_args(field.annotation)[0]) if field else member.__name__.removesuffix("Config").lower()


def _is_tag(part: Any, members: list[type[BaseModel]]) -> bool:
    return len(members) > 1 and any(part == _tag(member) for member in members)


def _tagged(part: Any, members: list[type[BaseModel]]) -> Any:
    return next(member for member in members if part == _tag(member))


def _step(annotation: Any, part: Any) -> Any:
    """The annotation one key further in: a section's field, a mapping's values, a list's items."""
    for member in _models_in(annotation):
        if part in member.model_fields:
            return member.model_fields[part].annotation
    args = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
    if typing.get_origin(annotation) in (dict, tuple, list) and args:
        return args[-1] if typing.get_origin(annotation) is dict else args[0]
    return next((_step(arg, part) for arg in args if typing.get_origin(arg) or _models_in(arg)), None)
