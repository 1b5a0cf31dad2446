"""What every registered loss must do. A new loss is tested at its defaults, and at the parameters it is given here."""

import dataclasses
from itertools import product
from typing import get_args

import pytest
import torch
from torch.nn import functional

from rarecall import losses

PARAMETERS = {
    "corn": [{}, {"gamma": 0.5}, {"gamma": 2.0}],
    "cumulative_link": [{}, {"gamma": 0.5}, {"gamma": 2.0}],
    "focal": [{}, {"gamma": 0.5}, {"gamma": 2.0}, {"label_smoothing": 0.1}, {"gamma": 0.5, "label_smoothing": 0.1}],
    "focal_bce": [{}, {"gamma": 0.0, "penalty": 0.0}, {"gamma": 0.5, "penalty": 2.0}],
    "focal_squared_error": [{}, {"gamma": 0.5}, {"gamma": 1.0}, {"gamma": 2.0, "beta": 5.0}],
    "huber": [{}, {"delta": 1.0}, {"delta": 1e-3}],
    "ldam": [{}, {"scale": 1.0}, {"max_margin": 2.0, "scale": 5.0, "gamma": 0.5}],
    "logit_adjusted": [{}, {"tau": 0.5}, {"tau": 2.0, "gamma": 0.5}, {"gamma": 2.0, "label_smoothing": 0.1}],
    "token_focal": [{}, {"gamma": 0.5}, {"gamma": 2.0}],
    "two_stage": [{}, {"gamma": 0.5}, {"gamma": 0.0, "rare_weight": 0.1}],
}
COLUMNS = 3
EXTREME = 1e4
TARGETS = get_args(losses.Target)
COUNTS = (90.0, 9.0, 1.0)
FACTS = {
    "classes": losses.LabelFacts(COUNTS),
    "scores": losses.LabelFacts(COUNTS),
    "labels": losses.LabelFacts(COUNTS, weights=(1.0, 3.0, 10.0), implications=((1, 0),), exclusions=((1, 2),)),
    "corn": losses.LabelFacts((*COUNTS, 1.0)),
    "cumulative": losses.LabelFacts((*COUNTS, 1.0)),
    "two_stage": losses.LabelFacts(COUNTS),
    "tokens": losses.LabelFacts(COUNTS),
}
# Of three columns, worst last.
PREDICTIONS = {
    "classes": ([[0, 0, 1.5], [0, 0, 0.5], [0, 0, -1.0]], 2),
    "scores": ([[0.5, 0.5, 0.5], [0.6, 0.5, 0.5], [0.9, 0.5, 0.5]], [0.5, 0.5, 0.5]),
    "labels": ([[3.0, -3, -3], [1, -1, -1], [-1, 1, 1]], [1.0, 0, 0]),
    "corn": ([[2.0, 2, 2], [1, 1, 1], [-1, -1, -1]], 3),
    "cumulative": ([[5.0, -3, -3], [2, -1, -1], [-1, 1, 1]], 3),
    "two_stage": ([[-3.0, 0.5, 0.5], [-1, 0.6, 0.5], [1, 0.9, 0.5]], [0.0, 0.5, 0.5]),
    "tokens": ([[[0, 0, 1.5]], [[0, 0, 0.5]], [[0, 0, -1.0]]], [2]),
}


def choices(target):
    return [(name, parameters) for name in losses.names(target) for parameters in PARAMETERS.get(name, [{}])]


EVERY = [(target, *choice) for target in TARGETS for choice in choices(target)]


@pytest.fixture(params=EVERY, ids=lambda case: f"{case[1]}-{case[2]}")
def case(request):
    """Target and loss, told of the labels."""
    target, name, parameters = request.param
    return target, losses.build(name, target, parameters, FACTS[target])


def grades(target):
    """Classes or grades that three columns are for."""
    return COLUMNS if target in ("classes", "tokens") else COLUMNS + 1


