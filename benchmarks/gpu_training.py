"""What a GPU gives: tokens per second, model FLOPs utilisation, memory, and four trials at once on one card.

    python benchmarks/gpu_training.py [--size 1.5b] [--tokens 512] [--rows 256] [--peak-tflops 989]
    python benchmarks/gpu_training.py --size tiny --tokens 64 --rows 64     # the same way on a CPU

The model is Qwen2.5 by its configuration, with random weights: no download, and just as fast. It gets LoRA of rank 16
on its attention projections, bf16 where there is a GPU, and rows that are all as long as `--tokens` says, so that
nobody gains by padding less.

- Ours against Hugging Face `Trainer` (`bf16=True` on a GPU), epochs in turn, as `epoch_throughput.py` has them. FLOPs
  per token of a frozen backbone: 2 N forward and 2 N for the gradients of the activations (Hoffmann et al. 2022, arXiv
  2203.15556, appendix F, without the 2 N of the weights' gradients), and 8 · layers · width · tokens for attention, N
  being the parameters without the embedding. `--peak-tflops` is the card's dense bf16 peak (H100 and H200: 989).
- Four trials in four slots of a quarter of the GPU each against four in one slot, with the same search.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import numpy as np
import torch
import transformers
from epoch_throughput import Epoch, Setting, hugging_face, machine, ours, take_turns
from rich.console import Console
from transformers import AutoTokenizer, Qwen2Config, Qwen2Model

from rarecall.analysis.runs.ledger import read_ledger
from rarecall.search.engine.launch import LaunchOptions, launch
from rarecall.search.experiment.schema import load_experiment
from rarecall.search.experiment.yaml_file import write_yaml
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import load_tokenizer
from rarecall.trainables.models.minilm import minilm_folder

# Qwen/Qwen2.5-1.5B and Qwen/Qwen2.5-0.5B, config.json.
SIZES: Mapping[str, Mapping[str, int]] = {
    "1.5b": {
        "hidden_size": 1536,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "intermediate_size": 8960,
        "vocab_size": 151_936,
    },
    "0.5b": {
        "hidden_size": 896,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "intermediate_size": 4864,
        "vocab_size": 151_936,
    },
    "tiny": {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 256,
        "vocab_size": 30_522,
    },
}
RARE_SHARE = 0.1
SIDE_BY_SIDE = 4


@dataclass(frozen=True)
class Job:
    """What is measured, and the folder it lies in."""

    folder: Path
    size: str
    tokens: int
    rows: int
    batch_size: int
    repeats: int

    @property
    def tree(self) -> dict[str, Any]:
        """The experiment."""
        return {
            "name": "gpu",
            "data": {"train": "train.jsonl", "validation": "validation.jsonl", "label": "label"},
            "task": {"kind": "multiclass", "classes": ["common", "rare"]},
            "model": {
                "base": str(self.folder / "model"),
                "max_length": self.tokens,
                "lora": {"rank": 16, "alpha": 16, "targets": "attention", "layers": "all"},
            },
            "training": {"batch_size": self.batch_size, "epochs": self.repeats, "precision": precision()},
            "space": {"training.learning_rate": {"low": 1e-4, "high": 1e-3, "log": True}},
            "criteria": ["recall[rare] >= 0.5"],
            "storage": {"path": str(self.folder / "runs")},
        }


def precision() -> str:
    return "bf16" if torch.cuda.is_available() else "fp32"


def write_files(job: Job) -> None:
    """Model with random weights, and rows of as many word pieces as asked for."""
    words = AutoTokenizer.from_pretrained(minilm_folder())
    config = Qwen2Config(**SIZES[job.size], pad_token_id=words.pad_token_id, tie_word_embeddings=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Qwen2Model(config).to(torch.bfloat16).save_pretrained(job.folder / "model")
    words.save_pretrained(job.folder / "model")
    generator = np.random.default_rng(0)
    known = [word for word in words.get_vocab() if word.isascii() and word.isalpha() and len(word) > 2]
    for name, count in (("train", job.rows), ("validation", max(16, job.rows // 8))):
        labels = np.where(np.arange(count) % round(1 / RARE_SHARE) == 0, "rare", "common")
        rows = [{"text": " ".join(generator.choice(known, job.tokens)), "label": str(label)} for label in labels]
        (job.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_yaml(job.folder / "experiment.yaml", job.tree)


def setting_of(job: Job) -> Setting:
    config = TrialConfig.model_validate({key: job.tree[key] for key in ("data", "task", "model", "training")})
    base = resolve_base(config.model.base)
    tokenizer = load_tokenizer(base)
    data = prepare(config, tokenizer, base=job.folder)
    return Setting(config, data, tokenizer, base, torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def flops_per_token(config: Any, tokens: int) -> float:
    """Of a training step through a frozen backbone; see the module's docstring."""
    head = config.hidden_size // config.num_attention_heads
    attention = config.hidden_size * (2 * config.hidden_size + 2 * config.num_key_value_heads * head)
    parameters = config.num_hidden_layers * (attention + 3 * config.hidden_size * config.intermediate_size)
    return 4.0 * parameters + 8.0 * config.num_hidden_layers * config.hidden_size * tokens


