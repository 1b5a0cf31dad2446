"""How fast an epoch is: ours, Hugging Face `Trainer`'s and a bare loop's, side by side.

    python benchmarks/epoch_throughput.py [--messages 1024] [--repeats 3] [--batch-size 32] [--base minilm]

All three train the same model, the base with LoRA on its attention projections, on the same SMS messages, cut at 128
tokens and tokenized beforehand. After a few steps that do not count, they take turns, in another order each time:

- trainer: `Trainer` with its defaults (random order, padding to the longest row of a batch, its own precision and
  fused AdamW) and the model as transformers has it, from the callback at the start of its epoch to the one at its end,
  so without its preparations;
- ours: an epoch of `train` as a trial runs it, and in the seconds it reports, with the validation of two rows in them;
- bare: forward, backward, clipping and AdamW over our batches, padded and on the device before the clock starts.

The messages are drawn from the SMS Spam Collection in the folder RARECALL_DATA_DIR, by default ../shared/data if that
exists; `prepare_data.py` reads it. On a shared machine, look at the ratios of single repeats, and take more of them.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import pandas as pd
import torch
import transformers
from prepare_data import sms
from raw_data import VARIABLE
from transformers import Trainer, TrainerCallback, TrainingArguments

from rarecall.analysis.errors import RarecallError
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import ClassifierPool, load_tokenizer
from rarecall.trainables.training.batches import pad, plan_epoch
from rarecall.trainables.training.loop import build_model, train
from rarecall.trainables.training.mitigation import epoch_rows
from rarecall.trainables.training.optimisation import autocast, resolve_precision, trainable
from rarecall.trainables.training.worker import Worker

MAX_LENGTH = 128
WARM_UP_STEPS = 2
TRAINER_GOAL, BARE_GOAL = 2.5, 1.10
DEFAULT_DATA = Path(__file__).parents[2] / "shared/data"


@dataclass(frozen=True)
class Epoch:
    """seconds: wall time. padded: positions that went through the model, padding included."""

    seconds: float
    padded: int


@dataclass(frozen=True)
class Setting:
    """What all three have in common."""

    config: TrialConfig
    data: PreparedData
    tokenizer: Any
    base: Any
    device: torch.device

    def pool(self) -> ClassifierPool:
        """A base model of one's own: a pool takes back what it handed out before."""
        return ClassifierPool(self.base, self.data.task.output_names, self.data.pad_id)

    def model(self) -> Any:
        return build_model(self.config.model, self.pool(), self.config.training.seed).to(self.device)

    def plan(self, epoch: int) -> list[Any]:
        """The batches that a trial trains on in `epoch`."""
        training, split = self.config.training, self.data.train
        rows = epoch_rows(split.classes, self.data.task.label_space, training, epoch)
        return plan_epoch(rows, split.lengths, training.batch_size, training.seed, epoch)

    def now(self) -> float:
        """Seconds on the clock once the device has done all it was asked to."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def ours(setting: Setting) -> Iterator[Epoch]:
    """The product's loop."""
    lengths = setting.data.train.lengths
    for result in train(setting.config, setting.data, setting.pool(), Worker(device=setting.device)):
        padded = sum(len(batch) * int(lengths[batch].max()) for batch in setting.plan(result.epoch))
        yield Epoch(result.seconds, padded)