def example(target, rows, dtype=torch.float64):
    """Ordinary outputs and targets."""
    generator = torch.Generator().manual_seed(0)
    if target == "scores":
        # Both drawn from the whole scale, so that errors are far from 0 and from Huber's kinks.
        outputs = torch.rand(rows, COLUMNS, generator=generator, dtype=torch.float64)
        return outputs.to(dtype), torch.rand(rows, COLUMNS, generator=generator, dtype=torch.float64).to(dtype)
    if target == "two_stage":
        outputs, targets = torch.rand(2, rows, COLUMNS, generator=generator, dtype=torch.float64)
        targets[:, 0] = torch.arange(rows) % 3 == 1
        return outputs.to(dtype), targets.to(dtype)
    if target == "tokens":
        outputs = 2 * torch.randn(rows, 2, COLUMNS, generator=generator, dtype=torch.float64)
        targets = torch.randint(COLUMNS, (rows, 2), generator=generator)
        targets[1::3, 0] = losses.IGNORED
        return outputs.to(dtype), targets
    outputs = 2 * torch.randn(rows, COLUMNS, generator=generator, dtype=torch.float64)
    if target == "labels":
        return outputs.to(dtype), torch.randint(2, (rows, COLUMNS), generator=generator).to(dtype)
    return outputs.to(dtype), torch.randint(grades(target), (rows,), generator=generator)


