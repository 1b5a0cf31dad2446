"""Batches: which rows go together in an epoch, who takes which of them, and how they are padded."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rarecall.analysis.arrays import IntArray

# Rows are sorted by length within chunks of this many batches, enough for little padding.
CHUNK_BATCHES = 50
# Sorted by length · U(1 ± JITTER): sorted exactly, rows would meet the same others in every epoch …
JITTER = 0.05
# … and copies of a row would share a batch.
REPEATED_JITTER = 0.1


class Tokens(Protocol):
    """Token ids of n rows, one after another: row i is ids[offsets[i] : offsets[i + 1]]."""

    @property
    def ids(self) -> NDArray[np.int32]: ...
    @property
    def offsets(self) -> IntArray: ...


class Images(Protocol):
    """n images."""

    def normalised(self, index: IntArray, /) -> NDArray[np.float32]: ...


class Inputs(Tokens, Protocol):
    """n rows of tokens or, where there are any, of images."""

    @property
    def images(self) -> Images | None: ...


def plan_epoch(index: IntArray, lengths: IntArray, batch_size: int, seed: int, epoch: int) -> list[IntArray]:
    """The batches of one epoch: every entry of `index` [m] in exactly one of ceil(m / batch_size) batches.

    lengths: [n] tokens of each row of the split, by row. Rows of like length are put together, so that little is
    padded: shuffled, sorted by about their length inside chunks of many batches, cut, and the batches shuffled. One
    batch at most has fewer than `batch_size` rows. The plan depends on (seed, epoch), not on the number of workers.

    >>> plan = plan_epoch(np.arange(10), lengths=np.arange(10) + 5, batch_size=4, seed=0, epoch=1)
    >>> sorted(len(batch) for batch in plan), sorted(np.concatenate(plan).tolist())
    ([2, 4, 4], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])

    Raises:
        ValueError: the batch size is below 1, or seed or epoch is negative.
    """
    if batch_size < 1:
        raise ValueError(f"the batch size must be at least 1, got {batch_size!r}")
    generator = np.random.default_rng((seed, epoch, 1))
    shuffled = generator.permutation(index)
    batches = -(-len(index) // batch_size)
    chunk = np.arange(len(shuffled)) // (batch_size * CHUNK_BATCHES)
    repeated = np.bincount(shuffled, minlength=1)[shuffled] > 1
    jitter = np.where(repeated, REPEATED_JITTER, JITTER) * generator.uniform(-1, 1, len(shuffled))
    sort_length = lengths[shuffled] * (1 + jitter)
    ordered = shuffled[np.lexsort((sort_length, chunk))]
    return [ordered[start * batch_size : (start + 1) * batch_size] for start in generator.permutation(batches)]


def share(batch: IntArray, rank: int, world_size: int) -> IntArray:
    """The rows of `batch` that worker `rank` of `world_size` handles; none where there are fewer rows than workers.

    Over the ranks, every row is handled once, and the shares differ by at most one row.

    >>> share(np.array([10, 11, 12, 13, 14]), rank=1, world_size=2)
    array([11, 13])

    Raises:
        ValueError: the rank is not one of 0 … world_size - 1.
    """
    if not 0 <= rank < world_size:
        raise ValueError(f"the rank must be from 0 to {world_size - 1}, got {rank!r}")
    return np.ascontiguousarray(batch[rank::world_size])


def pad_states(offsets: IntArray, states: NDArray[np.float32] | NDArray[np.uint16], index: IntArray) -> Tensor:
    """Hidden states [total, hidden] of the rows `index` [b] as float32 [b, longest, hidden], zeros on padding.

    states: of type uint16 they hold the bits of bfloat16.
    """
    starts = offsets[index]
    lengths = offsets[index + 1] - starts
    padded = torch.zeros(len(index), int(lengths.max(initial=0)), states.shape[1])
    for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        values = torch.from_numpy(states[start : start + length].copy())
        padded[row, :length] = values.view(torch.bfloat16) if values.dtype == torch.uint16 else values
    return padded


def model_inputs(split: Inputs, index: IntArray, pad_id: int) -> dict[str, Tensor]:
    """What the model takes for the rows `index` [b]: padded tokens, or `pixel_values` float32 [b, channels, h, w]."""
    if split.images is None:
        return pad(split, index, pad_id)
    return {"pixel_values": torch.from_numpy(split.images.normalised(index))}


def pad_left(tokens: Tokens, index: IntArray, lengths: IntArray, pad_id: int) -> dict[str, Tensor]:
    """Model inputs for the first tokens of the rows `index` [b], padded on the left to the longest of them.

    lengths: [b] how many tokens of each row. Returns `input_ids`, `attention_mask` and `position_ids`, all int64
    [b, longest]; positions count from a row's first token, so that padding changes nothing for a model that looks back.
    """
    places = np.arange(lengths.max(initial=0)) - (lengths.max(initial=0) - lengths)[:, None]
    is_token = places >= 0
    input_ids = np.full(is_token.shape, pad_id, dtype=np.int64)
    input_ids[is_token] = tokens.ids[(tokens.offsets[index][:, None] + places)[is_token]]
    arrays = {"input_ids": input_ids, "attention_mask": is_token, "position_ids": places.clip(min=0)}
    return {name: torch.from_numpy(values.astype(np.int64)) for name, values in arrays.items()}


def pad(tokens: Tokens, index: IntArray, pad_id: int) -> dict[str, Tensor]:
    """Model inputs for the rows `index` [b], padded on the right to the longest of them.

    Returns `input_ids` and `attention_mask`, both int64 [b, longest]; the mask is 1 on tokens and 0 on padding.
    """
    starts = tokens.offsets[index]
    lengths = tokens.offsets[index + 1] - starts
    positions = np.arange(lengths.max(initial=0))
    is_token = positions < lengths[:, None]
    input_ids = np.full(is_token.shape, pad_id, dtype=np.int64)
    input_ids[is_token] = tokens.ids[(starts[:, None] + positions)[is_token]]
    return {"input_ids": torch.from_numpy(input_ids), "attention_mask": torch.from_numpy(is_token.astype(np.int64))}
