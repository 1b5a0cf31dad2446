import math
from math import log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rarecall.losses import ConditionalOrdinal, CumulativeLink


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


# Logits of 2/3 and 1/4 conditionally: P(y = 0) = 1/3, P(y = 1) = 2/3 · 3/4 = 1/2, P(y = 2) = 2/3 · 1/4 = 1/6.
CONDITIONAL = torch.tensor([[log(2), -log(3)]], dtype=torch.float64)
# η_0 = log 3; softplus(log 2) = log 3, η_1 = 0; softplus(0) = log 2, η_2 = -log 2: 3/4, 1/2 and 1/3 are above.
CUMULATIVE = torch.tensor([[log(3), log(2), 0.0]], dtype=torch.float64)


@pytest.mark.parametrize(("grade", "p"), [(0, 1 / 3), (1, 1 / 2), (2, 1 / 6)])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_corn_by_hand(grade, p, gamma):
    value = ConditionalOrdinal(gamma)(CONDITIONAL, torch.tensor([grade]))
    assert value.item() == pytest.approx((1 - p) ** gamma * -log(p), rel=1e-9)


@pytest.mark.parametrize(("grade", "p"), [(0, 1 / 4), (1, 1 / 4), (2, 1 / 6), (3, 1 / 3)])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_cumulative_link_by_hand(grade, p, gamma):
    value = CumulativeLink(gamma)(CUMULATIVE, torch.tensor([grade]))
    assert value.item() == pytest.approx((1 - p) ** gamma * -log(p), rel=1e-9)


def test_corn_on_a_batch_is_the_loss_of_the_paper():
    # The example in the documentation of the authors' coral-pytorch, seed, layer and value: 0.7127. They divide by the
    # sizes of the conditional training sets: 8 rows with y >= 0, 7 with y >= 1, 6 with y >= 2, 3 with y >= 3.
    with torch.random.fork_rng():
        torch.manual_seed(123)
        inputs = torch.rand(8, 99)
        logits = torch.nn.Linear(99, 4)(inputs)
    grades = torch.tensor([0, 1, 2, 2, 2, 3, 4, 4])
    value = ConditionalOrdinal()(logits, grades).sum() / (8 + 7 + 6 + 3)
    assert value.item() == pytest.approx(0.7127, abs=5e-5)


@given(outputs=st.lists(st.floats(-8, 8), min_size=1, max_size=5), data=st.data())
def test_cumulative_link_is_the_difference_of_cumulative_probabilities(outputs, data):
    grade = data.draw(st.integers(0, len(outputs)))
    ladder = [outputs[0] - sum(math.log1p(math.exp(x)) for x in outputs[1:j]) for j in range(1, len(outputs) + 1)]
    above = [1.0, *(sigmoid(x) for x in ladder), 0.0]
    value = CumulativeLink()(torch.tensor([outputs], dtype=torch.float64), torch.tensor([grade]))
    assert math.exp(-value.item()) == pytest.approx(above[grade] - above[grade + 1], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("loss", [ConditionalOrdinal(), CumulativeLink()])
@given(outputs=st.lists(st.floats(-30, 30), min_size=1, max_size=6))
def test_the_grades_share_all_of_the_probability(loss, outputs):
    grades = torch.arange(len(outputs) + 1)
    rows = torch.tensor([outputs], dtype=torch.float64).expand(len(grades), -1)
    assert torch.exp(-loss(rows, grades)).sum().item() == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("loss", [ConditionalOrdinal(1.5), CumulativeLink(1.5)])
def test_two_grades_are_binary_focal_cross_entropy(loss):
    logits = torch.tensor([[0.7], [0.7]], dtype=torch.float64)
    p = sigmoid(0.7)
    expected = [-(p**1.5) * log(1 - p), -((1 - p) ** 1.5) * log(p)]
    assert loss(logits, torch.tensor([0, 1])).tolist() == pytest.approx(expected, rel=1e-9)


def test_grades_that_coincide_still_have_a_gradient():
    # P(y = 1) = 0 where the thresholds meet; a difference of probabilities would be log 0.
    outputs = torch.tensor([[0.0, -50.0]], requires_grad=True)
    value = CumulativeLink()(outputs, torch.tensor([1]))
    value.sum().backward()
    # -log(1/2 · 1/2) + 50, and one more unit apart costs one less.
    assert value.item() == pytest.approx(2 * log(2) + 50, rel=1e-6)
    assert outputs.grad[0, 1].item() == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize("loss", [ConditionalOrdinal, CumulativeLink])
def test_gamma_outside_its_range_is_refused(loss):
    with pytest.raises(ValueError, match=r"gamma must be finite and at least 0, got -0\.5"):
        loss(gamma=-0.5)
