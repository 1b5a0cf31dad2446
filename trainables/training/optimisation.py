"""Optimiser, schedule and precision of one trial."""

import contextlib
from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import nn
from transformers import get_scheduler

from rarecall.analysis.settings import OPTIMIZER
from rarecall.trainables.models.quantization import require


def adamw(
    model: nn.Module, learning_rate: float, weight_decay: float, name: Literal["adamw", "adamw_8bit"] = "adamw"
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101); no decay on biases and normalisation weights.

    With `adamw_8bit` its state is quantized by blocks (Dettmers et al. 2022, arXiv 2110.02861), but for small weights.

    Raises:
        InputError: `adamw_8bit` without bitsandbytes.
    """
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for _, parameter in trainable(model):
        (decayed if parameter.ndim > 1 else plain).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=learning_rate)
    eight_bit: torch.optim.Optimizer = require(OPTIMIZER, name).optim.AdamW8bit(groups, lr=learning_rate)
    return eight_bit


def trainable(model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
    """Name and parameter of all that is trained."""
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)


def schedule(optimizer: torch.optim.Optimizer, kind: str, warmup: float, steps: int) -> Any:
    """Linear warm-up over the first `warmup` share of `steps`, then `linear` or `cosine` decay to 0, or `constant`."""
    name = "constant_with_warmup" if kind == "constant" else kind
    return get_scheduler(name, optimizer, num_warmup_steps=round(warmup * steps), num_training_steps=steps)


def resolve_precision(wanted: str, device: torch.device) -> torch.dtype:
    """The type of the forward pass. `auto` is bf16 where the device multiplies it natively, fp16 on older GPUs.

    A CPU that has to emulate bf16 takes fp32.
    """
    if wanted != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[wanted]
    if device.type != "cuda":
        return torch.bfloat16 if cpu_multiplies_bf16() else torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def cpu_multiplies_bf16() -> bool:
    """Whether this machine's CPU has instructions that multiply bfloat16: AVX-512 BF16 or AMX BF16."""
    capabilities = torch.cpu.get_capabilities()
    return any(bool(capabilities.get(name)) for name in ("avx512_bf16", "amx_bf16"))


def own_device() -> torch.device:
    """The GPU of a process that has one to itself, or else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def frozen_precision(wanted: str, device: torch.device) -> torch.dtype:
    """The type of a forward pass through frozen weights: that of training, but never one that the device emulates."""
    return torch.float32 if wanted == "fp32" else resolve_precision("auto", device)


def autocast(device: torch.device, dtype: torch.dtype) -> Any:
    """Mixed precision for a forward pass; nothing at all in fp32."""
    if dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=dtype)
