import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rarecall.trainables.imbalance.label_density import label_density


def by_definition(scores, times):
    """Every row against every other: Σ over rows at most two bins away of exp(-(bins)² / (2 · 2²))."""
    low, high = min(scores), max(scores)
    bins = [min(int((score - low) / ((high - low) / 100)), 99) for score in scores]
    density = [
        sum(n * math.exp(-((b - other) ** 2) / 8) for other, n in zip(bins, times, strict=True) if abs(b - other) <= 2)
        for b in bins
    ]
    mean = sum(n / d for n, d in zip(times, density, strict=True)) / sum(times)
    return [1 / d / mean for d in density]


def test_neighbours_lend_one_another_density():
    # Bins of 0.1 from 0 to 10: three rows in bin 0, one in bin 1, one in bin 99. The kernel is e^(-1/8) one bin off.
    near = math.exp(-1 / 8)
    density = np.array([3 + near, 3 + near, 3 + near, 1 + 3 * near, 1])
    expected = (1 / density) / (1 / density).mean()
    scores = np.array([[0.0], [0.0], [0.05], [0.15], [10.0]])
    np.testing.assert_allclose(label_density(scores, np.ones(5)), expected, rtol=1e-12)


@given(
    scores=st.lists(st.integers(0, 40), min_size=2, max_size=30).filter(lambda values: len(set(values)) > 1),
    data=st.data(),
)
def test_weights_are_one_over_the_smoothed_density(scores, data):
    times = data.draw(st.lists(st.integers(1, 5), min_size=len(scores), max_size=len(scores)))
    scores = [score / 4 for score in scores]
    found = label_density(np.array(scores)[:, None], np.array(times, dtype=np.float64))
    np.testing.assert_allclose(found, by_definition(scores, times), rtol=1e-9)
    assert np.average(found, weights=times) == pytest.approx(1, rel=1e-9)


def test_rare_scores_weigh_more():
    scores = np.array([[1.0]] * 90 + [[9.0]] * 10)
    found = label_density(scores, np.ones(100))
    assert found[-1] / found[0] == pytest.approx(9, rel=1e-12)


def test_dimensions_are_averaged():
    scores = np.array([[0.0, 5.0], [0.0, 5.0], [0.0, 0.0], [10.0, 5.0]])
    times = np.ones(4)
    both = (label_density(scores[:, :1], times) + label_density(scores[:, 1:], times)) / 2
    np.testing.assert_allclose(label_density(scores, times), both, rtol=1e-12)


def test_scores_that_are_all_alike_weigh_1():
    np.testing.assert_allclose(label_density(np.full((5, 2), 3.0), np.ones(5)), 1, rtol=1e-12)


def test_repeated_rows_count_as_often_as_they_come():
    # Nine rows of 0, and one of 10 that comes nine times: as dense as the others.
    scores = np.array([[0.0]] * 9 + [[10.0]])
    np.testing.assert_allclose(label_density(scores, np.array([1.0] * 9 + [9.0])), 1, rtol=1e-12)
