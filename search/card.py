"""The model card of an export, from the facts of its run."""

from analysis.run import Run
from search.card_script import plain_script
from search.experiment import LoadedExperiment
from search.exported import Exported
from trainables.export import BASE_FOLDER
from trainables.predict import load_task

CARD = """\
---
library_name: {library}
pipeline_tag: {pipeline_tag}
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

## Labels without rarecall

```python
{script}
```

The labels are those of `rarecall predict {folder} INPUT -o OUTPUT`; `decision_rule.json` holds what decides them.
{base_note}
"""
EMBEDDED_BASE = (
    "The base model stands in `base/`, where the script finds it. `AutoPeftModelForSequenceClassification` needs its "
    "place in `base_model_name_or_path` of `adapter_config.json`: put the new one there after moving the folder."
)
UNSEARCHED = "As in `experiment.yaml`."


def model_card(exported: Exported, run: Run, loaded: LoadedExperiment) -> str:
    """Markdown with the front matter that the hub reads; the folder must hold its decision rule already."""
    experiment, labels, folder = loaded.experiment, run.labels, exported.folder
    embedded = (folder / BASE_FOLDER).is_dir()
    return CARD.format(
        library="peft" if experiment.model.adapter == "lora" else "transformers",
        pipeline_tag="text-classification" if experiment.data.image is None else "image-classification",
        name=experiment.name,
        trial=exported.trial.trial,
        base=experiment.model.base,
        kind=experiment.task.kind,
        classes=", ".join(labels.classes),
        trials=len(run.trials),
        objective=run.objective,
        recalls=_markdown(("class", "validation recall", "test recall"), exported.recall_rows(labels)),
        settings="\n".join(f"- `{key}`: {value}" for key, value in exported.trial.params.items()) or UNSEARCHED,
        script=plain_script(folder.name, experiment, load_task(folder, experiment.task), embedded),
        folder=folder.name,
        base_note=EMBEDDED_BASE if embedded else "",
    )


def _markdown(header: tuple[str, ...], rows: list[tuple[str, str, str]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
