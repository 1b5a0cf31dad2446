"""The frozen part of a backbone, computed once: with LoRA in the last k layers, all below is the same in every epoch of
every trial, so its hidden states are too.

The states are taken where the first adapted layer begins and fed in there again: while a model trains from them, its
embeddings are a stand-in that returns the states, and its stack holds the last k layers only. Weights and their names
stay what they are, so the adapter that is saved is an ordinary one.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from rarecall.trainables.data.encoding import EncodedSplit, States
from rarecall.trainables.models.architectures import embeddings, layer_stack
from rarecall.trainables.models.classifier import unwrapped
from rarecall.trainables.training.batches import model_inputs
from rarecall.trainables.training.optimisation import autocast

Precision = Literal["fp32", "bf16"]
BYTES_PER_NUMBER: dict[Precision, int] = {"fp32": 4, "bf16": 2}


def kept_layers(adapter: str, layers: str) -> int | None:
    """How many layers an adapter configuration trains; None where nothing below them is frozen for sure."""
    return int(layers.removeprefix("last ")) if adapter == "lora" and layers != "all" else None


class FrozenPrefix:
    """Everything of `model` below its last `kept` layers.

    Raises:
        ValueError: the model's embeddings or stack of layers are not where this module knows to look for them.
    """

    def __init__(self, model: nn.Module, kept: int) -> None:
        base = unwrapped(model)
        config: Any = base.config
        if hasattr(config, "patch_size") and config.model_type != "vit":
            raise ValueError(f"{type(base).__name__} takes images and is no ViT, whose patches keep their number")
        self._model: Any = base
        self._stem_owner, self._stem_name = embeddings(base)
        self._stack_owner, self._stack_name = layer_stack(base)
        self._kept = kept

    def freeze_dropout(self) -> None:
        """Put the frozen part into evaluation mode: what is not trained gains nothing from noise."""
        getattr(self._stem_owner, self._stem_name).eval()
        for layer in self._layers()[: -self._kept]:
            layer.eval()

    @contextlib.contextmanager
    def skipped(self) -> Iterator["_Stem"]:
        """Within, the model starts from the states that the yielded stem was fed last."""
        stack, embeddings = self._layers(), getattr(self._stem_owner, self._stem_name)
        stem = _Stem(embeddings, self._model.config.hidden_size)
        setattr(self._stem_owner, self._stem_name, stem)
        setattr(self._stack_owner, self._stack_name, stack[-self._kept :])
        try:
            yield stem
        finally:
            setattr(self._stem_owner, self._stem_name, embeddings)
            setattr(self._stack_owner, self._stack_name, stack)

    def states(
        self,
        split: EncodedSplit,
        pad_id: int,
        precision: Precision = "fp32",
        batch_size: int = 64,
        dtype: torch.dtype = torch.float32,
    ) -> States:
        """Hidden states of a split, in the order of its token ids: [tokens, hidden], or [images, patches · hidden].

        precision: in which they are kept; `bf16` as uint16, which holds the bits: numpy has no such type. dtype: of the
        forward pass.
        """
        self._model.eval()
        device = next(self._model.parameters()).device
        width = entry_width(self._model.config)
        found = np.empty((len(split.ids), width), dtype=np.uint16 if precision == "bf16" else np.float32)
        order = np.argsort(split.lengths, kind="stable")
        for begin in range(0, len(order), batch_size):
            rows = order[begin : begin + batch_size]
            inputs = {name: tensor.to(device) for name, tensor in model_inputs(split, rows, pad_id).items()}
            with autocast(device, dtype):
                reached = self._at_first_kept_layer(inputs)
            values = _stored(reached.cpu(), precision)
            if split.images is not None:
                values = values.reshape(len(rows), 1, -1)  # an image is one entry
            for row, row_values in zip(rows, values, strict=True):
                start, end = split.offsets[row], split.offsets[row + 1]
                found[start:end] = row_values[: end - start]
        return found

    def with_states(
        self,
        split: EncodedSplit,
        pad_id: int,
        precision: Precision = "fp32",
        dtype: torch.dtype = torch.float32,
    ) -> EncodedSplit:
        """The same split with its hidden states, as `states` gives them."""
        return replace(split, states=self.states(split, pad_id, precision, dtype=dtype))

    def _layers(self) -> nn.ModuleList:
        stack: nn.ModuleList = getattr(self._stack_owner, self._stack_name)
        return stack

    @torch.inference_mode()
    def _at_first_kept_layer(self, inputs: dict[str, Tensor]) -> Tensor:
        """Run the model up to the first kept layer and no further."""
        hook = self._layers()[-self._kept].register_forward_pre_hook(_stop_here, with_kwargs=True)
        try:
            self._model(**inputs)
        except _ReachedError as reached:
            return reached.states
        finally:
            hook.remove()
        raise AssertionError("the first kept layer was never reached")


def entry_width(config: Any) -> int:
    """How many numbers there are for an entry of `ids`: a token's, or those of an image's patches and first token."""
    if not hasattr(config, "patch_size"):
        return int(config.hidden_size)
    return int((config.image_size // config.patch_size) ** 2 + 1) * int(config.hidden_size)


def state_bytes(split: EncodedSplit, width: int, precision: Precision) -> int:
    """Memory that the states of a split take; width: as `entry_width`."""
    return len(split.ids) * width * BYTES_PER_NUMBER[precision]


def _stored(values: Tensor, precision: Precision) -> States:
    if precision == "bf16":
        return values.to(torch.bfloat16).view(torch.uint16).numpy()
    return values.float().numpy()


class _Stem(nn.Module):
    """Stands where the embeddings were."""

    def __init__(self, embeddings: Any, hidden_size: int) -> None:
        super().__init__()
        self._embeddings = (embeddings,)  # in a tuple, for their weights not to get a second name
        self._hidden_size = hidden_size
        self._states: Tensor | None = None

    def feed(self, states: Tensor) -> None:
        """states: [batch, longest, hidden], or of images [batch, 1, patches · hidden]."""
        self._states = states.reshape(len(states), -1, self._hidden_size)

    @property
    def patch_embeddings(self) -> nn.Module:
        """What a ViT asks for the type of its weights."""
        patches: nn.Module = self._embeddings[0].patch_embeddings
        return patches

    def forward(self, *_: Any, **__: Any) -> Tensor:
        assert self._states is not None, "fed before every forward pass"
        return self._states


class _ReachedError(Exception):
    def __init__(self, states: Tensor) -> None:
        self.states = states


def _stop_here(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    raise _ReachedError(args[0] if args else kwargs["hidden_states"])
