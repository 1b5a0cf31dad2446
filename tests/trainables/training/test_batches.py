import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rarecall.trainables.imbalance.sampling import oversample
from rarecall.trainables.training import batches
from rarecall.trainables.training.batches import pad, plan_epoch, share


@dataclass(frozen=True)
class Encoded:
    """Rows of token ids, read-only as they come out of shared memory."""

    ids: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, *rows):
        ids = np.array([token for row in rows for token in row], dtype=np.int32)
        return cls.read_only(ids, [len(row) for row in rows])

    @classmethod
    def read_only(cls, ids, lengths):
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
        ids.flags.writeable = offsets.flags.writeable = False
        return cls(ids, offsets)


def skewed_lengths(rows, seed=0):
    """Lengths as texts have them: many short ones, few up to 256."""
    return np.clip(np.random.default_rng(seed).lognormal(4.0, 0.8, rows), 4, 256).astype(np.int64)


def padded_tokens(plan, lengths):
    return sum(len(batch) * int(lengths[batch].max()) for batch in plan)


@given(rows=st.integers(1, 80), entries=st.integers(0, 200), batch_size=st.integers(1, 33), seed=st.integers(0, 2**40))
def test_every_entry_comes_exactly_once(rows, entries, batch_size, seed):
    generator = np.random.default_rng(seed)
    index, lengths = generator.integers(0, rows, entries), generator.integers(1, 300, rows)
    plan = plan_epoch(index, lengths, batch_size, seed, epoch=1)
    assert Counter(row for batch in plan for row in batch.tolist()) == Counter(index.tolist())
    full, rest = divmod(entries, batch_size)
    assert sorted(len(batch) for batch in plan) == [rest] * (rest > 0) + [batch_size] * full
    assert all(batch.dtype == np.int64 for batch in plan)


def test_padding_is_a_fraction_of_what_random_batches_need():
    lengths = skewed_lengths(1872)
    needed = lengths.sum()
    bucketed = padded_tokens(plan_epoch(np.arange(1872), lengths, 16, seed=0, epoch=1), lengths)
    random = padded_tokens(np.split(np.random.default_rng(0).permutation(1872), 117), lengths)
    assert random > 2 * needed
    assert bucketed < 1.1 * needed


def test_padding_stays_small_with_repeated_rows():
    lengths, index = skewed_lengths(1872), oversampled_index()
    bucketed = padded_tokens(plan_epoch(index, lengths, 16, seed=0, epoch=1), lengths)
    assert bucketed < 1.15 * lengths[index].sum()


def oversampled_index():
    classes = np.repeat([0, 1, 2, 3], [1519, 202, 125, 26])
    return oversample(classes, [1, 2, 3], 0.2, seed=0, epoch=1)


def test_copies_of_a_row_are_spread_over_the_batches(monkeypatch):
    lengths, index = skewed_lengths(1872), oversampled_index()

    def copies_in_one_batch():
        return sum(len(batch) - len(np.unique(batch)) for batch in plan_epoch(index, lengths, 16, seed=0, epoch=1))

    spread = copies_in_one_batch()
    monkeypatch.setattr(batches, "REPEATED_JITTER", 0.0)
    assert spread < 0.6 * copies_in_one_batch()


def test_a_plan_depends_on_seed_and_epoch_alone():
    lengths = skewed_lengths(500)

    def plan(seed, epoch):
        return [batch.tolist() for batch in plan_epoch(np.arange(500), lengths, 16, seed, epoch)]

    assert plan(1, 1) == plan(1, 1)
    assert plan(1, 1) != plan(1, 2)
    assert plan(1, 1) != plan(2, 1)


def test_rows_meet_others_in_the_next_epoch():
    lengths = skewed_lengths(2000)
    first, second = (
        {frozenset(batch.tolist()) for batch in plan_epoch(np.arange(2000), lengths, 16, 0, epoch)} for epoch in (1, 2)
    )
    assert not first & second


def test_batches_do_not_come_in_order_of_length():
    lengths = skewed_lengths(2000)
    means = [lengths[batch].mean() for batch in plan_epoch(np.arange(2000), lengths, 16, seed=0, epoch=1)]
    # In random order half of the 124 steps go up, with a standard deviation of √(126/12) = 3.2; in chunks nearly all.
    assert 0.35 < np.mean(np.diff(means) > 0) < 0.65


def test_a_batch_size_below_1_is_refused():
    with pytest.raises(ValueError, match="batch size must be at least 1, got 0"):
        plan_epoch(np.arange(3), np.ones(3, dtype=np.int64), 0, seed=0, epoch=1)


@given(rows=st.integers(0, 40), world_size=st.integers(1, 9))
def test_shares_are_the_batch(rows, world_size):
    batch = np.random.default_rng(rows).permutation(1000)[:rows]
    shares = [share(batch, rank, world_size) for rank in range(world_size)]
    assert sorted(np.concatenate(shares).tolist()) == sorted(batch.tolist())
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(part.dtype == np.int64 for part in shares)


def test_a_share_of_a_reversed_batch_can_index_a_tensor():
    assert torch.arange(10)[share(np.arange(10)[::-1], 1, 2)].tolist() == [8, 6, 4, 2, 0]


@pytest.mark.parametrize("rank", [-1, 2])
def test_a_rank_outside_the_group_is_refused(rank):
    with pytest.raises(ValueError, match=f"rank must be from 0 to 1, got {rank}"):
        share(np.arange(4), rank, 2)


def test_rows_are_padded_on_the_right_to_the_longest_of_the_batch():
    encoded = Encoded.of([5, 6], [7, 8, 9, 10, 11], [12], [13, 14, 15])
    inputs = pad(encoded, np.array([3, 0, 2]), pad_id=99)
    assert inputs["input_ids"].tolist() == [[13, 14, 15], [5, 6, 99], [12, 99, 99]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
    assert {name: tensor.dtype for name, tensor in inputs.items()} == {
        "input_ids": torch.int64,
        "attention_mask": torch.int64,
    }


@given(
    rows=st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=7), min_size=1, max_size=6),
    data=st.data(),
    pad_id=st.integers(0, 5),
)
def test_what_is_not_padding_is_the_rows(rows, data, pad_id):
    index = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    inputs = pad(Encoded.of(*rows), np.array(index, dtype=np.int64), pad_id)
    ids, mask = inputs["input_ids"], inputs["attention_mask"].bool()
    assert ids.shape == mask.shape == (len(index), max((len(rows[i]) for i in index), default=0))
    assert [row[kept].tolist() for row, kept in zip(ids, mask, strict=True)] == [rows[i] for i in index]
    assert (ids[~mask] == pad_id).all()


def test_an_epoch_of_20_000_messages_is_planned_and_padded_in_well_under_a_second():
    generator = np.random.default_rng(0)
    lengths = generator.integers(20, 41, 20_000)
    encoded = Encoded.read_only(generator.integers(0, 30_000, lengths.sum(), dtype=np.int32), lengths)
    started = time.perf_counter()
    for batch in plan_epoch(np.arange(20_000), lengths, 16, seed=0, epoch=1):
        pad(encoded, batch, 0)
    # 0.02 s on one idle core.
    assert time.perf_counter() - started < 0.5
