import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from rarecall.trainables.imbalance import schemes
from rarecall.trainables.imbalance.class_weights import (
    Alike,
    Balanced,
    EffectiveNumber,
    Inverse,
    Power,
    class_weights,
    label_weights,
)

TIERS = np.array([1519.0, 202.0, 125.0, 26.0])
EVERY = [
    ("none", {}),
    ("power", {}),
    ("power", {"strength": 0.5}),
    ("power", {"strength": 1.0}),
    ("inverse", {}),
    ("balanced", {}),
    ("effective_number", {}),
    ("effective_number", {"beta": 0.0}),
    ("effective_number", {"beta": 0.9999}),
]


# What every registered scheme must do.
every_scheme = pytest.mark.parametrize("scheme", [schemes.build_scheme(*case) for case in EVERY], ids=str)


def test_every_scheme_of_classes_is_tested_here():
    assert {name for name, _ in EVERY} == {name for name in schemes.names() if not schemes.weighs_rows(name)}


@every_scheme
@given(counts=st.lists(st.integers(0, 10_000), min_size=1, max_size=6), cap=st.floats(1, 100))
def test_weights_are_positive_and_at_most_the_cap_and_fall_with_the_count(scheme, counts, cap):
    counts = np.array(counts, dtype=np.float64)
    found = class_weights(counts, scheme, cap)
    assert found.values.dtype == np.float64
    assert ((found.values > 0) & (found.values <= cap)).all()
    assert (found.values[found.capped] == cap).all()
    present = counts > 0
    assert (np.diff(found.values[present][np.argsort(counts[present])]) <= 1e-12).all()


@every_scheme
@given(counts=st.lists(st.integers(1, 10_000), min_size=1, max_size=6))
def test_classes_of_one_size_weigh_1(scheme, counts):
    # Of two alike, both are the largest, half of the rows, and the mean.
    np.testing.assert_allclose(scheme(np.full(len(counts), counts[0], dtype=np.float64)), 1, rtol=1e-12)


@every_scheme
def test_a_class_without_rows_weighs_1_and_changes_no_other(scheme):
    with_empty = class_weights(np.array([90.0, 0.0, 10.0]), scheme, cap=100.0)
    without = class_weights(np.array([90.0, 10.0]), scheme, cap=100.0)
    np.testing.assert_allclose(with_empty.values[[0, 2]], without.values, rtol=1e-12)
    assert with_empty.values[1] == 1
    assert class_weights(np.zeros(2), scheme, cap=10.0).values.tolist() == [1, 1]


@every_scheme
@given(positives=st.integers(0, 1000), rows=st.integers(1, 1000))
def test_a_label_and_its_opposite_have_weights_that_cancel(scheme, positives, rows):
    positives = min(positives, rows)
    both = np.array([positives, rows - positives], dtype=np.float64)
    one, other = label_weights(both, rows, scheme, cap=math.inf).values
    assert one * other == pytest.approx(1, rel=1e-12)


@every_scheme
def test_a_weight_by_name_takes_the_place_of_the_computed_one_and_is_not_capped(scheme):
    free = class_weights(TIERS, scheme, cap=3.0)
    found = class_weights(TIERS, scheme, cap=3.0, by_name={3: 15.0})
    np.testing.assert_array_equal(found.values, [*free.values[:3], 15.0])
    assert found.capped.tolist() == [*free.capped[:3], False]
    assert label_weights(TIERS, 1872, scheme, cap=3.0, by_name={3: 15.0}).values[3] == 15


def test_inverse_on_the_oversampled_tiers():
    # 1519 / 303 = 5.0132
    found = class_weights(np.array([1519.0, 303.0, 303.0, 303.0]), Inverse(), cap=10.0)
    np.testing.assert_allclose(found.values, [1, 5.0132, 5.0132, 5.0132], rtol=1e-5)
    assert found.values.round(2).tolist() == [1.0, 5.01, 5.01, 5.01]


def test_the_cap_is_told():
    # 1519 / 202 = 7.5198, 1519 / 125 = 12.152 and 1519 / 26 = 58.4231, of which two are above 10.
    found = class_weights(TIERS, Inverse(), cap=10.0)
    np.testing.assert_allclose(found.values, [1, 7.5198, 10, 10], rtol=1e-5)
    assert found.capped.tolist() == [False, False, True, True]
    loose = class_weights(TIERS, Inverse(), cap=100.0)
    np.testing.assert_allclose(loose.values, [1, 7.5198, 12.152, 58.4231], rtol=1e-5)
    assert not loose.capped.any()


def test_half_power_is_the_root():
    # √7.5198 = 2.7422, √12.152 = 3.4860, √58.4231 = 7.6435
    np.testing.assert_allclose(Power(0.5)(TIERS), [1, 2.7422, 3.4860, 7.6435], rtol=1e-4)