def bare(setting: Setting) -> Iterator[Epoch]:
    """The least that training needs, over the same batches and in the same precision as ours."""
    model, training, device = setting.model().train(), setting.config.training, setting.device
    parameters = [parameter for _, parameter in trainable(model)]
    optimizer = torch.optim.AdamW(parameters, lr=training.learning_rate)
    dtype = resolve_precision(training.precision, device)
    for epoch in range(1, training.epochs + 1):
        batches = _ready_batches(setting, epoch)
        started = setting.now()
        for inputs, classes in batches:
            with autocast(device, dtype):
                logits = model(**inputs).logits
            torch.nn.functional.cross_entropy(logits.float(), classes).backward()
            torch.nn.utils.clip_grad_norm_(parameters, training.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
        yield Epoch(setting.now() - started, sum(inputs["input_ids"].numel() for inputs, _ in batches))


def _ready_batches(setting: Setting, epoch: int) -> list[tuple[dict[str, torch.Tensor], torch.Tensor]]:
    split, device = setting.data.train, setting.device
    return [
        (
            {name: tensor.to(device) for name, tensor in pad(split, batch, setting.data.pad_id).items()},
            torch.tensor(split.classes[batch], device=device),
        )
        for batch in setting.plan(epoch)
    ]


class _EpochWatch(TrainerCallback):
    """Times the epoch that `Trainer` runs, and counts the positions its model is given."""

    def __init__(self, setting: Setting) -> None:
        self.now, self.seconds, self.padded = setting.now, 0.0, 0

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self.padded, self.seconds = 0, -self.now()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        self.seconds += self.now()

    def count(self, _module: Any, _args: Any, inputs: Mapping[str, Any]) -> None:
        self.padded += inputs["input_ids"].numel()


def hugging_face(setting: Setting) -> Iterator[Epoch]:
    """`Trainer` with its defaults, but for the batch size and what it would write to disk and screen."""
    watch, model = _EpochWatch(setting), setting.model()
    for module in model.modules():
        module._forward_pre_hooks.clear()  # the last layer whole, as transformers has it
    model.register_forward_pre_hook(watch.count, with_kwargs=True)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=1,
            per_device_train_batch_size=setting.config.training.batch_size,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=setting.device.type == "cpu",
            bf16=setting.config.training.precision == "bf16",
        )
        trainer = Trainer(
            model, arguments, train_dataset=_rows(setting), processing_class=setting.tokenizer, callbacks=[watch]
        )
        trainer.remove_callback(transformers.PrinterCallback)
        for _ in range(setting.config.training.epochs):
            trainer.train()
            yield Epoch(watch.seconds, watch.padded)


def _rows(setting: Setting) -> Any:
    """The training rows as the tokenizer gives them, for `Trainer` to pad."""
    split = setting.data.train
    tokens = [split.ids[start:end].tolist() for start, end in zip(split.offsets, split.offsets[1:], strict=False)]
    return [
        {"input_ids": ids, "attention_mask": [1] * len(ids), "label": int(label)}
        for ids, label in zip(tokens, split.classes, strict=True)
    ]


WAYS = {"trainer": hugging_face, "ours": ours, "bare": bare}


def take_turns(setting: Setting, ways: Mapping[str, Any] = WAYS) -> Iterator[tuple[str, Epoch]]:
    """One epoch after another, with whose it is. Each repeat begins with another, for none to be always the first."""
    running = {name: way(setting) for name, way in ways.items()}
    names = list(ways)
    for repeat in range(setting.config.training.epochs):
        first = repeat % len(names)
        for name in names[first:] + names[:first]:
            yield name, next(running[name])


