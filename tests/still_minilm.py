"""MiniLM without dropout anywhere, so that two ways to the same gradient can be compared."""

import json
from pathlib import Path

from rarecall.trainables.models.bases import BaseModel, resolve_base

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


def write_still_minilm(folder: Path) -> BaseModel:
    """Its files in a folder, weights linked."""
    original = Path(resolve_base("minilm").source)
    for name in ("model.safetensors", *TOKENIZER_FILES):
        (folder / name).symlink_to(original / name)
    config = json.loads((original / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return BaseModel("still", str(folder), portable=False)
