import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rarecall.trainables.config import TrainingConfig
from rarecall.trainables.imbalance import sampling
from rarecall.trainables.imbalance.sampling import Oversampling, WeightedSampling, oversample
from rarecall.trainables.training.batches import plan_epoch, share


def column(*counts, seed=0):
    """A class column with so many rows of each class, in random order."""
    classes = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).permutation(classes)


# What every registered sampler, and all of them together, must do is tested with these.
PIPELINES = [
    {},
    {"oversampling": {"ratio": 0.3}},
    {"oversampling": {"ratio": 1.0}},
    {"weighted_sampling": {"strength": 0.5}},
    {"weighted_sampling": {"strength": 1.0}},
    {"oversampling": {"ratio": 0.3}, "weighted_sampling": {"strength": 0.7}},
]
some_classes = st.lists(st.integers(0, 60), min_size=1, max_size=5).filter(any)


every_pipeline = pytest.mark.parametrize("samplers", [sampling.build(given) for given in PIPELINES], ids=str)


def test_every_sampler_is_tested_here_and_has_its_section_of_the_experiment():
    assert {name for parameters in PIPELINES for name in parameters} == set(sampling.names())
    for name, sampler in zip(sampling.names(), sampling.build({}), strict=True):
        assert getattr(TrainingConfig(), name).model_dump() == vars(sampler)


def test_samplers_at_their_defaults_leave_every_row_once_in_order():
    assert sampling.sample(sampling.build({}), column(30, 4), [1], seed=0, epoch=1).tolist() == list(range(34))


@every_pipeline
@given(
    counts=some_classes,
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 100),
    batch_size=st.integers(1, 20),
)
def test_any_number_of_workers_gets_the_same_rows(samplers, counts, seed, epoch, batch_size):
    classes = column(*counts, seed=seed)
    lengths = 5 + np.arange(len(classes)) % 7
    minority = range(1, len(counts))
    rows = sampling.sample(samplers, classes, minority, seed, epoch)
    assert ((rows >= 0) & (rows < len(classes))).all()
    for workers in (1, 2, 3):
        plan = plan_epoch(rows, lengths, batch_size, seed, epoch)
        handled = [share(batch, rank, workers) for batch in plan for rank in range(workers)]
        assert sorted(np.concatenate(handled).tolist()) == sorted(rows.tolist())


@every_pipeline
@given(counts=some_classes, seed=st.integers(0, 2**40), epoch=st.integers(0, 100))
def test_an_epoch_is_as_long_as_expected(samplers, counts, seed, epoch):
    classes = column(*counts, seed=seed)
    expected = sampling.expected_counts(samplers, np.bincount(classes).astype(float), range(1, len(counts)))
    rows = sampling.sample(samplers, classes, range(1, len(counts)), seed, epoch)
    assert expected.sum() == pytest.approx(len(rows), rel=1e-12)


@every_pipeline
def test_the_mean_over_epochs_is_the_expected_count(samplers):
    classes = column(300, 80, 20)
    expected = sampling.expected_counts(samplers, np.bincount(classes).astype(float), [1, 2])
    draws = [np.bincount(classes[sampling.sample(samplers, classes, [1, 2], 7, epoch)]) for epoch in range(200)]
    # A count of 300 of 900 draws has a spread of √(900 · 1/3 · 2/3) = 14, the mean of 200 of them one of 1.
    np.testing.assert_allclose(np.mean(draws, axis=0), expected, atol=5)


@every_pipeline
def test_seed_and_epoch_alone_decide(samplers):
    classes = column(300, 77)

    def draw(seed, epoch):
        return sampling.sample(samplers, classes, [1], seed, epoch).tolist()

    assert draw(3, 2) == draw(3, 2)
    if vars(samplers[1])["strength"]:
        assert len({tuple(draw(3, 2)), tuple(draw(3, 3)), tuple(draw(4, 2))}) == 3


@every_pipeline
def test_rows_of_a_class_beyond_the_classes_are_rows_like_others(samplers):
    # Rows without any label have the number of labels for a class.
    classes = np.array([0] * 10 + [2] * 40 + [1] * 5)
    rows = sampling.sample(samplers, classes, [0, 1], seed=0, epoch=1)
    assert set(classes[rows]) <= {0, 1, 2}
    assert len(rows) >= 55


def test_a_sampler_has_one_name():
    with pytest.raises(ValueError, match="must have unique names, got 'oversampling' twice"):
        sampling.register("oversampling")


@given(counts=some_classes, ratio=st.floats(0, 1), seed=st.integers(0, 2**40))
def test_oversampling_drops_no_row(counts, ratio, seed):
    classes = column(*counts, seed=seed)
    drawn = Oversampling(ratio).draw(classes, range(1, len(counts)), seed, epoch=1)
    assert set(drawn.tolist()) == set(range(len(classes)))


@given(counts=some_classes, ratio=st.floats(0, 1))
def test_oversampled_counts_are_known_beforehand(counts, ratio):
    classes = column(*counts)
    minority = range(1, len(counts))
    drawn = Oversampling(ratio).draw(classes, minority, seed=0, epoch=1)
    expected = Oversampling(ratio).expected(np.array(counts, dtype=float), minority)
    assert np.bincount(classes[drawn], minlength=len(counts)).tolist() == expected.tolist()


def test_weights_by_the_inverse_frequency_even_out():
    # 1000 draws, a half of each class, with a spread of √(1000 / 4) = 16.
    classes = column(900, 100)
    counts = np.bincount(classes[WeightedSampling(1.0).draw(classes, [], seed=0, epoch=1)])
    assert counts.sum() == 1000
    assert abs(counts[0] - 500) < 80


def test_half_the_strength_draws_by_the_root():
    # √1600 : √400 : √0 = 40 : 20, of 2000.
    assert WeightedSampling(0.5).expected(np.array([1600.0, 400.0, 0.0]), []) == pytest.approx(
        [2000 * 2 / 3, 2000 / 3, 0]
    )


def test_weighted_sampling_draws_each_row_of_a_class_as_often_as_the_others():
    classes = column(60, 6)
    times = sum(
        np.bincount(WeightedSampling(1.0).draw(classes, [], seed=0, epoch=epoch), minlength=66) for epoch in range(400)
    )
    # 400 · 33 / 6 = 2200 and 400 · 33 / 60 = 220, with spreads of about 47 and 15.
    assert (abs(times[classes == 1] - 2200) < 250).all()
    assert (abs(times[classes == 0] - 220) < 80).all()


def test_oversampling_first_sets_how_many_rows_are_drawn():
    classes = column(1519, 202, 125, 26)
    both = sampling.build({"oversampling": {"ratio": 0.2}, "weighted_sampling": {"strength": 1.0}})
    assert len(sampling.sample(both, classes, [1, 2, 3], seed=0, epoch=1)) == 1519 + 3 * 303
    counts = sampling.expected_counts(both, np.array([1519.0, 202, 125, 26]), [1, 2, 3])
    assert counts == pytest.approx([607, 607, 607, 607])


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_its_range_is_refused(strength):
    with pytest.raises(ValueError, match=f"strength of weighted sampling must be from 0 to 1, got {strength}"):
        WeightedSampling(strength)


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
    with pytest.raises(ValueError, match=f"ratio must be from 0 to 1, got {ratio}"):
        Oversampling(ratio)
