"""A trained trial as a folder of its own, readable by transformers and peft: model, tokenizer, decision rule."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.errors import RunError
from analysis.predictions import FloatArray
from trainables import checkpoint
from trainables.bases import BaseModel
from trainables.config import TrialConfig
from trainables.loop import build_model
from trainables.models import ClassifierPool, load_classifier, load_tokenizer, quiet_transformers
from trainables.session import output_names
from trainables.tasks import Task

BASE_FOLDER = "base"
DECISION_RULE_FILE = "decision_rule.json"


def write_model(folder: Path, base: BaseModel, config: TrialConfig, task: Task, trained: Path) -> None:
    """Write the checkpoint `trained` to `folder` so that `AutoPeftModelForSequenceClassification` loads it.

    A base model that only this machine can find is written along, with a configuration that knows the number of
    outputs; peft would otherwise build a head of two.
    """
    tokenizer = load_tokenizer(base)
    names = output_names(task)
    model = build_model(config.model, ClassifierPool(base, names, tokenizer.pad_token_id), config.training.seed)
    checkpoint.restore_model(trained, model)
    folder.mkdir(parents=True)
    checkpoint.save_model(folder, model)
    tokenizer.model_max_length = config.model.max_length
    tokenizer.save_pretrained(folder)
    (folder / DECISION_RULE_FILE).write_text(json.dumps(task.decision_rule(), indent=2, ensure_ascii=False) + "\n")
    if config.model.adapter == "lora" and not base.portable:
        with quiet_transformers():
            load_classifier(base, names, tokenizer.pad_token_id).save_pretrained(folder / BASE_FOLDER)
        point_to_base(folder, folder.resolve() / BASE_FOLDER)


def point_to_base(folder: Path, base: Path) -> None:
    """Name `base` as the adapter's base model."""
    path = folder / "adapter_config.json"
    settings: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "base_model_name_or_path": str(base)}, indent=2) + "\n")


def outputs_in_fresh_process(folder: Path, texts: Sequence[str], max_length: int) -> FloatArray:
    """Raw outputs [texts, outputs] of an exported folder, computed by a process that shares nothing with this one.

    Raises:
        RunError: the folder did not load there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "texts.json"), Path(scratch, "outputs.npy")
        source.write_text(json.dumps(list(texts)))
        command = [sys.executable, "-m", "trainables.reload", str(folder), str(source), str(target), str(max_length)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # our own module
        if done.returncode != 0:
            raise RunError(f"{folder}: does not load in a fresh process:\n{done.stderr.strip()[-2000:]}")
        outputs: FloatArray = np.load(target, allow_pickle=False)
        return outputs


def discard(folder: Path) -> None:
    """Remove a folder that did not pass."""
    shutil.rmtree(folder, ignore_errors=True)
