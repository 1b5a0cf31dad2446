"""Images whose pixels tell where they came from: every variant that can come out, how often, and no other."""

import itertools

import numpy as np
import pytest
import torch

from rarecall.trainables.training.augmentation import Augmentation

SIDE = 4
IMAGE = torch.arange(3 * SIDE * SIDE, dtype=torch.float32).reshape(3, SIDE, SIDE)


def variants(augmentation, image=IMAGE, count=4000):
    """What comes out of `count` copies of an image: how often, by the bytes of each variant."""
    torch.manual_seed(0)
    found = augmentation(image.repeat(count, 1, 1, 1))
    assert found.shape == (count, *image.shape)
    kinds, counts = np.unique(found.numpy().reshape(count, -1), axis=0, return_counts=True)
    return {kind.astype(np.float32).tobytes(): number for kind, number in zip(kinds, counts, strict=True)}


def keys(arrays):
    return {np.ascontiguousarray(array, dtype=np.float32).tobytes() for array in arrays}


def test_by_default_nothing_is_drawn_and_nothing_changes():
    before = torch.get_rng_state()
    images = IMAGE[None]
    assert Augmentation()(images) is images
    assert torch.equal(torch.get_rng_state(), before)


def test_turns_are_the_four_quarters_equally_often():
    found = variants(Augmentation(turn=True))
    assert found.keys() == keys(np.rot90(IMAGE.numpy(), quarters, (1, 2)) for quarters in range(4))
    # 1,000 of 4,000 expected each; five standard deviations are 137.
    assert all(abs(count - 1000) < 137 for count in found.values())


def test_flips_and_turns_together_are_the_eight_symmetries_of_a_square():
    found = variants(Augmentation(flip="both", turn=True))
    turned = [np.rot90(IMAGE.numpy(), quarters, (1, 2)) for quarters in range(4)]
    assert found.keys() == keys([*turned, *(np.flip(image, 2) for image in turned)])
    assert all(abs(count - 500) < 105 for count in found.values())


def test_a_horizontal_flip_leaves_rows_where_they_are():
    assert variants(Augmentation(flip="horizontal")).keys() == keys([IMAGE.numpy(), np.flip(IMAGE.numpy(), 2)])


def test_what_is_not_square_is_turned_by_a_half_at_most():
    wide = IMAGE[:, :2]
    assert variants(Augmentation(turn=True), wide).keys() == keys([wide.numpy(), np.rot90(wide.numpy(), 2, (1, 2))])


def test_shifts_move_whole_pixels_and_repeat_the_edge():
    """A quarter of four pixels is one: nine shifts, which numpy makes by padding and cutting."""
    found = variants(Augmentation(shift=0.25))
    padded = np.pad(IMAGE.numpy(), ((0, 0), (1, 1), (1, 1)), mode="edge")
    places = itertools.product(range(3), range(3))
    assert found.keys() == keys(padded[:, y : y + SIDE, x : x + SIDE] for y, x in places)
    assert all(abs(count - 4000 / 9) < 100 for count in found.values())


@pytest.mark.parametrize("augmentation", [Augmentation("both", turn=True, shift=0.1), Augmentation(shift=0.5)])
def test_the_seed_decides(augmentation):
    images = torch.rand(8, 3, 10, 10)
    torch.manual_seed(3)
    first = augmentation(images)
    torch.manual_seed(3)
    assert torch.equal(augmentation(images), first)
    assert not torch.equal(augmentation(images), first)