def throughput(job: Job, peak_tflops: float) -> None:
    setting = setting_of(job)
    flops = flops_per_token(Qwen2Config(**SIZES[job.size]), job.tokens)
    ways = {"trainer": hugging_face, "ours": ours}
    tokens = int(setting.data.train.lengths.sum())
    print(
        f"{machine(setting.device)}\nQwen2.5 {job.size}, {tokens:,} tokens, batches of {job.batch_size}, {precision()}"
    )
    epochs: dict[str, list[Epoch]] = {name: [] for name in ways}
    peaks: dict[str, float] = dict.fromkeys(ways, 0.0)
    for name, epoch in take_turns(setting, ways):
        epochs[name].append(epoch)
        peaks[name] = max(peaks[name], taken_gigabytes())
    for name, runs in epochs.items():
        # The first epoch warms up: allocator, kernels, caches.
        seconds = statistics.median(run.seconds for run in runs[1:] or runs)
        used = f", {flops * tokens / seconds / peak_tflops / 1e12:.1%} of {peak_tflops:g} TFLOPS" if peak_tflops else ""
        memory = f", at most {peaks[name]:.1f} GB" if torch.cuda.is_available() else ""
        print(f"{name:<10}{seconds:>8.2f} s an epoch, {tokens / seconds:>10,.0f} tokens/s{used}{memory}", flush=True)


def taken_gigabytes() -> float:
    """Peak since the last call. Both models lie in memory all the time, in either's figure."""
    if not torch.cuda.is_available():
        return 0.0
    peak = torch.cuda.max_memory_allocated() / 1e9
    torch.cuda.reset_peak_memory_stats()
    return peak


def side_by_side(job: Job) -> None:
    """Four trials in four slots, and four in one."""
    taken = {}
    for slots in (SIDE_BY_SIDE, 1):
        share = {"gpus_per_worker": 1 / slots} if torch.cuda.is_available() else {"cpus_per_worker": 1 / slots}
        changes = {f"resources.{key}": value for key, value in {"slots": slots, **share}.items()}
        loaded = load_experiment(
            job.folder / "experiment.yaml", {"search.trials": SIDE_BY_SIDE, "search.stop_early": None, **changes}
        )
        folder = job.folder / f"slots-{slots}"
        launch(loaded, LaunchOptions(folder), Console(quiet=True))
        records = read_ledger(folder).trials.values()
        begun = min(record.epochs[0].time - record.epochs[0].seconds for record in records)
        taken[slots] = max(record.end.time for record in records if record.end) - begun
        print(f"{SIDE_BY_SIDE} trials in {slots} slot(s): {taken[slots]:.1f} s after the start-up", flush=True)
    print(f"one after another / at once: {taken[1] / taken[SIDE_BY_SIDE]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(SIZES), default="1.5b")
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peak-tflops", type=float, default=0.0, help="of the card; without it no utilisation is told")
    parser.add_argument("--skip-side-by-side", action="store_true")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as scratch:
        job = Job(Path(scratch), options.size, options.tokens, options.rows, options.batch_size, options.repeats)
        write_files(job)
        started = time.perf_counter()
        throughput(job, options.peak_tflops)
        print(f"({time.perf_counter() - started:.0f} s)")
        if not options.skip_side_by_side:
            side_by_side(job)


if __name__ == "__main__":
    main()
