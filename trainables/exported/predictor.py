"""An exported folder at work: the adapter merged into its base, rows batched by length, outputs decided by its rule."""

import json
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
)

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.errors import RunError
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.config import ModelConfig, TrialConfig
from rarecall.trainables.data.encoding import EncodedSplit
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.prompts import encode_for
from rarecall.trainables.exported.names import ADAPTER_FILE, BASE_FOLDER, DECISION_RULE_FILE
from rarecall.trainables.exported.reload import load_processor, takes_images
from rarecall.trainables.exported.stock import head_shift, unshifted
from rarecall.trainables.models.frozen.first_token import compute_first_token_only
from rarecall.trainables.models.generator import Writer
from rarecall.trainables.models.quiet import quiet_transformers
from rarecall.trainables.tasks import InstructedScores, Task, build_task, keyword_rules, switched, writes_answers
from rarecall.trainables.tasks.config import TaskConfig
from rarecall.trainables.tasks.keywords import marked
from rarecall.trainables.tasks.protocol import Outputs
from rarecall.trainables.training.forward import Forward, Predicts, in_order
from rarecall.trainables.training.optimisation import own_device, resolve_precision
from rarecall.trainables.training.worker import Worker

# Beyond it, they would wait for the interpreter.
MOST_STREAMS = 4


@dataclass(frozen=True)
class Predictor:
    """A model, its processor and its task. forward: as the loop runs models. batch_size: rows per forward pass.

    shift: of the outputs, as `stock.head_shift` gives it.
    """

    task: Task
    processor: Any
    forward: Predicts
    max_length: int
    batch_size: int
    on_cpu: bool
    shift: FloatArray

    def encode(self, examples: Examples) -> EncodedSplit:
        """The examples as the model takes them."""
        return encode_for(self.task, self.processor, marked(examples, keyword_rules(self.task)), self.max_length)

    def outputs(self, split: EncodedSplit, tell: Callable[[int], None] = lambda rows: None) -> Outputs:
        """Raw outputs, [rows, outputs] or answers [rows], in the order of the split.

        `tell` hears after each batch how many rows it had.
        """
        parts: list[tuple[IntArray, Outputs]] = []

        def run(rows: IntArray) -> tuple[IntArray, Outputs]:
            return rows, self.forward.outputs(split, rows)

        streams, threads = self._streams()
        with self.forward.predicting(split), ThreadPoolExecutor(streams, "", torch.set_num_threads, (threads,)) as pool:
            for part in pool.map(run, by_length(split.lengths, self.batch_size)):
                parts.append(part)
                tell(len(part[0]))
        return unshifted(in_order(parts, len(split)), self.shift)

    def _streams(self) -> tuple[int, int]:
        """How many batches go through a CPU side by side, and threads for each.

        Two batches on a core each need not wait for one another after every matrix product, as two halves of one do.
        """
        threads = torch.get_num_threads()
        streams = min(threads, MOST_STREAMS) if self.on_cpu and not writes_answers(self.task) else 1
        return streams, threads // streams

    def predictions(self, split: EncodedSplit, tell: Callable[[int], None] = lambda rows: None) -> Predictions:
        """Outputs and labels as the decision rule has them; what is true is what the examples say.

        Raises:
            RunError: the model gives NaN or infinity.
        """
        try:
            return self.task.predictions(self.outputs(split, tell), split)
        except FloatingPointError as error:
            raise RunError(str(error)) from error


def by_length(lengths: IntArray, batch_size: int) -> Iterator[IntArray]:
    """Positions of rows [b] in batches of like length, the longest first, so that little is padded.

    >>> [batch.tolist() for batch in by_length(np.array([3, 9, 4, 8, 2]), 2)]
    [[1, 3], [2, 0], [4]]
    """
    order = np.argsort(-lengths, kind="stable")
    for begin in range(0, len(order), batch_size):
        yield order[begin : begin + batch_size]


def open_predictor(folder: Path, config: TrialConfig, batch_size: int) -> Predictor:
    """Load an exported folder for prediction, on a GPU where there is one.

    config: of `experiment.yaml` in that folder. On a GPU in the precision of training; on a CPU in fp32.

    Raises:
        RunError: a part is missing or does not load.
    """
    device = own_device()
    task = load_task(folder, config.task)
    try:
        processor = load_processor(folder)
        pad_id = int(getattr(processor, "pad_token_id", None) or 0)
        model = load_merged(folder, len(task.output_names), pad_id, writes=writes_answers(task)).to(device)
    except Exception as error:  # transformers, peft, tokenizers and safetensors share no base of their errors
        raise RunError(f"{folder}: the model does not load: {type(error).__name__}: {error}") from error
    dtype = resolve_precision(config.training.precision if device.type == "cuda" else "fp32", device)
    forward: Predicts
    if isinstance(task, InstructedScores):
        forward = Writer(model, processor, task.given_frame.answer_tokens, Worker(device=device), dtype)
    else:
        compute_first_token_only(model)
        # The merged model has no frozen part to be skipped, whatever the experiment says.
        forward = Forward(model, ModelConfig(), pad_id, Worker(device=device), dtype)
    length, shift = config.model.max_length, head_shift(folder)
    return Predictor(task, processor, forward, length, batch_size, device.type == "cpu", shift)


def load_task(folder: Path, config: TaskConfig) -> Task:
    """The task of an exported folder, deciding by its `decision_rule.json`.

    Raises:
        RunError: the file is missing, damaged, or belongs to another task.
    """
    path = folder / DECISION_RULE_FILE
    try:
        rule: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        task = switched(build_task(config, tuple(rule["classes"])), bool(rule.get("keywords")))
        values = task.stored_rule(rule)
        if isinstance(task, InstructedScores):
            task = task.as_exported(rule["instruction"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: must be the decision rule that the export wrote, got {error!r}") from error
    if rule.get("kind") != task.kind or len(values) not in (0, len(task.rule)):
        raise RunError(
            f"{path}: must fit experiment.yaml beside it, a {task.kind} task with {len(task.rule)} values to decide "
            f"by, got {rule.get('kind')} with {len(values)}"
        )
    return task.with_rule(values) if values else task


def load_merged(folder: Path, outputs: int, pad_id: int, *, writes: bool = False) -> Any:
    """The model of an exported folder, its adapter merged into the base: one matrix product less per adapted layer.

    A base that lies in the folder is found there, wherever the folder was moved to. writes: whether it writes answers.
    """
    if writes:
        auto: Any = AutoModelForCausalLM
    else:
        auto = AutoModelForImageClassification if takes_images(folder) else AutoModelForSequenceClassification
    with quiet_transformers(), warnings.catch_warnings():
        # peft asks transformers under a name that transformers is giving up.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        if not (folder / ADAPTER_FILE).exists():
            return auto.from_pretrained(folder, dtype=torch.float32).eval()
        head = {} if writes else {"num_labels": outputs}
        model = auto.from_pretrained(_base_of(folder), dtype=torch.float32, **head)
        if getattr(model.config, "pad_token_id", pad_id) is None:
            model.config.pad_token_id = pad_id
        merged: Any = PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
        return merged.eval()


def _base_of(folder: Path) -> str:
    inside = folder / BASE_FOLDER
    if inside.is_dir():
        return str(inside)
    name: str = json.loads((folder / ADAPTER_FILE).read_text(encoding="utf-8"))["base_model_name_or_path"]
    return name
