"""Frozen features: the head applied to them gives the model's logits, and the next search finds them on disk."""

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
    DebertaV2Config,
    Qwen2Config,
    RobertaConfig,
    T5Config,
    ViTConfig,
)

from rarecall.trainables.data.encoding import EncodedImages, EncodedSplit
from rarecall.trainables.models.bases import BaseModel
from rarecall.trainables.models.frozen import features
from rarecall.trainables.models.frozen.features import (
    TooSlowError,
    features_file,
    frozen_features,
    store_features,
    stored_features,
)
from rarecall.trainables.models.frozen.first_token import compute_first_token_only

SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
T5 = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_decoder_layers": 1, "num_heads": 2}
CONFIGS = {
    "bert": BertConfig(**SMALL, max_position_embeddings=32),
    "roberta": RobertaConfig(**SMALL, max_position_embeddings=40, pad_token_id=1),
    "deberta-v2": DebertaV2Config(**SMALL, max_position_embeddings=32),
    "t5": T5Config(**T5, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1),
    "qwen2": Qwen2Config(**SMALL, num_key_value_heads=1, pad_token_id=0),
    "vit": ViTConfig(**{**SMALL, "vocab_size": 0}, image_size=8, patch_size=4),
}
ROWS, END = 9, 1


def model_of(family):
    torch.manual_seed(0)
    config = CONFIGS[family]
    config.num_labels = 3
    auto = AutoModelForImageClassification if family == "vit" else AutoModelForSequenceClassification
    model = auto.from_config(config)
    compute_first_token_only(model)
    return model.eval()


def split_of(family):
    """Rows of 3 to 11 tokens, each with the end-of-text token last, or images."""
    rng = np.random.default_rng(0)
    common = {"rows": np.arange(ROWS), "classes": np.zeros(ROWS, dtype=np.int64)}
    if family == "vit":
        pixels = rng.integers(0, 256, (ROWS, 3, 8, 8)).astype(np.uint8)
        images = EncodedImages(pixels, (0.5,) * 3, (0.5,) * 3)
        return EncodedSplit(ids=np.zeros(ROWS, np.int32), offsets=np.arange(ROWS + 1), images=images, **common)
    lengths = np.arange(3, 3 + ROWS)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = rng.integers(2, 50, offsets[-1]).astype(np.int32)
    ids[offsets[1:] - 1] = END
    return EncodedSplit(ids=ids, offsets=offsets, **common)


def logits_one_by_one(model, split, family):
    """Each row alone, so that nothing is padded."""
    rows = []
    for i in range(ROWS):
        if family == "vit":
            inputs = {"pixel_values": torch.from_numpy(split.images.normalised(np.array([i])))}
        else:
            ids = torch.from_numpy(split.ids[split.offsets[i] : split.offsets[i + 1]].astype(np.int64))
            inputs = {"input_ids": ids[None], "attention_mask": torch.ones_like(ids)[None]}
        rows.append(model(**inputs).logits)
    return torch.cat(rows)


def headed(model, values, family):
    """What the architecture's head makes of the features, as its paper's code has it."""
    if family == "roberta":
        return model.classifier.out_proj(torch.tanh(model.classifier.dense(values)))
    if family == "t5":
        return model.classification_head.out_proj(torch.tanh(model.classification_head.dense(values)))
    return model.score(values) if family == "qwen2" else model.classifier(values)


@pytest.mark.parametrize("family", CONFIGS)
def test_the_head_makes_the_logits_of_them(family, monkeypatch):
    monkeypatch.setattr(features, "BATCH_ROWS", 4)
    model, split = model_of(family), split_of(family)
    values = frozen_features(model, split, pad_id=getattr(CONFIGS[family], "pad_token_id", 0) or 0)
    assert values.shape == (ROWS, 16)
    with torch.inference_mode():
        expected = logits_one_by_one(model, split, family)
        torch.testing.assert_close(headed(model, torch.from_numpy(values), family), expected, rtol=1e-4, atol=1e-5)


def test_in_bf16_they_are_the_same_to_two_digits():
    model, split = model_of("bert"), split_of("bert")
    rounded = frozen_features(model, split, 0, torch.bfloat16)
    np.testing.assert_allclose(rounded, frozen_features(model, split, 0), atol=0.02)


def test_a_model_without_a_known_head_is_refused():
    with pytest.raises(ValueError, match="BertModel has no head where this project looks for one"):
        frozen_features(BertModel(CONFIGS["bert"]), split_of("bert"), 0)


def test_what_would_take_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(features, "BATCH_ROWS", 1)
    with pytest.raises(TooSlowError, match="would take about 0 minutes on this machine"):
        frozen_features(model_of("bert"), split_of("bert"), 0, limit=1e-9)


def test_they_are_kept_by_their_contents(tmp_path, monkeypatch):
    monkeypatch.setenv("RARECALL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "model"
    model_of("bert").save_pretrained(folder)
    base, split = BaseModel("small", str(folder), portable=False), split_of("bert")
    path = features_file(base, split, torch.float32)
    assert stored_features(path) is None
    store_features(path, np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(stored_features(features_file(base, split, torch.float32)), np.ones((2, 3)))
    # A name does not matter; rows, precision and weights do.
    assert features_file(BaseModel("other", str(folder), portable=False), split, torch.float32) == path
    others = [
        features_file(base, split.take(np.arange(ROWS - 1)), torch.float32),
        features_file(base, split, torch.bfloat16),
    ]
    (folder / "config.json").write_text("{}")
    others.append(features_file(base, split, torch.float32))
    assert len({path, *others}) == 4
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_file_is_made_anew_and_a_full_disk_keeps_none(tmp_path):
    path = tmp_path / "damaged.npy"
    path.write_bytes(b"no array")
    assert stored_features(path) is None
    (tmp_path / "file").write_text("where a folder should be")
    store_features(tmp_path / "file" / "features.npy", np.ones((1, 1), np.float32))
