"""The section `task` of an experiment: one class for each kind of task."""

import itertools
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from rarecall import losses
from rarecall.trainables.section import Section
from rarecall.trainables.tasks.answers import PLACE_OF_TEXT
from rarecall.trainables.tasks.keywords import words_pattern

Names = Annotated[tuple[str, ...], Field(min_length=2)]


class DimensionConfig(Section):
    """One score dimension: the column it is read from and its share in the overall score."""

    column: str | None = Field(None, description="default: the dimension's name")
    weight: float = Field(1.0, ge=0)


class GatekeeperConfig(Section):
    """A dimension without which nothing ranks high: below `cut`, the tier is at most `max_tier`."""

    dimension: str
    cut: float
    max_tier: str


class CatastrophicConfig(Section):
    """True overall score below one cut, predicted overall score above another."""

    true_below: float
    predicted_above: float


class KeywordConfig(Section):
    """Words that keep a predicted score within bounds: those of `any`, or a regular expression as `pattern`.

    Case does not matter. dimension: the score that is kept, the overall score without one.
    """

    any: Annotated[tuple[Annotated[str, Field(pattern=r"\S")], ...], Field(min_length=1)] | None = None
    pattern: str | None = Field(None, min_length=1)
    dimension: str | None = None
    at_least: float | None = None
    at_most: float | None = None

    @field_validator("any", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"must be a regular expression of Python's, got {value!r}: {error}") from None
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "KeywordConfig":
        if (self.any is None) == (self.pattern is None):
            raise ValueError("give either `any`, a list of words, or `pattern`")
        if self.at_least is None and self.at_most is None:
            raise ValueError("give `at_least`, `at_most`, or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least must not be above at_most, got {self.at_least:g} and {self.at_most:g}")
        return self

    @property
    def regular_expression(self) -> str:
        """What finds the words, or the pattern itself."""
        return self.pattern or words_pattern(self.any or ())


class TwoStageConfig(Section):
    """Stage 1 says whether a row is of the tier `rare`, the highest or the lowest; stage 2 scores the others."""

    rare: str


class InstructionConfig(Section):
    """The model is asked for the scores by a prompt with `{text}` in it, and has to write them as JSON."""

    prompt: str | None = Field(None, description="default: names the dimensions, the range and the form of the answer")
    decimals: int = Field(1, ge=0, le=6, description="of a score in an answer")
    answer_tokens: int | None = Field(None, ge=1, description="default: as many as the longest answer needs")

    @field_validator("prompt")
    @classmethod
    def _has_one_place(cls, value: str | None) -> str | None:
        if value is not None and value.count(PLACE_OF_TEXT) != 1:
            raise ValueError(f"must hold {PLACE_OF_TEXT} exactly once, got it {value.count(PLACE_OF_TEXT)} times")
        return value


PROMPT = (
    "Rate the text below from {low:g} to {high:g} on each of these dimensions: {names}. Answer with one JSON object, "
    "the dimensions as its keys, numbers as its values (decimal places: {decimals}), and nothing else.\n\nText:\n"
    "{{text}}\n\nAnswer:\n"
)


class TieredScoresConfig(Section):
    """Several scores per row; their weighted mean is cut into tiers. `tiers` maps each name to its lower bound."""

    kind: Literal["tiered_scores"]
    dimensions: dict[str, DimensionConfig] = Field(min_length=1)
    range: tuple[float, float] = (0.0, 10.0)
    tiers: dict[str, float] = Field(min_length=2)
    gatekeeper: GatekeeperConfig | None = None
    catastrophic: CatastrophicConfig | None = None
    keywords: tuple[KeywordConfig, ...] = ()
    two_stage: TwoStageConfig | None = None
    instruction: InstructionConfig | None = None
    minority: tuple[str, ...] | None = Field(None, description="default: every tier but the largest")

    @model_validator(mode="after")
    def _consistent(self) -> "TieredScoresConfig":
        low, high = self.range
        cuts = list(self.tiers.values())
        if low >= high:
            raise ValueError(f"range must ascend, got {low:g} to {high:g}")
        if sum(dimension.weight for dimension in self.dimensions.values()) <= 0:
            raise ValueError("at least one dimension needs a weight above 0")
        if cuts[0] != low or any(a >= b for a, b in itertools.pairwise(cuts)) or cuts[-1] >= high:
            raise ValueError(f"tiers must start at {low:g} and ascend below {high:g}, got {cuts}")
        if self.gatekeeper and self.gatekeeper.dimension not in self.dimensions:
            raise ValueError(f"gatekeeper.dimension must be one of {list(self.dimensions)}")
        if self.gatekeeper and self.gatekeeper.max_tier not in self.tiers:
            raise ValueError(f"gatekeeper.max_tier must be one of {list(self.tiers)}")
        ends = [next(iter(self.tiers)), next(reversed(self.tiers))]
        if self.two_stage and self.two_stage.rare not in ends:
            # Scores of the rows on both sides would pass through a tier between them.
            raise ValueError(
                f"two_stage.rare must be the lowest or the highest tier, {ends}, got {self.two_stage.rare!r}"
            )
        _known_minority(self.minority, tuple(self.tiers))
        return self

    @model_validator(mode="after")
    def _instruction_fits(self) -> "TieredScoresConfig":
        if self.instruction is None:
            return self
        if self.two_stage is not None:
            raise ValueError("instruction cannot be combined with two_stage: a written answer has no first stage")
        decimals = self.instruction.decimals
        if any(round(end, decimals) != end for end in self.range):
            raise ValueError(f"instruction.decimals must be enough to write the range {[*self.range]}, got {decimals}")
        return self

    @property
    def prompt(self) -> str:
        """What the model is asked, with `{text}` where the text goes; empty without `instruction`."""
        if self.instruction is None:
            return ""
        (low, high), names = self.range, ", ".join(self.dimensions)
        decimals = self.instruction.decimals
        return self.instruction.prompt or PROMPT.format(low=low, high=high, names=names, decimals=decimals)

    @model_validator(mode="after")
    def _keywords_fit(self) -> "TieredScoresConfig":
        low, high = self.range
        for number, rule in enumerate(self.keywords):
            if rule.dimension is not None and rule.dimension not in self.dimensions:
                raise ValueError(
                    f"keywords[{number}].dimension must be one of {list(self.dimensions)}, got {rule.dimension!r}"
                )
            bounds = [bound for bound in (rule.at_least, rule.at_most) if bound is not None]
            if not all(low <= bound <= high for bound in bounds):
                raise ValueError(f"keywords[{number}] must have bounds from {low:g} to {high:g}, got {bounds}")
        return self


