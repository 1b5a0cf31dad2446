"""How fast `rarecall predict` is: against a transformers `pipeline` with the same adapter on the same real texts.

    RARECALL_DATA_DIR=../shared/data python benchmarks/prepare_data.py davidson sms
    python benchmarks/predict_throughput.py [--texts 20000] [--folder exported/davidson_hate] [--threads 2]

The texts are SMS messages and tweets, shuffled, and repeated where there are too few. Every run is a process of its own
and is timed with its start, which costs a pipeline and us the same seconds:

- ours: the command `rarecall predict FOLDER INPUT -o OUTPUT`, from file to file;
- pipeline: `pipeline("text-classification")` over the same texts, once as it comes (one text at a time) and once with
  `batch_size=32`; the adapter is loaded as peft loads it, and texts are cut at the length of the training.

Without --folder, an adapter on MiniLM is made whose head has not learned anything; time does not care. Labels are held
against each other row by row: the raw outputs of the pipeline, decided by the folder's `decision_rule.json`. Peak
memory is that of our process at N and at 2 N texts. On a shared machine, look at the CPU time too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1")

import numpy as np

ROOT = Path(__file__).parents[1]
FILES = ("sms_spam.jsonl", "davidson_hate.jsonl")
GOAL = 2.5
# First argument of the process that the pipeline gets for itself.
PIPELINE = "pipeline"


@dataclass(frozen=True)
class Timed:
    """seconds: of the whole process. cpu: seconds of all its threads. peak_mb: its largest resident memory."""

    seconds: float
    cpu: float
    peak_mb: float


def real_texts(count: int) -> list[str]:
    """Texts of the prepared data, shuffled, repeated where there are fewer."""
    lines = [line for name in FILES for line in (ROOT / "data" / name).read_text(encoding="utf-8").splitlines()]
    order = np.random.default_rng(0).permutation(len(lines))
    return [json.loads(lines[order[i % len(lines)]])["text"] for i in range(count)]


def timed(command: list[str], threads: int) -> Timed:
    """Run a command to its end; its own output goes to stderr."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed with status {status}")
    return Timed(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def run_ours(folder: Path, source: Path, target: Path, threads: int) -> Timed:
    command = [sys.executable, "-m", "rarecall.search.cli", "predict", str(folder), str(source), "-o", str(target)]
    return timed([*command, "--threads", str(threads), "--overwrite"], threads)


def run_pipeline(folder: Path, source: Path, target: Path, threads: int, batch_size: int) -> Timed:
    command = [sys.executable, __file__, PIPELINE, str(folder), str(source), str(target), str(batch_size)]
    return timed(command, threads)


def pipeline_outputs(folder: Path, source: Path, target: Path, batch_size: int) -> None:
    """What a user of transformers writes; scores are raw outputs, to be decided by the folder's rule."""
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    settings = json.loads((folder / "adapter_config.json").read_text())
    outputs = len(json.loads((folder / "decision_rule.json").read_text())["classes"])
    base = folder / "base" if (folder / "base").is_dir() else settings["base_model_name_or_path"]
    model = PeftModel.from_pretrained(
        AutoModelForSequenceClassification.from_pretrained(base, num_labels=outputs), str(folder)
    )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # Without a batch size it takes one text at a time.
    batching = {} if batch_size == 1 else {"batch_size": batch_size}
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, **batching)
    texts = [json.loads(line)["text"] for line in source.read_text(encoding="utf-8").splitlines()]
    names = [model.config.id2label[i] for i in range(outputs)]
    rows = []
    for found in classify(texts, truncation=True, top_k=None, function_to_apply="none"):
        scores = {one["label"]: one["score"] for one in found}
        rows.append([scores[name] for name in names])
    np.save(target, np.array(rows))


def labels_of(folder: Path, outputs: Any) -> list[str]:
    """What the decision rule makes of raw outputs [n, classes]."""
    rule = json.loads((folder / "decision_rule.json").read_text())
    offsets = rule.get("offsets") or [0.0] * len(rule["classes"])
    return [rule["classes"][i] for i in (outputs + np.array(offsets)).argmax(axis=1)]


def untrained(folder: Path) -> Path:
    """An adapter on MiniLM with the settings of experiments/davidson_hate.yaml, exported before it learned anything."""
    import torch

    from rarecall.search.experiment.schema import load_experiment
    from rarecall.search.experiment.yaml_file import write_yaml
    from rarecall.trainables.exported.writing import write_model
    from rarecall.trainables.models import checkpoint
    from rarecall.trainables.models.bases import resolve_base
    from rarecall.trainables.models.classifier import ClassifierPool
    from rarecall.trainables.tasks import build_task
    from rarecall.trainables.training.loop import build_model

    loaded = load_experiment(ROOT / "experiments" / "davidson_hate.yaml")
    config = loaded.experiment
    task, base = build_task(config.task, ()), resolve_base(config.model.base)
    model = build_model(config.model, ClassifierPool(base, task.output_names, 0), 0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name or "classifier" in name:
                parameter.normal_(std=0.1)
    (folder / "checkpoint").mkdir()
    checkpoint.save_model(folder / "checkpoint", model)
    write_model(folder / "model", base, config, task, folder / "checkpoint")
    write_yaml(folder / "model" / "experiment.yaml", loaded.tree_for_run())
    return folder / "model"


def measure(count: int, given: Path | None, threads: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = given or untrained(scratch)
        inputs = {}
        for rows in (count, 2 * count):
            inputs[rows] = scratch / f"{rows}.jsonl"
            lines = (json.dumps({"text": text}) + "\n" for text in real_texts(rows))
            inputs[rows].write_text("".join(lines), encoding="utf-8")
        print(f"{count:,} texts, {threads} threads, {folder}", flush=True)
        ours = run_ours(folder, inputs[count], scratch / "ours.jsonl", threads)
        print(f"{'rarecall predict':<26}{told(ours, count)}", flush=True)
        written = (scratch / "ours.jsonl").read_text(encoding="utf-8").splitlines()
        labels = [json.loads(line)["predicted"] for line in written]
        for batch_size in (1, 32):
            other = run_pipeline(folder, inputs[count], scratch / "other.npy", threads, batch_size)
            theirs = labels_of(folder, np.load(scratch / "other.npy"))
            same = sum(one == two for one, two in zip(labels, theirs, strict=True))
            ratio = f"ours is {other.seconds / ours.seconds:.2f} times faster ({other.cpu / ours.cpu:.2f} by CPU time)"
            print(f"{f'pipeline, batch size {batch_size}':<26}{told(other, count)}; {ratio}", flush=True)
            print(f"{'':<26}the same label in {same:,} of {count:,}", flush=True)
        twice = run_ours(folder, inputs[2 * count], scratch / "twice.jsonl", threads)
        print(f"{'rarecall predict, 2 N':<26}{told(twice, 2 * count)}")
        print(f"goals: {GOAL} times faster than a pipeline as it comes, the same labels, memory flat")


def told(run: Timed, count: int) -> str:
    return f"{run.seconds:>8.1f} s{run.cpu:>8.1f} CPU s{count / run.seconds:>8.0f} texts/s{run.peak_mb:>8.0f} MB"


def main() -> int:
    if sys.argv[1:2] == [PIPELINE]:
        folder, source, target = map(Path, sys.argv[2:5])
        pipeline_outputs(folder, source, target, int(sys.argv[5]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="an exported folder of a multiclass task with an adapter")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    measure(options.texts, options.folder, options.threads)
    return 0


if __name__ == "__main__":
    sys.exit(main())
