"""The YAML block at the top of a model card, which the Hugging Face hub reads. What is not known is left out."""

import math
from typing import Any

import yaml

from rarecall.analysis.errors import InputError
from rarecall.search.experiment.schema import LoadedExperiment
from rarecall.search.export.exported_model import Exported
from rarecall.trainables.exported.names import ADAPTER_FILE
from rarecall.trainables.models.bases import resolve_base

# The hub's name of the base model that comes with rarecall.
ON_THE_HUB = {"minilm": "sentence-transformers/all-MiniLM-L6-v2"}
# The hub's name of each figure, and what it shows it as.
FIGURES = {
    "minority_recall": ("recall", "Recall, mean over the minority classes"),
    "macro_f1": ("f1", "Macro F1"),
    "accuracy": ("accuracy", "Accuracy"),
}


def metadata_block(exported: Exported, loaded: LoadedExperiment) -> str:
    """Front matter with both of its `---` lines; the folder must hold its model already."""
    return f"---\n{yaml.safe_dump(_metadata(exported, loaded), sort_keys=False, allow_unicode=True)}---"


def _metadata(exported: Exported, loaded: LoadedExperiment) -> dict[str, Any]:
    adapter = (exported.folder / ADAPTER_FILE).exists()
    base, images = base_on_the_hub(loaded), loaded.experiment.data.image is not None
    kind = "image-classification" if images else "text-classification"
    figures = _figures(exported, loaded.experiment.name, kind)
    return {
        "library_name": "peft" if adapter else "transformers",
        **_tag(loaded, kind),
        **({"base_model": base, "base_model_relation": "adapter" if adapter else "finetune"} if base else {}),
        "tags": ["rarecall", "imbalanced", *(["lora"] if adapter else [])],
        **({"model-index": [{"name": loaded.experiment.name, "results": [figures]}]} if figures else {}),
    }


def _tag(loaded: LoadedExperiment, kind: str) -> dict[str, str]:
    """The hub offers a model by what it gives: classes, a text where the scores are written, or none of both."""
    target = loaded.experiment.loss_target
    if target == "tokens":
        return {"pipeline_tag": "text-generation"}
    return {"pipeline_tag": kind} if target in ("classes", "labels") else {}


def base_on_the_hub(loaded: LoadedExperiment) -> str | None:
    """The base model's name on the hub; None for a local folder and for tiny models."""
    name = loaded.experiment.model.base
    try:
        return ON_THE_HUB.get(name) or (name if resolve_base(name, loaded.folder).portable else None)
    except InputError:
        return None


def _figures(exported: Exported, name: str, kind: str) -> dict[str, Any]:
    """One result of a model index: on the test split, or without one on the validation split."""
    split, metrics = ("test", exported.test) if exported.test else ("validation", exported.validation)
    values = {key: metrics.get(key, math.nan) for key in FIGURES}
    told = [
        {"type": FIGURES[key][0], "name": FIGURES[key][1], "value": round(value, 6)}
        for key, value in values.items()
        if math.isfinite(value)
    ]
    if not told:
        return {}
    return {"task": {"type": kind}, "dataset": {"name": name, "type": name, "split": split}, "metrics": told}
