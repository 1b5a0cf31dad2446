"""Losses for written answers: outputs [batch, tokens, vocabulary] are logits, targets [batch, tokens] are token ids."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rarecall.losses.checks import require_at_least_0, require_token_targets
from rarecall.losses.focus import focal
from rarecall.losses.precision import at_least_single
from rarecall.losses.registry import register

# The target of a token that nothing is learnt from, such as one of the prompt; torch's own default.
IGNORED = -100


@register("token_focal", target="tokens", default=True)
@dataclass(frozen=True)
class FocalTokens:
    """Focal cross entropy of each token of an answer, and of a row the mean over its tokens.

    FL(p_t) = -(1 - p_t)^gamma log p_t (Lin et al. 2017, arXiv 1708.02002, equation 4), where p_t is the softmax
    probability of the true token. gamma 0 is cross entropy, as instruction tuning has it (Wei et al. 2022, arXiv
    2109.01652); a larger gamma turns away from tokens that are right already, such as the names of the dimensions, and
    towards the digits. A row of many tokens counts as much as one of few.

    Two tokens whose true ones have probabilities 3/4 and 1/4, with gamma 0: (0.28768 + 1.38629) / 2 = 0.83699; of the
    third nothing is learnt:

    >>> logits = torch.log(torch.tensor([[[3.0, 1.0], [3.0, 1.0], [3.0, 1.0]]]))
    >>> print(f"{FocalTokens()(logits, torch.tensor([[0, 1, IGNORED]])).item():.5f}")
    0.83699
    """

    gamma: float = 0.0

    def __post_init__(self) -> None:
        require_at_least_0(gamma=self.gamma)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Row losses [batch] from logits [batch, tokens, vocabulary] and token ids int64 [batch, tokens].

        0 for a row without tokens to learn from. Half precision is computed in float32, also under autocast.

        Raises:
            ValueError: the shapes do not fit together.
        """
        require_token_targets(outputs, targets)
        learnt = targets != IGNORED
        log_p = torch.log_softmax(at_least_single(outputs), dim=2)
        true = log_p.gather(2, targets.clamp(min=0)[..., None]).squeeze(2)
        values = torch.where(learnt, focal(true, self.gamma), 0.0)
        return values.sum(1) / learnt.sum(1).clamp(min=1)
