"""Exported folders without a search: a real base model whose head is set so that all labels occur."""

import re

import numpy as np
import torch
import yaml
from PIL import Image

from rarecall.analysis.criteria.verdicts import Assessment
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.runs.run import EpochRow, Run, TrialRecord
from rarecall.search.experiment.schema import load_experiment
from rarecall.search.export.card.page import model_card
from rarecall.search.export.exported_model import Exported
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.encoding import encode
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.exported.writing import write_model
from rarecall.trainables.models import checkpoint
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import ClassifierPool, ParameterCounts, load_processor
from rarecall.trainables.tasks import build_task
from rarecall.trainables.training.forward import Forward, predict_outputs
from rarecall.trainables.training.loop import build_model
from rarecall.trainables.training.worker import Worker

CLASSES = ["low", "middle", "high"]
WORDS = (
    *("solar", "roof", "wind", "tower", "a", "of", "pilot", "plant", "grid", "market", "steel"),
    *("began", "ended", "in", "spring", "tests", "failed", "we", "sold", "units"),
)
TASKS = {
    "multiclass": ({"kind": "multiclass", "classes": CLASSES}, (0.5, 0.0, -0.25)),
    "multilabel": ({"kind": "multilabel", "labels": CLASSES}, (0.3, 0.5, 0.7)),
    "implied": (
        {
            "kind": "multilabel",
            "labels": CLASSES,
            "implies": {"low": "middle", "middle": "high"},
            "enforce_implications": True,
        },
        (0.3, 0.5, 0.7),
    ),
    "corn": ({"kind": "ordinal", "classes": CLASSES, "link": "corn"}, (0.4, 0.55)),
    "cumulative": ({"kind": "ordinal", "classes": CLASSES, "link": "cumulative"}, (0.6, 0.35)),
    "softmax": ({"kind": "ordinal", "classes": CLASSES, "link": "softmax"}, (0.55, 0.45)),
    "tiered_scores": (
        {
            "kind": "tiered_scores",
            "dimensions": {"maturity": {"weight": 2}, "proof": {"weight": 1}},
            "tiers": {"low": 0, "middle": 4, "high": 6},
            "gatekeeper": {"dimension": "proof", "cut": 4.5, "max_tier": "middle"},
        },
        (4.25, 5.5),
    ),
    "two_stage": (
        {
            "kind": "tiered_scores",
            "dimensions": {"maturity": {"weight": 2}, "proof": {"weight": 1}},
            "tiers": {"low": 0, "middle": 4, "high": 6},
            "two_stage": {"rare": "high"},
        },
        (4.25, 7.5, 0.65),
    ),
    "keywords": (
        {
            "kind": "tiered_scores",
            "dimensions": {"maturity": {"weight": 2}, "proof": {"weight": 1}},
            "tiers": {"low": 0, "middle": 4, "high": 6},
            "two_stage": {"rare": "low"},
            "keywords": [
                {"any": ["pilot", "Solar Roof"], "dimension": "maturity", "at_least": 7.5},
                {"any": ["steel", "units"], "dimension": "maturity", "at_most": 7},
                {"pattern": r"grid( \w+)? market", "at_most": 3.5},
                {"any": ["sold", "wind tower"], "at_least": 5.75, "at_most": 9},
            ],
        },
        (4.25, 5.5, 0.68),
    ),
}
LORA = {"base": "minilm", "adapter": "lora", "lora": {"layers": "last 1", "rank": 4}}
WHOLE = {"base": "tiny-bert", "adapter": "none"}


def texts(count, seed=0):
    """Texts of 1 to 40 words."""
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(WORDS, generator.integers(1, 41))) for _ in range(count)]


def export_folder(folder, task="multiclass", model=WHOLE, image=None, merge=False):
    """Write an exported folder, its model card included; gives its task with a decision rule that is not the default.

    image: column of the images, for a model of images. merge: the adapter into its base.
    """
    section, rule = TASKS[task]
    label = "scores" if section["kind"] == "tiered_scores" else "label"
    tree = {
        "name": folder.name,
        "data": {"path": "rows.jsonl", **({} if label == "scores" else {"label": label})},
        "task": section,
        "model": {"max_length": 32, **model},
        "space": {"model.lora.rank": None},
    }
    if image is not None:
        tree["data"]["image"] = image
    config = TrialConfig.model_validate({name: tree[name] for name in ("data", "task", "model")})
    built = build_task(config.task, ()).with_rule(rule)
    base = resolve_base(config.model.base)
    trained = folder.with_name(f"{folder.name}-checkpoint")
    trained.mkdir()
    checkpoint.save_model(trained, _spread(base, config, built))
    write_model(folder, base, config, built, trained, merge=merge)
    (folder / "experiment.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    write_card(folder, built)
    return built


def _spread(base, config, task):
    """A model with a random adapter, whose outputs have about the same mean and spread over sample inputs."""
    processor = load_processor(base)
    pool = ClassifierPool(base, task.output_names, getattr(processor, "pad_token_id", None))
    model = build_model(config.model, pool, seed=1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    sample = _sample_images() if config.data.image else texts(64, seed=9)
    split = encode(processor, _examples(sample, bool(config.data.image)), config.model.max_length)
    outputs = predict_outputs(Forward(model, config.model, 0, Worker(), torch.float32), split, 16, Worker())
    mean, spread = (0.5, 0.15) if task.kind == "tiered_scores" else (0.0, 1.0)
    head = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    weight = next(value for name, value in head.items() if re.search(r"classifier.*weight$", name))
    bias = next(value for name, value in head.items() if re.search(r"classifier.*bias$", name))
    with torch.no_grad():
        scale = torch.tensor(spread / outputs.std(axis=0), dtype=torch.float32)
        bias.copy_(mean - scale * (torch.tensor(outputs.mean(axis=0), dtype=torch.float32) - bias))
        weight.mul_(scale[:, None])
    return model


def _sample_images(count=32):
    return np.random.default_rng(3).integers(0, 256, (count, 28, 28, 3), dtype=np.uint8)


def _examples(sample, images):
    from rarecall.trainables.data.images import ArrayImages  # noqa: PLC0415

    rows = np.arange(len(sample))
    inputs = ("",) * len(sample) if images else tuple(sample)
    return Examples(rows, inputs, rows * 0, images=ArrayImages(sample) if images else None)


def write_images(folder, count):
    """Image files of noise with different brightness; gives their names."""
    generator = np.random.default_rng(5)
    for i in range(count):
        pixels = generator.integers(0, 40 + 215 * i // count, (28, 28, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return [f"{i}.png" for i in range(count)]


def write_card(folder, task):
    """The card that the export writes, for a trial of one epoch that nobody measured."""
    row = EpochRow("t0001", 1, {}, None, 0.0, 1.0, 1.0, None, None, 0.0, 0.0)
    record = TrialRecord("t0001", epochs=[row])
    labels: LabelSpace = task.label_space
    run = Run(folder.parent, ({},), {"t0001": record}, [], (), labels, "minority_recall")
    exported = Exported(folder, record, row, {}, Assessment((), 1.0, 0.9), ParameterCounts(147_456, 22_860_000))
    card = model_card(exported, run, load_experiment(folder / "experiment.yaml"))
    (folder / "README.md").write_text(card, encoding="utf-8")
