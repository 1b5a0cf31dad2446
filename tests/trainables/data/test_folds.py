from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecall.analysis.errors import InputError
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.trainables.data.encoding import EncodedSplit, joined
from rarecall.trainables.data.folds import one_fold, trial_folds, with_folds
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.tasks import Multiclass


def split_of(classes, first_row=0, groups=None, states=False):
    """Row i has i % 3 + 1 tokens, all of its own row number."""
    rows = np.arange(first_row, first_row + len(classes))
    lengths = rows % 3 + 1
    ids = np.repeat(rows, lengths).astype(np.int32)
    return EncodedSplit(
        rows,
        ids,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.asarray(classes, dtype=np.int64),
        states=ids[:, None].astype(np.float32) / 2 if states else None,
        groups=None if groups is None else np.asarray(groups),
        slices={"script": np.array(["kana", "kanji"], dtype=object)[rows % 2]},
    )


def data_of(train, validation):
    task = Multiclass(LabelSpace(("common", "rare"), ("rare",)))
    return PreparedData(task, train, validation, None, 0, "hash", {}, (), ())


def tokens_of(split, position):
    return split.ids[split.offsets[position] : split.offsets[position + 1]].tolist()


@given(st.lists(st.integers(0, 11), max_size=20))
def test_taken_rows_keep_all_that_belongs_to_them(index):
    whole = split_of([0, 1] * 6, states=True)
    part = whole.take(np.array(index, dtype=np.int64))
    assert part.rows.tolist() == index
    for position, row in enumerate(index):
        assert tokens_of(part, position) == [row] * (row % 3 + 1)
    assert part.states[:, 0].tolist() == (part.ids / 2).tolist()
    assert part.slices["script"].tolist() == [("kana", "kanji")[row % 2] for row in index]


def test_joined_splits_follow_one_another():
    both = joined(split_of([0, 1, 0]), split_of([1, 1], first_row=3))
    assert both.rows.tolist() == [0, 1, 2, 3, 4]
    assert both.classes.tolist() == [0, 1, 0, 1, 1]
    assert [tokens_of(both, i) for i in (2, 3, 4)] == [[2, 2, 2], [3], [4, 4]]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 4), st.integers(8, 20), st.integers(0, 5))
def test_every_row_is_validation_once_and_groups_stay_together(folds, rare, seed):
    classes = [1] * rare + [0] * 60
    groups = np.arange(len(classes)) // 2
    data = data_of(split_of(classes[:50], groups=groups[:50]), split_of(classes[50:], 50, groups=groups[50:]))
    folded = with_folds(data, folds, seed)
    seen = []
    for number in range(folds):
        fold = one_fold(folded, number)
        assert sorted([*fold.train.rows, *fold.validation.rows]) == list(range(len(classes)))
        assert not set(fold.train.groups) & set(fold.validation.groups)
        assert (fold.validation.classes == 1).sum() >= 1
        seen += fold.validation.rows.tolist()
    assert sorted(seen) == list(range(len(classes)))


def test_a_class_with_fewer_rows_than_folds_is_validation_once_all_the_same():
    folded = with_folds(data_of(split_of([0, 0, 0, 0, 1]), split_of([1, 0, 0], 5)), 4, 0)
    rare = [int((one_fold(folded, number).validation.classes == 1).sum()) for number in range(4)]
    assert sorted(rare) == [0, 0, 1, 1]
    assert all((one_fold(folded, number).train.classes == 1).any() for number in range(4))


@pytest.mark.parametrize("folds", [1, 5])
def test_numbers_of_folds_that_make_no_sense_are_refused(folds):
    with pytest.raises(InputError, match=f"from 2 to the 4 rows of the largest class, got {folds}"):
        with_folds(data_of(split_of([0, 0, 0, 0, 1]), split_of([1, 1], 5)), folds, 0)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 4), st.integers(8, 20), st.integers(0, 5))
def test_the_first_fold_of_a_trial_is_the_splits_and_every_row_is_validation_once(folds, rare, seed):
    classes = [1] * rare + [0] * 60
    groups = np.arange(len(classes)) // 2
    train, validation = split_of(classes[:50], groups=groups[:50]), split_of(classes[50:], 50, groups=groups[50:])
    data = replace(data_of(train, validation), folds=trial_folds(train, validation, folds, seed))
    first = one_fold(data, 0)
    assert first.train.rows.tolist() == train.rows.tolist()
    assert first.validation.rows.tolist() == validation.rows.tolist()
    seen = []
    for number in range(folds):
        fold = one_fold(data, number)
        assert sorted([*fold.train.rows, *fold.validation.rows]) == list(range(len(classes)))
        assert not set(fold.train.groups) & set(fold.validation.groups)
        seen += fold.validation.rows.tolist()
    assert sorted(seen) == list(range(len(classes)))


def test_a_training_row_like_one_that_is_held_out_is_left_out_of_that_fold():
    """Row 4 of the validation split has the text of row 0, which the user's own splits may do."""
    train, validation = split_of([0, 1, 0, 1], groups=[0, 1, 2, 3]), split_of([0, 1], 4, groups=[0, 5])
    data = replace(data_of(train, validation), folds=trial_folds(train, validation, 3, 0))
    for number in (1, 2):
        fold = one_fold(data, number)
        assert (4 in fold.train.rows) == (0 not in fold.validation.rows)
        assert 5 in fold.train.rows


def test_rows_that_make_no_folds_are_refused():
    with pytest.raises(InputError, match=r"data.folds: must be at most 4: one, and the 3 training rows .* got 5"):
        trial_folds(split_of([0, 0, 0, 1]), split_of([0, 1], 4), 5, 0)
    with pytest.raises(InputError, match="leave one of the folds without any"):
        trial_folds(split_of([0, 0, 0, 1], groups=[0, 0, 0, 0]), split_of([0, 1], 4, groups=[1, 2]), 3, 0)
