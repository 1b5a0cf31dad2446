"""A trial's state in a folder: what was trained as safetensors, the optimiser's state beside it."""

import json
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

from rarecall.trainables.models.quiet import quiet_transformers

ADAPTER_FILE = "adapter_model.safetensors"
# Where nothing but the head was trained: its weights alone.
HEAD_FILE = "head.safetensors"
OPTIMISER_FILE = "optimizer.pt"
PRECISION_FILE = "precision.json"


def save(folder: Path, model: Any, optimizer: Any, scheduler: Any, scaler: Any, precision: str) -> None:
    """Write a checkpoint that `restore` and the export can read; whole models and adapters alike.

    precision: of the forward pass, a type such as `float32`, or of weights that are kept in fewer bits; it decides how
    closely a reload must agree.
    """
    save_model(folder, model)
    state = {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(), "scaler": scaler.state_dict()}
    torch.save(state, folder / OPTIMISER_FILE)
    write_precision(folder, precision)


def save_model(folder: Path, model: Any) -> None:
    """Write the trained weights alone: an adapter, a head, or the whole model where all of it was trained."""
    if not isinstance(model, PeftModel) and not all(weight.requires_grad for weight in model.parameters()):
        trained = {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}
        save_file({name: weight.contiguous().cpu() for name, weight in trained.items()}, folder / HEAD_FILE)
        return
    save_pretrained(folder, model)


def save_pretrained(folder: Path, model: Any) -> None:
    """Write an adapter, or else the whole model, in the format of peft or transformers."""
    if isinstance(model, PeftModel):
        # Embeddings are never trained here; left to itself, peft asks the hub whether they were.
        model.save_pretrained(str(folder), save_embedding_layers=False)
    else:
        with quiet_transformers():
            model.save_pretrained(folder)


def write_precision(folder: Path, precision: str) -> None:
    """Note what a checkpoint was validated with, such as `float32`, or `4bit` where weights were quantized."""
    (folder / PRECISION_FILE).write_text(json.dumps({"forward": precision}))


def precision(folder: Path) -> str:
    """What a checkpoint was validated with, as `write_precision` noted it."""
    name: str = json.loads((folder / PRECISION_FILE).read_text())["forward"]
    return name


def restore(folder: Path, model: Any, optimizer: Any, scheduler: Any, scaler: Any) -> None:
    """Bring model, optimiser, schedule and scaler back to where `save` found them.

    Raises:
        FileNotFoundError: the folder is not a checkpoint.
    """
    restore_model(folder, model)
    state = torch.load(folder / OPTIMISER_FILE, map_location="cpu", weights_only=True)
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    scaler.load_state_dict(state["scaler"])


def restore_model(folder: Path, model: Any) -> None:
    """Load the trained weights alone."""
    if isinstance(model, PeftModel):
        set_peft_model_state_dict(model, load_file(folder / ADAPTER_FILE))
    elif (folder / HEAD_FILE).is_file():
        model.load_state_dict(load_file(folder / HEAD_FILE), strict=False)
    else:
        # Through transformers, which may have saved weights under other names than the model gives them.
        with quiet_transformers():
            model.load_state_dict(type(model).from_pretrained(folder, dtype=model.dtype).state_dict())
