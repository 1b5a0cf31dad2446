"""The model card of an export, from the facts of its run."""

import json
from typing import Any

from rarecall.analysis.runs.run import Run
from rarecall.analysis.text.wording import parameters_text
from rarecall.search.experiment.schema import LoadedExperiment
from rarecall.search.export.card.escaping import code_text, plain_text
from rarecall.search.export.card.metadata import base_on_the_hub, metadata_block
from rarecall.search.export.card.script import plain_script
from rarecall.search.export.card.sections import (
    baselines_section,
    calibration_section,
    criteria_section,
    data_section,
    limits_section,
    opening_section,
    plain_table,
    rule_section,
    versions_section,
)
from rarecall.search.export.exported_model import Exported
from rarecall.trainables.data.prompts import text_tokens
from rarecall.trainables.exported.names import ADAPTER_FILE, BASE_FOLDER, DECISION_RULE_FILE
from rarecall.trainables.exported.predictor import load_task
from rarecall.trainables.tasks import Task, writes_answers

CARD = """\
{metadata}
# {name}, trial {trial}

{decision}{weights}, fine-tuned from {base} for {kind}: {classes}. Trained were {parameters}.
Chosen among {trials} trials by its criteria, then by {objective}, on the validation split.

## What it recalls

{recalls}

The validation split chose this trial, so its figures flatter. {opening}
{baselines}
## Criteria

{criteria}

## Intended use and limits

{limits}

## Data

{data}

## What decides

{rule}

{calibration}## Settings

{settings}

Trained with {versions}.

## Labels without rarecall

```python
{script}
```

The labels are those of `rarecall predict {folder} INPUT -o OUTPUT`; `decision_rule.json` holds what decides them.
{base_note}
"""
EMBEDDED_BASE = (
    "The base model stands in `base/`, where the script finds it. `{auto}` needs its "
    "place in `base_model_name_or_path` of `adapter_config.json`: put the new one there after moving the folder."
)
# By `model.adapter`.
WHOLE_MODELS = {
    "none": "A whole model",
    "lora": "A whole model, its LoRA adapter merged into the weights",
    "head": "The base model as it is under a head of its own",
}
UNSEARCHED = "As in `experiment.yaml`."


def model_card(
    exported: Exported, run: Run, loaded: LoadedExperiment, calibration: dict[str, Any] | None = None
) -> str:
    """Markdown with the front matter that the hub reads; the folder must hold its decision rule already.

    calibration: expected calibration errors by split and class, None for a task without probabilities.
    """
    experiment, folder = loaded.experiment, exported.folder
    rule = json.loads((folder / DECISION_RULE_FILE).read_text(encoding="utf-8"))
    task = load_task(folder, experiment.task)
    return CARD.format(
        metadata=metadata_block(exported, loaded),
        name=experiment.name,
        decision=f"**{plain_text(exported.headline)}.**\n\n" if exported.headline else "",
        trial=exported.trial.trial,
        weights=_weights(exported, experiment.model.adapter),
        parameters=parameters_text(*exported.parameters),
        base=_base(loaded),
        kind=experiment.task.kind,
        classes=", ".join(map(plain_text, run.labels.classes)),
        trials=len(run.trials),
        objective=plain_text(run.objective),
        recalls=plain_table(("class", "validation recall", "test recall"), exported.recall_rows(run.labels)),
        opening=opening_section(exported),
        baselines=baselines_section(exported, run),
        criteria=criteria_section(exported.assessment, exported.opened),
        limits=limits_section(
            run, folder.name, experiment.data.image is not None, text_tokens(task, experiment.model.max_length)
        ),
        data=data_section(run),
        rule=rule_section(rule, exported),
        calibration=calibration_section(calibration, run.labels),
        settings=_settings(exported) or UNSEARCHED,
        versions=versions_section(run),
        script=plain_script(folder, experiment, task),
        folder=code_text(folder.name),
        base_note=EMBEDDED_BASE.format(auto=_auto(task)) if (folder / BASE_FOLDER).is_dir() else "",
    )


def _settings(exported: Exported) -> str:
    return "\n".join(f"- `{code_text(key)}`: {plain_text(value)}" for key, value in exported.trial.params.items())


def _auto(task: Task) -> str:
    return "AutoPeftModelForCausalLM" if writes_answers(task) else "AutoPeftModelForSequenceClassification"


def _weights(exported: Exported, adapter: str) -> str:
    if (exported.folder / ADAPTER_FILE).exists():
        return "A LoRA adapter"
    return WHOLE_MODELS[adapter]


def _base(loaded: LoadedExperiment) -> str:
    name, known = loaded.experiment.model.base, base_on_the_hub(loaded)
    return f"`{code_text(name)}`" if known in (None, name) else f"`{code_text(name)}` (`{code_text(known)}`)"
