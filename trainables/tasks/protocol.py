"""What the loop, the metrics and the export ask of a task."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.data.examples import Labelled

# As `losses.Target` has them, which tasks do not know.
Target = Literal["classes", "scores", "labels", "corn", "cumulative", "two_stage", "tokens"]
Targets = NDArray[np.int64] | NDArray[np.float32]
# Numbers [n, outputs], or answers [n] of a model that writes.
Outputs = NDArray[np.floating[Any] | np.object_]

# A class that an epoch hardly holds starts at this share, not at the logarithm of 0.
LEAST_SHARE = 1e-6


class Task(Protocol):
    """How labels become targets for the loss, and model outputs become predictions. Holds plain values: it pickles."""

    @property
    def kind(self) -> str:
        """Name in the experiment file."""

    @property
    def label_space(self) -> LabelSpace:
        """Classes, minority, dimensions."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """What each model output of a row stands for."""

    @property
    def target(self) -> Target:
        """Which losses fit."""

    def with_minority(self, minority: tuple[str, ...]) -> Self:
        """The same task with these minority classes."""

    def targets(self, truth: Labelled) -> Targets:
        """Targets of n rows for the loss, in the form that losses for `target` take."""

    def prior(self, truth: Labelled, mass: FloatArray, label_weights: FloatArray) -> FloatArray:
        """Outputs [outputs] that fit the training rows best when nothing is known of a row.

        mass: [n] how much each row counts in an epoch. label_weights: [classes] by which a label that is there counts
        more than one that is not, where a row may have several.
        """

    def predictions(self, outputs: Outputs, truth: Labelled) -> Predictions:
        """Predictions of n rows from raw model outputs [n, outputs]; FloatingPointError where one is not finite."""

    @property
    def rule(self) -> tuple[float, ...]:
        """The values that decide between labels: offsets, thresholds or cuts; those of the plain rule at first."""

    def with_rule(self, rule: tuple[float, ...]) -> Self:
        """The same task, deciding by other values."""

    def rule_candidates(self, position: int, outputs: Outputs) -> Sequence[float]:
        """Values worth trying at one position of the rule, all others as they are, for rows with these outputs."""

    def best_rule(self, outputs: Outputs, truth: Labelled) -> tuple[float, ...] | None:
        """The rule that is best for n rows, where it can be said at once; None where it is to be searched."""

    def stored_rule(self, stored: Mapping[str, Any]) -> tuple[float, ...]:
        """The values of the rule in what `decision_rule` gave; none where it was written before there were any."""

    @property
    def head_shift(self) -> tuple[float, ...]:
        """What must be added to the outputs [outputs] for the plain decision, the highest or all above one half, to be
        that of the rule; empty where no sum makes it so.
        """

    def deciding_lines(self) -> str:
        """Lines of Python for the model card, from `outputs`, a tensor, and `rule`, the decision rule, to `labels`."""

    def decision_rule(self) -> dict[str, Any]:
        """All that is needed to turn raw outputs into labels without rarecall, as plain JSON values."""


def finite(outputs: Outputs) -> FloatArray:
    """Model outputs in double precision.

    Raises:
        FloatingPointError: one is NaN or infinite.
    """
    values = np.asarray(outputs, dtype=np.float64)
    bad = int((~np.isfinite(values).all(axis=1)).sum())
    if bad:
        raise FloatingPointError(
            f"model outputs must be finite numbers, got NaN or infinity in {bad} of {len(values)} rows: the training "
            "diverged (a lower training.learning_rate or training.clip_norm helps)"
        )
    return values


def logit(share: FloatArray) -> FloatArray:
    """log(p / (1 - p)) of shares, kept off 0 and 1."""
    kept = np.clip(share, LEAST_SHARE, 1 - LEAST_SHARE)
    values: FloatArray = np.log(kept) - np.log1p(-kept)
    return values


def sigmoid(values: FloatArray) -> FloatArray:
    """1 / (1 + e^-x), without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -values)))
