import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rarecall.losses import FocalSquaredError, Huber


def rows(*errors):
    """Outputs [1, dimensions] that are off by `errors`, and their targets."""
    return torch.tensor([errors], dtype=torch.float64) + 0.25, torch.full((1, len(errors)), 0.25, dtype=torch.float64)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("error", [0.1, -0.1])
@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, 0.01),
        # β|e| = 2: 2σ(2) - 1 = 2 · 0.880797 - 1 = 0.761594
        ({"gamma": 1.0}, 0.761594 * 0.01),
        ({"gamma": 2.0}, 0.761594**2 * 0.01),
        # β|e| = 0.5: 2σ(0.5) - 1 = 2 · 0.622459 - 1 = 0.244919
        ({"gamma": 1.0, "beta": 5.0}, 0.244919 * 0.01),
    ],
)
def test_focal_squared_error_by_hand(error, parameters, expected):
    assert FocalSquaredError(**parameters)(*rows(error)).item() == pytest.approx(expected, rel=1e-5)


@given(error=st.floats(-2, 2), gamma=st.floats(0, 4), beta=st.floats(0.1, 50))
def test_focal_squared_error_is_the_formula(error, gamma, beta):
    expected = (2 * sigmoid(beta * abs(error)) - 1) ** gamma * error**2
    assert FocalSquaredError(gamma, beta)(*rows(error)).item() == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_focus_lowers_small_errors_more_than_large_ones():
    kept = FocalSquaredError(gamma=1.0)
    small, large = (kept(*rows(error)).item() / error**2 for error in (0.02, 0.3))
    # 2σ(0.4) - 1 = 0.197 of the one is left, and 2σ(6) - 1 = 0.995 of the other.
    assert (small, large) == (pytest.approx(0.197375, rel=1e-4), pytest.approx(0.995055, rel=1e-4))


@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 1.0, 2.0])
def test_no_error_has_no_loss_and_no_gradient(gamma):
    outputs = torch.full((2, 3), 0.5, requires_grad=True)
    value = FocalSquaredError(gamma)(outputs, torch.full((2, 3), 0.5))
    value.sum().backward()
    assert value.tolist() == [0.0, 0.0]
    assert outputs.grad.abs().max() == 0


@pytest.mark.parametrize(
    ("delta", "error", "expected"),
    [
        (0.1, 0.05, 0.05**2 / 2),
        (0.1, 0.1, 0.1**2 / 2),
        (0.1, 0.3, 0.1 * (0.3 - 0.05)),
        (0.1, -0.3, 0.1 * (0.3 - 0.05)),
        (1.0, 0.8, 0.8**2 / 2),
    ],
)
def test_huber_by_hand(delta, error, expected):
    assert Huber(delta)(*rows(error)).item() == pytest.approx(expected, rel=1e-12)


def test_huber_gradient_is_at_most_delta():
    outputs = torch.tensor([[0.05], [0.3], [1e4], [-1e4]], requires_grad=True)
    Huber(delta=0.1)(outputs, torch.zeros(4, 1)).sum().backward()
    torch.testing.assert_close(outputs.grad, torch.tensor([[0.05], [0.1], [0.1], [-0.1]]))


def test_dimensions_are_averaged():
    # (0.1² + 0.3² + 0²) / 3 = 0.1 / 3
    assert FocalSquaredError()(*rows(0.1, -0.3, 0.0)).item() == pytest.approx(0.1 / 3, rel=1e-12)
    # (0.05² / 2 + 0.1 · (0.3 - 0.05)) / 2 = (0.00125 + 0.025) / 2
    assert Huber(0.1)(*rows(0.05, 0.3)).item() == pytest.approx(0.013125, rel=1e-12)


def test_targets_take_the_precision_of_the_outputs():
    for loss in (FocalSquaredError(1.0), Huber()):
        outputs = torch.tensor([[0.5]], requires_grad=True)
        loss(outputs, torch.tensor([[0.25]], dtype=torch.float64)).sum().backward()
        assert torch.isfinite(outputs.grad).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FocalSquaredError(gamma=-1.0), "gamma must be finite and at least 0, got -1.0"),
        (lambda: FocalSquaredError(gamma=math.nan), "gamma must be finite and at least 0, got nan"),
        (lambda: FocalSquaredError(beta=0.0), "beta must be finite and above 0, got 0.0"),
        (lambda: Huber(delta=0.0), "delta must be finite and above 0, got 0.0"),
        (lambda: Huber(delta=math.inf), "delta must be finite and above 0, got inf"),
    ],
)
def test_parameters_outside_their_range_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
