"""A trained trial as a folder of its own, readable by transformers and peft: model, tokenizer, decision rule."""

import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from peft import PeftModel
from PIL import Image

from rarecall.analysis.errors import RunError
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.prompts import fitted
from rarecall.trainables.exported.names import BASE_FOLDER, DECISION_RULE_FILE
from rarecall.trainables.exported.stock import HEAD_SHIFT, head_shift, set_problem_type, shift_head, unshifted
from rarecall.trainables.models import checkpoint
from rarecall.trainables.models.bases import BaseModel
from rarecall.trainables.models.classifier import (
    ParameterCounts,
    count_parameters,
    load_classifier,
    load_processor,
    load_writer,
    open_pool,
    unwrapped,
)
from rarecall.trainables.models.generator import set_greedy
from rarecall.trainables.models.manifest import damage
from rarecall.trainables.models.quiet import quiet_transformers
from rarecall.trainables.tasks import InstructedScores, Task, writes_answers
from rarecall.trainables.tasks.protocol import Outputs
from rarecall.trainables.training.loop import build_model


def write_model(
    folder: Path, base: BaseModel, config: TrialConfig, task: Task, trained: Path, *, merge: bool = False
) -> ParameterCounts:
    """Write the checkpoint `trained` to `folder` so that transformers and peft load it; how large the model is.

    merge: put an adapter into the weights of its base, so that transformers alone loads the folder. Otherwise a base
    model that only this machine can find is written along, with a configuration that knows the number of outputs; peft
    would build a head of two.

    Raises:
        RunError: the checkpoint is damaged.
    """
    if fault := damage(trained):
        raise RunError(f"{trained}: the checkpoint {fault} (export another with --trial, or train this one again)")
    processor = load_processor(base)
    pad_id = getattr(processor, "pad_token_id", None)
    task = fitted(task, processor, config.model.max_length)
    model = build_model(config.model, open_pool(base, task, pad_id), config.training.seed)
    counts = count_parameters(model)
    checkpoint.restore_model(trained, model)
    _prepare_to_write(model, processor, task)
    shift = shift_head(model, task)
    if isinstance(model, PeftModel) and merge:
        model = _merged(model)
    folder.mkdir(parents=True)
    checkpoint.save_pretrained(folder, model)
    if config.data.image is None:
        processor.model_max_length = config.model.max_length
    processor.save_pretrained(folder)
    rule = task.decision_rule() | ({HEAD_SHIFT: shift} if shift else {})
    (folder / DECISION_RULE_FILE).write_text(json.dumps(rule, indent=2, ensure_ascii=False) + "\n")
    if isinstance(model, PeftModel) and not base.portable:
        with quiet_transformers():
            whole = load_writer(base) if writes_answers(task) else load_classifier(base, task.output_names, pad_id)
            _prepare_to_write(whole, processor, task)
            whole.save_pretrained(folder / BASE_FOLDER)
        point_to_base(folder, folder.resolve() / BASE_FOLDER)
    return counts


def _prepare_to_write(model: Any, tokenizer: Any, task: Task) -> None:
    """Have the folder say what its outputs are, and how answers are written: greedily, padding before the prompts."""
    set_problem_type(model, task)
    if isinstance(task, InstructedScores):
        set_greedy(unwrapped(model), tokenizer, task.given_frame.answer_tokens)
        tokenizer.padding_side = "left"


def _merged(model: PeftModel) -> Any:
    """The base with the adapter added to its weights and the trained head in its place; the adapter is gone."""
    with warnings.catch_warnings():
        # peft asks transformers under a name that transformers is giving up.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        return model.merge_and_unload()


def point_to_base(folder: Path, base: Path) -> None:
    """Name `base` as the adapter's base model."""
    path = folder / "adapter_config.json"
    settings: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "base_model_name_or_path": str(base)}, indent=2) + "\n")


def outputs_in_fresh_process(folder: Path, examples: Sequence[Examples], max_length: int, count: int) -> Outputs:
    """Raw outputs of an exported folder, [rows, count] or answers [rows], from a process that shares nothing with this.

    The rows are those of all `examples`, one after another. count: outputs of a row.

    Raises:
        RunError: the folder did not load there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "inputs.json"), Path(scratch, "outputs.npy")
        source.write_text(json.dumps(_inputs(examples, Path(scratch))))
        arguments = (folder, source, target, max_length, count)
        command = [sys.executable, "-m", "rarecall.trainables.exported.reload", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # our own module
        if done.returncode != 0:
            raise RunError(f"{folder}: does not load in a fresh process:\n{done.stderr.strip()[-2000:]}")
        written = target.with_suffix(".json")
        if written.exists():
            return np.array(json.loads(written.read_text()), dtype=np.object_)
        return unshifted(np.load(target, allow_pickle=False), head_shift(folder))


def _inputs(examples: Sequence[Examples], scratch: Path) -> list[str]:
    """Texts, or the names of files that images were written to without loss."""
    inputs: list[str] = []
    for part in examples:
        if part.images is None:
            inputs += part.texts
            continue
        for position in range(len(part)):
            path = scratch / f"{len(inputs)}.png"
            Image.fromarray(part.images[position]).save(path)
            inputs.append(str(path))
    return inputs


def discard(folder: Path) -> None:
    """Remove a folder that did not pass."""
    shutil.rmtree(folder, ignore_errors=True)
