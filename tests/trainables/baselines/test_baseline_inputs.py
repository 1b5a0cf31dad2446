"""What baselines read: words, characters where there are no spaces, and pixels."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from rarecall.trainables.baselines.inputs import Tfidf, needs_characters, pixel_vectors
from rarecall.trainables.data.encoding import EncodedImages


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["the old town", "Donaudampfschifffahrt im Regen"], False),
        (["rain"] * 9 + ["彼はとても親切な人だと思います。"], True),
        (["rain"] * 19 + ["彼はとても親切な人だと思います。"], False),
        ([], False),
    ],
)
def test_characters_are_counted_where_a_tenth_of_the_texts_has_no_spaces(texts, expected):
    assert needs_characters(texts) == expected


def test_the_vocabulary_is_that_of_the_rows_it_is_fitted_to():
    texts = ["red rain", "red wind", "blue rain", "blue wind", "blue rain"]
    read = Tfidf(texts, characters=False)(np.array([0, 1]))
    expected = TfidfVectorizer(min_df=2, ngram_range=(1, 2), sublinear_tf=True).fit(texts[:2])
    assert sorted(expected.vocabulary_) == ["red"]
    np.testing.assert_allclose(read.pool(np.array([0, 4])).toarray(), [[1.0], [0.0]])


def test_rows_of_which_no_word_comes_twice_are_read_all_the_same():
    read = Tfidf(["red", "blue"], characters=False)(np.array([0, 1]))
    assert read.pool(np.array([1])).toarray().tolist() == [[1.0, 0.0]]


def test_large_images_are_shrunk_to_means_of_squares():
    pixels = np.zeros((1, 1, 32, 32), np.uint8)
    pixels[0, 0, :2, :2] = [[255, 0], [255, 0]]
    (vector,) = pixel_vectors(EncodedImages(pixels, (0.0,), (1.0,)))
    assert (len(vector), vector[0], vector[1:].max()) == (256, 0.5, 0.0)
    small = pixel_vectors(EncodedImages(np.full((2, 3, 8, 8), 51, np.uint8), (0.0,) * 3, (1.0,) * 3))
    np.testing.assert_allclose(small, np.full((2, 192), 0.2))
