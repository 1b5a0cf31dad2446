"""An exported folder, loaded from scratch: `python -m trainables.reload FOLDER INPUTS.json OUTPUTS.npy LENGTH COUNT`.

The inputs are texts, or names of image files; LENGTH is the most tokens of a text, COUNT the outputs of a row. Uses
transformers and peft as any user of the folder would, and nothing of what wrote it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import AutoPeftModelForSequenceClassification, PeftModel
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

BATCH = 64


def load(folder: Path, count: int) -> Any:
    """The model in an exported folder, adapter or whole.

    count: outputs of a row; a base from the hub knows nothing of them, and would get a head of two.
    """
    adapter = folder / "adapter_config.json"
    if takes_images(folder):
        if not adapter.exists():
            return AutoModelForImageClassification.from_pretrained(folder)
        name = json.loads(adapter.read_text())["base_model_name_or_path"]
        base = AutoModelForImageClassification.from_pretrained(name, num_labels=count, ignore_mismatched_sizes=True)
        return PeftModel.from_pretrained(base, str(folder))
    if adapter.exists():
        return AutoPeftModelForSequenceClassification.from_pretrained(str(folder), num_labels=count)
    return AutoModelForSequenceClassification.from_pretrained(str(folder))


def takes_images(folder: Path) -> bool:
    """Whether the folder holds an image processor instead of a tokenizer."""
    return (folder / "preprocessor_config.json").exists()


def load_processor(folder: Path) -> Any:
    """The tokenizer or image processor of an exported folder."""
    if takes_images(folder):
        return AutoImageProcessor.from_pretrained(folder, backend="pil")
    return AutoTokenizer.from_pretrained(folder)


def outputs(
    model: Any, processor: Any, inputs: list[str], max_length: int, images: bool
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Raw outputs [inputs, outputs], in the order of the inputs."""
    order = sorted(range(len(inputs)), key=lambda index: 0 if images else len(inputs[index]))
    rows: dict[int, Any] = {}
    model.eval()
    for begin in range(0, len(order), BATCH):
        part = order[begin : begin + BATCH]
        chosen = [inputs[index] for index in part]
        batch = _pixels(processor, chosen) if images else _tokens(processor, chosen, max_length)
        with torch.inference_mode():
            logits = model(**batch).logits
        rows.update(zip(part, logits.float().numpy(), strict=True))
    return np.stack([rows[index] for index in range(len(inputs))])


def _tokens(tokenizer: Any, texts: list[str], max_length: int) -> dict[str, Any]:
    batch = tokenizer(texts, truncation=True, max_length=max_length, padding=True, return_tensors="pt")
    return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}


def _pixels(processor: Any, paths: list[str]) -> dict[str, Any]:
    batch = processor([Image.open(path).convert("RGB") for path in paths], return_tensors="pt")
    return {"pixel_values": batch["pixel_values"]}


if __name__ == "__main__":
    exported, source, target, length, count = Path(sys.argv[1]), *sys.argv[2:6]
    model, processor = load(exported, int(count)), load_processor(exported)
    if not takes_images(exported) and model.config.pad_token_id is None:
        # A decoder finds the end of a text by its padding.
        model.config.pad_token_id = processor.pad_token_id
    found = outputs(
        model,
        processor,
        json.loads(Path(source).read_text()),
        int(length),
        takes_images(exported),
    )
    np.save(target, found)
