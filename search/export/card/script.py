"""The script in a model card: from inputs to the labels of `rarecall predict` with transformers and peft alone."""

from collections.abc import Iterator
from pathlib import Path

from rarecall.trainables.config import TrialConfig
from rarecall.trainables.exported.names import ADAPTER_FILE, BASE_FOLDER
from rarecall.trainables.tasks import (
    InstructedScores,
    Multiclass,
    Multilabel,
    Ordinal,
    Task,
    TieredScores,
    TwoStageScores,
    keyword_rules,
)

SCRIPT = """\
import json
{regular}import torch
{imports}

folder, {inputs}
rule = json.load(open(f"{{folder}}/decision_rule.json"))
{loading}
with torch.inference_mode():
    outputs = model({batch}).logits.double()
{deciding}
print(labels)"""

TEXTS = 'texts = "{name}", ["a text"]'
TOKENIZER = """\
tokenizer = AutoTokenizer.from_pretrained(folder)
batch = tokenizer(texts, truncation=True, max_length={max_length}, padding=True, return_tensors="pt")"""
PADDING = "base.config.pad_token_id = tokenizer.pad_token_id"
TEXT_BATCH = 'input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]'

IMAGES = 'images = "{name}", ["an image.png"]'
IMAGE_PROCESSOR = """\
processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
batch = processor([Image.open(name).convert("RGB") for name in images], return_tensors="pt")"""
IMAGE_BATCH = 'pixel_values=batch["pixel_values"]'

MULTICLASS = """\
labels = [rule["classes"][i] for i in (outputs + outputs.new_tensor(rule["offsets"])).argmax(dim=1)]"""
MULTILABEL = """\
given = outputs.sigmoid() > outputs.new_tensor(rule["thresholds"])
{implied}labels = [[name for name, there in zip(rule["classes"], row) if there] for row in given]"""
IMPLIED = """\
alone = given.clone()
for label, implied in rule["implications"]:
    given[:, implied] |= alone[:, label]
"""
# P(y > j) of each grade but the last.
ABOVE = {
    "corn": "above = outputs.sigmoid().cumprod(dim=1)",
    "cumulative": """\
gaps = torch.nn.functional.softplus(outputs[:, 1:]).cumsum(dim=1)
above = torch.cat([outputs[:, :1], outputs[:, :1] - gaps], dim=1).sigmoid()""",
    "softmax": "above = outputs.softmax(dim=1).flip(1).cumsum(dim=1).flip(1)[:, 1:]",
}
ORDINAL = """\
{above}
grades = (above > outputs.new_tensor(rule["thresholds"])).long().cumprod(dim=1).sum(dim=1)
labels = [rule["classes"][i] for i in grades]"""
WRITER = """\
import json
{regular}import torch
{imports}

folder, {inputs}
rule = json.load(open(f"{{folder}}/decision_rule.json"))
asked, names, (low, high) = rule["instruction"], rule["dimensions"], rule["range"]
{loading}
plain = {{"add_special_tokens": False, "split_special_tokens": True}}
bodies = tokenizer(texts, truncation=True, max_length=asked["text_tokens"], **plain)["input_ids"]
before, after = (tokenizer(asked[part], add_special_tokens=False)["input_ids"] for part in ("before", "after"))
batch = {{"input_ids": [before + body + after for body in bodies]}}
batch = tokenizer.pad(batch, padding_side="left", return_tensors="pt")
written = model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
end = tokenizer.eos_token_id
rows = [row[: row.index(end)] if end in row else row for row in written[:, batch["input_ids"].shape[1] :].tolist()]
answers = [tokenizer.decode(row, clean_up_tokenization_spaces=False) for row in rows]

def read(answer):  # the scores, or None where they are not exactly what was asked for
    try:
        found = json.loads(answer, object_pairs_hook=tuple, parse_constant=int)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, tuple) or sorted(key for key, _ in found) != sorted(names):
        return None
    good = all(type(value) in (int, float) and low <= value <= high for _, value in found)
    return [dict(found)[name] for name in names] if good else None

unread = [read(answer) is None for answer in answers]
scores = torch.tensor([read(answer) or [low] * len(names) for answer in answers], dtype=torch.double)
weights = scores.new_tensor(rule["weights"])
{deciding}
print(labels)"""
GREEDY = """\
model.generation_config = GenerationConfig(
    max_new_tokens=asked["answer_tokens"], eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
)"""
READ_TIERS = """\
labels = [None if bad else rule["classes"][i] for i, bad in zip(tiers, unread)]"""

