"""Losses for scores: outputs and targets are [batch, dimensions], both on the scale 0 to 1."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rarecall.losses.checks import require_above_0, require_at_least_0, require_same_shape
from rarecall.losses.precision import at_least_single
from rarecall.losses.registry import register


@register("focal_squared_error", target="scores", default=True)
@dataclass(frozen=True)
class FocalSquaredError:
    """Focal-R on squared errors: (2σ(β|e|) - 1)^gamma · e², averaged over the dimensions.

    Focal-R of Yang et al. 2021, arXiv 2102.09554, section 4 (not numbered), which prints σ(|βe|)^gamma · e; the factor
    that goes from 0 to 1, and the squared error, are those of the authors' code. gamma 0 is the squared error; a larger
    gamma turns away from scores that are nearly right. beta says how near: with their 0.2 for ages of 0 to 100, which
    is 20 on the scale 0 to 1, and gamma 1, an error of 0.1 counts 0.76 of its square and one of 0.02 counts 0.20.

    An error of 0.1 with β = 20 and gamma 1 makes (2σ(2) - 1) · 0.1² = 0.76159 · 0.01 = 0.0076159:

    >>> loss = FocalSquaredError(gamma=1.0)
    >>> print(f"{loss(torch.tensor([[0.6]]), torch.tensor([[0.5]])).item():.6f}")
    0.007616
    """

    gamma: float = 0.0
    beta: float = 20.0

    def __post_init__(self) -> None:
        require_at_least_0(gamma=self.gamma)
        require_above_0(beta=self.beta)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Row losses [batch] from outputs and targets, both float [batch, dimensions].

        Half precision is computed in float32, also under autocast.

        Raises:
            ValueError: the shapes do not fit together.
        """
        outputs, targets = _comparable(outputs, targets)
        error = outputs - targets
        # At an error of 0 the derivative of the factor is infinite for gamma < 1, and times e² = 0 it would be nan.
        size = error.abs().clamp(min=torch.finfo(error.dtype).eps)
        # tanh(x / 2) is 2σ(x) - 1, without its loss of digits near 0.
        factor = torch.tanh(self.beta / 2 * size) ** self.gamma
        return (factor * error**2).mean(1)


@register("huber", target="scores")
@dataclass(frozen=True)
class Huber:
    """Quadratic up to delta, linear beyond: e²/2, then delta · (|e| - delta/2), averaged over the dimensions.

    Huber 1964, “Robust estimation of a location parameter”, Annals of Mathematical Statistics 35(1); with delta 1 the
    smooth L1 of Girshick 2015, arXiv 1504.08083, equation 3. The default of 0.1 is one point on a scale of 0 to 10.

    An error of 0.3 with delta 0.1 makes 0.1 · (0.3 - 0.05) = 0.025:

    >>> print(f"{Huber(delta=0.1)(torch.tensor([[0.8]]), torch.tensor([[0.5]])).item():.3f}")
    0.025
    """

    delta: float = 0.1

    def __post_init__(self) -> None:
        require_above_0(delta=self.delta)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Row losses [batch] from outputs and targets, both float [batch, dimensions].

        Half precision is computed in float32, also under autocast.

        Raises:
            ValueError: the shapes do not fit together.
        """
        outputs, targets = _comparable(outputs, targets)
        return functional.huber_loss(outputs, targets, reduction="none", delta=self.delta).mean(1)


def _comparable(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the precision to compute in."""
    require_same_shape(outputs, targets, "dimensions")
    outputs = at_least_single(outputs)
    return outputs, targets.to(outputs.dtype)
