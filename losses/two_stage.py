"""Losses for two stages: outputs are the logit of being rare and the scores of the rows that are not."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rarecall.losses.checks import require_at_least_0, require_same_shape
from rarecall.losses.focus import focal
from rarecall.losses.precision import at_least_single
from rarecall.losses.registry import register


@register("two_stage", target="two_stage", default=True)
@dataclass(frozen=True)
class TwoStage:
    """Focal binary cross entropy on being rare, and the squared error of the scores of rows that are not.

    L = rare_weight · -(1 - p_t)^gamma log p_t + (1 - y) · mean_d e_d², where y is 1 for a rare row and p_t the sigmoid
    probability of what is true (Lin et al. 2017, arXiv 1708.02002, equation 4). The parts meet as in the hurdle model
    (Cragg 1971, Econometrica 39(5)): a probability for all rows, a regression for those on one side.

    A logit of 0 makes p_t = 1/2, and with gamma 2 the first part (1/2)² · log 2 = 0.25 · 0.693147 = 0.173287. A row
    that is not rare, with errors of 0.1 and 0.3, adds (0.01 + 0.09) / 2 = 0.05; a rare one adds nothing:

    >>> outputs = torch.tensor([[0.0, 0.6, 0.2], [0.0, 0.6, 0.2]])
    >>> targets = torch.tensor([[0.0, 0.5, 0.5], [1.0, 0.5, 0.5]])
    >>> [f"{value:.6f}" for value in TwoStage(gamma=2.0)(outputs, targets).tolist()]
    ['0.223287', '0.173287']
    """

    gamma: float = 2.0
    rare_weight: float = 1.0

    def __post_init__(self) -> None:
        require_at_least_0(gamma=self.gamma, rare_weight=self.rare_weight)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Row losses [batch] from outputs and targets, both float [batch, 1 + dimensions].

        Half precision is computed in float32, also under autocast.

        Raises:
            ValueError: the shapes do not fit together.
        """
        require_same_shape(outputs, targets, "1 + dimensions")
        outputs = at_least_single(outputs)
        targets = targets.to(outputs.dtype)
        rare = targets[:, 0] > 0
        of_truth = torch.where(rare, outputs[:, 0], -outputs[:, 0])
        error = torch.where(rare[:, None], 0.0, outputs[:, 1:] - targets[:, 1:])
        return self.rare_weight * focal(logsigmoid(of_truth), self.gamma) + (error**2).mean(1)
