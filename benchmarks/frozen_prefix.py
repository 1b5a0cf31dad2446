"""What it saves to compute the frozen layers once, and what it costs to train the last layers alone.

    python benchmarks/frozen_prefix.py speed [--messages 1024] [--repeats 3]
    python benchmarks/frozen_prefix.py cost [--experiments davidson_tiers clinc_out_of_scope] [--seeds 0 1]

speed: one epoch of MiniLM with LoRA on its last two of six layers, on SMS messages: from stored states, without them,
and Hugging Face `Trainer` with the same adapter. The states are computed once beforehand; their seconds are told.

cost: minority recall on the test split with LoRA on the last two layers and on all six, for two real sets, all other
settings the same. Takes one to two hours on 2 cores.

That losses and gradients are the same with and without is tested for BERT, RoBERTa, DeBERTa-v2, Qwen2, Llama and ViT in
`tests/trainables/test_frozen_prefix.py`.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import transformers
from epoch_throughput import (
    DEFAULT_DATA,
    WARM_UP_STEPS,
    Epoch,
    Setting,
    hugging_face,
    ours,
    prepare_setting,
    take_turns,
)
from one_training import test_metrics
from raw_data import VARIABLE

from rarecall.trainables.models.classifier import load_classifier
from rarecall.trainables.models.frozen.frozen_prefix import FrozenPrefix

KEPT = 2
GOAL = 5.0
EXPERIMENTS = ("davidson_tiers", "clinc_out_of_scope")


def with_states(setting: Setting) -> tuple[Setting, float]:
    """The setting with the frozen layers' states, and the seconds they took."""
    data = setting.data
    prefix = FrozenPrefix(load_classifier(setting.base, data.task.output_names, data.pad_id), KEPT)
    started = time.perf_counter()
    train_split = prefix.with_states(data.train, data.pad_id)
    validation = prefix.with_states(data.validation, data.pad_id)
    return replace(setting, data=replace(data, train=train_split, validation=validation)), time.perf_counter() - started


def speed(messages: int, repeats: int, batch_size: int) -> None:
    """Print the epochs as they end, then the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        layers = f"last {KEPT}"
        warm_up = prepare_setting(WARM_UP_STEPS * batch_size, 1, batch_size, "minilm", Path(folder), layers)
        setting = prepare_setting(messages, repeats, batch_size, "minilm", Path(folder), layers)
        stored, seconds = with_states(setting)
        ways = {"trainer": hugging_face, "stored": lambda _: ours(stored), "computed": ours}
        for _ in take_turns(warm_up, {"trainer": hugging_face, "computed": ours}):
            pass
        epochs: dict[str, list[Epoch]] = {name: [] for name in ways}
        for name, epoch in take_turns(setting, ways):
            epochs[name].append(epoch)
            print(f"{name:<20}{epoch.seconds:>9.3f}", flush=True)
    middle = {name: statistics.median(run.seconds for run in runs) for name, runs in epochs.items()}
    print(f"the states of {messages:,} messages, once: {seconds:.1f} s")
    print(f"trainer / stored    {middle['trainer'] / middle['stored']:.1f}; goal: at least {GOAL:.0f}")
    print(f"computed / stored   {middle['computed'] / middle['stored']:.1f}")


def cost(experiments: Sequence[str], seeds: Sequence[int]) -> None:
    """Print minority recall on the test split, by experiment, layers and seed."""
    for name in experiments:
        for layers in (f"last {KEPT}", "all"):
            found = [_minority_recall(name, layers, seed) for seed in seeds]
            told = ", ".join(f"{value:.3f}" for value in found)
            print(
                f"{name:<16} lora.layers={layers:<7} minority recall {statistics.fmean(found):.3f} ({told})", flush=True
            )


def _minority_recall(name: str, layers: str, seed: int) -> float:
    settings = {"training.seed": seed, "model.lora.layers": layers, "training.decision_rule.fit": False}
    return test_metrics(name, settings)["minority_recall"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "cost"))
    parser.add_argument("--messages", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--experiments", nargs="+", default=EXPERIMENTS, help="of those in experiments/, by name")
    options = parser.parse_args()
    if DEFAULT_DATA.is_dir():
        os.environ.setdefault(VARIABLE, str(DEFAULT_DATA))
    transformers.logging.set_verbosity_error()
    if options.what == "speed":
        speed(options.messages, options.repeats, options.batch_size)
    else:
        cost(options.experiments, options.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
