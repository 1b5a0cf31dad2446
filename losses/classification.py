"""Losses for classes: outputs [batch, classes] are logits, targets [batch] are class indices."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rarecall.losses.checks import require_at_least_0, require_below_1, require_index_targets
from rarecall.losses.focus import focal
from rarecall.losses.precision import at_least_single
from rarecall.losses.registry import register


@register("focal", target="classes", default=True)
@dataclass(frozen=True)
class FocalCrossEntropy:
    """Focal cross entropy: FL(p_t) = -(1 - p_t)^gamma log p_t (Lin et al. 2017, arXiv 1708.02002, equation 4).

    p_t is the softmax probability of the true class. gamma 0 is cross entropy; a larger gamma turns away from rows that
    are right already. The class weights α_t of their equation 5 are row weights and therefore not in here.

    label_smoothing ε moves the target to q_k = (1 - ε)[k = t] + ε / classes (Szegedy et al. 2015, arXiv 1512.00567,
    section 7), and every class is modulated by its own probability: FL = -Σ_k q_k (1 - p_k)^gamma log p_k. With the
    factor (1 - p_t)^gamma for the whole sum, a sure row would cost nothing and the smoothing would be without effect.

    Two classes with logits log 3 and 0 have probabilities 3/4 and 1/4; for the first, with gamma 2, that makes
    (1/4)² · -log(3/4) = 0.0625 · 0.28768 = 0.01798:

    >>> logits = torch.log(torch.tensor([[3.0, 1.0]]))
    >>> print(f"{FocalCrossEntropy(gamma=2.0)(logits, torch.tensor([0])).item():.5f}")
    0.01798
    """

    gamma: float = 0.0
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        require_at_least_0(gamma=self.gamma)
        require_below_1(label_smoothing=self.label_smoothing)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Row losses [batch] from logits [batch, classes] and class indices int64 [batch].

        Half precision is computed in float32, also under autocast.

        Raises:
            ValueError: the shapes do not fit together.
        """
        require_index_targets(outputs, targets, "classes")
        log_p = torch.log_softmax(at_least_single(outputs), dim=1)
        true = focal(log_p.gather(1, targets[:, None]), self.gamma).squeeze(1)
        if self.label_smoothing == 0:
            return true
        return (1 - self.label_smoothing) * true + self.label_smoothing * focal(log_p, self.gamma).mean(1)
