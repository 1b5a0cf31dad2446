"""The model card of an export, from the facts of its run."""

from typing import TYPE_CHECKING, Any

from search.experiment import LoadedExperiment
from trainables.export import BASE_FOLDER

if TYPE_CHECKING:
    from analysis.run import Run
    from search.export import Exported

_LOAD = """\
import json
import torch
from peft import AutoPeftModelForSequenceClassification
from transformers import AutoTokenizer

folder = "{folder}"
model = AutoPeftModelForSequenceClassification.from_pretrained(folder{arguments}).eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
rule = json.load(open(f"{{folder}}/decision_rule.json"))
batch = tokenizer(["a text"], truncation=True, max_length={max_length}, padding=True, return_tensors="pt")
with torch.inference_mode():
    outputs = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
"""


def model_card(exported: "Exported", run: "Run", loaded: LoadedExperiment) -> str:
    """Markdown with the front matter that the hub reads."""
    experiment = loaded.experiment
    embedded = (exported.folder / BASE_FOLDER).is_dir()
    return "\n".join(
        [
            "---",
            "library_name: peft" if experiment.model.adapter == "lora" else "library_name: transformers",
            "pipeline_tag: text-classification",
            "tags: [rarecall, imbalanced]",
            "---",
            f"# {experiment.name}, trial {exported.trial.trial}",
            "",
            f"Fine-tuned from `{experiment.model.base}` for `{experiment.task.kind}` with {', '.join(run.labels.classes)}.",
            f"Chosen among {len(run.trials)} trials by its criteria and {run.objective} on the validation split.",
            "",
            "## What it recalls",
            "",
            recall_table(exported, run),
            "",
            "The validation split chose this trial, so its figures flatter; the test split was opened once, for this export.",
            "",
            "## Settings",
            "",
            *(f"- `{key}`: {value}" for key, value in exported.trial.params.items()),
            "",
            "## Loading",
            "",
            "```python",
            _LOAD.format(
                folder=exported.folder.name,
                arguments="" if embedded else f", num_labels={_outputs(run)}",
                max_length=experiment.model.max_length,
            )
            + "```",
            "",
            _base_note(embedded),
            "`decision_rule.json` says how the outputs become labels.",
            "",
        ]
    )


def recall_table(exported: "Exported", run: "Run") -> str:
    """Recall and number of rows per class, validation beside test."""
    lines = ["| class | validation recall | rows | test recall | rows |", "|---|---|---|---|---|"]
    for name in run.labels.classes:
        cells = [_recall(metrics, name) for metrics in (exported.validation, exported.test or {})]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _recall(metrics: dict[str, Any], name: str) -> str:
    rows = metrics.get(f"support[{name}]")
    if not rows:
        return "– | 0"
    return f"{metrics[f'recall[{name}]']:.1%} | {rows:,.0f}"


def _outputs(run: "Run") -> int:
    return len(run.labels.dimensions or run.labels.classes)


def _base_note(embedded: bool) -> str:
    if not embedded:
        return "The base model is fetched by its name."
    return (
        "The base model stands in `base/`. After moving the folder, put its new place into `base_model_name_or_path` "
        "of `adapter_config.json`."
    )
