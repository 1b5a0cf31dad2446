"""Base folders as people have them: understood, or refused with what they lack."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

from rarecall.analysis.errors import InputError
from rarecall.trainables.models.base_check import TOKENIZER, position_limit, read_config
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import load_classifier, load_processor
from rarecall.trainables.models.tiny import tiny_folder

SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


@pytest.fixture
def folder(tmp_path):
    """A small model of BERT's kind with the word pieces of `tiny-bert`."""
    model = BertModel(BertConfig(**SMALL, max_position_embeddings=64))
    model.save_pretrained(tmp_path / "base")
    for name in TOKENIZER:
        if (tiny_folder("tiny-bert") / name).is_file():
            shutil.copy(tiny_folder("tiny-bert") / name, tmp_path / "base")
    return tmp_path / "base"


def told(folder, max_length=32):
    with pytest.raises(InputError) as caught:
        load_processor(resolve_base(str(folder)), max_length)
    assert "\n" not in str(caught.value.faults[0])
    return " ".join(map(str, caught.value.faults))


def test_a_whole_folder_is_taken(folder):
    assert load_processor(resolve_base(str(folder)), 64).pad_token == "[PAD]"


@pytest.mark.parametrize(
    ("lost", "rule"),
    [
        (["model.safetensors"], "model.base: must hold weights, model.safetensors for one, got none in"),
        (list(TOKENIZER), "model.base: must hold a tokenizer, tokenizer.json for one, got none in"),
        (["config.json"], "model.base: must be a folder with config.json, got"),
    ],
)
def test_what_a_folder_lacks_is_told(folder, lost, rule):
    for name in lost:
        (folder / name).unlink(missing_ok=True)
    assert rule in told(folder)


def test_all_that_is_lacking_comes_at_once(tmp_path):
    (tmp_path / "empty").mkdir()
    found = told(tmp_path / "empty")
    assert all(part in found for part in ("config.json", "weights", "tokenizer"))


def test_an_adapter_is_no_model(tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "roberta-base"}))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    assert "must be a model, not an adapter, got" in told(tmp_path)
    assert "an adapter of 'roberta-base'" in told(tmp_path)


def test_a_sentence_transformers_folder_is_understood(folder, tmp_path):
    outer = tmp_path / "sentences"
    outer.mkdir()
    shutil.move(folder, outer / "0_Transformer")
    (outer / "modules.json").write_text(json.dumps([{"idx": 0, "path": "0_Transformer", "type": "Transformer"}]))
    assert Path(resolve_base(str(outer)).source) == outer / "0_Transformer"
    assert load_processor(resolve_base(str(outer)), 64).pad_token == "[PAD]"
    (outer / "modules.json").write_text(json.dumps([{"path": "../../.."}]))
    assert Path(resolve_base(str(outer)).source) == outer


def test_more_tokens_than_positions(folder):
    assert told(folder, 256) == f"model.max_length: must be at most 64, the positions of {folder}, got 256"
    with pytest.raises(InputError, match="must be at most 512, the positions of minilm, got 1024"):
        load_processor(resolve_base("minilm"), 1024)


def test_a_tokenizer_of_another_model(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 100}))
    assert "must have a tokenizer of its own, of at most 100 tokens, got 30,522" in told(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model_type": "no-such"}', "{}"])
def test_a_configuration_that_is_none(folder, content):
    (folder / "config.json").write_text(content)
    assert "model.base: must be a model that can be loaded, got" in told(folder)


def test_a_head_of_another_size_is_replaced(folder):
    config = BertConfig(**SMALL, max_position_embeddings=64, num_labels=3)
    BertForSequenceClassification(config).save_pretrained(folder)
    model = load_classifier(resolve_base(str(folder)), ["a", "b"], 0)
    assert tuple(model.classifier.weight.shape) == (2, 8)
    assert torch.isfinite(model.classifier.weight).all()


def test_other_weights_of_another_size_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 128}))
    with pytest.raises(InputError, match=r"must hold weights of the sizes that its config.json says, got others for"):
        load_classifier(resolve_base(str(folder)), ["a", "b"], 0)


def test_a_hub_name_that_cannot_be_had_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError) as caught:
        read_config(resolve_base("minilmm"))
    (fault,) = caught.value.faults
    assert str(fault).startswith("model.base: must be a model that can be had, got 'minilmm': ")
    assert "did you mean 'minilm'?" in str(fault)
    assert "\n" not in str(fault)


@pytest.mark.parametrize(
    ("kind", "values", "limit"),
    [
        ("BertConfig", {}, 512),
        ("RobertaConfig", {"pad_token_id": 1}, 510),
        ("T5Config", {}, None),
        ("Qwen2Config", {}, None),
        ("DebertaV2Config", {"position_biased_input": False}, None),
        ("DistilBertConfig", {}, 512),
        ("GPT2Config", {}, 1024),
    ],
)
def test_which_models_have_a_limit(kind, values, limit):
    import transformers  # noqa: PLC0415

    assert position_limit(getattr(transformers, kind)(**values)) == limit
