"""Epochs that take a part of the rows: which, how mixed, and that each row comes before any comes again."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.trainables.config import TrainingConfig
from rarecall.trainables.imbalance.slices import slice_bounds, slice_rows
from rarecall.trainables.training.mitigation import epoch_bounds, epoch_rows

CLASSES = np.repeat([0, 1, 2], [80, 17, 3])
LABELS = LabelSpace(("common", "rare", "rarest"), ("rare", "rarest"))


def everyone(number: int) -> np.ndarray:
    return np.arange(len(CLASSES))


def test_slices_that_make_up_a_pass_hold_each_row_once() -> None:
    parts = [slice_rows(everyone, len(CLASSES), CLASSES, begin, begin + 20, seed=1) for begin in range(0, 100, 20)]
    assert sorted(np.concatenate(parts).tolist()) == list(range(100))


@given(st.integers(0, 250), st.integers(1, 60), st.integers(0, 5))
def test_every_stretch_has_each_class_in_its_share(begin: int, size: int, seed: int) -> None:
    rows = slice_rows(everyone, len(CLASSES), CLASSES, begin, begin + size, seed)
    assert len(rows) == size
    for name, count in enumerate((80, 17, 3)):
        # One row more or less at each of its ends, in each of at most two passes.
        assert abs((CLASSES[rows] == name).sum() - size * count / 100) <= 4


def test_a_slice_across_two_passes_takes_the_end_of_one_and_the_begin_of_the_next() -> None:
    whole = [slice_rows(everyone, len(CLASSES), CLASSES, 100 * number, 100 * number + 100, seed=0) for number in (0, 1)]
    across = slice_rows(everyone, len(CLASSES), CLASSES, 90, 110, seed=0)
    assert across.tolist() == [*whole[0][90:].tolist(), *whole[1][:10].tolist()]
    assert whole[0].tolist() != whole[1].tolist()


def test_a_slice_takes_one_row_at_least() -> None:
    assert slice_bounds([0.001, 1.0], length=10).tolist() == [0, 1, 11]


def config(**settings: object) -> TrainingConfig:
    return TrainingConfig.model_validate({"epochs": 4, **settings})


def drawn(settings: TrainingConfig) -> list[np.ndarray]:
    return [epoch_rows(CLASSES, LABELS, settings, epoch) for epoch in range(1, settings.epochs + 1)]


def test_epochs_take_the_rows_that_follow_those_of_the_epoch_before() -> None:
    # 20, 60 and then all of the 100: the first two hold 80 different rows, and the third begins with the 20 others.
    epochs = drawn(config(rows_per_epoch=[20, 60, None]))
    assert [len(rows) for rows in epochs] == [20, 60, 100, 100]
    assert Counter(np.concatenate(epochs[:2]).tolist()).most_common(1)[0][1] == 1
    assert sorted(np.concatenate([*epochs[:2], epochs[2][:20]]).tolist()) == list(range(100))


def test_oversampling_makes_slices_longer_as_it_makes_passes_longer() -> None:
    # 0.5 · 80 = 40 of each minority class: passes of 160, and half of one where half of the 100 rows are asked for.
    settings = config(rows_per_epoch=50, oversampling={"ratio": 0.5})
    epochs = drawn(settings)
    assert [len(rows) for rows in epochs] == [80] * 4
    counts = np.bincount(CLASSES[np.concatenate(epochs[:2])])
    assert counts.tolist() == [80, 40, 40]
    assert epoch_bounds(settings, 100, 160).tolist() == [0, 80, 160, 240, 320]


def test_more_rows_than_there_are_is_all_of_them() -> None:
    assert [len(rows) for rows in drawn(config(rows_per_epoch=500))] == [100] * 4


@pytest.mark.parametrize("given", [0, [], [3, 0]])
def test_no_epoch_is_without_rows(given: object) -> None:
    with pytest.raises(ValueError, match="rows_per_epoch"):
        config(rows_per_epoch=given)
