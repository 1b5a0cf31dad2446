import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.split import group_ids, split, stratified_sample


def examples(classes, texts=None, groups=None):
    classes = np.array(classes, dtype=np.int64)
    texts = tuple(texts) if texts is not None else tuple(f"text {i}" for i in range(len(classes)))
    return Examples(np.arange(len(classes)), texts, classes, groups=None if groups is None else tuple(groups))


def counts(data, index):
    return np.bincount(data.classes[index], minlength=int(data.classes.max()) + 1).tolist()


def test_tiers_of_the_deployment_filter_keep_their_shares():
    data = examples(np.repeat([0, 1, 2, 3], [1688, 224, 139, 29]))
    made = split(data, validation=0.1, test=0.1, seed=42)
    # 168.8 → 169, 22.4 → 22, 13.9 → 14, 2.9 → 3
    assert counts(data, made.validation) == [169, 22, 14, 3]
    assert counts(data, made.test) == [169, 22, 14, 3]
    assert counts(data, made.train) == [1350, 180, 111, 23]


def test_without_a_test_share_there_is_no_test_split():
    data = examples(np.repeat([0, 1, 2, 3], [1688, 224, 139, 29]))
    made = split(data, validation=0.1, test=0.0, seed=42)
    assert len(made.test) == 0
    assert counts(data, made.train) == [1519, 202, 125, 26]


@pytest.mark.parametrize(("rows", "expected"), [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (4, (2, 1, 1))])
def test_a_small_class_goes_to_training_first_then_validation(rows, expected):
    data = examples([0] * 100 + [1] * rows)
    made = split(data, validation=0.1, test=0.1, seed=0)
    assert tuple(counts(data, index)[1] for index in (made.train, made.validation, made.test)) == expected


def test_training_keeps_a_row_of_each_class_when_the_other_shares_are_large():
    data = examples([0, 0, 0, 0, 1, 1])
    made = split(data, validation=0.5, test=0.45, seed=0)
    assert min(counts(data, made.train)) >= 1


def test_large_groups_are_made_up_for_by_small_ones():
    # One group of 50 and 50 single rows: 10 of the 100 go to validation, all of them single ones.
    data = examples([0] * 100 + [1] * 20, groups=["big"] * 50 + [""] * 70)
    made = split(data, validation=0.1, test=0.1, seed=3)
    assert counts(data, made.validation) == [10, 2]
    assert set(range(50)) <= set(made.train.tolist())


def test_a_group_counts_for_its_rarest_class():
    # Ten groups of one rare and nine common rows: the rare class's share decides, and the common rows follow.
    groups = [f"g{i}" for i in range(10) for _ in range(10)]
    data = examples([1, *[0] * 9] * 10, groups=groups)
    made = split(data, validation=0.2, test=0.1, seed=5)
    assert counts(data, made.validation) == [18, 2]
    assert counts(data, made.test) == [9, 1]


def test_rows_stay_together_along_chains_of_texts_and_groups():
    texts = ["a", " a\n", "b", "c", "d", "e"]
    groups = ["", "x", "x", "y", "y", ""]
    assert group_ids(texts, groups).tolist() == [0, 0, 0, 1, 1, 2]
    assert group_ids(texts, None).tolist() == [0, 0, 1, 2, 3, 4]
    assert group_ids([], []).tolist() == []


def test_other_seeds_give_other_splits():
    data = examples([0] * 80 + [1] * 20)
    made = [split(data, 0.2, 0.2, seed).validation.tolist() for seed in range(5)]
    assert len({tuple(rows) for rows in made}) == 5


@st.composite
def labelled_texts(draw):
    size = draw(st.integers(1, 60))
    classes = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    texts = draw(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=size, max_size=size))
    groups = draw(st.none() | st.lists(st.sampled_from(["", "", "g", "h", "i"]), min_size=size, max_size=size))
    return examples(classes, texts, groups)


shares = st.floats(0.05, 0.45)


@given(labelled_texts(), shares, st.just(0.0) | shares, st.integers(0, 9))
def test_every_row_once_and_nothing_straddles(data, validation, test, seed):
    made = split(data, validation, test, seed)
    parts = (made.train, made.validation, made.test)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(data)))
    for values in (data.texts, data.groups or ()):
        for value in set(values) - {""}:
            homes = [i for i, part in enumerate(parts) if any(values[row] == value for row in part.tolist())]
            assert len(homes) == 1
    again = split(data, validation, test, seed)
    assert all(
        np.array_equal(one, other)
        for one, other in zip(parts, (again.train, again.validation, again.test), strict=True)
    )


@given(st.lists(st.integers(0, 80), min_size=1, max_size=5), shares, shares, st.integers(0, 9))
def test_distinct_texts_are_shared_out_to_the_nearest_row(sizes, validation, test, seed):
    data = examples(np.repeat(np.arange(len(sizes)), sizes))
    if not len(data):
        return
    made = split(data, validation, test, seed)
    for share, index in ((validation, made.validation), (test, made.test)):
        for size, found in zip(sizes, counts(data, index), strict=False):
            assert found >= 1 or size < 3
            # Where rounding leaves a split empty, it gets a row instead.
            if min(validation * size, test * size, (1 - validation - test) * size - 1) > 0.5:
                assert abs(found - share * size) <= 0.5 + 1e-9


def test_samples_keep_proportions_and_every_class():
    classes = np.repeat([0, 1, 2], [890, 100, 10])
    # quotas 44.5, 5, .5: the last class gets its one row, the remaining 49 go 44 + 5
    assert np.bincount(classes[stratified_sample(classes, 50, seed=0)]).tolist() == [44, 5, 1]
    # quotas 2.67, .3, .03: two classes below one row get theirs from the largest
    assert np.bincount(classes[stratified_sample(classes, 3, seed=0)]).tolist() == [1, 1, 1]
    assert stratified_sample(classes, 5000, seed=0).tolist() == list(range(1000))


def test_a_sample_too_small_for_the_classes_is_refused():
    with pytest.raises(ValueError, match="each of the 3 classes, got 2"):
        stratified_sample(np.array([0, 1, 3, 3]), 2, seed=0)


@given(st.lists(st.integers(0, 4), min_size=5, max_size=80), st.integers(5, 80), st.integers(0, 9))
def test_a_sample_is_of_distinct_rows_and_of_the_size_asked_for(classes, limit, seed):
    labels = np.array(classes)
    rows = stratified_sample(labels, limit, seed)
    assert len(rows) == min(limit, len(labels))
    assert (np.diff(rows) > 0).all()
    assert set(labels[rows].tolist()) == set(classes)
    assert np.array_equal(rows, stratified_sample(labels, limit, seed))
