"""Texts as token ids, in flat arrays that are shared between processes."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.predictions import FloatArray, IntArray
from trainables.examples import Examples

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH_TEXTS = 1000
PARALLELISM = "TOKENIZERS_PARALLELISM"
_chosen_by_user = os.environ.get(PARALLELISM)


class _Ragged:
    """Rows of different length in one array: row i is ids[offsets[i] : offsets[i + 1]]."""

    ids: NDArray[np.int32]
    offsets: IntArray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> IntArray:
        """Tokens of each row [n]."""
        return np.diff(self.offsets)


@dataclass(frozen=True, eq=False)
class TokenArrays(_Ragged):
    """Token ids of n texts: ids [total], offsets [n + 1]."""

    ids: NDArray[np.int32]
    offsets: IntArray


@dataclass(frozen=True, eq=False)
class EncodedSplit(_Ragged):
    """Token ids and labels of n rows, as plain arrays that Ray's object store passes on without a copy, read-only.

    rows: [n] number of each row in the data. ids: [total]. offsets: [n + 1]. classes: [n] index into the classes.
    scores: [n, dimensions] on the range of the task, for tasks with scores. states: [total, hidden] what the frozen
    part of the backbone makes of the tokens, where it was computed beforehand.
    """

    rows: IntArray
    ids: NDArray[np.int32]
    offsets: IntArray
    classes: IntArray
    scores: FloatArray | None = None
    states: NDArray[np.float32] | None = None

    @property
    def nbytes(self) -> int:
        """Memory of all arrays together."""
        arrays = (self.rows, self.ids, self.offsets, self.classes, self.scores, self.states)
        return sum(array.nbytes for array in arrays if array is not None)


def encode(tokenizer: "PreTrainedTokenizerBase", examples: Examples, max_length: int) -> EncodedSplit:
    """The examples with their texts as token ids, each cut to `max_length` tokens, special tokens included."""
    tokens = tokenize(tokenizer, examples.texts, max_length)
    return EncodedSplit(examples.rows, tokens.ids, tokens.offsets, examples.classes, examples.scores)


def tokenize(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], max_length: int) -> TokenArrays:
    """Token ids of n texts, each cut to `max_length` tokens, special tokens included, and not padded."""
    parts = [np.empty(0, dtype=np.int32)]
    lengths: list[int] = [0]
    with _threads():
        for start in range(0, len(texts), BATCH_TEXTS):
            batch = _token_ids(tokenizer, list(texts[start : start + BATCH_TEXTS]), max_length)
            lengths += map(len, batch)
            parts.append(np.fromiter(chain.from_iterable(batch), dtype=np.int32))
    return TokenArrays(np.concatenate(parts), np.cumsum(lengths, dtype=np.int64))


def _token_ids(tokenizer: "PreTrainedTokenizerBase", texts: list[str], max_length: int) -> list[list[int]]:
    encoding = tokenizer(
        texts,
        truncation=True,
        max_length=max_length,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
    )
    ids: list[list[int]] = encoding["input_ids"]
    return ids


@contextmanager
def _threads() -> Iterator[None]:
    """Tokenizers with threads in here and without afterwards: a process that forked with them on could deadlock."""
    if _chosen_by_user is not None:
        yield
        return
    os.environ[PARALLELISM] = "true"
    try:
        yield
    finally:
        os.environ[PARALLELISM] = "false"
