"""The focal factor, which turns a loss away from what is right already."""

import torch
from torch import Tensor


def focal(log_p: Tensor, gamma: float) -> Tensor:
    """-(1 - p)^gamma log p, elementwise, from log p (Lin et al. 2017, arXiv 1708.02002, equation 4).

    p = 3/4 and gamma 2 make (1/4)² · -log(3/4) = 0.0625 · 0.28768 = 0.01798:

    >>> print(f"{focal(torch.log(torch.tensor(0.75)), gamma=2.0).item():.5f}")
    0.01798
    """
    # Where p is 1, the derivative of (1 - p)^gamma is infinite for gamma < 1, and infinity times the zero of log p
    # would be nan. Held just below 1, it is a finite number times zero.
    below_one = log_p.clamp(max=-torch.finfo(log_p.dtype).eps)
    return -((-torch.expm1(below_one)) ** gamma) * log_p
