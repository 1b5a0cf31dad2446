"""In which type a forward pass runs: as asked for, and with `auto` in one that the device multiplies natively."""

from pathlib import Path

import pytest
import torch

from rarecall.trainables.training.optimisation import frozen_precision, resolve_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, torch.float32),
        ({"architecture": "aarch64"}, torch.float32),
    ],
)
def test_auto_on_a_cpu_is_bf16_where_the_cpu_multiplies_it(monkeypatch, capabilities, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert resolve_precision("auto", CPU) == dtype
    # What is named is taken, except for frozen weights: they gain nothing from an emulated type.
    assert resolve_precision("bf16", CPU) == torch.bfloat16
    assert resolve_precision("fp32", CPU) == torch.float32
    assert [frozen_precision(name, CPU) for name in ("auto", "bf16", "fp16", "fp32")] == [*[dtype] * 3, torch.float32]


def test_the_flags_are_those_of_the_processor():
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text().split() if cpuinfo.exists() else []
    if "flags" not in flags:
        pytest.skip("no flags of an x86 processor to read")
    native = "avx512_bf16" in flags or "amx_bf16" in flags
    assert resolve_precision("auto", CPU) == (torch.bfloat16 if native else torch.float32)
