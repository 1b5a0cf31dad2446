import json
from pathlib import Path

import pytest

from trainables.bases import BaseModel, resolve_base

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


@pytest.fixture(scope="session")
def still_minilm(tmp_path_factory):
    """MiniLM without dropout anywhere, so that two ways to the same gradient can be compared."""
    original = Path(resolve_base("minilm").source)
    folder = tmp_path_factory.mktemp("still-minilm")
    for name in ("model.safetensors", *TOKENIZER_FILES):
        (folder / name).symlink_to(original / name)
    config = json.loads((original / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return BaseModel("still", str(folder), portable=False)