SCORES = """\
low, high = rule["range"]
scores = (low + {outputs} * (high - low)).clamp(low, high)
weights = outputs.new_tensor(rule["weights"])
"""
OVERALL = """\
overall = (scores @ weights / weights.sum()).round(decimals=rule["overall_decimals"])
"""
TWO_STAGE = """\
top = rule["two_stage"]["rare"] == rule["classes"][-1]
cut, end = (rule["cuts"][-1], high) if top else (rule["cuts"][1], low)
rare = outputs[:, 0].sigmoid() >= rule["two_stage"]["threshold"]
overall = torch.where(rare & (overall < cut if top else overall >= cut), (cut + end) / 2, overall)
"""
KEYWORDS = """\
def bounded(values, dimension):
    for key, kept in (("at_least", torch.clamp_min), ("at_most", torch.clamp_max)):
        for word in rule["keywords"]:
            if word["dimension"] == dimension and word[key] is not None:
                found = torch.tensor([bool(re.search(word["pattern"], text, re.IGNORECASE)) for text in texts])
                values = torch.where(found, kept(values, word[key]), values)
    return values
scores = torch.stack([bounded(values, name) for values, name in zip(scores.T, rule["dimensions"])], dim=1)
"""
BOUNDED_OVERALL = """\
overall = bounded(overall, None)
"""
TIERS = """\
tiers = torch.bucketize(overall, scores.new_tensor(rule["cuts"][1:]), right=True)
"""
GATEKEEPER = """\
gate = rule["gatekeeper"]
closed = scores[:, rule["dimensions"].index(gate["dimension"])] < gate["cut"]
tiers = torch.where(closed, tiers.clamp(max=rule["classes"].index(gate["max_tier"])), tiers)
"""


def plain_script(folder: Path, config: TrialConfig, task: Task) -> str:
    """Python that prints the label of each input, for the exported model in `folder`, run beside it."""
    if isinstance(task, InstructedScores):
        return _writer_script(folder, task)
    images = config.data.image is not None
    adapter, embedded = (folder / ADAPTER_FILE).exists(), (folder / BASE_FOLDER).is_dir()
    auto = "AutoModelForImageClassification" if images else "AutoModelForSequenceClassification"
    return SCRIPT.format(
        regular="import re\n" if keyword_rules(task) else "",
        imports=_imports(auto, images, adapter),
        inputs=(IMAGES if images else TEXTS).format(name=folder.name),
        loading="\n".join(
            [
                *_model(auto, len(task.output_names), adapter, embedded),
                IMAGE_PROCESSOR if images else TOKENIZER.format(max_length=config.model.max_length),
                # A decoder from a hub may know no padding; one that lies in the folder was written with it.
                *([PADDING] if adapter and not embedded and not images else []),
            ]
        ),
        batch=IMAGE_BATCH if images else TEXT_BATCH,
        deciding=_deciding(task),
    )


def _writer_script(folder: Path, task: InstructedScores) -> str:
    auto, adapter = "AutoModelForCausalLM", (folder / ADAPTER_FILE).exists()
    embedded = (folder / BASE_FOLDER).is_dir()
    return WRITER.format(
        regular="import re\n" if keyword_rules(task) else "",
        imports=_imports(auto, False, adapter).replace("AutoTokenizer", "AutoTokenizer, GenerationConfig"),
        inputs=TEXTS.format(name=folder.name),
        loading="\n".join(
            [
                *_model(auto, None, adapter, embedded),
                "tokenizer = AutoTokenizer.from_pretrained(folder)",
                GREEDY,
            ]
        ),
        deciding="".join(_deciding_scores(task)),
    )


def _imports(auto: str, images: bool, adapter: bool) -> str:
    lines = ["from peft import PeftModel"] if adapter else []
    lines += ["from PIL import Image"] if images else []
    return "\n".join(
        [*lines, f"from transformers import {auto}, {'AutoImageProcessor' if images else 'AutoTokenizer'}"]
    )


def _model(auto: str, outputs: int | None, adapter: bool, embedded: bool) -> list[str]:
    if not adapter:
        return [f"model = {auto}.from_pretrained(folder).eval()"]
    # Not AutoPeftModel: it would look for a base in the folder where the folder was written.
    base = f'f"{{folder}}/{BASE_FOLDER}"'
    if not embedded:
        base = 'json.load(open(f"{folder}/adapter_config.json"))["base_model_name_or_path"]'
    return [
        f"base = {auto}.from_pretrained({base}{'' if outputs is None else f', num_labels={outputs}'})",
        "model = PeftModel.from_pretrained(base, folder).eval()",
    ]


def _deciding(task: Task) -> str:
    """Lines that turn `outputs` into `labels`, as `task.predictions` does.

    Raises:
        ValueError: a task without such lines.
    """
    if isinstance(task, Multiclass):
        return MULTICLASS
    if isinstance(task, Multilabel):
        return MULTILABEL.format(implied=IMPLIED if task.enforce_implications else "")
    if isinstance(task, Ordinal):
        return ORDINAL.format(above=ABOVE[task.link])
    if isinstance(task, TieredScores):
        return "".join(_tiers(task))
    raise ValueError(f"a task of kind {task.kind!r} needs lines in search/export/card/script.py")


def _tiers(task: TieredScores) -> Iterator[str]:
    two_stage = isinstance(task, TwoStageScores)
    yield SCORES.format(outputs="outputs[:, 1:]" if two_stage else "outputs")
    yield from _deciding_scores(task)


def _deciding_scores(task: TieredScores) -> Iterator[str]:
    """From `scores` to `labels`."""
    yield KEYWORDS if task.keywords else ""
    yield OVERALL + (TWO_STAGE if isinstance(task, TwoStageScores) else "")
    yield BOUNDED_OVERALL if task.keywords else ""
    yield TIERS + (GATEKEEPER if task.gatekeeper is not None else "")
    yield READ_TIERS if isinstance(task, InstructedScores) else 'labels = [rule["classes"][i] for i in tiers]'
