import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from trainables.weights import class_weights

TIERS = np.array([1519, 202, 125, 26])


def test_full_strength_is_the_inverse_frequency_up_to_the_cap():
    # 1519 / 202 = 7.5198, 1519 / 125 = 12.152 and 1519 / 26 = 58.4231, of which two are above 10.
    np.testing.assert_allclose(class_weights(TIERS, 1.0, cap=10.0), [1, 7.5198, 10, 10], rtol=1e-5)
    np.testing.assert_allclose(class_weights(TIERS, 1.0, cap=100.0), [1, 7.5198, 12.152, 58.4231], rtol=1e-5)


def test_half_strength_is_the_root():
    # √7.5198 = 2.7422, √12.152 = 3.4860, √58.4231 = 7.6435
    np.testing.assert_allclose(class_weights(TIERS, 0.5, cap=10.0), [1, 2.7422, 3.4860, 7.6435], rtol=1e-4)


def test_without_strength_all_weigh_the_same():
    assert class_weights(np.array([1519, 0, 26]), 0.0, cap=10.0).tolist() == [1, 1, 1]


def test_oversampled_counts_leave_a_fifth_to_weigh_up():
    # 1519 / 303 = 5.0132
    weights = class_weights(np.array([1519, 303, 303, 303]), 1.0, cap=10.0)
    np.testing.assert_allclose(weights, [1, 5.0132, 5.0132, 5.0132], rtol=1e-5)


@given(counts=st.lists(st.integers(1, 10_000), min_size=2, max_size=6))
def test_full_strength_is_in_proportion_to_the_balanced_weights_of_sklearn(counts):
    classes = np.arange(len(counts))
    balanced = compute_class_weight("balanced", classes=classes, y=np.repeat(classes, counts))
    ours = class_weights(np.array(counts), 1.0, cap=np.inf)
    np.testing.assert_allclose(ours, balanced / balanced.min(), rtol=1e-12)


@given(
    counts=st.lists(st.integers(0, 10_000), min_size=1, max_size=6),
    strength=st.floats(0, 1),
    cap=st.floats(1, 100),
)
def test_weights_lie_between_1_and_the_cap_and_fall_with_the_count(counts, strength, cap):
    weights = class_weights(np.array(counts), strength, cap)
    assert weights.dtype == np.float64
    assert ((weights >= 1) & (weights <= cap)).all()
    assert weights[np.argmax(counts)] == 1
    present = np.array(counts) > 0
    by_count = weights[present][np.argsort(np.array(counts)[present])]
    assert (np.diff(by_count) <= 0).all()


def test_a_class_without_rows_weighs_1():
    np.testing.assert_allclose(class_weights(np.array([0, 4, 2]), 1.0, cap=10.0), [1, 1, 2])
    assert class_weights(np.array([0, 0]), 1.0, cap=10.0).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("counts", "strength", "cap", "message"),
    [
        ([2, 1], -0.1, 10, "strength must be from 0 to 1, got -0.1"),
        ([2, 1], 1.1, 10, "strength must be from 0 to 1, got 1.1"),
        ([2, 1], 1.0, 0.5, "cap must be at least 1, got 0.5"),
        ([2, 1], 1.0, float("nan"), "cap must be at least 1, got nan"),
        ([2, -1], 1.0, 10, r"counts must not be negative, got \[2, -1\]"),
    ],
)
def test_arguments_outside_their_range_are_refused(counts, strength, cap, message):
    with pytest.raises(ValueError, match=message):
        class_weights(np.array(counts), strength, cap)
