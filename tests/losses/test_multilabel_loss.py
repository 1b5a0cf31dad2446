import math
from math import log

import pytest
import torch

from rarecall.losses import FocalBinaryCrossEntropy, LabelFacts

# Probabilities 3/4, 1/2, 1/4 and the other way round.
LOGITS = torch.tensor([[log(3), 0.0, -log(3)], [-log(3), 0.0, log(3)]], dtype=torch.float64)
TARGETS = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]], dtype=torch.float64)
# Label 0 is the primary of both others, and the others exclude one another.
FACTS = LabelFacts((50.0, 5.0, 1.0), (1.0, 3.0, 10.0), implications=((1, 0), (2, 0)), exclusions=((1, 2),))


def test_the_loss_of_content_moderation_on_a_batch_by_hand():
    # γ 2, λ 0.5; each term is weight · (1 - p_t)² · -log p_t, the weight where the label is there.
    # Row 1: p_t = 3/4, 1/2, 3/4, all labels as they should be: max(0, 1/2 - 3/4) = 0, 1/2 + 1/4 - 1 < 0.
    first = ((1 / 4) ** 2 * log(4 / 3) + 3 * (1 / 2) ** 2 * log(2) + (1 / 4) ** 2 * log(4 / 3)) / 3
    # Row 2: p_t = 1/4, 1/2, 3/4; [(1/2 - 1/4) + (3/4 - 1/4)] / 2 = 0.375, and 1/2 + 3/4 - 1 = 0.25.
    second = ((3 / 4) ** 2 * log(4) + (1 / 2) ** 2 * log(2) + 10 * (1 / 4) ** 2 * log(4 / 3)) / 3
    expected = [first, second + 0.5 * (0.375 + 0.25)]
    assert expected == pytest.approx([0.185274, 0.690126], abs=1e-6)
    value = FocalBinaryCrossEntropy(gamma=2.0, penalty=0.5).for_labels(FACTS)(LOGITS, TARGETS)
    assert value.tolist() == pytest.approx(expected, rel=1e-12)
    assert value.mean().item() == pytest.approx(0.437700, abs=1e-6)


def test_the_penalty_alone():
    # The first row keeps the rules, the second breaks them by 0.375 + 0.25.
    plain = FocalBinaryCrossEntropy(penalty=0.0).for_labels(FACTS)(LOGITS, TARGETS)
    strict = FocalBinaryCrossEntropy(penalty=2.0).for_labels(FACTS)(LOGITS, TARGETS)
    assert (strict - plain).tolist() == pytest.approx([0.0, 1.25], abs=1e-12)


def test_the_penalty_lowers_the_secondary_and_lifts_the_primary():
    logits = torch.tensor([[0.0, 1.0]], dtype=torch.float64, requires_grad=True)
    facts = LabelFacts((1.0, 1.0), implications=((1, 0),))
    targets = torch.tensor([[0.0, 0.0]], dtype=torch.float64)
    loss = FocalBinaryCrossEntropy(penalty=1.0)
    (loss.for_labels(facts)(logits, targets) - loss(logits, targets)).sum().backward()
    # d(p_s - p_p) = p_s (1 - p_s) and -p_p (1 - p_p)
    sure = 1 / (1 + math.exp(-1))
    assert logits.grad[0].tolist() == pytest.approx([-0.25, sure * (1 - sure)], rel=1e-9)


def test_without_facts_weights_are_1_and_nothing_is_forbidden():
    loss = FocalBinaryCrossEntropy(gamma=1.0)
    told = loss.for_labels(LabelFacts((1.0, 1.0, 1.0)))
    torch.testing.assert_close(loss(LOGITS, TARGETS), told(LOGITS, TARGETS))


def test_a_label_that_is_not_there_is_not_weighted():
    facts = LabelFacts((1.0,), weights=(10.0,))
    logits = torch.zeros(2, 1, dtype=torch.float64)
    value = FocalBinaryCrossEntropy(gamma=0.0).for_labels(facts)(logits, torch.tensor([[1.0], [0.0]]))
    assert value.tolist() == pytest.approx([10 * log(2), log(2)], rel=1e-12)


@pytest.mark.parametrize("parameter", ["gamma", "penalty"])
def test_parameters_outside_their_range_are_refused(parameter):
    with pytest.raises(ValueError, match=f"{parameter} must be finite and at least 0, got -1.0"):
        FocalBinaryCrossEntropy(**{parameter: -1.0})
