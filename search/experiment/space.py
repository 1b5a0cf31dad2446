"""The search space: which keys of an experiment vary, and between what."""

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from rarecall.analysis.settings import ADAPTER, BASE, GAMMA, LOSS_NAME, MAX_LENGTH, RANK, RATE, RATIO, SCHEME, STRENGTH
from rarecall.trainables.imbalance import schemes
from rarecall.trainables.section import Section

Scalar = bool | int | float | str


# Values by key of the space; a parameter exists in a trial only where each of these has one of its values.
Condition = Mapping[str, tuple[Scalar, ...]]


class _Entry(Section):
    """What all entries have. when: a parameter only for trials in which other parameters have one of these values."""

    when: dict[str, Annotated[tuple[Scalar, ...], Field(min_length=1)]] = Field(default_factory=dict)

    @field_validator("when", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: tuple(one) if isinstance(one, list | tuple) else (one,) for key, one in value.items()}


class RangeConfig(_Entry):
    """Numbers from `low` to `high`; whole ones when both are. `log`: equally likely per factor instead of per step."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _ascends(self) -> "RangeConfig":
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a log range must start above 0, got {self.low}")
        return self

    def distribution(self) -> BaseDistribution:
        if isinstance(self.low, int) and isinstance(self.high, int):
            return IntDistribution(self.low, self.high, log=self.log)
        return FloatDistribution(float(self.low), float(self.high), log=self.log)

    def extremes(self) -> tuple[Scalar, ...]:
        """The values whose validity stands for that of all."""
        return (self.low, self.high)


class ChoicesConfig(_Entry):
    """One of several values."""

    choices: tuple[Scalar, ...] = Field(min_length=1)

    def distribution(self) -> BaseDistribution:
        return CategoricalDistribution(list(self.choices))

    def extremes(self) -> tuple[Scalar, ...]:
        return self.choices


def _form(value: Any) -> str:
    """Which of the two a user began to write."""
    if isinstance(value, ChoicesConfig):
        return "choices"
    return "choices" if isinstance(value, Mapping) and any(str(key).startswith("choice") for key in value) else "range"


SpaceEntry = Annotated[
    Annotated[RangeConfig, Tag("range")] | Annotated[ChoicesConfig, Tag("choices")], Discriminator(_form)
]
# What every trial of an experiment shares, because data are read and encoded once for all of them.
FIXED_KEYS = ("data", "task", BASE, MAX_LENGTH, ADAPTER)
OPEN_SECTIONS: tuple[Literal["model"], Literal["training"]] = ("model", "training")


def default_space(target: str, adapter: str, loss_parameters: Collection[str], scheme: str) -> dict[str, SpaceEntry]:
    """The mitigations that interact, and the settings they interact with; an experiment overrides or removes each.

    A setting that the loss or the weighting scheme does not read is left out.
    """
    space: dict[str, SpaceEntry] = {
        RATIO: RangeConfig(low=0.0, high=1.0),
        STRENGTH: RangeConfig(low=0.0, high=1.0),
        GAMMA: RangeConfig(low=0.0, high=2.0 if target == "scores" else 3.0),
        RATE: RangeConfig(low=5e-5, high=5e-3, log=True),
    }
    if "strength" not in schemes.parameters(scheme):
        del space[STRENGTH]
    if "gamma" not in loss_parameters:
        del space[GAMMA]
    if adapter == "lora":
        space[RANK] = ChoicesConfig(choices=(4, 8, 16, 32))
    return space


# Settings beside the scheme of class weights that are of all schemes.
_OF_ALL_SCHEMES = ("values", "cap")


def conditions(
    space: Mapping[str, SpaceEntry], loss_parameters: Callable[[str], Collection[str]]
) -> dict[str, Condition]:
    """By key, when a parameter exists: as its entry says, and where the loss or the weighting scheme is searched, only
    for those that read it. loss_parameters: those of a loss by its name.
    """
    found: dict[str, dict[str, tuple[Scalar, ...]]] = {key: dict(entry.when) for key, entry in space.items()}
    for parent in (LOSS_NAME, SCHEME):
        entry = space.get(parent)
        if not isinstance(entry, ChoicesConfig):
            continue
        for key in space:
            section, _, name = key.rpartition(".")
            if key != parent and parent.rpartition(".")[0] == section:
                readers = tuple(one for one in entry.choices if _reads(parent, str(one), name, loss_parameters))
                if readers != entry.choices:
                    found[key].setdefault(parent, readers)
    return {key: condition for key, condition in found.items() if condition}


def _reads(parent: str, choice: str, name: str, loss_parameters: Callable[[str], Collection[str]]) -> bool:
    """Whether a loss or a weighting scheme has a parameter."""
    if parent == LOSS_NAME:
        return name in loss_parameters(choice)
    return name in _OF_ALL_SCHEMES or name in schemes.parameters(choice)


def is_searchable(key: str) -> bool:
    """Whether a trial may differ from its siblings in this dotted key."""
    if any(key == fixed or key.startswith(fixed + ".") for fixed in FIXED_KEYS):
        return False
    return key.split(".", maxsplit=1)[0] in OPEN_SECTIONS
