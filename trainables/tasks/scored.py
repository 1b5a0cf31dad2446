"""The kind `tiered_scores`: its section, and which of the tasks with scores it asks for: plain, in two stages, or by
instruction.
"""

import itertools
import math
import re
from dataclasses import fields, replace
from typing import Annotated, Any, ClassVar, Literal

import regex
from pydantic import Field, field_validator, model_validator

from rarecall.analysis.predictions.label_space import CatastrophicRule, LabelSpace
from rarecall.trainables.section import Name, Section
from rarecall.trainables.tasks.answers import PLACE_OF_TEXT
from rarecall.trainables.tasks.instructed import InstructedScores
from rarecall.trainables.tasks.keywords import KeywordRule, words_pattern
from rarecall.trainables.tasks.reading import Scores
from rarecall.trainables.tasks.registry import register
from rarecall.trainables.tasks.section import TaskSection, known_minority
from rarecall.trainables.tasks.tiered_scores import Gatekeeper, TieredScores
from rarecall.trainables.tasks.two_stage import TwoStageScores


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


# `{e<=1}` allows errors and `[[:alpha:]]` is a kind of letters, for the module regex alone.
READ_OTHERWISE = re.compile(r"(?<!\\)\{[a-z]|\[\[:")


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
        # The module that searches takes these for more than Python's does.
        if found := READ_OTHERWISE.search(value or ""):
            raise ValueError(
                f"must write {found.group()[:1]!r} as a character with a backslash before it, got {value!r}"
            )
        try:
            re.compile(value or "")
            regex.compile(value or "")
        except (re.error, regex.error) as error:
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


@register("tiered_scores")
class TieredScoresConfig(TaskSection):
    """Several scores per row; their weighted mean is cut into tiers. `tiers` maps each name to its lower bound."""

    has_scores: ClassVar[bool] = True
    reads_label: ClassVar[bool] = False

    kind: Literal["tiered_scores"]
    dimensions: dict[str, DimensionConfig] = Field(min_length=1)
    range: tuple[float, float] = (0.0, 10.0)
    tiers: dict[str, float] = Field(min_length=2)
    gatekeeper: GatekeeperConfig | None = None
    catastrophic: CatastrophicConfig | None = None
    keywords: tuple[KeywordConfig, ...] = ()
    two_stage: TwoStageConfig | None = None
    instruction: InstructionConfig | None = None
    minority: tuple[Name, ...] | None = Field(None, description="default: every tier but the largest")

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
        known_minority(self.minority, tuple(self.tiers))
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

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.tiers)

    def task(self, classes: tuple[str, ...]) -> TieredScores:
        return scored_task(self)

    def reading(self, label: str | None, separator: str) -> Scores:
        columns = tuple(dimension.column or name for name, dimension in self.dimensions.items())
        return Scores(columns, self.range, self.names, _plain_task(self).tiers)


def scored_task(config: TieredScoresConfig) -> TieredScores:
    """The task of a section with scores; its classes are the tiers that it names."""
    plain = _plain_task(config)
    if config.two_stage is not None:
        return TwoStageScores(**_parts(plain), rare=plain.label_space.classes.index(config.two_stage.rare))
    if config.instruction is None:
        return plain
    return InstructedScores(
        **_parts(replace(plain, label_space=replace(plain.label_space, written=True))),
        prompt=config.prompt,
        decimals=config.instruction.decimals,
        answer_tokens=config.instruction.answer_tokens,
    )


def _parts(plain: TieredScores) -> dict[str, Any]:
    """What every task with scores has."""
    return {part.name: getattr(plain, part.name) for part in fields(plain) if part.name != "target"}


def _plain_task(config: TieredScoresConfig) -> TieredScores:
    """The scores and tiers of a config section, whatever its stages."""
    names = tuple(config.dimensions)
    tiers = tuple(config.tiers)
    gate = config.gatekeeper
    rule = config.catastrophic
    return TieredScores(
        label_space=LabelSpace(
            classes=tiers,
            minority=config.minority or (),
            dimensions=names,
            ordered=True,
            catastrophic=None if rule is None else CatastrophicRule(rule.true_below, rule.predicted_above),
        ),
        weights=tuple(dimension.weight for dimension in config.dimensions.values()),
        range=config.range,
        cuts=tuple(config.tiers.values()),
        gatekeeper=None
        if gate is None
        else Gatekeeper(names.index(gate.dimension), gate.cut, tiers.index(gate.max_tier)),
        keywords=tuple(_keyword_rule(keyword, names) for keyword in config.keywords),
    )


def _keyword_rule(config: KeywordConfig, dimensions: tuple[str, ...]) -> KeywordRule:
    return KeywordRule(
        config.regular_expression,
        None if config.dimension is None else dimensions.index(config.dimension),
        -math.inf if config.at_least is None else config.at_least,
        math.inf if config.at_most is None else config.at_most,
    )
