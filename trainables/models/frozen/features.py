"""Frozen features: what the head of a base model reads of each row before anything is trained, computed once.

They are kept on disk by a hash of their contents, so that the next search on the same rows starts at once.
"""

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoConfig

from rarecall.analysis.arrays import IntArray
from rarecall.trainables.data.encoding import EncodedSplit
from rarecall.trainables.models.architectures import first_of_head
from rarecall.trainables.models.bases import BaseModel
from rarecall.trainables.models.cache import cache_folder
from rarecall.trainables.training.batches import model_inputs
from rarecall.trainables.training.optimisation import autocast

Features = NDArray[np.float32]

# Part of the file names, so that a changed computation is done anew.
VERSION = 1
BATCH_ROWS = 64
# Batches after which it is known how long all of them will take; the first one is slower than the others.
TIMED_BATCHES = 6


class TooSlowError(Exception):
    """The features would take longer than allowed. seconds: that they would take."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"they would take about {seconds / 60:.0f} minutes on this machine")
        self.seconds = seconds


def frozen_features(
    model: Any, split: EncodedSplit, pad_id: int, dtype: torch.dtype = torch.float32, limit: float | None = None
) -> Features:
    """What the head of `model` reads of each row [n, features], in evaluation mode.

    The input of the head's first linear layer: the pooler's output of BERT, the first token's state of RoBERTa, the
    last token's state of a decoder. dtype: of the forward pass. limit: seconds that it may take.

    Raises:
        TooSlowError: it would take longer than `limit`.
        ValueError: the model has no head that this project knows.
    """
    model.eval()
    device = next(model.parameters()).device
    found: Features | None = None
    with _head_input(model) as read, torch.inference_mode():
        for rows in _batches(split, limit):
            inputs = {name: tensor.to(device) for name, tensor in model_inputs(split, rows, pad_id).items()}
            with autocast(device, dtype):
                model(**inputs)
            values = _of_rows(read.pop(), inputs.get("attention_mask"))
            if found is None:
                found = np.empty((len(split), values.shape[1]), dtype=np.float32)
            found[rows] = values.float().cpu().numpy()
    return found if found is not None else np.empty((0, 0), dtype=np.float32)


def features_file(base: BaseModel, split: EncodedSplit, dtype: torch.dtype) -> Path:
    """Where the features of a split are kept: named by a hash of model, precision and inputs."""
    digest = hashlib.sha256(f"{VERSION} {dtype} {_identity(base)}".encode())
    for array in (split.ids, split.offsets):
        digest.update(np.ascontiguousarray(array).data)
    if split.images is not None:
        digest.update(f"{split.images.mean} {split.images.std} {split.images.pixels.shape}".encode())
        digest.update(np.ascontiguousarray(split.images.pixels).data)
    return cache_folder() / "features" / f"{digest.hexdigest()[:32]}.npy"


def stored_features(path: Path) -> Features | None:
    """Features that were kept; None where there are none that can be read."""
    try:
        features: Features = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return None
    return features


def store_features(path: Path, features: Features) -> None:
    """Keep features; the file is complete or not there at all. A folder that cannot be written keeps none."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            np.save(file, features)
        os.replace(partial, path)


def _identity(base: BaseModel) -> str:
    """What tells the weights of one base model from those of another."""
    folder = Path(base.source)
    if not folder.is_dir():
        return f"{base.source} {AutoConfig.from_pretrained(base.source)._commit_hash}"
    told = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            told.update(path.relative_to(folder).as_posix().encode())
            with path.open("rb") as file:
                told.update(hashlib.file_digest(file, "sha256").digest())
    return told.hexdigest()


@contextlib.contextmanager
def _head_input(model: nn.Module) -> Iterator[list[Tensor]]:
    """Within, every forward pass appends what the head's first linear layer was given."""
    read: list[Tensor] = []
    hook = first_of_head(model).register_forward_pre_hook(lambda _, args: read.append(args[0].detach()))
    try:
        yield read
    finally:
        hook.remove()


def _of_rows(values: Tensor, mask: Tensor | None) -> Tensor:
    """One vector per row [b, features]: of decoders, whose head reads every token, that of the last one."""
    if values.ndim == 2:
        return values
    last = values.shape[1] - 1 if mask is None else mask.sum(dim=1) - 1
    return values[torch.arange(len(values), device=values.device), last]


def _batches(split: EncodedSplit, limit: float | None) -> Iterator[IntArray]:
    """Rows of like length together, the longest first; stops with an error where all would take too long."""
    order = np.argsort(-split.lengths, kind="stable")
    started, tokens = time.perf_counter(), 0
    for number, begin in enumerate(range(0, len(order), BATCH_ROWS)):
        if number == 1:
            started, tokens = time.perf_counter(), 0
        if number == TIMED_BATCHES and limit is not None:
            of_one_token = (time.perf_counter() - started) / tokens
            if (needed := of_one_token * int(split.lengths.sum())) > limit:
                raise TooSlowError(needed)
        rows = order[begin : begin + BATCH_ROWS]
        tokens += int(split.lengths[rows].sum())
        yield rows
