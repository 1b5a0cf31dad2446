"""Losses for classes that know how often each class comes: adjusted logits and margins.

Both are (focal) cross entropies on outputs changed by the counts, and only while training: what is predicted comes from
the outputs as they are.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rarecall.losses.checks import (
    require_above_0,
    require_at_least_0,
    require_below_1,
    require_columns,
    require_index_targets,
)
from rarecall.losses.classification import FocalCrossEntropy
from rarecall.losses.facts import LabelFacts
from rarecall.losses.precision import at_least_single
from rarecall.losses.registry import Loss, register


@register("logit_adjusted", target="classes")
@dataclass(frozen=True)
class LogitAdjusted:
    """Cross entropy on f_k + τ log π_k (Menon et al. 2021, arXiv 2007.07314, equation 10).

    π_k is the share of class k in an epoch, after sampling; a class without rows counts as one row. tau 0 is cross
    entropy, tau 1 the adjustment that minimises the balanced error. gamma and label_smoothing are those of `focal`, on
    the adjusted probabilities.

    Two classes with 90 and 10 rows and logits of 0: the rare one is adjusted to a probability of 0.1 and costs
    -log 0.1 = 2.30259, not -log 0.5 = 0.69315:

    >>> loss = LogitAdjusted(tau=1.0).for_labels(LabelFacts(counts=(90.0, 10.0)))
    >>> print(f"{loss(torch.zeros(1, 2), torch.tensor([1])).item():.5f}")
    2.30259
    """

    tau: float = 1.0
    gamma: float = 0.0
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        require_at_least_0(tau=self.tau, gamma=self.gamma)
        require_below_1(label_smoothing=self.label_smoothing)

    def for_labels(self, facts: LabelFacts) -> Loss:
        """The loss for classes that come as often as `facts.counts` say."""
        counts = [max(count, 1.0) for count in facts.counts]
        shifts = tuple(self.tau * math.log(count / sum(counts)) for count in counts)
        return _Shifted(self._on_adjusted, shifts)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Row losses [batch] from logits [batch, classes] and class indices int64 [batch].

        Raises:
            ValueError: the shapes do not fit together, or tau is above 0 and the counts were not given.
        """
        if self.tau != 0:
            raise _needs_counts("logit_adjusted", "tau")
        return self._on_adjusted(outputs, targets)

    @property
    def _on_adjusted(self) -> FocalCrossEntropy:
        return FocalCrossEntropy(self.gamma, self.label_smoothing)


@register("ldam", target="classes")
@dataclass(frozen=True)
class MarginCrossEntropy:
    """Label-distribution-aware margin (LDAM): the true logit must lead by Δ_t (Cao et al. 2019, arXiv 1906.07413).

    Cross entropy with z_t - Δ_t for the true class, Δ_j = C / n_j^(1/4) (equation 13), multiplied by `scale`, as in the
    authors' code. C is set so that the rarest class has `max_margin`; a class without rows has it too. n_j are the rows
    of an epoch, after sampling. 0.5 and 30 are the authors' values, whose last layer gives cosines; here the outputs
    are as large as the head makes them, and scale 1 (the equation as printed) is the gentler choice. max_margin 0 and
    scale 1 make cross entropy. gamma is that of `focal`, 0 in the paper.

    1296 and 16 rows have fourth roots 6 and 2, so margins 0.5 · 2/6 = 1/6 and 0.5. With scale 1 and logits of 0, the
    rare class costs log(1 + e^0.5) = log 2.64872 = 0.97408:

    >>> loss = MarginCrossEntropy(max_margin=0.5, scale=1.0).for_labels(LabelFacts(counts=(1296.0, 16.0)))
    >>> print(f"{loss(torch.zeros(1, 2), torch.tensor([1])).item():.5f}")
    0.97408
    """

    max_margin: float = 0.5
    scale: float = 30.0
    gamma: float = 0.0

    def __post_init__(self) -> None:
        require_at_least_0(max_margin=self.max_margin, gamma=self.gamma)
        require_above_0(scale=self.scale)

    def for_labels(self, facts: LabelFacts) -> Loss:
        """The loss for classes that come as often as `facts.counts` say."""
        present = [count for count in facts.counts if count > 0]
        rarest = min(present, default=1.0)
        margins = tuple(
            self.max_margin * (rarest / count) ** 0.25 if count else self.max_margin for count in facts.counts
        )
        return _WithMargins(self, margins)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Row losses [batch] from logits [batch, classes] and class indices int64 [batch].

        Raises:
            ValueError: the shapes do not fit together, or max_margin is above 0 and the counts were not given.
        """
        if self.max_margin != 0:
            raise _needs_counts("ldam", "max_margin")
        return self.scaled(at_least_single(outputs), targets)

    def outputs_for(self, logits: Tensor) -> Tensor:
        """The outputs that times scale are these logits; margins are for the true class alone and left aside."""
        return logits / self.scale

    def scaled(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(Focal) cross entropy of outputs times scale, margins already taken off."""
        return FocalCrossEntropy(self.gamma)(self.scale * outputs, targets)


@dataclass(frozen=True)
class _Shifted:
    """A loss on outputs to which a constant is added per class."""

    loss: Loss
    shifts: tuple[float, ...]

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        require_index_targets(outputs, targets, "classes")
        require_columns(outputs, len(self.shifts))
        outputs = at_least_single(outputs)
        return self.loss(outputs + outputs.new_tensor(self.shifts), targets)

    def outputs_for(self, logits: Tensor) -> Tensor:
        """The outputs that with the constants are these logits."""
        return logits - logits.new_tensor(self.shifts)


@dataclass(frozen=True)
class _WithMargins:
    """A margin loss that knows the margin of each class."""

    loss: MarginCrossEntropy
    margins: tuple[float, ...]

    def outputs_for(self, logits: Tensor) -> Tensor:
        """As for the loss without margins."""
        return self.loss.outputs_for(logits)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        require_index_targets(outputs, targets, "classes")
        require_columns(outputs, len(self.margins))
        outputs = at_least_single(outputs)
        of_row = outputs.new_tensor(self.margins)[targets]
        return self.loss.scaled(
            outputs - torch.zeros_like(outputs).scatter(1, targets[:, None], of_row[:, None]), targets
        )


def _needs_counts(name: str, parameter: str) -> ValueError:
    return ValueError(
        f"loss {name!r} must know how often each class comes unless {parameter} is 0, got no counts: "
        "build it with facts=LabelFacts(counts=…)"
    )
