"""Texts as token ids and images as pixels, in flat arrays that are shared between processes."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rarecall.analysis.arrays import BoolArray, FloatArray, IntArray, NameArray
from rarecall.analysis.errors import Fault, InputError
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.images import Images

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH_TEXTS = 1000
BATCH_IMAGES = 100
# Longer than any text, where none is to be cut.
UNCUT = 10_000_000
PARALLELISM = "TOKENIZERS_PARALLELISM"
_chosen_by_user = os.environ.get(PARALLELISM)


States = NDArray[np.float32] | NDArray[np.uint16]


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
    """Inputs and labels of n rows, as plain arrays that Ray's object store passes on without a copy, read-only.

    rows: [n] number of each row in the data. ids: [total]. offsets: [n + 1]. classes, scores, labels, slices,
    keywords: as in `Examples`. states: [total, hidden] what the frozen part of the backbone makes of the tokens, or
    [n, patches · hidden] of images, where it was computed beforehand; uint16 holds the bits of bfloat16. images: of n
    rows, which then count as one token each. groups: [n] equal for rows that must stay together when rows are divided,
    such as those of equal text. prompts: [n] how many of a row's tokens are its prompt, where the others are its
    answer.
    """

    rows: IntArray
    ids: NDArray[np.int32]
    offsets: IntArray
    classes: IntArray
    scores: FloatArray | None = None
    states: States | None = None
    labels: BoolArray | None = None
    slices: Mapping[str, NameArray] = field(default_factory=dict)
    images: "EncodedImages | None" = None
    groups: IntArray | None = None
    keywords: BoolArray | None = None
    prompts: IntArray | None = None

    def take(self, index: IntArray) -> "EncodedSplit":
        """The rows at `index` [m], in its order, copied."""
        positions = _positions(self.offsets, index)
        return EncodedSplit(
            rows=self.rows[index],
            ids=self.ids[positions],
            offsets=np.concatenate([[0], np.cumsum(self.lengths[index])]).astype(np.int64),
            classes=self.classes[index],
            scores=None if self.scores is None else self.scores[index],
            states=None if self.states is None else self.states[positions],
            labels=None if self.labels is None else self.labels[index],
            slices={name: values[index] for name, values in self.slices.items()},
            images=None if self.images is None else replace(self.images, pixels=self.images.pixels[index]),
            groups=None if self.groups is None else self.groups[index],
            keywords=None if self.keywords is None else self.keywords[index],
            prompts=None if self.prompts is None else self.prompts[index],
        )

    @property
    def nbytes(self) -> int:
        """Memory of all arrays together."""
        inputs = (self.rows, self.ids, self.offsets, self.states, self.prompts)
        own = (*inputs, self.classes, self.scores, self.labels, self.keywords)
        arrays = (*own, None if self.images is None else self.images.pixels)
        return sum(array.nbytes for array in arrays if array is not None)


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """Images as the processor resized them: pixels uint8 [n, channels, height, width]; mean, std: [channels] of 0–1."""

    pixels: NDArray[np.uint8]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def normalised(self, index: IntArray) -> NDArray[np.float32]:
        """What the model takes for the rows `index` [b]: float32 [b, channels, height, width]."""
        shape = (-1, 1, 1)
        mean, std = (np.asarray(part, dtype=np.float32).reshape(shape) for part in (self.mean, self.std))
        return np.asarray((self.pixels[index] / np.float32(255) - mean) / std, dtype=np.float32)


def joined(first: EncodedSplit, second: EncodedSplit) -> EncodedSplit:
    """The rows of two splits of the same data, one after another."""

    def both(name: str) -> Any:
        one, other = getattr(first, name), getattr(second, name)
        return None if one is None else np.concatenate([one, other])

    names = ("rows", "ids", "classes", "scores", "states", "labels", "groups", "keywords", "prompts")
    images = None
    if first.images is not None and second.images is not None:
        images = replace(first.images, pixels=np.concatenate([first.images.pixels, second.images.pixels]))
    return EncodedSplit(
        **{name: both(name) for name in names},
        offsets=np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]]),
        slices={name: np.concatenate([values, second.slices[name]]) for name, values in first.slices.items()},
        images=images,
    )


def _positions(offsets: IntArray, index: IntArray) -> IntArray:
    """Where the entries of the rows `index` stand, one row after another."""
    lengths = offsets[index + 1] - offsets[index]
    ends = np.cumsum(lengths)
    within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    return np.asarray(np.repeat(offsets[index], lengths) + within, dtype=np.int64)


def encode(processor: Any, examples: Examples, max_length: int) -> EncodedSplit:
    """The examples with their inputs as the base model takes them.

    processor: a tokenizer, for texts, which are cut to `max_length` tokens, special tokens included; or an image
    processor.
    """
    if examples.images is None:
        tokens, images = tokenize(processor, examples.texts, max_length), None
    else:
        one_each = np.arange(len(examples) + 1, dtype=np.int64)
        tokens, images = TokenArrays(np.zeros(len(examples), dtype=np.int32), one_each), resize(processor, examples)
    return encoded(examples, tokens, images)


def encoded(
    examples: Examples, tokens: TokenArrays, images: EncodedImages | None = None, prompts: IntArray | None = None
) -> EncodedSplit:
    """The labels of the examples with these inputs."""
    return EncodedSplit(
        examples.rows,
        tokens.ids,
        tokens.offsets,
        examples.classes,
        examples.scores,
        labels=examples.labels,
        slices=examples.slices,
        images=images,
        keywords=examples.keywords,
        prompts=prompts,
    )


def resize(processor: Any, examples: Examples) -> EncodedImages:
    """The images of the examples, resized and cropped as the image processor wants, and still of bytes.

    Raises:
        InputError: a file is not an image after all.
    """
    assert examples.images is not None
    images, parts = examples.images, []
    for start in range(0, len(images), BATCH_IMAGES):
        batch = [_image(images, i) for i in range(start, min(start + BATCH_IMAGES, len(images)))]
        resized = processor(batch, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"]
        parts.append(np.clip(np.round(resized), 0, 255).astype(np.uint8))
    plain = not getattr(processor, "do_normalize", True)
    mean, std = ((0.0,) * 3, (1.0,) * 3) if plain else (tuple(processor.image_mean), tuple(processor.image_std))
    return EncodedImages(np.concatenate(parts), mean, std)


def _image(images: Images, index: int) -> NDArray[np.uint8]:
    try:
        return images[index]
    except OSError as error:
        raise InputError("data.image", [Fault("data.image", "must name files that are images", str(error))]) from error


def tokenize(
    tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], max_length: int, *, plain: bool = False
) -> TokenArrays:
    """Token ids of n texts, each cut to `max_length` tokens, special tokens included, and not padded.

    plain: nothing but the text itself: no special tokens come to it, and what looks like one in it is none.
    """
    parts = [np.empty(0, dtype=np.int32)]
    lengths: list[int] = [0]
    with _threads():
        for start in range(0, len(texts), BATCH_TEXTS):
            batch = _token_ids(tokenizer, list(texts[start : start + BATCH_TEXTS]), max_length, plain)
            lengths += map(len, batch)
            parts.append(np.fromiter(chain.from_iterable(batch), dtype=np.int32))
    return TokenArrays(np.concatenate(parts), np.cumsum(lengths, dtype=np.int64))


def _token_ids(tokenizer: "PreTrainedTokenizerBase", texts: list[str], max_length: int, plain: bool) -> list[list[int]]:
    if not texts:
        return []
    special = {"add_special_tokens": False, "split_special_tokens": True} if plain else {}
    encoding = tokenizer(
        texts,
        truncation=True,
        max_length=max_length,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        **special,
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
