"""An exported folder, loaded from scratch: `python -m trainables.reload FOLDER TEXTS.json OUTPUTS.npy MAX_LENGTH`.

Uses transformers and peft as any user of the folder would, and nothing of what wrote it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import AutoPeftModelForSequenceClassification
from transformers import AutoModelForSequenceClassification, AutoTokenizer

BATCH = 64


def load(folder: Path) -> Any:
    """The model in an exported folder, adapter or whole."""
    if (folder / "adapter_config.json").exists():
        return AutoPeftModelForSequenceClassification.from_pretrained(str(folder))
    return AutoModelForSequenceClassification.from_pretrained(str(folder))


def outputs(model: Any, tokenizer: Any, texts: list[str], max_length: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Raw outputs [texts, outputs], in the order of the texts."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    rows: dict[int, Any] = {}
    model.eval()
    for begin in range(0, len(order), BATCH):
        part = order[begin : begin + BATCH]
        batch = tokenizer(
            [texts[index] for index in part], truncation=True, max_length=max_length, padding=True, return_tensors="pt"
        )
        with torch.inference_mode():
            logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        rows.update(zip(part, logits.float().numpy(), strict=True))
    return np.stack([rows[index] for index in range(len(texts))])


if __name__ == "__main__":
    exported, source, target, length = sys.argv[1:5]
    found = outputs(
        load(Path(exported)), AutoTokenizer.from_pretrained(exported), json.loads(Path(source).read_text()), int(length)
    )
    np.save(target, found)
