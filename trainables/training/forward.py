"""From row numbers to raw model outputs: padding, device, precision, and a frozen part that is not computed twice."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from rarecall.analysis.arrays import IntArray
from rarecall.trainables.config import ModelConfig
from rarecall.trainables.data.encoding import EncodedSplit
from rarecall.trainables.models.architectures import new_head
from rarecall.trainables.models.frozen.frozen_prefix import FrozenPrefix, kept_layers
from rarecall.trainables.models.sharding import is_sharded
from rarecall.trainables.tasks.protocol import Outputs
from rarecall.trainables.training.augmentation import Augmentation
from rarecall.trainables.training.batches import model_inputs, pad_states, share
from rarecall.trainables.training.optimisation import autocast
from rarecall.trainables.training.worker import Worker

UNCHANGED = Augmentation()


class Forward:
    """One model as the loop runs it. Use within `training()` or `predicting()`."""

    def __init__(self, model: Any, config: ModelConfig, pad_id: int, worker: Worker, dtype: torch.dtype) -> None:
        self.model, self._pad_id, self._worker, self._dtype = model, pad_id, worker, dtype
        kept = kept_layers(config.adapter, config.lora.layers)
        self._prefix = FrozenPrefix(model, kept) if kept is not None else None
        self._head_alone = config.adapter == "head"
        self._stem: Any = None
        self.sharded = is_sharded(model)
        self._augmentation = UNCHANGED

    @contextlib.contextmanager
    def training(self, split: EncodedSplit, augmentation: Augmentation = UNCHANGED) -> Iterator[None]:
        """Training mode, for rows of `split`, whose images are varied."""
        self.model.train()
        if self._head_alone:
            # What is not trained gains nothing from noise.
            self.model.eval()
            new_head(self.model).train()
        self._augmentation = augmentation
        if self._prefix is not None:
            self._prefix.freeze_dropout()
        with self._skipping(split):
            yield

    @contextlib.contextmanager
    def predicting(self, split: EncodedSplit) -> Iterator[None]:
        """Evaluation mode without gradients, for rows of `split`."""
        self.model.eval()
        self._augmentation = UNCHANGED
        with torch.inference_mode(), self._skipping(split):
            yield

    def __call__(self, split: EncodedSplit, rows: IntArray) -> Tensor:
        """Raw outputs [rows, outputs] in single precision."""
        device = self._worker.device
        inputs = {name: tensor.to(device) for name, tensor in model_inputs(split, rows, self._pad_id).items()}
        if self._stem is not None and split.states is not None:
            self._stem.feed(pad_states(split.offsets, split.states, rows).to(device))
        if "pixel_values" in inputs:
            inputs["pixel_values"] = self._augmentation(inputs["pixel_values"])
        with autocast(device, self._dtype):
            outputs: Tensor = self.model(**inputs).logits
        return outputs.float()

    def outputs(self, split: EncodedSplit, rows: IntArray) -> Outputs:
        """The same as an array, without gradients."""
        with torch.inference_mode():  # holds for one thread only
            values: Outputs = self(split, rows).cpu().numpy()
        return values

    @contextlib.contextmanager
    def _skipping(self, split: EncodedSplit) -> Iterator[None]:
        if self._prefix is None or split.states is None:
            yield
            return
        with self._prefix.skipped() as self._stem:
            yield
        self._stem = None


class Predicts(Protocol):
    """A model of either kind as far as predictions go. sharded: its workers must run it equally often."""

    @property
    def sharded(self) -> bool: ...

    def predicting(self, split: EncodedSplit, /) -> contextlib.AbstractContextManager[None]:
        """Evaluation mode without gradients, for rows of `split`."""

    def outputs(self, split: EncodedSplit, rows: IntArray, /) -> Outputs:
        """Numbers [rows, outputs] or answers [rows]."""


def predict_outputs(forward: Predicts, split: EncodedSplit, batch_size: int, worker: Worker) -> Outputs:
    """Raw model outputs, [rows, outputs] or answers [rows], for a whole split, in its order, on every worker."""
    order = np.argsort(split.lengths, kind="stable")[::-1]
    mine: list[tuple[IntArray, Any]] = []
    with forward.predicting(split):
        for begin in range(0, len(order), batch_size):
            batch = order[begin : begin + batch_size]
            rows = share(batch, worker.rank, worker.size)
            if len(rows):
                mine.append((rows, forward.outputs(split, rows)))
            elif forward.sharded:
                forward.outputs(split, batch[:1])  # for the part of the weights that the others lack
    parts = [part for of_worker in worker.gather(mine) for part in of_worker]
    return in_order(parts, len(order))


def in_order(parts: Sequence[tuple[IntArray, Outputs]], count: int) -> Outputs:
    """The outputs of rows [b] at their places among `count` rows; numbers in double precision."""
    first = parts[0][1]
    kind = np.object_ if first.dtype == np.object_ else np.float64
    outputs = np.empty((count, *first.shape[1:]), dtype=kind)
    for rows, values in parts:
        outputs[rows] = values
    return outputs
