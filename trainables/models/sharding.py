"""Frozen weights spread over the workers of a trial, for base models that one GPU cannot hold.

Each worker keeps a part of every layer's frozen weights and fetches the rest when the layer is run, in the forward and
the backward pass (fully sharded data parallelism: Zhao et al. 2023, arXiv 2304.11277). What is trained, an adapter and
a head, is small and whole on every worker, so gradients, optimiser and checkpoints are what they are without.
"""

from typing import Any

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard

from rarecall.trainables.models.architectures import layer_stack
from rarecall.trainables.models.classifier import unwrapped
from rarecall.trainables.training.worker import Worker


def shard_frozen(model: Any, worker: Worker) -> None:
    """Spread the frozen weights of a model's layers; a layer that is spread already stays so. All workers must call it.

    From then on every worker must run the model equally often, since each brings what the others lack.

    Raises:
        ValueError: the model's layers are not where this project knows to look for them.
    """
    owner, name = layer_stack(unwrapped(model))
    if worker.device.type == "cuda":
        torch.cuda.set_device(worker.device)
    mesh = init_device_mesh(worker.device.type, (worker.size,))
    for layer in getattr(owner, name):
        if not isinstance(layer, FSDPModule):
            trained = {parameter for parameter in layer.parameters() if parameter.requires_grad}
            fully_shard(layer, mesh=mesh, reshard_after_forward=True, ignored_params=trained)


def is_sharded(model: Any) -> bool:
    """Whether some layers are spread over workers."""
    return any(isinstance(module, FSDPModule) for module in model.modules())
