"""Exports whose base model stays where it is, as one from a hub does."""

import json
from dataclasses import replace

import numpy as np
import pytest

from trainables import checkpoint
from trainables.bases import resolve_base
from trainables.config import TrialConfig
from trainables.encode import encode
from trainables.examples import Examples
from trainables.export import outputs_in_fresh_process, write_model
from trainables.forward import Forward, predict_outputs
from trainables.loop import build_model
from trainables.models import ClassifierPool, load_processor
from trainables.tasks import build_task
from trainables.worker import Worker

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
