"""Losses for ordered grades: outputs [batch, grades - 1], targets [batch] are grade indices.

Both models give log P(y = k) of every grade; the loss is the focal negative log likelihood of the true one.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid, pad, softplus

from rarecall.losses.checks import require_at_least_0, require_index_targets
from rarecall.losses.focus import focal
from rarecall.losses.precision import at_least_single
from rarecall.losses.registry import register


@dataclass(frozen=True)
class OrdinalLoss(ABC):
    """-(1 - p_y)^gamma log p_y, whatever model of ordered grades gives the p_y; gamma 0 is the log likelihood."""

    gamma: float = 0.0

    def __post_init__(self) -> None:
        require_at_least_0(gamma=self.gamma)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Row losses [batch] from outputs [batch, grades - 1] and grades int64 [batch].

        Half precision is computed in float32, also under autocast.

        Raises:
            ValueError: the shapes do not fit together.
        """
        require_index_targets(outputs, targets, "grades - 1")
        log_p = self.log_probabilities(at_least_single(outputs))
        return focal(log_p.gather(1, targets[:, None]).squeeze(1), self.gamma)

    @abstractmethod
    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """log P(y = k) [batch, grades] from outputs [batch, grades - 1]."""


@register("corn", target="corn", default=True)
@dataclass(frozen=True)
class ConditionalOrdinal(OrdinalLoss):
    """CORN: -(1 - p_y)^gamma log p_y, the outputs being logits of P(y > j | y >= j) (Shi, Cao & Raschka 2021).

    arXiv 2111.08851, section 3. Column j is trained on the rows with y >= j, their conditional training set S_j, by
    binary cross entropy; a row's terms add up to -log p_y by the chain rule of probability. They divide the batch's sum
    by Σ_j |S_j|, the loop divides it by the weight of its rows; gamma 0 is their loss but for that common factor.

    Three grades with logits 0 and log 3: P(y > 0) = 1/2 and P(y > 1 | y >= 1) = 3/4. Grade 1 has the probability
    1/2 · 1/4 = 1/8 and costs log 8 = 2.07944:

    >>> import torch
    >>> loss, logits = ConditionalOrdinal(), torch.log(torch.tensor([[1.0, 3.0]]))
    >>> print(f"{loss(logits, torch.tensor([1])).item():.5f}")
    2.07944
    """

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """log P(y = k) [batch, grades]: to pass all grades before k and to stop there; nothing stops at the last."""
        return pad(logsigmoid(outputs).cumsum(1), (1, 0)) + pad(logsigmoid(-outputs), (0, 1))


@register("cumulative_link", target="cumulative", default=True)
@dataclass(frozen=True)
class CumulativeLink(OrdinalLoss):
    """Cumulative link model with logit link: -(1 - p_y)^gamma log p_y (McCullagh 1980).

    “Regression models for ordinal data”, Journal of the Royal Statistical Society B 42(2), section 2. logit P(y > 0) =
    η_0 is column 0, and logit P(y > j) = η_j = η_0 - Σ_(i=1..j) softplus(column i): the thresholds ascend by
    construction, so that the cumulative probabilities fall with the grade. McCullagh's thresholds are the same for all
    rows; here each row has its own distances. p_y = σ(η_(y-1)) - σ(η_y). gamma 0 is the negative log likelihood.

    Three grades, column 0 log 3 and column 1 log 2: softplus(log 2) = log 3, so η_0 = log 3 and η_1 = 0. P(y > 0) = 3/4
    and P(y > 1) = 1/2; grade 1 has 3/4 - 1/2 = 1/4 and costs log 4 = 1.38629:

    >>> import torch
    >>> loss, outputs = CumulativeLink(), torch.log(torch.tensor([[3.0, 2.0]]))
    >>> print(f"{loss(outputs, torch.tensor([1])).item():.5f}")
    1.38629
    """

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """log P(y = k) [batch, grades].

        σ(a) - σ(b) = σ(a) σ(-b) (1 - e^(b - a)), and 1 - e^(-softplus(x)) = σ(x): no difference is left to cancel.
        """
        steps = softplus(outputs[:, 1:])
        logits = outputs[:, :1] - pad(steps.cumsum(1), (1, 0))
        between = logsigmoid(outputs[:, 1:])
        return pad(logsigmoid(logits), (1, 0)) + pad(logsigmoid(-logits), (0, 1)) + pad(between, (1, 1))