@given(counts=st.lists(st.integers(1, 10_000), min_size=1, max_size=6))
def test_full_and_no_power_are_inverse_and_none(counts):
    counts = np.array(counts, dtype=np.float64)
    np.testing.assert_array_equal(Power(1.0)(counts), Inverse()(counts))
    np.testing.assert_array_equal(Power(0.0)(counts), Alike()(counts))


@given(counts=st.lists(st.integers(1, 10_000), min_size=2, max_size=6))
def test_balanced_is_that_of_sklearn(counts):
    classes = np.arange(len(counts))
    expected = compute_class_weight("balanced", classes=classes, y=np.repeat(classes, counts))
    np.testing.assert_allclose(Balanced()(np.array(counts, dtype=np.float64)), expected, rtol=1e-12)


def test_effective_number_is_the_equation():
    # E_n = (1 - 0.9^n) / (1 - 0.9): 10 · (1 - 0.9^10) = 6.5132 and 1. Inverses 0.15353 and 1, mean 0.57677.
    np.testing.assert_allclose(EffectiveNumber(0.9)(np.array([10.0, 1.0])), [0.26620, 1.73380], atol=1e-5)


@given(counts=st.lists(st.integers(1, 10_000), min_size=1, max_size=6), beta=st.floats(0, 0.99999))
def test_effective_numbers_have_a_mean_of_1(counts, beta):
    assert EffectiveNumber(beta)(np.array(counts, dtype=np.float64)).mean() == pytest.approx(1, rel=1e-9)


def test_beta_near_1_is_the_inverse_frequency():
    found = EffectiveNumber(1 - 1e-9)(TIERS)
    np.testing.assert_allclose(found / found[0], TIERS[0] / TIERS, rtol=1e-4)


@pytest.mark.parametrize("scheme", [Inverse(), Balanced(), Power(1.0)])
def test_a_label_weighs_its_negatives_over_its_positives(scheme):
    # 990 / 10 = 99, 900 / 100 = 9, 400 / 600 = 0.6667
    found = label_weights(np.array([10.0, 100.0, 600.0]), 1000, scheme, cap=100.0)
    np.testing.assert_allclose(found.values, [99, 9, 2 / 3], rtol=1e-12)


def test_half_power_of_a_label_is_the_root():
    found = label_weights(np.array([10.0, 100.0]), 1000, Power(0.5), cap=5.0)
    # √99 = 9.95 is capped, √9 = 3.
    np.testing.assert_allclose(found.values, [5, 3], rtol=1e-12)
    assert found.capped.tolist() == [True, False]


def test_content_moderation_names_two_weights_and_caps_the_others():
    # 10× at 100:1 and 5× at 10:1 by name; 20:1 and 2:1 are computed, at most 3.
    positives = np.array([10.0, 92.0, 48.0, 337.0])
    found = label_weights(positives, 1010, Inverse(), cap=3.0, by_name={0: 10.0, 1: 5.0})
    np.testing.assert_allclose(found.values, [10, 5, 3, 673 / 337], rtol=1e-12)
    assert found.capped.tolist() == [False, False, True, False]


def test_a_label_that_none_or_all_have_weighs_1():
    assert label_weights(np.array([0.0, 10.0]), 10, Inverse(), cap=10.0).values.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Power(-0.1), "strength must be from 0 to 1, got -0.1"),
        (lambda: Power(1.1), "strength must be from 0 to 1, got 1.1"),
        (lambda: EffectiveNumber(1.0), "beta must be at least 0 and below 1, got 1.0"),
        (lambda: class_weights(TIERS, Inverse(), 0.5), "cap must be at least 1, got 0.5"),
        (lambda: class_weights(TIERS, Inverse(), math.nan), "cap must be at least 1, got nan"),
        (lambda: class_weights(-TIERS[:1], Inverse(), 10), r"counts must not be negative, got \[-1519.0\]"),
        (lambda: label_weights(TIERS[:1], 1000, Inverse(), 10), r"counts must not be negative, got \[-519.0\]"),
        (lambda: schemes.build_scheme("blanced", {}), r"must be one of \['balanced', .*\], got 'blanced'"),
    ],
)
def test_arguments_outside_their_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("name", ["balanced", "label_density"])
def test_a_name_is_taken_once(name):
    with pytest.raises(ValueError, match=f"must have unique names, got '{name}' twice"):
        schemes.register(name)


def test_a_scheme_gets_the_parameters_it_has():
    both = {"strength": 0.5, "beta": 0.9}
    assert schemes.build_scheme("power", both) == Power(0.5)
    assert schemes.build_scheme("effective_number", both) == EffectiveNumber(0.9)
    assert schemes.build_scheme("none", both) == Alike()
