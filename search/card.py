"""The model card of an export, from the facts of its run."""

from analysis.run import Run
from search.experiment import LoadedExperiment
from search.exported import Exported
from trainables.export import BASE_FOLDER

CARD = """\
---
library_name: {library}
pipeline_tag: text-classification
tags: [rarecall, imbalanced]
---
# {name}, trial {trial}

Fine-tuned from `{base}` for {kind}: {classes}.
Chosen among {trials} trials by its criteria, then by {objective}, on the validation split.

## What it recalls

{recalls}

The validation split chose this trial, so its figures flatter. The test split was opened once, for this export.

## Settings

{settings}

## Loading

```python
import torch
from {library} import {auto_class}
from transformers import AutoTokenizer

folder = "{folder}"
model = {auto_class}.from_pretrained(folder{arguments}).eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
batch = tokenizer(["a text"], truncation=True, max_length={max_length}, padding=True, return_tensors="pt")
with torch.inference_mode():
    outputs = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
```

`decision_rule.json` says how outputs become labels. {base_note}
"""
EMBEDDED_BASE = (
    "The base model stands in `base/`; after moving the folder, put its new place into `base_model_name_or_path` of "
    "`adapter_config.json`."
)


UNSEARCHED = "As in `experiment.yaml`."


def model_card(exported: Exported, run: Run, loaded: LoadedExperiment) -> str:
    """Markdown with the front matter that the hub reads."""
    experiment, labels = loaded.experiment, run.labels
    adapter = experiment.model.adapter == "lora"
    embedded = (exported.folder / BASE_FOLDER).is_dir()
    outputs = len(labels.dimensions or labels.classes)
    return CARD.format(
        library="peft" if adapter else "transformers",
        auto_class="AutoPeftModelForSequenceClassification" if adapter else "AutoModelForSequenceClassification",
        name=experiment.name,
        trial=exported.trial.trial,
        base=experiment.model.base,
        kind=experiment.task.kind,
        classes=", ".join(labels.classes),
        trials=len(run.trials),
        objective=run.objective,
        recalls=_markdown(("class", "validation recall", "test recall"), exported.recall_rows(labels)),
        settings="\n".join(f"- `{key}`: {value}" for key, value in exported.trial.params.items())
        or "As in `experiment.yaml`.",
        folder=exported.folder.name,
        # peft builds a head of two outputs unless the base's own configuration or the caller says otherwise.
        arguments=f", num_labels={outputs}" if adapter and not embedded else "",
        max_length=experiment.model.max_length,
        base_note=EMBEDDED_BASE if embedded else "",
    )


def _markdown(header: tuple[str, ...], rows: list[tuple[str, str, str]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
