"""A linear model on frozen features as the head of its base model, so that any program that loads the base can run it.

Heads of one linear layer take over its weights. Heads of two, with an activation in between, get a first layer whose
outputs lie where the activation is as good as linear: close to 0 (tanh), or far above it (GELU, ReLU).
"""

import copy
import itertools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from rarecall.trainables.models.architectures import new_head

# By how much features are scaled, and then shifted, before the activation.
SCALES, SHIFTS = (1.0, 1e-2, 1e-3), (0.0, 30.0)
# Largest error of an output, as a share of the spread of outputs.
TOLERANCE = 1e-3


def put_linear_head(model: nn.Module, weight: Tensor, bias: Tensor, features: Tensor) -> None:
    """Have the new head of `model` give features · weightᵀ + bias.

    weight: [outputs, features]. bias: [outputs]. features: some rows [m, features] that the head reads, by which it is
    tried.

    Raises:
        ValueError: the head cannot be such a linear model, for want of a bias or by its shape.
    """
    head = new_head(model)
    wanted = (features.double() @ weight.double().T + bias.double()).float()
    allowed = TOLERANCE * max(1.0, float(wanted.std()))
    for state in _candidates(head, weight, bias):
        tried = copy.deepcopy(head).float().eval()
        tried.load_state_dict(state)
        with torch.inference_mode():
            # Heads of two layers look for the first token of a sequence.
            found = tried(features.float() if isinstance(head, nn.Linear) else features.float()[:, None, :])
        if float((found.reshape(wanted.shape) - wanted).abs().max()) <= allowed:
            head.load_state_dict(state)
            return
    raise ValueError(f"the head of {type(model).__name__} cannot take over a linear model")


def _candidates(head: nn.Module, weight: Tensor, bias: Tensor) -> Iterator[dict[str, Tensor]]:
    """States of the head that may amount to the linear model."""
    names = [name for name, part in head.named_modules() if isinstance(part, nn.Linear)]
    layers = [head.get_submodule(name) for name in names]
    if any(getattr(layer, "bias", None) is None for layer in layers):
        return
    if names == [""]:
        yield {"weight": weight.float(), "bias": bias.float()}
    elif len(names) == 2 and layers[0].weight.shape == (weight.shape[1], weight.shape[1]):
        first, last = names
        for scale, shift in itertools.product(SCALES, SHIFTS):
            yield {
                f"{first}.weight": torch.eye(weight.shape[1]) * scale,
                f"{first}.bias": torch.full((weight.shape[1],), shift),
                f"{last}.weight": weight.float() / scale,
                f"{last}.bias": (bias - weight.sum(dim=1) * shift / scale).float(),
            }
