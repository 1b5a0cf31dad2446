import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rarecall.losses import FocalCrossEntropy

# Softmax makes 3/4 and 1/4 of these.
LOGITS = torch.tensor([[math.log(3), 0.0]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("gamma", "true", "expected"),
    [
        (0.0, 0, math.log(4 / 3)),
        (1.0, 0, 1 / 4 * math.log(4 / 3)),
        (2.0, 0, 1 / 16 * math.log(4 / 3)),
        (0.5, 0, 1 / 2 * math.log(4 / 3)),
        (2.0, 1, 9 / 16 * math.log(4)),
    ],
)
def test_focal_by_hand(gamma, true, expected):
    assert FocalCrossEntropy(gamma)(LOGITS, torch.tensor([true])).item() == pytest.approx(expected, rel=1e-12)


def test_label_smoothing_modulates_every_class_by_its_own_probability():
    # ε = 0.1 over two classes: q = 0.95 for the true one and 0.05 for the other.
    expected = 0.95 * (1 / 4) ** 2 * math.log(4 / 3) + 0.05 * (3 / 4) ** 2 * math.log(4)
    value = FocalCrossEntropy(gamma=2.0, label_smoothing=0.1)(LOGITS, torch.tensor([0]))
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_with_label_smoothing_a_sure_row_costs_more_than_a_fairly_sure_one():
    loss = FocalCrossEntropy(gamma=2.0, label_smoothing=0.1)
    sure, fairly_sure = loss(torch.tensor([[20.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 0]))
    assert sure > fairly_sure


def test_gamma_2_divides_the_loss_by_100_at_nine_tenths():
    # The example below equation 4 of the paper: (1 - 0.9)² = 0.01.
    logits, true = torch.tensor([[math.log(9), 0.0]], dtype=torch.float64), torch.tensor([0])
    ratio = FocalCrossEntropy(2.0)(logits, true) / FocalCrossEntropy(0.0)(logits, true)
    assert ratio.item() == pytest.approx(0.01, rel=1e-9)


@given(x=st.floats(-30, 30), gamma=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 5.0]))
def test_gradient_is_that_of_the_paper(x, gamma):
    # Two logits (x, 0) make p = σ(x), and appendix B gives dFL/dx = (1 - p)^γ (γ p log p + p - 1).
    # 1 - p is written σ(-x), and log p = -log(1 + e^-x), which lose no digits.
    p, rest, log_p = 1 / (1 + math.exp(-x)), 1 / (1 + math.exp(x)), -math.log1p(math.exp(-x))
    expected = rest**gamma * (gamma * p * log_p - rest)
    logits = torch.tensor([[x, 0.0]], dtype=torch.float64, requires_grad=True)
    FocalCrossEntropy(gamma)(logits, torch.tensor([0])).sum().backward()
    assert logits.grad[0, 0].item() == pytest.approx(expected, rel=1e-3, abs=1e-12)
    assert logits.grad[0, 1].item() == pytest.approx(-expected, rel=1e-3, abs=1e-12)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.999, 1.0, 2.0])
@pytest.mark.parametrize("margin", [15.0, 17.0, 30.0, 100.0, 1e4])
def test_a_row_that_is_certainly_right_has_no_loss_and_no_gradient(gamma, margin):
    # In float32, p is 1 from a margin of 17 on; the derivative of (1 - p)^γ is infinite there for γ < 1.
    logits = torch.tensor([[margin, 0.0]], requires_grad=True)
    value = FocalCrossEntropy(gamma)(logits, torch.tensor([0]))
    value.sum().backward()
    assert 0 <= value.item() < 1e-6
    assert logits.grad.abs().max() < 1e-6


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_a_row_that_is_certainly_wrong_costs_its_margin(gamma):
    # p = 0: (1 - 0)^γ · -log p, and -log p is the margin, 2·10⁴.
    logits = torch.tensor([[-1e4, 1e4]], requires_grad=True)
    value = FocalCrossEntropy(gamma)(logits, torch.tensor([0]))
    value.sum().backward()
    assert value.item() == 2e4
    assert logits.grad.tolist() == [[-1.0, 1.0]]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"gamma": -0.1}, "gamma must be finite and at least 0, got -0.1"),
        ({"gamma": math.nan}, "gamma must be finite and at least 0, got nan"),
        ({"gamma": math.inf}, "gamma must be finite and at least 0, got inf"),
        ({"label_smoothing": -0.1}, "label_smoothing must be at least 0 and below 1, got -0.1"),
        ({"label_smoothing": 1.0}, "label_smoothing must be at least 0 and below 1, got 1.0"),
    ],
)
def test_parameters_outside_their_range_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        FocalCrossEntropy(**parameters)
