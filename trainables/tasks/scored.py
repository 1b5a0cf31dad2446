"""Which of the tasks with scores a section asks for: plain, in two stages, or by instruction."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from rarecall.trainables.tasks.instructed import InstructedScores
from rarecall.trainables.tasks.registry import register
from rarecall.trainables.tasks.tiered_scores import TieredScores, tiered_scores
from rarecall.trainables.tasks.two_stage import TwoStageScores

if TYPE_CHECKING:
    from rarecall.trainables.tasks.config import TieredScoresConfig


@register("tiered_scores")
def scored_task(config: TieredScoresConfig, classes: tuple[str, ...]) -> TieredScores:
    """The task of a section with scores; its classes are the tiers that it names."""
    plain = tiered_scores(config)
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
