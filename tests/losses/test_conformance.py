"""What every registered loss must do. A new loss is tested at its defaults, and at the parameters it is given here."""

import dataclasses
from itertools import product

import pytest
import torch
from torch.nn import functional

import losses

PARAMETERS = {
    "focal": [{}, {"gamma": 0.5}, {"gamma": 2.0}, {"label_smoothing": 0.1}, {"gamma": 0.5, "label_smoothing": 0.1}],
    "focal_squared_error": [{}, {"gamma": 0.5}, {"gamma": 1.0}, {"gamma": 2.0, "beta": 5.0}],
    "huber": [{}, {"delta": 1.0}, {"delta": 1e-3}],
}
CLASSES = 3
DIMENSIONS = 2
EXTREME = 1e4


def choices(target):
    return [(name, parameters) for name in losses.names(target) for parameters in PARAMETERS.get(name, [{}])]


EVERY = [(target, *choice) for target in ("classes", "scores") for choice in choices(target)]


@pytest.fixture(params=EVERY, ids=lambda case: f"{case[1]}-{case[2]}")
def case(request):
    """Target and loss."""
    target, name, parameters = request.param
    return target, losses.build(name, target, parameters)


def example(target, rows, dtype=torch.float64):
    """Ordinary outputs and targets."""
    generator = torch.Generator().manual_seed(0)
    if target == "classes":
        outputs = 2 * torch.randn(rows, CLASSES, generator=generator, dtype=torch.float64)
        return outputs.to(dtype), torch.randint(CLASSES, (rows,), generator=generator)
    # Both drawn from the whole scale, so that errors are far from 0 and from Huber's kinks.
    outputs = torch.rand(rows, DIMENSIONS, generator=generator, dtype=torch.float64)
    return outputs.to(dtype), torch.rand(rows, DIMENSIONS, generator=generator, dtype=torch.float64).to(dtype)


def extremes(target, dtype):
    """Every way to be sure, right or wrong, and every tie; for scores every error from none to 1e4."""
    if target == "classes":
        rows = [(logits, true) for logits in product((-EXTREME, 0, EXTREME), repeat=CLASSES) for true in range(CLASSES)]
        return torch.tensor([logits for logits, _ in rows], dtype=dtype), torch.tensor([true for _, true in rows])
    rows = list(product((-EXTREME, -1e-4, 0, 0.5, 1, 1 + 1e-4, EXTREME), (0, 0.5, 1)))
    outputs, targets = torch.tensor(rows, dtype=dtype).unbind(1)
    return outputs[:, None].expand(-1, DIMENSIONS), targets[:, None].expand(-1, DIMENSIONS)


def test_gradients_are_those_of_the_values(case):
    target, loss = case
    outputs, targets = example(target, rows=6)
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), outputs.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_values_and_gradients_are_finite_at_extremes(case, dtype):
    target, loss = case
    outputs, targets = extremes(target, dtype)
    outputs = outputs.clone().requires_grad_()
    values = loss(outputs, targets)
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert torch.isfinite(outputs.grad).all()
    assert (values >= 0).all()


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_one_loss_per_row(case, rows):
    target, loss = case
    assert loss(*example(target, rows)).shape == (rows,)


def test_a_row_does_not_see_the_others(case):
    target, loss = case
    outputs, targets = example(target, rows=7)
    alone = [loss(outputs[row : row + 1], targets[row : row + 1]) for row in range(7)]
    torch.testing.assert_close(loss(outputs, targets), torch.cat(alone))


def test_permuted_rows_give_permuted_losses(case):
    target, loss = case
    outputs, targets = example(target, rows=9)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(loss(outputs[order], targets[order]), loss(outputs, targets)[order])


def test_a_batch_of_one_class_is_like_any_other(case):
    target, loss = case
    outputs, targets = example(target, rows=8)
    same = targets[:1].expand_as(targets).clone()
    values = loss(outputs.requires_grad_(), same)
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert torch.isfinite(outputs.grad).all()
    assert torch.unique(values.detach()).numel() == 8


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single(case, half):
    target, loss = case
    outputs, targets = example(target, rows=6, dtype=half)
    single = loss(outputs.float(), targets.float() if target == "scores" else targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within_autocast = loss(outputs, targets)
    assert within_autocast.dtype == torch.float32
    assert torch.equal(within_autocast, single)
    assert torch.equal(loss(outputs, targets), single)


def test_a_better_prediction_costs_less(case):
    target, loss = case
    if target == "classes":
        outputs = torch.tensor([[1.5, 0, 0], [0.5, 0, 0], [-1.0, 0, 0]])
        targets = torch.zeros(3, dtype=torch.int64)
    else:
        outputs, targets = torch.tensor([[0.5, 0.5], [0.6, 0.5], [0.9, 0.5]]), torch.full((3, DIMENSIONS), 0.5)
    best, middle, worst = loss(outputs, targets)
    assert best < middle < worst


def test_shapes_that_would_broadcast_are_refused(case):
    target, loss = case
    outputs, targets = example(target, rows=4)
    for wrong in (targets[:2], targets[:1], targets[..., None]):
        with pytest.raises(ValueError, match=r"outputs .* \[batch, .*, got \[4, \d\] and \["):
            loss(outputs, wrong)
    with pytest.raises(ValueError, match=r"got \[4\] and \["):
        loss(outputs[:, 0], targets)


def test_parameters_cannot_be_changed_afterwards(case):
    _, loss = case
    for field in dataclasses.fields(loss):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(loss, field.name, 1.0)


def cross_entropy(smoothing):
    return lambda outputs, targets: functional.cross_entropy(
        outputs, targets, reduction="none", label_smoothing=smoothing
    )


def squared_error(outputs, targets):
    return functional.mse_loss(outputs, targets, reduction="none").mean(1)


def smooth_l1(delta):
    # Smooth L1 divides Huber's loss by its delta.
    return lambda outputs, targets: (
        delta * functional.smooth_l1_loss(outputs, targets, reduction="none", beta=delta).mean(1)
    )


@pytest.mark.parametrize(
    ("target", "name", "parameters", "reference"),
    [
        ("classes", None, {}, cross_entropy(0.0)),
        ("classes", "focal", {"gamma": 0.0}, cross_entropy(0.0)),
        ("classes", "focal", {"label_smoothing": 0.1}, cross_entropy(0.1)),
        ("scores", None, {}, squared_error),
        ("scores", "focal_squared_error", {"gamma": 0.0, "beta": 3.0}, squared_error),
        ("scores", "huber", {"delta": 0.1}, smooth_l1(0.1)),
        ("scores", "huber", {"delta": 1.0}, smooth_l1(1.0)),
        ("scores", "huber", {"delta": 1e5}, lambda *example: squared_error(*example) / 2),
    ],
)
def test_special_cases_are_the_losses_of_torch(target, name, parameters, reference):
    loss = losses.build(name, target, parameters)
    for outputs, targets in (example(target, rows=50), extremes(target, torch.float64)):
        torch.testing.assert_close(loss(outputs, targets), reference(outputs, targets))


@pytest.mark.parametrize(("target", "name"), [(target, name) for target, name, _ in EVERY])
def test_duplicates_are_refused(target, name):
    with pytest.raises(ValueError, match=f"must be unique, got '{name}' twice"):
        losses.register(name, target)
