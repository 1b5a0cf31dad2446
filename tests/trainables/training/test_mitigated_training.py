"""Every registered loss, weighting scheme and sampler, from the experiment's keys to an epoch of training."""

import json
from typing import get_args

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from rarecall import losses
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.imbalance import sampling, schemes
from rarecall.trainables.models import checkpoint
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import load_processor, open_pool
from rarecall.trainables.training.batches import pad
from rarecall.trainables.training.loop import build_model, train
from rarecall.trainables.training.worker import Worker

COUNTS = {"low": 16, "middle": 6, "high": 2}
CLASSES = list(COUNTS)
TASKS = {
    "classes": {"kind": "multiclass", "classes": CLASSES},
    "scores": {"kind": "tiered_scores", "dimensions": {"score": {}}, "tiers": {"low": 0, "middle": 4, "high": 8}},
    "labels": {"kind": "multilabel", "labels": CLASSES, "implies": {"high": "middle"}, "excludes": [["low", "high"]]},
    "corn": {"kind": "ordinal", "classes": CLASSES, "link": "corn"},
    "cumulative": {"kind": "ordinal", "classes": CLASSES, "link": "cumulative"},
}
TASKS["two_stage"] = {**TASKS["scores"], "two_stage": {"rare": "high"}}
TASKS["tokens"] = {**TASKS["scores"], "instruction": {"prompt": "{text}"}}
MITIGATIONS = [
    *({"class_weights": {"scheme": name, "strength": 0.5}} for name in schemes.names()),
    *(
        {name: {key: 0.5 for key in vars(sampler)}}
        for name, sampler in zip(sampling.names(), sampling.build({}), strict=True)
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mitigated")
    for split in ("train", "validation"):
        rows = [
            {"text": f"{split} {name} {i}", "label": name, "score": 4.0 * tier + i % 2}
            for tier, (name, count) in enumerate(COUNTS.items())
            for i in range(count)
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def trial_config(target, training):
    return TrialConfig.model_validate(
        {
            "data": {
                "train": "train.jsonl",
                "validation": "validation.jsonl",
                **({} if "dimensions" in TASKS[target] else {"label": "label"}),
            },
            "task": TASKS[target],
            "model": {
                "max_length": 64 if target == "tokens" else 16,
                "lora": {"rank": 2, "dropout": 0.0, "layers": "last 1"},
            },
            "training": {"epochs": 1, "batch_size": 8, "learning_rate": 1e-20, **training},
        }
    )


@pytest.fixture(scope="module")
def prepared(folder, still_minilm):
    """Data and pool by target, prepared once."""
    made = {}

    def of(target):
        if target not in made:
            base = resolve_base("tiny-writer") if target == "tokens" else still_minilm
            data = prepare(trial_config(target, {}), load_processor(base), base=folder)
            made[target] = (data, open_pool(base, data.task, data.pad_id))
        return made[target]

    return of


def first_epoch(target, training, prepared):
    config = trial_config(target, training)
    (result,) = train(config, *prepared(target), Worker())
    return config, result


@pytest.mark.parametrize(
    ("target", "name"), [(target, name) for target in get_args(losses.Target) for name in losses.names(target)]
)
def test_every_loss_trains(target, name, prepared):
    _, result = first_epoch(target, {"loss": {"name": name}}, prepared)
    assert np.isfinite(result.train_loss)
    assert result.train_loss > 0
    assert not result.diverged


@pytest.mark.parametrize("training", MITIGATIONS, ids=str)
@pytest.mark.parametrize("target", ["scores", "labels", "two_stage", "tokens"])
def test_every_scheme_and_sampler_trains(target, training, prepared):
    if target == "labels" and schemes.weighs_rows(training.get("class_weights", {}).get("scheme")):
        with pytest.raises(ValueError, match=r"class_weights.scheme: label_density weighs rows by their scores"):
            trial_config(target, training)
        return
    _, result = first_epoch(target, training, prepared)
    assert np.isfinite(result.train_loss)
    assert not result.diverged


@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_logits_are_adjusted_by_the_counts_after_sampling(tau, prepared, tmp_path):
    # 0.5 · 16 = 8 rows of each of the others: shares of 1/2, 1/4 and 1/4.
    training = {"loss": {"name": "logit_adjusted", "tau": tau}, "oversampling": {"ratio": 0.5}}
    config, result = first_epoch("classes", training, prepared)
    data, pool = prepared("classes")
    result.save(tmp_path)
    model = build_model(config.model, pool, config.training.seed)
    checkpoint.restore_model(tmp_path, model)
    classes = torch.from_numpy(np.array(data.train.classes))
    with torch.inference_mode():
        logits = model.eval()(**pad(data.train, np.arange(len(classes)), data.pad_id)).logits
    adjusted = logits + tau * torch.log(torch.tensor([0.5, 0.25, 0.25]))
    by_row = cross_entropy(adjusted, classes, reduction="none")
    # Rows of a class come 1, 8/6 and 4 times: the remainder of 2 of 6 is drawn, the others are whole passes.
    low, middle, high = (by_row[classes == index] for index in range(3))
    least = (low.sum() + middle.sum() + 2 * middle.min() + 4 * high.sum()) / 32
    most = (low.sum() + middle.sum() + 2 * middle.max() + 4 * high.sum()) / 32
    assert float(least) - 1e-5 <= result.train_loss <= float(most) + 1e-5


@pytest.mark.parametrize("loss", [{"name": "logit_adjusted"}, {"name": "ldam", "max_margin": 0.0}])
def test_a_trial_starts_where_the_loss_is_the_entropy_of_the_shares(loss, prepared):
    # 16, 6 and 2 of 24: what a head costs that knows the shares and nothing of the rows. Its weights are small but
    # random, and the margin loss multiplies what they make by 30.
    shares = np.array([16, 6, 2]) / 24
    _, result = first_epoch("classes", {"loss": loss}, prepared)
    assert result.train_loss == pytest.approx(-(shares * np.log(shares)).sum(), abs=0.1)
