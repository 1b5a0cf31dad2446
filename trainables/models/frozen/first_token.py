"""The last layer of an encoder, computed for the first token alone where the head reads no other.

Behind the attention, a layer treats each token by itself: what it makes of those that nobody reads is left out. With
LoRA on the last two layers that is a third of all that is computed. Weights, their names and the logits stay the same.
"""

from typing import Any

from torch import Tensor, nn

from rarecall.trainables.models.architectures import READ_FIRST_TOKEN, last_attention_output


def compute_first_token_only(model: Any) -> None:
    """Let the last layer of a classifier go on from its attention with the first token; others are left alone."""
    if model.config.model_type in READ_FIRST_TOKEN:
        last_attention_output(model).register_forward_pre_hook(_first_token)


def _first_token(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """args: what the attention gives, and the states that it is added to; both [batch, tokens, hidden]."""
    return tuple(states[:, :1] for states in args)
