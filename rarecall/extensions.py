"""Losses, metrics, weighting schemes, samplers and tasks of one's own; docs/extensions.md has an example of each."""

from rarecall.analysis.metrics.registry import register as register_metric
from rarecall.losses import register as register_loss
from rarecall.trainables.imbalance.sampling import register as register_sampler
from rarecall.trainables.imbalance.schemes import register as register_weighting
from rarecall.trainables.tasks import register as register_task

__all__ = ["register_loss", "register_metric", "register_sampler", "register_task", "register_weighting"]
