"""One process of a worker group, as the training loop sees it: its rank, its device, and sums over the group."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Worker:
    """rank: 0 … size-1 within the group; device: where tensors go."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def device_name(self) -> str:
        """Name of the GPU, "" for a CPU."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else ""

    def use_cpus(self, cpus: float) -> None:
        """Compute with as many threads as it was given CPUs, on a CPU; never with more than this machine has cores."""
        if self.device.type == "cpu":
            torch.set_num_threads(max(1, min(int(cpus), os.cpu_count() or 1)))

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Add up the gradients of all workers, in place; a worker that had no row contributes zeros."""
        if self.size == 1:
            return
        held = list(parameters)
        flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in held])
        dist.all_reduce(flat)
        for parameter, summed in zip(held, flat.split([p.numel() for p in held]), strict=True):
            parameter.grad = summed.view_as(parameter)

    def total(self, value: float) -> float:
        """The sum of `value` over all workers."""
        if self.size == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=_reduce_device(self.device))
        dist.all_reduce(tensor)
        return float(tensor)

    def gather(self, value: Any) -> list[Any]:
        """Every worker's `value`, by rank, on every worker."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values


def _reduce_device(device: torch.device) -> torch.device:
    return device if device.type == "cuda" else torch.device("cpu")
