import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.sampling import oversample


def column(*counts, seed=0):
    """A class column with so many rows of each class, in random order."""
    classes = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).permutation(classes)


def test_a_fifth_of_the_majority_for_each_of_three_tiers():
    classes = column(1519, 202, 125, 26)
    index = oversample(classes, minority=[1, 2, 3], ratio=0.2, seed=42, epoch=1)
    # 0.2 · 1519 = 303.8, of which the floor counts.
    assert np.bincount(classes[index]).tolist() == [1519, 303, 303, 303]
    assert index.dtype == np.int64


def test_repeats_are_whole_passes_and_a_remainder():
    classes = column(100, 7)
    # 0.5 · 100 = 50 = 7 · 7 + 1: one row comes eight times, the others seven times.
    index = oversample(classes, minority=[1], ratio=0.5, seed=0, epoch=3)
    times = np.bincount(index)[classes == 1]
    assert sorted(times.tolist()) == [7, 7, 7, 7, 7, 7, 8]


@given(
    counts=st.lists(st.integers(0, 60), min_size=1, max_size=5).filter(any),
    per_mille=st.integers(0, 1000),
    chosen=st.sets(st.integers(0, 4)),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 100),
)
def test_counts_are_exact_and_repeats_even(counts, per_mille, chosen, seed, epoch):
    minority = sorted(chosen & set(range(len(counts))))
    classes = column(*counts, seed=seed)
    index = oversample(classes, minority, per_mille / 1000, seed, epoch)
    times = np.bincount(index, minlength=len(classes))
    assert (times >= 1).all()
    for name, present in enumerate(counts):
        of_class = times[classes == name]
        # In whole numbers, so that no rounding is shared with what is tested.
        target = max(counts) * per_mille // 1000
        assert of_class.sum() == (max(present, target) if name in minority and present else present)
        assert np.ptp(of_class, axis=0) <= 1 if present else len(of_class) == 0


def test_a_product_just_below_a_whole_number_is_that_number():
    assert 0.29 * 100 < 29
    assert len(oversample(column(100, 1), minority=[1], ratio=0.29, seed=0, epoch=1)) == 100 + 29


def test_a_class_above_the_ratio_stays_as_it_is():
    classes = column(100, 40, 5)
    index = oversample(classes, minority=[1, 2], ratio=0.2, seed=0, epoch=1)
    assert np.bincount(classes[index]).tolist() == [100, 40, 20]


def test_only_the_minority_is_repeated():
    classes = column(100, 10, 10)
    assert np.bincount(classes[oversample(classes, [2], 0.5, seed=0, epoch=1)]).tolist() == [100, 10, 50]


def test_a_class_named_twice_is_repeated_once():
    assert len(oversample(column(100, 10), [1, 1], 0.5, seed=0, epoch=1)) == 150


def test_a_class_without_rows_cannot_be_repeated():
    assert len(oversample(column(100, 0, 10), [1, 2], 0.5, seed=0, epoch=1)) == 150


def test_ratio_0_leaves_every_row_once_in_order():
    classes = column(30, 4)
    assert oversample(classes, [1], 0.0, seed=0, epoch=1).tolist() == list(range(34))


def test_the_remainder_depends_on_seed_and_epoch_alone():
    classes = column(1000, 90)

    def draw(seed, epoch):
        return oversample(classes, [1], 0.1, seed, epoch).tolist()

    assert draw(1, 1) == draw(1, 1)
    assert len({tuple(draw(1, 1)), tuple(draw(1, 2)), tuple(draw(2, 1))}) == 3


def test_over_the_epochs_every_row_gets_its_turn():
    # Each epoch draws 10 of 90 rows; that one stays out 100 times has a chance of (8/9)^100 = 8·10⁻⁶.
    classes = column(1000, 90)
    times = sum(np.bincount(oversample(classes, [1], 0.1, 0, epoch)) for epoch in range(100))
    assert (times[classes == 1] > 100).all()


def test_read_only_classes_are_enough():
    classes = column(30, 4)
    classes.flags.writeable = False
    assert len(oversample(classes, [1], 0.5, seed=0, epoch=1)) == 45


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_a_ratio_that_is_no_share_is_refused(ratio):
    with pytest.raises(ValueError, match=f"ratio must be from 0 to 1, got {ratio}"):
        oversample(column(5, 2), [1], ratio, seed=0, epoch=1)
