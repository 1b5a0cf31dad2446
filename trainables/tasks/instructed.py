"""Scores and tiers by instruction: the model is asked for the scores, and what it answers is read strictly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.tasks.answers import PLACE_OF_TEXT, completion, parse_answer
from rarecall.trainables.tasks.protocol import Outputs, Target, Task
from rarecall.trainables.tasks.tier_lines import READ_TIERS
from rarecall.trainables.tasks.tiered_scores import TieredScores

# Of an answer that cannot be read, so much is kept for a reader.
KEPT_CHARACTERS = 500


@dataclass(frozen=True)
class Frame:
    """A prompt as one tokenizer takes it.

    before, after: what stands around the text, special tokens of a chat template included. text_tokens: how many of the
    text fit. answer_tokens: the most that an answer has, the end of text included.
    """

    before: str
    after: str
    text_tokens: int
    answer_tokens: int


@dataclass(frozen=True)
class InstructedScores(TieredScores):
    """Outputs are answers [n], texts that hold the scores as JSON.

    An answer that cannot be read counts as the greatest failure there is: each score, the overall score and the tier
    as far from the truth as can be, whatever keywords say, and `Predictions.unreadable` has the answer.

    prompt: with `{text}` where the text goes. decimals: of a score in an answer. answer_tokens: the most that an answer
    may have, None for what the longest one needs. frame: the prompt as the base model's tokenizer takes it, None before
    that is known.
    """

    prompt: str = PLACE_OF_TEXT
    decimals: int = 1
    answer_tokens: int | None = None
    frame: Frame | None = None
    target: Target = "tokens"

    @property
    def output_names(self) -> tuple[str, ...]:
        return ("answer",)

    @property
    def given_frame(self) -> Frame:
        """The frame, once it is known."""
        if self.frame is None:
            raise ValueError("the prompt must have been fitted to a tokenizer first (trainables.prompts.fitted)")
        return self.frame

    def completion(self, scores: Sequence[float]) -> str:
        """The answer with these scores [dimensions]."""
        return completion(scores, self.label_space.dimensions, self.decimals)

    def predictions(self, outputs: Outputs, truth: Labelled) -> Predictions:
        scores, unread = self._read(outputs)
        found = super().predictions(scores, truth)
        kept = [str(answer)[:KEPT_CHARACTERS] if bad else None for answer, bad in zip(outputs, unread, strict=True)]
        return replace(self._failed(found, unread), unreadable=np.array(kept, dtype=np.object_))

    def _read(self, answers: Outputs) -> tuple[FloatArray, BoolArray]:
        """Scores [n, dimensions], and which answers cannot be read [n]; the scores of these are the lowest."""
        names, (low, _) = self.label_space.dimensions, self.range
        parsed = [parse_answer(str(answer), names, self.range) for answer in answers]
        scores = [(low,) * len(names) if one is None else one for one in parsed]
        unread = np.array([one is None for one in parsed], dtype=np.bool_)
        return np.array(scores, dtype=np.float64).reshape(len(parsed), len(names)), unread

    def _scores(self, outputs: Outputs) -> FloatArray:
        return np.asarray(outputs, dtype=np.float64)

    def _failed(self, found: Any, unread: BoolArray) -> Predictions:
        """The predictions, whose parts are all there, with the greatest failure where an answer cannot be read [n]."""
        last = len(self.label_space.classes) - 1
        tier = np.where(2 * found.true_class >= last, 0, last)
        scores, overall = self._farthest(found.true_scores), self._farthest(found.true_overall)
        failed: Predictions = replace(
            found,
            predicted_class=np.where(unread, tier, found.predicted_class),
            predicted_scores=np.where(unread[:, None], scores, found.predicted_scores),
            predicted_overall=np.where(unread, overall, found.predicted_overall),
        )
        return failed

    def _farthest(self, scores: FloatArray) -> FloatArray:
        """The end of the range that is farther from each score."""
        low, high = self.range
        return np.where(scores - low >= high - scores, low, high)

    def rule_candidates(self, position: int, outputs: Outputs) -> Sequence[float]:
        scores, unread = self._read(outputs)
        return super().rule_candidates(position, scores[~unread])

    def decision_rule(self) -> dict[str, Any]:
        return {**super().decision_rule(), "instruction": asdict(self.given_frame)}

    def deciding_lines(self) -> str:
        """From `scores`, which the script has read from the answers."""
        return self._tier_lines(labels=READ_TIERS)

    def as_exported(self, frame: dict[str, Any]) -> Self:
        """The task with the frame of a `decision_rule.json`."""
        return replace(self, frame=Frame(**frame))


def writes_answers(task: Task) -> bool:
    """Whether the model of a task writes its answers instead of giving numbers."""
    return isinstance(task, InstructedScores)
