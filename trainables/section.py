"""What all sections of an experiment file have in common."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from rarecall.analysis.predictions.label_names import declared
from rarecall.analysis.visible import visible


def _printable(name: str) -> str:
    if visible(name) != name:
        raise ValueError(f"must hold no control characters, got {name!r}")
    return name


Keys = tuple[str, ...]
# The name of a class or label: a number or truth value of YAML is the label that a data file would have for it.
Name = Annotated[str, BeforeValidator(declared), AfterValidator(_printable)]


class Section(BaseModel):
    """A part of the experiment file: strict about its keys, never changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class OpenSection(BaseModel):
    """A part whose further keys are those of what it names: a loss, a weighting scheme, the samplers."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)


def key_errors(title: str, faults: Mapping[Keys, str], unknown: Iterable[Keys] = ()) -> ValidationError:
    """An error that tells each fault at its own key, for a validator of a section to raise.

    faults: what is wrong, by the keys that lead to it within the section. unknown: keys that do not exist.
    """
    errors: list[dict[str, Any]] = [{"type": "extra_forbidden", "loc": keys, "input": None} for keys in unknown]
    for keys, message in faults.items():
        errors.append({"type": "value_error", "loc": keys, "input": None, "ctx": {"error": ValueError(message)}})
    return _error(title, errors)


def joined_errors(errors: Iterable[ValidationError], below: Keys = ()) -> ValidationError:
    """Several errors of one section as one, all of them at keys below others; at least one error."""
    several = list(errors)
    details = [detail for error in several for detail in error.errors(include_url=False)]
    return _error(several[0].title, [{**detail, "loc": (*below, *detail["loc"])} for detail in details])


def _error(title: str, details: list[dict[str, Any]]) -> ValidationError:
    kept = ("type", "loc", "input", "ctx")
    lines: Any = [{key: detail[key] for key in kept if key in detail} for detail in details]
    return ValidationError.from_exception_data(title, lines)