def extremes(target, dtype):
    """Every way to be sure, right or wrong, and every tie; for scores every error from none to 1e4."""
    if target == "scores":
        rows = list(product((-EXTREME, -1e-4, 0, 0.5, 1, 1 + 1e-4, EXTREME), (0, 0.5, 1)))
        outputs, targets = torch.tensor(rows, dtype=dtype).unbind(1)
        return outputs[:, None].expand(-1, COLUMNS), targets[:, None].expand(-1, COLUMNS)
    flags = target in ("labels", "two_stage")
    truths = list(product((0.0, 1.0), repeat=COLUMNS)) if flags else range(grades(target))
    rows = list(product(product((-EXTREME, 0, EXTREME), repeat=COLUMNS), truths))
    outputs, targets = torch.tensor([logits for logits, _ in rows], dtype=dtype), torch.tensor([t for _, t in rows])
    if target == "tokens":
        return outputs[:, None], targets[:, None]
    return outputs, targets.to(dtype) if flags else targets


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
    # A tenth, so that no row is certain even when multiplied by the scale of a margin loss.
    values = loss(outputs.requires_grad_() / 10, same)
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert torch.isfinite(outputs.grad).all()
    assert torch.unique(values.detach()).numel() == 8


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single(case, half):
    target, loss = case
    outputs, targets = example(target, rows=6, dtype=half)
    single = loss(outputs.float(), targets.float() if targets.is_floating_point() else targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within_autocast = loss(outputs, targets)
    assert within_autocast.dtype == torch.float32
    assert torch.equal(within_autocast, single)
    assert torch.equal(loss(outputs, targets), single)


def test_a_better_prediction_costs_less(case):
    target, loss = case
    outputs, truth = PREDICTIONS[target]
    outputs, targets = torch.tensor(outputs), torch.tensor([truth] * len(outputs))
    best, middle, worst = loss(outputs, targets)
    assert best < middle < worst


def test_shapes_that_would_broadcast_are_refused(case):
    target, loss = case
    outputs, targets = example(target, rows=4)
    for wrong in (targets[:2], targets[:1], targets[..., None]):
        with pytest.raises(ValueError, match=r"outputs .* \[batch, .*, got \[4, [\d, ]+\] and \["):
            loss(outputs, wrong)
    with pytest.raises(ValueError, match=r"got \[4(, 3)?\] and \["):
        loss(outputs[:, 0], targets)


def test_parameters_cannot_be_changed_afterwards(case):
    _, loss = case
    for field in dataclasses.fields(loss):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(loss, field.name, 1.0)


NEED_FACTS = [case for case in EVERY if hasattr(losses.build(case[1], case[0], case[2]), "for_labels")]


@pytest.mark.parametrize(("target", "name", "parameters"), NEED_FACTS)
def test_a_loss_that_was_told_of_labels_wants_a_column_for_each(target, name, parameters):
    loss = losses.build(name, target, parameters)
    outputs, targets = example(target, rows=4)
    with pytest.raises(ValueError, match=r"one column for each of the 2 labels .* got \[4, 3\]"):
        loss.for_labels(losses.LabelFacts(COUNTS[:2]))(outputs, targets)


@pytest.mark.parametrize("target", TARGETS)
def test_the_default_can_be_focused(target):
    assert losses.build(None, target, {"gamma": 1.5}).gamma == 1.5


@pytest.mark.parametrize(("target", "name", "parameters"), EVERY)
def test_parameters_can_be_read_back(target, name, parameters):
    # So that an export can write down all settings that were in force.
    loss = losses.build(name, target, parameters)
    assert losses.build(name, target, vars(loss)) == loss


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


def binary_cross_entropy(weights):
    return lambda outputs, targets: functional.binary_cross_entropy_with_logits(
        outputs, targets, pos_weight=torch.tensor(weights, dtype=outputs.dtype), reduction="none"
    ).mean(1)


def binary_cross_entropy_and_squared_error(weight):
    def loss(outputs, targets):
        rare = targets[:, 0]
        stage_1 = functional.binary_cross_entropy_with_logits(outputs[:, 0], rare, reduction="none")
        return weight * stage_1 + (1 - rare) * squared_error(outputs[:, 1:], targets[:, 1:])

    return loss


def mean_cross_entropy_of_tokens(outputs, targets):
    return torch.stack([functional.cross_entropy(row, ids) for row, ids in zip(outputs, targets, strict=True)])


def conditional_binary_cross_entropies(outputs, targets):
    """Column j on the rows with y >= j, as in the paper, added up by row."""
    total = torch.zeros(len(outputs), dtype=outputs.dtype)
    for column in range(outputs.shape[1]):
        taken = targets >= column
        passed = (targets[taken] > column).to(outputs.dtype)
        total[taken] += functional.binary_cross_entropy_with_logits(outputs[taken, column], passed, reduction="none")
    return total


@pytest.mark.parametrize(
    ("target", "name", "parameters", "reference"),
    [
        ("classes", None, {}, cross_entropy(0.0)),
        ("classes", "focal", {"gamma": 0.0}, cross_entropy(0.0)),
        ("classes", "focal", {"label_smoothing": 0.1}, cross_entropy(0.1)),
        ("classes", "logit_adjusted", {"tau": 0.0}, cross_entropy(0.0)),
        ("classes", "logit_adjusted", {"tau": 0.0, "label_smoothing": 0.1}, cross_entropy(0.1)),
        ("classes", "ldam", {"max_margin": 0.0, "scale": 1.0}, cross_entropy(0.0)),
        ("classes", "ldam", {"max_margin": 0.0, "scale": 3.0}, lambda x, y: cross_entropy(0.0)(3 * x, y)),
        ("scores", None, {}, squared_error),
        ("scores", "focal_squared_error", {"gamma": 0.0, "beta": 3.0}, squared_error),
        ("scores", "huber", {"delta": 0.1}, smooth_l1(0.1)),
        ("scores", "huber", {"delta": 1.0}, smooth_l1(1.0)),
        ("scores", "huber", {"delta": 1e5}, lambda *example: squared_error(*example) / 2),
        ("labels", None, {"gamma": 0.0, "penalty": 0.0}, binary_cross_entropy([1.0, 1.0, 1.0])),
        ("corn", None, {}, conditional_binary_cross_entropies),
        ("tokens", None, {}, mean_cross_entropy_of_tokens),
        ("two_stage", None, {"gamma": 0.0, "rare_weight": 0.3}, binary_cross_entropy_and_squared_error(0.3)),
    ],
)
@pytest.mark.parametrize("told", [False, True])
def test_special_cases_are_the_losses_of_torch(target, name, parameters, reference, told):
    loss = losses.build(name, target, parameters, losses.LabelFacts(FACTS[target].counts) if told else None)
    for outputs, targets in (example(target, rows=50), extremes(target, torch.float64)):
        torch.testing.assert_close(loss(outputs, targets), reference(outputs, targets))


def test_label_weights_are_those_of_torch():
    loss = losses.build(None, "labels", {"gamma": 0.0, "penalty": 0.0}, FACTS["labels"])
    for outputs, targets in (example("labels", rows=50), extremes("labels", torch.float64)):
        expected = binary_cross_entropy([1.0, 3.0, 10.0])(outputs, targets)
        torch.testing.assert_close(loss(outputs, targets), expected)


@pytest.mark.parametrize(("target", "name"), [(target, name) for target, name, _ in EVERY])
def test_duplicates_are_refused(target, name):
    with pytest.raises(ValueError, match=f"must be unique, got '{name}' twice"):
        losses.register(name, target)
