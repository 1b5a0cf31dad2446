"""The precision that losses are computed in."""

import torch
from torch import Tensor


def at_least_single(values: Tensor) -> Tensor:
    """`values` in float32 if they are of half precision, else as they are.

    >>> at_least_single(torch.zeros(2, dtype=torch.bfloat16)).dtype
    torch.float32
    >>> at_least_single(torch.zeros(2, dtype=torch.float64)).dtype
    torch.float64
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