def prepare_setting(
    messages: int, repeats: int, batch_size: int, base_name: str, folder: Path, layers: str = "all"
) -> Setting:
    """Messages through the path that an experiment's data take: files, reading, encoding. layers: `lora.layers`."""
    [(_, sms_rows)] = sms()
    all_rows = pd.DataFrame(sms_rows).sample(frac=1, random_state=0)
    # Validation is part of an epoch of ours: one row of each class is the least it takes.
    validation = all_rows.groupby("label").head(1)
    rows = all_rows.drop(validation.index)
    if len(rows) < messages:
        raise SystemExit(f"--messages: must be at most {len(rows):,}, which there are, got {messages:,}")
    for name, part in {"train": rows.head(messages), "validation": validation}.items():
        part.to_json(folder / f"{name}.jsonl", orient="records", lines=True)
    lora = {"rank": 8, "alpha": 16, "dropout": 0.05, "layers": layers}
    config = TrialConfig.model_validate(
        {
            "data": {"train": "train.jsonl", "validation": "validation.jsonl", "label": "label"},
            "task": {"kind": "multiclass"},
            "model": {"base": base_name, "max_length": MAX_LENGTH, "lora": lora},
            "training": {"batch_size": batch_size, "epochs": repeats},
        }
    )
    base = resolve_base(base_name)
    tokenizer = load_tokenizer(base)
    data = prepare(config, tokenizer, base=folder)
    return Setting(config, data, tokenizer, base, torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def summary(setting: Setting, epochs: Mapping[str, list[Epoch]]) -> str:
    """Seconds and tokens of each way, and ours beside the other two."""
    real = int(setting.data.train.lengths.sum())
    lines = [f"{'seconds per epoch':<20}{'median':>9}{'min':>9}{'max':>9}{'tokens/s':>11}{'with padding':>14}"]
    for name, runs in epochs.items():
        seconds = [run.seconds for run in runs]
        middle, padded = statistics.median(seconds), statistics.median(run.padded for run in runs)
        lines.append(
            f"{name:<20}{middle:>9.3f}{min(seconds):>9.3f}{max(seconds):>9.3f}"
            f"{real / middle:>11,.0f}{padded / middle:>14,.0f}"
        )
    trainer, bare_loop = _ratio(epochs["trainer"], epochs["ours"]), _ratio(epochs["ours"], epochs["bare"])
    return "\n".join(
        [
            *lines,
            f"trainer / ours  {trainer}; goal: at least {TRAINER_GOAL:.2f}",
            f"ours / bare     {bare_loop}; goal: at most {BARE_GOAL:.2f}",
        ]
    )


def _ratio(above: list[Epoch], below: list[Epoch]) -> str:
    """Of the medians; in brackets the ratio in single repeats, which shows how far to trust it."""
    middle = statistics.median(run.seconds for run in above) / statistics.median(run.seconds for run in below)
    single = [one.seconds / other.seconds for one, other in zip(above, below, strict=True)]
    return f"{middle:.2f} ({min(single):.2f} to {max(single):.2f})"


def machine(device: torch.device) -> str:
    """What it was measured on, for the first line of a benchmark."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {name}; "
        f"torch {torch.__version__}, transformers {transformers.__version__}"
    )


def _work(setting: Setting) -> str:
    training, split = setting.config.training, setting.data.train
    return (
        f"{setting.base.name}, {len(split):,} messages, {split.lengths.sum():,} tokens, longest {split.lengths.max()}; "
        f"batches of {training.batch_size}, {resolve_precision(training.precision, setting.device)}"
    )


def measure(messages: int, repeats: int, batch_size: int, base_name: str) -> None:
    """Print every epoch as it ends, then the summary."""
    with tempfile.TemporaryDirectory() as folder:
        warm_up = prepare_setting(WARM_UP_STEPS * batch_size, 1, batch_size, base_name, Path(folder))
        setting = prepare_setting(messages, repeats, batch_size, base_name, Path(folder))
        print(f"{machine(setting.device)}\n{_work(setting)}", flush=True)
        for _ in take_turns(warm_up):
            pass
        epochs: dict[str, list[Epoch]] = {name: [] for name in WAYS}
        for name, epoch in take_turns(setting):
            epochs[name].append(epoch)
            print(f"{name:<20}{epoch.seconds:>9.3f}", flush=True)
    print(summary(setting, epochs))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--base", default="minilm", help="`minilm`, or a folder with a model")
    options = parser.parse_args()
    if DEFAULT_DATA.is_dir():
        os.environ.setdefault(VARIABLE, str(DEFAULT_DATA))
    transformers.logging.set_verbosity_error()
    try:
        measure(options.messages, options.repeats, options.batch_size, options.base)
    except RarecallError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
