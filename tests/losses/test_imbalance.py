import math

import pytest
import torch

from rarecall import losses
from rarecall.losses import LabelFacts, LogitAdjusted, MarginCrossEntropy

# Softmax makes 3/4 and 1/4 of these; the second class is the rare one.
LOGITS = torch.tensor([[math.log(3), 0.0]], dtype=torch.float64)
FACTS = LabelFacts(counts=(90.0, 10.0))


@pytest.mark.parametrize(
    ("tau", "true", "expected"),
    [
        # Adjusted odds of the rare class: 1/3 · 10/90 = 1/27.
        (1.0, 1, math.log(28)),
        (1.0, 0, math.log(28 / 27)),
        # 1/3 · √(1/9) = 1/9
        (0.5, 1, math.log(10)),
        (0.0, 1, math.log(4)),
    ],
)
def test_adjusted_logits_by_hand(tau, true, expected):
    value = LogitAdjusted(tau).for_labels(FACTS)(LOGITS, torch.tensor([true]))
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_focus_and_smoothing_are_on_the_adjusted_probabilities():
    # p = 27/28 and 1/28; q = 0.05 and 0.95 for the rare class.
    loss = LogitAdjusted(tau=1.0, gamma=2.0, label_smoothing=0.1).for_labels(FACTS)
    expected = 0.95 * (27 / 28) ** 2 * math.log(28) + 0.05 * (1 / 28) ** 2 * math.log(28 / 27)
    assert loss(LOGITS, torch.tensor([1])).item() == pytest.approx(expected, rel=1e-12)


def test_a_class_without_rows_counts_as_one_row():
    with_one, without = LabelFacts((9.0, 1.0)), LabelFacts((9.0, 0.0))
    loss = LogitAdjusted()
    assert loss.for_labels(with_one) == loss.for_labels(without)


def test_the_pairwise_form_of_the_paper():
    # Equation 10, right side: log[1 + Σ_k (π_k / π_y)^τ e^(f_k - f_y)].
    counts, f, true, tau = (50.0, 30.0, 20.0), (0.3, -1.2, 0.7), 2, 1.3
    others = sum((counts[k] / counts[true]) ** tau * math.exp(f[k] - f[true]) for k in (0, 1))
    loss = LogitAdjusted(tau).for_labels(LabelFacts(counts))
    value = loss(torch.tensor([f], dtype=torch.float64), torch.tensor([true]))
    assert value.item() == pytest.approx(math.log(1 + others), rel=1e-12)


@pytest.mark.parametrize(
    ("true", "expected"),
    [
        # 10000^(1/4) = 10 and 16^(1/4) = 2: margins 0.5 · 2/10 = 0.1 and 0.5, logits 2 and 1, scale 3.
        (0, math.log(1 + math.exp(3 * (1 - (2 - 0.1))))),
        (1, math.log(1 + math.exp(3 * (2 - (1 - 0.5))))),
    ],
)
def test_margins_by_hand(true, expected):
    loss = MarginCrossEntropy(max_margin=0.5, scale=3.0).for_labels(LabelFacts((10000.0, 16.0)))
    value = loss(torch.tensor([[2.0, 1.0]], dtype=torch.float64), torch.tensor([true]))
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_margins_are_those_of_the_authors_code():
    # m = 1 / √√n, times max_m / max m, taken off the true logit, times s (LDAM-DRW, losses.py).
    counts = torch.tensor([1519.0, 202.0, 125.0, 26.0], dtype=torch.float64)
    margins = counts**-0.25
    margins = margins * (0.5 / margins.max())
    logits = torch.randn(20, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    true = torch.arange(20) % 4
    lowered = logits.clone()
    lowered[torch.arange(20), true] -= margins[true]
    expected = torch.nn.functional.cross_entropy(30 * lowered, true, reduction="none")
    loss = MarginCrossEntropy().for_labels(LabelFacts(tuple(counts.tolist())))
    torch.testing.assert_close(loss(logits, true), expected)


def test_a_class_without_rows_has_the_largest_margin_and_changes_no_other():
    told = MarginCrossEntropy(scale=1.0).for_labels(LabelFacts((10000.0, 16.0, 0.0)))
    zeros = torch.zeros(3, 3, dtype=torch.float64)
    expected = [math.log(1 + 2 * math.exp(margin)) for margin in (0.1, 0.5, 0.5)]
    assert told(zeros, torch.arange(3)).tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "parameters", "told"),
    [
        ("focal", {}, True),
        ("logit_adjusted", {"tau": 0.0}, False),
        ("logit_adjusted", {"tau": 1.0}, True),
        ("logit_adjusted", {"tau": 2.5}, True),
        ("ldam", {"max_margin": 0.0, "scale": 30.0}, False),
        ("ldam", {"max_margin": 0.0, "scale": 30.0}, True),
    ],
)
def test_a_head_can_start_where_each_class_costs_minus_the_logarithm_of_its_share(name, parameters, told):
    loss = losses.build(name, "classes", parameters, LabelFacts((70.0, 29.0, 1.0)) if told else None)
    shares = torch.tensor([0.9, 0.09, 0.01], dtype=torch.float64)
    outputs = losses.outputs_for(loss, torch.log(shares))
    torch.testing.assert_close(loss(outputs.expand(3, -1), torch.arange(3)), -torch.log(shares))


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("logit_adjusted", "tau"), ("ldam", "max_margin")],
)
def test_without_counts_they_cannot_be_called(name, parameter):
    loss = losses.build(name, "classes", {})
    with pytest.raises(ValueError, match=rf"'{name}' must know how often .* unless {parameter} is 0, got no counts"):
        loss(LOGITS, torch.tensor([0]))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LogitAdjusted(tau=-1.0), "tau must be finite and at least 0, got -1.0"),
        (lambda: LogitAdjusted(gamma=math.inf), "gamma must be finite and at least 0, got inf"),
        (lambda: LogitAdjusted(label_smoothing=1.0), "label_smoothing must be at least 0 and below 1, got 1.0"),
        (lambda: MarginCrossEntropy(max_margin=-0.5), "max_margin must be finite and at least 0, got -0.5"),
        (lambda: MarginCrossEntropy(scale=0.0), "scale must be finite and above 0, got 0.0"),
    ],
)
def test_parameters_outside_their_range_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
