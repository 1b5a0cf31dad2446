"""Exports whose base model stays where it is, as one from a hub does, and those whose adapter is merged into it."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.encoding import encode
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.exported.writing import outputs_in_fresh_process, write_model
from rarecall.trainables.models import checkpoint
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import ClassifierPool, load_processor
from rarecall.trainables.tasks import build_task
from rarecall.trainables.training.forward import Forward, predict_outputs
from rarecall.trainables.training.loop import build_model
from rarecall.trainables.training.worker import Worker

# What a user does who never heard of peft.
PLAIN = """
import json, sys
sys.modules["peft"] = None
import torch
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification
folder, images = sys.argv[1], sys.argv[2] == "True"
inputs = json.load(sys.stdin)
if images:
    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    batch = {"pixel_values": torch.tensor(inputs)}
else:
    from transformers import AutoTokenizer
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    batch = AutoTokenizer.from_pretrained(folder)(inputs, padding=True, return_tensors="pt")
    batch = {key: batch[key] for key in ("input_ids", "attention_mask")}
with torch.inference_mode():
    print(json.dumps([model(**batch).logits.tolist(), model.config.id2label]))
"""
TEXTS = ("a pilot plant began", "we sold", "solar roof of steel in spring")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", ["tiny-bert", "tiny-qwen2"])
def test_a_base_that_is_not_written_along_gets_its_three_outputs_back(tmp_path, name):
    base = replace(resolve_base(name), portable=True)
    config = TrialConfig.model_validate(
        {
            "data": {"path": "rows.jsonl", "label": "label"},
            "task": {"kind": "multiclass", "classes": ["a", "b", "c"]},
            "model": {"base": name, "max_length": 16},
        }
    )
    task, processor = build_task(config.task, ()), load_processor(base)
    model = build_model(config.model, ClassifierPool(base, task.output_names, processor.pad_token_id), seed=1)
    (tmp_path / "trained").mkdir()
    checkpoint.save_model(tmp_path / "trained", model)
    write_model(tmp_path / "model", base, config, task, tmp_path / "trained")
    assert not (tmp_path / "model" / "base").exists()
    settings = json.loads((tmp_path / "model" / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == base.source
    examples = Examples(np.arange(3), TEXTS, np.zeros(3, dtype=np.int64))
    worker = Worker()
    forward = Forward(model, config.model, processor.pad_token_id, worker, model.dtype)
    expected = predict_outputs(forward, encode(processor, examples, 16), 4, worker)
    found = outputs_in_fresh_process(tmp_path / "model", [examples], 16, len(task.output_names))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", ["tiny-bert", "tiny-qwen2", "tiny-vit"])
def test_a_merged_model_needs_transformers_alone(tmp_path, name):
    images = name == "tiny-vit"
    base = resolve_base(name)
    data = {"path": "rows.jsonl", "label": "label", **({"image": "file"} if images else {})}
    model_section = {"base": name, "max_length": 16, "lora": {"layers": "last 1"}}
    task_section = {"kind": "multiclass", "classes": ["a", "b", "c"]}
    config = TrialConfig.model_validate({"data": data, "task": task_section, "model": model_section})
    task, processor = build_task(config.task, ()), load_processor(base)
    pool = ClassifierPool(base, task.output_names, getattr(processor, "pad_token_id", None))
    model = build_model(config.model, pool, seed=1)
    with torch.no_grad():
        for part, parameter in model.named_parameters():
            if "lora_B" in part:
                parameter.normal_(std=0.3)
    (tmp_path / "trained").mkdir()
    checkpoint.save_model(tmp_path / "trained", model)
    write_model(tmp_path / "model", base, config, task, tmp_path / "trained", merge=True)
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert "model.safetensors" in names
    assert not names & {"base", "adapter_config.json", "adapter_model.safetensors"}
    model.eval()
    if images:
        size = model.config.image_size
        inputs = np.random.default_rng(0).normal(size=(3, 3, size, size)).astype(np.float32).tolist()
        batch = {"pixel_values": torch.tensor(inputs)}
    else:
        inputs = list(TEXTS)
        encoded = processor(inputs, padding=True, return_tensors="pt")
        batch = {key: encoded[key] for key in ("input_ids", "attention_mask")}
    with torch.inference_mode(), model.disable_adapter():
        without = model(**batch).logits.numpy()
    with torch.inference_mode():
        expected = model(**batch).logits.numpy()
    assert np.abs(expected - without).max() > 1e-2  # the adapter counts
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(tmp_path / "model"), str(images)],
        input=json.dumps(inputs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, labels = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert labels == {"0": "a", "1": "b", "2": "c"}
