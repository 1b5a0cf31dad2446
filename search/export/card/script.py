"""The script in a model card: from inputs to the labels of `rarecall predict` with transformers and peft alone."""

from pathlib import Path

from rarecall.trainables.config import TrialConfig
from rarecall.trainables.exported.names import ADAPTER_FILE, BASE_FOLDER
from rarecall.trainables.exported.stock import head_shift
from rarecall.trainables.tasks import InstructedScores, Task, keyword_rules

SCRIPT = """\
import json
{regular}import torch
{imports}

folder, {inputs}
rule = json.load(open(f"{{folder}}/decision_rule.json"))
{loading}
with torch.inference_mode():
    outputs = model({batch}).logits.double()
{shifted}{deciding}
print(labels)"""
# Without it, the rule would be applied twice.
SHIFTED = """\
# The head's bias holds the rule already, for programs that know none.
outputs = outputs - outputs.new_tensor(rule["head_shift"])
"""

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
        shifted=SHIFTED if head_shift(folder).any() else "",
        deciding=task.deciding_lines(),
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
        deciding=task.deciding_lines(),
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
