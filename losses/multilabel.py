"""Losses for labels of which a row may have several: outputs [batch, labels] are logits, targets are 0 or 1."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rarecall.losses.checks import require_at_least_0, require_columns, require_same_shape
from rarecall.losses.facts import LabelFacts, Pairs
from rarecall.losses.focus import focal
from rarecall.losses.precision import at_least_single
from rarecall.losses.registry import Loss, register


@register("focal_bce", target="labels", default=True)
@dataclass(frozen=True)
class FocalBinaryCrossEntropy:
    """Weighted focal BCE, averaged over the labels, and a penalty for combinations of labels that must not be.

    L = mean_l [w_l y_l (1 - p_l)^gamma · -log p_l + (1 - y_l) p_l^gamma · -log(1 - p_l)] + penalty · V, with the
    sigmoid probability p_l of label l: Lin et al. 2017, arXiv 1708.02002, equation 5, with w_l on the positive term
    alone, as torch's pos_weight. w_l is `facts.weights`, 1 without.

    V = mean of max(0, p_s - p_p) over the implications (s implies p: a secondary label must not be more probable than
    its primary) + mean of max(0, p_a + p_b - 1) over the exclusions (a and b). The probabilities of any distribution
    over permitted rows have p_s <= p_p and p_a + p_b <= 1 (Fréchet's inequalities), and cost nothing; a mean over no
    pairs is 0. gamma 0, penalty 0 and weights 1 make torch's binary cross entropy, mean over the labels.

    Label 1 implies label 0, and has weight 3. Logits 0 and log 3 make p = 1/2 and 3/4; where label 1 alone is true,
    with gamma 2 and penalty 0.5: [(1/2)² · -log(1/2) + 3 · (1/4)² · -log(3/4)] / 2 + 0.5 · (3/4 - 1/2)
    = (0.25 · 0.693147 + 0.1875 · 0.287682) / 2 + 0.125 = (0.173287 + 0.053940) / 2 + 0.125 = 0.238614:

    >>> facts = LabelFacts(counts=(2.0, 1.0), weights=(1.0, 3.0), implications=((1, 0),))
    >>> loss = FocalBinaryCrossEntropy(gamma=2.0, penalty=0.5).for_labels(facts)
    >>> print(f"{loss(torch.log(torch.tensor([[1.0, 3.0]])), torch.tensor([[0.0, 1.0]])).item():.6f}")
    0.238614
    """

    gamma: float = 2.0
    penalty: float = 0.5

    def __post_init__(self) -> None:
        require_at_least_0(gamma=self.gamma, penalty=self.penalty)

    def for_labels(self, facts: LabelFacts) -> Loss:
        """The loss with the labels' weights, implications and exclusions."""
        weights = facts.weights or (1.0,) * len(facts.counts)
        return _Constrained(self, weights, facts.implications, facts.exclusions)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Row losses [batch] from logits and targets, both float [batch, labels]; weights 1 and no pairs.

        Half precision is computed in float32, also under autocast.

        Raises:
            ValueError: the shapes do not fit together.
        """
        return self.weighted(outputs, targets, weights=1.0)

    def weighted(self, outputs: Tensor, targets: Tensor, weights: Tensor | float) -> Tensor:
        """The loss without the penalty [batch]; weights: of the positive term, [labels] or one for all."""
        require_same_shape(outputs, targets, "labels")
        outputs = at_least_single(outputs)
        targets = targets.to(outputs.dtype)
        positive = weights * targets * focal(logsigmoid(outputs), self.gamma)
        negative = (1 - targets) * focal(logsigmoid(-outputs), self.gamma)
        return (positive + negative).mean(1)


@dataclass(frozen=True)
class _Constrained:
    """A loss for labels that knows their weights, and which of them imply or exclude one another."""

    loss: FocalBinaryCrossEntropy
    weights: tuple[float, ...]
    implications: Pairs
    exclusions: Pairs

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        require_same_shape(outputs, targets, "labels")
        require_columns(outputs, len(self.weights))
        outputs = at_least_single(outputs)
        value = self.loss.weighted(outputs, targets, outputs.new_tensor(self.weights))
        if self.loss.penalty == 0:
            return value
        return value + self.loss.penalty * violation(torch.sigmoid(outputs), self.implications, self.exclusions)


def violation(probabilities: Tensor, implications: Pairs, exclusions: Pairs) -> Tensor:
    """How far rows of probabilities [batch, labels] are from keeping the rules [batch]; the V of `focal_bce`.

    p = 0.5, 0.75 and 0.5, where 1 implies 0 and 1 excludes 2: (0.75 - 0.5) + (0.75 + 0.5 - 1) = 0.5:

    >>> violation(torch.tensor([[0.5, 0.75, 0.5]]), implications=((1, 0),), exclusions=((1, 2),))
    tensor([0.5000])
    """
    total = probabilities.new_zeros(len(probabilities))
    if implications:
        secondary, primary = _columns(probabilities, implications)
        total = total + torch.relu(secondary - primary).mean(1)
    if exclusions:
        one, other = _columns(probabilities, exclusions)
        total = total + torch.relu(one + other - 1).mean(1)
    return total


def _columns(probabilities: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
    first, second = zip(*pairs, strict=True)
    return probabilities[:, list(first)], probabilities[:, list(second)]
