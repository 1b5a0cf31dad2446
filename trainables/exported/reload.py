"""An exported folder, loaded from scratch in a process of its own.

`python -m rarecall.trainables.exported.reload FOLDER INPUTS.json OUTPUTS.npy LENGTH COUNT`.
The inputs are texts, or names of image files; LENGTH is the most tokens of a text, COUNT the outputs of a row. A model
that writes its answers has them written to OUTPUTS.json instead. Uses transformers and peft as any user of the folder
would, and nothing of what wrote it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import AutoPeftModelForCausalLM, AutoPeftModelForSequenceClassification, PeftModel
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GenerationConfig,
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
    if instruction(folder):
        auto = AutoPeftModelForCausalLM if adapter.exists() else AutoModelForCausalLM
        return auto.from_pretrained(str(folder))
    if adapter.exists():
        return AutoPeftModelForSequenceClassification.from_pretrained(str(folder), num_labels=count)
    return AutoModelForSequenceClassification.from_pretrained(str(folder))


def instruction(folder: Path) -> dict[str, Any]:
    """How a model that writes is asked, from `decision_rule.json`; empty for one that gives numbers."""
    path = folder / "decision_rule.json"
    rule: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return dict(rule.get("instruction") or {})


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


def answers(model: Any, tokenizer: Any, texts: list[str], frame: dict[str, Any]) -> list[str]:
    """What the model writes about each text, in their order. frame: as `instruction` gives it."""
    before, after = (tokenizer(frame[part], add_special_tokens=False)["input_ids"] for part in ("before", "after"))
    plain = {"add_special_tokens": False, "split_special_tokens": True}
    bodies = tokenizer(texts, truncation=True, max_length=frame["text_tokens"], **plain)["input_ids"]
    prompts = [before + body + after for body in bodies]
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model.generation_config = GenerationConfig(max_new_tokens=frame["answer_tokens"], **ends)
    model.eval()
    found = [""] * len(texts)
    order = sorted(range(len(texts)), key=lambda index: len(prompts[index]))
    for begin in range(0, len(order), BATCH):
        part = order[begin : begin + BATCH]
        batch = tokenizer.pad({"input_ids": [prompts[i] for i in part]}, padding_side="left", return_tensors="pt")
        with torch.inference_mode():
            written = model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        for i, tokens in zip(part, written[:, batch["input_ids"].shape[1] :].tolist(), strict=True):
            found[i] = _text(tokenizer, tokens)
    return found


def _text(tokenizer: Any, tokens: list[int]) -> str:
    """An answer up to its end."""
    end = tokenizer.eos_token_id
    kept = tokens[: tokens.index(end)] if end in tokens else tokens
    text: str = tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text


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
    inputs = json.loads(Path(source).read_text())
    if frame := instruction(exported):
        Path(target).with_suffix(".json").write_text(json.dumps(answers(model, processor, inputs, frame)))
    else:
        np.save(target, outputs(model, processor, inputs, int(length), takes_images(exported)))
