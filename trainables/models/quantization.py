"""bitsandbytes: frozen weights in 4 or 8 bits, and the state of AdamW in 8."""

import importlib
import importlib.util
from typing import Any, Literal

import torch
from transformers import BitsAndBytesConfig

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.settings import OPTIMIZER
from rarecall.trainables.config import TrialConfig

Quantization = Literal["none", "4bit", "8bit"]
PACKAGES = ("bitsandbytes", "accelerate")


def check_installed(trial: TrialConfig) -> None:
    """Whether what a trial wants of bitsandbytes is there.

    Raises:
        InputError: the extra is not installed.
    """
    if trial.model.quantization != "none":
        require("model.quantization", trial.model.quantization)
    if trial.training.optimizer == "adamw_8bit":
        require(OPTIMIZER, trial.training.optimizer)


def require(key: str, value: str) -> Any:
    """The package `bitsandbytes`, for the setting `key`.

    Raises:
        InputError: it is not installed.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        remedy = "pip install 'rarecall[quantized]'"
        raise InputError(key, [Fault(key, f"{value} needs {' and '.join(missing)}", "not installed", remedy)])
    return importlib.import_module("bitsandbytes")


def loading(quantization: Quantization, whole: list[str]) -> dict[str, Any]:
    """Arguments of `from_pretrained` that quantize all linear layers but those in modules whose names match `whole`.

    `4bit` is NF4 with double quantization (Dettmers et al. 2023, arXiv 2305.14314), `8bit` is LLM.int8() (Dettmers et
    al. 2022, arXiv 2208.07339). Weights go to the GPU at once, where there is one.
    """
    if quantization == "none":
        return {}
    require("model.quantization", quantization)
    four = quantization == "4bit"
    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=four,
            load_in_8bit=not four,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            llm_int8_skip_modules=whole,
        ),
        "device_map": {"": torch.cuda.current_device() if torch.cuda.is_available() else "cpu"},
    }


def compute_in(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Let weights in 4 bits be multiplied in the precision of the forward pass."""
    modules: Any = model.modules()
    for module in modules:
        if hasattr(module, "compute_dtype"):
            module.compute_dtype = dtype
            # On some CPUs a prediction would pack the weights in a way that the next epoch could not train with.
            module.support_avx512bf16_for_cpu = False