class MulticlassConfig(Section):
    """One class per row. `classes` defaults to the values found in the training data, sorted."""

    kind: Literal["multiclass"]
    classes: Names | None = None
    minority: tuple[str, ...] | None = Field(None, description="default: every class but the largest")

    @model_validator(mode="after")
    def _consistent(self) -> "MulticlassConfig":
        if self.classes is not None:
            _different(self.classes, "classes")
            _known_minority(self.minority, self.classes)
        return self


class OrdinalConfig(Section):
    """One of several grades per row, which ascend in the order of `classes`. `link`: how outputs make a grade."""

    kind: Literal["ordinal"]
    classes: Names
    link: Literal["corn", "cumulative", "softmax"] = "corn"
    minority: tuple[str, ...] | None = Field(None, description="default: every grade but the largest")

    @model_validator(mode="after")
    def _consistent(self) -> "OrdinalConfig":
        _different(self.classes, "classes")
        _known_minority(self.minority, self.classes)
        return self


class MultilabelConfig(Section):
    """Any number of labels per row. `labels` defaults to those found in the training data, sorted.

    groups: names for sets of labels, such as `primary` and `secondary`, that get an F1 of their own. implies: what else
    is true of a row with a label, such as the primary label of a secondary one. excludes: pairs that never go together.
    enforce_implications: whether a label that is predicted brings what it implies along.
    """

    kind: Literal["multilabel"]
    labels: Names | None = None
    minority: tuple[str, ...] | None = Field(None, description="default: every label but the largest")
    groups: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    implies: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    excludes: tuple[tuple[str, str], ...] = ()
    enforce_implications: bool = False

    @field_validator("implies", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {label: (implied,) if isinstance(implied, str) else implied for label, implied in value.items()}

    @model_validator(mode="after")
    def _consistent(self) -> "MultilabelConfig":
        if self.labels is not None:
            _different(self.labels, "labels")
            _known_minority(self.minority, self.labels)
            if unknown := self.unknown(self.labels):
                raise ValueError(f"groups, implies and excludes must use the labels, got {unknown} besides")
        if any(one == other for one, other in (*self.excludes, *self.implications())):
            raise ValueError("no label may imply or exclude itself")
        return self

    def implications(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a label and one that it implies."""
        return tuple((label, implied) for label, several in self.implies.items() for implied in several)

    def unknown(self, labels: tuple[str, ...]) -> list[str]:
        """Names in groups, implications and exclusions that are not among `labels`."""
        used = itertools.chain(*self.groups.values(), *self.implications(), *self.excludes)
        return sorted(set(used) - set(labels))


def _different(names: tuple[str, ...], what: str) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"{what} must not repeat")


def _known_minority(minority: tuple[str, ...] | None, classes: tuple[str, ...]) -> None:
    unknown = [name for name in minority or () if name not in classes]
    if unknown:
        raise ValueError(f"minority names {unknown}, which are not among {list(classes)}")
    if minority is not None and not 0 < len(minority) < len(classes):
        raise ValueError("minority must name at least one class and not all of them")


TaskConfig = Annotated[
    TieredScoresConfig | MulticlassConfig | OrdinalConfig | MultilabelConfig, Field(discriminator="kind")
]


def loss_target(task: Mapping[str, Any]) -> losses.Target:
    """Which losses fit a section `task`, be it valid or not. Classes where its kind is none of ours.

    >>> loss_target({"kind": "ordinal"}), loss_target({"kind": "ordinal", "link": "softmax"})
    ('corn', 'classes')
    """
    kind = task.get("kind")
    if kind == "tiered_scores":
        if task.get("instruction") is not None:
            return "tokens"
        return "two_stage" if task.get("two_stage") else "scores"
    if kind == "ordinal":
        links: dict[Any, losses.Target] = {"softmax": "classes", "cumulative": "cumulative"}
        return links.get(str(task.get("link")), "corn")
    return "labels" if kind == "multilabel" else "classes"


def default_loss(target: losses.Target) -> str | None:
    """The loss where the experiment names none."""
    return losses.default(target)


def loss_parameters(name: str | None, target: losses.Target) -> tuple[str, ...]:
    """Names of the parameters that a loss reads, the target's default one for None; none for an unknown loss."""
    return losses.parameters(name, target)
