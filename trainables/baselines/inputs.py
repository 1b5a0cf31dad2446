"""What baselines read of a row: TF-IDF of its text, or a vector that was computed beforehand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from rarecall.analysis.arrays import IntArray
from rarecall.trainables.baselines.linear import Inputs
from rarecall.trainables.data.encoding import EncodedImages
from rarecall.trainables.data.examples import Examples

# Characters in a word, on average over a text, above which the script hardly has spaces.
LONG_WORDS = 12
# Share of such texts from which characters are counted instead of words.
SHARE_OF_LONG = 0.1
# Images are shrunk to so many pixels a side: a linear model has a weight for each.
MOST_PIXELS = 16
BATCH = 256


class Read(Protocol):
    """What a baseline reads, as it was fitted to some rows."""

    def pool(self, index: IntArray, /) -> Inputs:
        """Of training and validation rows at these positions [m, features]."""

    def others(self, examples: Examples, /) -> Inputs:
        """Of other rows [n, features]."""


# Fits what there is to fit, such as a vocabulary, to the training rows at some positions.
Source = Callable[[IntArray], Read]


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors of all rows [n, features]; nothing is fitted. of: gives those of other rows. of_base: whether the head of
    the base model reads them.
    """

    vectors: NDArray[np.float32]
    of: Callable[[Examples], NDArray[np.float32]]
    of_base: bool = False

    def __call__(self, _: IntArray) -> "Vectors":
        return self

    def pool(self, index: IntArray) -> Inputs:
        return self.vectors[index]

    def others(self, examples: Examples) -> Inputs:
        return self.of(examples)


@dataclass(frozen=True, eq=False)
class Tfidf:
    """TF-IDF of words and pairs of them, or of up to three characters, of the texts of all rows."""

    texts: Sequence[str]
    characters: bool

    def __call__(self, inside: IntArray) -> Read:
        shape: dict[str, Any] = {"ngram_range": (1, 2)}
        if self.characters:
            shape = {"analyzer": "char_wb", "ngram_range": (1, 3)}
        chosen = self._texts(inside)
        try:
            fitted = TfidfVectorizer(min_df=2, sublinear_tf=True, **shape).fit(chosen)
        except ValueError:  # no word comes twice
            fitted = TfidfVectorizer(sublinear_tf=True, **shape).fit(chosen)
        return _FittedTfidf(self, fitted)

    def _texts(self, index: IntArray) -> list[str]:
        return [self.texts[i] for i in index.tolist()]


@dataclass(frozen=True, eq=False)
class _FittedTfidf:
    source: Tfidf
    vectorizer: TfidfVectorizer

    def pool(self, index: IntArray) -> Inputs:
        return self.vectorizer.transform(self.source._texts(index))

    def others(self, examples: Examples) -> Inputs:
        return self.vectorizer.transform(examples.texts)


def needs_characters(texts: Sequence[str]) -> bool:
    """Whether many of the texts have no spaces between words.

    >>> needs_characters(["the old town", "rain and wind"]), needs_characters(["彼はとても親切な人だと思います。"])
    (False, True)
    """
    long = [len(text) > LONG_WORDS * len(text.split()) for text in texts]
    return float(np.mean(long)) >= SHARE_OF_LONG if long else False


def pixel_vectors(images: EncodedImages) -> NDArray[np.float32]:
    """Pixels from 0 to 1 [n, channels · height · width], shrunk by means of squares where there are many."""
    # Piece by piece: as floats, thousands of photographs would not fit the memory.
    parts = [_shrunk(images.pixels[begin : begin + BATCH]) for begin in range(0, len(images.pixels), BATCH)]
    return np.concatenate(parts)


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    count, channels, height, width = pixels.shape
    side = max(1, -(-max(height, width) // MOST_PIXELS))
    rows, columns = height // side, width // side
    squares = pixels[:, :, : rows * side, : columns * side].reshape(count, channels, rows, side, columns, side)
    means = squares.mean(axis=(3, 5), dtype=np.float32) / 255
    return np.asarray(means.reshape(count, -1), dtype=np.float32)
