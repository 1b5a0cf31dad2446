"""A model that was taught to answer, from its exported folder on, and once from the command line."""

import json
import subprocess

import numpy as np
import pytest
import torch
import yaml
from rich.console import Console

from rarecall.analysis.errors import RunError
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.search.export.check import _compare_answers
from rarecall.search.predict.command import PredictOptions, predict
from rarecall.search.predict.labelled import predict_labelled
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.exported.writing import write_model
from rarecall.trainables.models import checkpoint
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import load_processor, open_pool
from rarecall.trainables.tasks import build_task
from rarecall.trainables.training.loop import build_model, train
from rarecall.trainables.training.worker import Worker
from tests.command_line import rarecall, write_experiment
from tests.exported_folder import write_card
from tests.search.export.card.test_card import script_labels

LEVELS = {"idea": (1.0, 2.5), "trial": (5.0, 4.5), "running": (9.0, 8.5)}
EXPERIMENT = {
    "name": "written",
    "data": {"path": "rows.jsonl", "split": {"validation": 0.15, "test": 0.1}},
    "task": {
        "kind": "tiered_scores",
        "dimensions": {"maturity": {"weight": 2}, "proof": {"weight": 1}},
        "tiers": {"vaporware": 0, "pilot": 4, "deployed": 7},
        "gatekeeper": {"dimension": "maturity", "cut": 4.0, "max_tier": "vaporware"},
        "keywords": [{"any": "sold", "dimension": "proof", "at_least": 8}],
        "instruction": {"prompt": "Rate: {text}\n"},
    },
    "model": {"base": "tiny-writer", "adapter": "none", "max_length": 80},
    "training": {"epochs": 14, "batch_size": 8, "learning_rate": 3e-3, "schedule": "constant", "warmup": 0.0},
    "criteria": ["unparsable_answers == 0", "mae[*] <= 1.5"],
    "resources": {"slots": 1},
}
QUIET = Console(quiet=True)
# On a busy machine the training below takes a minute.
pytestmark = pytest.mark.timeout(400)


def rows(count):
    words = [list(LEVELS)[i % 3] for i in range(count)]
    return [
        {"text": f"{word} {i}", "maturity": LEVELS[word][0], "proof": LEVELS[word][1]} for i, word in enumerate(words)
    ]


def write_rows(path, some):
    path.write_text("".join(json.dumps(row) + "\n" for row in some))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The exported folder of a model that answers with the scores of its three words."""
    place = tmp_path_factory.mktemp("instruction")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    write_rows(place / "rows.jsonl", rows(96))
    tree = {key: EXPERIMENT[key] for key in ("data", "task", "model", "training")}
    config, base = TrialConfig.model_validate(tree), resolve_base("tiny-writer")
    data = prepare(config, load_processor(base), base=place)
    *_, last = train(config, data, open_pool(base, data.task, data.pad_id), Worker())
    torch.set_num_threads(before)
    assert last.metrics["unparsable_answers"] == 0
    assert last.metrics["accuracy"] == 1.0
    (place / "checkpoint").mkdir()
    last.save(place / "checkpoint")
    write_model(place / "model", base, config, data.task, place / "checkpoint")
    (place / "model" / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT, sort_keys=False))
    write_card(place / "model", data.task)
    return place / "model"


@pytest.fixture
def narrow(folder, tmp_path):
    """The same model with a scale that ends below what it answers to `running`."""
    place = tmp_path / "narrow"
    subprocess.run(["cp", "-r", folder, place], check=True)
    task = {**EXPERIMENT["task"], "range": [0, 8.5], "instruction": {"prompt": "Rate: {text}\n"}}
    (place / "experiment.yaml").write_text(yaml.safe_dump({**EXPERIMENT, "task": task}, sort_keys=False))
    rule = json.loads((place / "decision_rule.json").read_text())
    (place / "decision_rule.json").write_text(json.dumps({**rule, "range": [0, 8.5]}))
    return place


def predicted(folder, source, **options):
    output = source.with_suffix(".out.jsonl")
    predict(PredictOptions(folder, source, output, overwrite=True, **options), QUIET)
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_predict_gives_the_scores_that_are_answered(folder, tmp_path):
    source = write_rows(tmp_path / "rows.jsonl", [*rows(6), {"text": "trial sold 7"}])
    found = predicted(folder, source)
    assert [row["predicted"] for row in found] == ["vaporware", "pilot", "deployed"] * 2 + ["pilot"]
    assert [row["predicted.maturity"] for row in found] == [1, 5, 9, 1, 5, 9, 5]
    # The word lifts the last one; (2 · 5 + 8) / 3
    assert found[-1]["predicted.proof"] == 8
    assert found[-1]["predicted.overall"] == pytest.approx(6.0)
    assert all(row.get("error") is None for row in found)


def test_what_cannot_be_read_is_left_empty_and_said(narrow, tmp_path, capsys):
    source = write_rows(tmp_path / "rows.jsonl", [*rows(6), {"text": None}])
    output = tmp_path / "out.csv"
    predict(PredictOptions(narrow, source, output, skip=True), Console())
    header, *lines = output.read_text().splitlines()
    assert header == "row,predicted,predicted.maturity,predicted.proof,predicted.overall,cut_distance,error"
    assert lines[0].startswith("0,vaporware,1.0,2.5,1.5,")
    told = '"the answer cannot be read: {""maturity"":9.0,""proof"":8.5}"'
    assert (lines[2], lines[5]) == (f"2,,,,,,{told}", f"5,,,,,,{told}")
    assert "must hold" not in lines[6]
    assert lines[6].startswith("6,,,,,,")
    assert "2 answers cannot be read; `error` says what they are" in capsys.readouterr().out


def test_labelled_rows_count_an_unreadable_answer_as_the_greatest_failure(narrow, tmp_path):
    source = write_rows(tmp_path / "rows.jsonl", [{**row, "proof": 2.5} for row in rows(6) if row["maturity"] < 9])
    found, labels = predict_labelled(narrow, source)
    assert evaluate(found, labels)["unparsable_answers"] == 0
    some = [{**row, "maturity": min(row["maturity"], 10 - row["maturity"])} for row in rows(6)]
    found, labels = predict_labelled(narrow, write_rows(tmp_path / "more.jsonl", some))
    assert evaluate(found, labels)["unparsable_answers"] == 2
    # 8.5 is farther from 1 than 0, and 0 farther from a proof of 8.5 than 8.5.
    assert found.predicted_scores[2].tolist() == [8.5, 0]
    assert found.predicted_class[2] != found.true_class[2]


def test_the_scripts_of_the_card_give_the_labels_of_predict(folder, narrow, tmp_path):
    texts = [*(row["text"] for row in rows(6)), "trial sold 7", "x" * 500]
    source = write_rows(tmp_path / "rows.jsonl", [{"text": text} for text in texts])
    ours = [[row.get("predicted") for row in predicted(one, source)] for one in (folder, narrow)]
    assert ours[1][2] is None
    # The scripts go by the name of their folder.
    (tmp_path / "model").symlink_to(folder)
    card = (narrow / "README.md").read_text()
    (narrow / "README.md").write_text(card.replace('"model"', '"narrow"'))
    assert script_labels([tmp_path / "model", narrow], texts) == ours
    assert "pipeline_tag: text-generation" in card


def test_the_script_of_an_adapter_writes_too(folder, tmp_path):
    # On top of the model that knows the answers, an adapter that changes them hardly or not at all.
    tree = {key: EXPERIMENT[key] for key in ("data", "task", "training")}
    model = {**EXPERIMENT["model"], "base": str(folder), "adapter": "lora", "lora": {"rank": 2}}
    config, base = TrialConfig.model_validate({**tree, "model": model}), resolve_base(str(folder))
    task = build_task(config.task, ()).with_minority(("pilot", "deployed"))
    built = build_model(config.model, open_pool(base, task, 0), seed=0)
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=1e-3)
    place = tmp_path / "adapter"
    (tmp_path / "checkpoint").mkdir()
    checkpoint.save_model(tmp_path / "checkpoint", built)
    write_model(place, base, config, task, tmp_path / "checkpoint")
    (place / "experiment.yaml").write_text(yaml.safe_dump({**EXPERIMENT, "model": model}, sort_keys=False))
    write_card(place, task)
    card = (place / "README.md").read_text()
    assert "`AutoPeftModelForCausalLM` needs its place" in card
    texts = [row["text"] for row in rows(6)]
    ours = [row["predicted"] for row in predicted(place, write_rows(tmp_path / "rows.jsonl", rows(6)))]
    assert ours == ["vaporware", "pilot", "deployed"] * 2
    assert script_labels([place], texts) == [ours]


def test_a_cluster_gives_the_same(folder, narrow, tmp_path):
    source = write_rows(tmp_path / "rows.jsonl", rows(12))
    assert predicted(narrow, source, ray=True, threads=1) == predicted(narrow, source)


def some_predictions(wrong):
    scores = np.full((100, 2), 5.0)
    other = scores.copy()
    other[:wrong, 1] = 5.1
    classes = np.zeros(100, dtype=np.int64)
    made = [Predictions(np.arange(100), classes, classes, None, scores, one) for one in (scores, other)]
    return made[0], made[1]


def test_an_export_may_differ_in_few_answers_only(tmp_path):
    _compare_answers(*some_predictions(2), "float32", tmp_path)
    with pytest.raises(RunError, match=r"answers 3 % of the validation rows otherwise than stored, more than 2 %"):
        _compare_answers(*some_predictions(3), "float32", tmp_path)
    _compare_answers(*some_predictions(20), "bfloat16", tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_rows_to_labels_by_the_command_line(tmp_path):
    write_rows(tmp_path / "rows.jsonl", rows(96))
    write_experiment(tmp_path, EXPERIMENT)
    rarecall(tmp_path, "train", "experiment.yaml")
    told = rarecall(tmp_path, "export", "runs/written-train", "-o", "model")
    assert "reloaded in a fresh process: the same validation predictions" in told
    metrics = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert metrics["test"]["unparsable_answers"] == 0
    write_rows(tmp_path / "few.jsonl", rows(3))
    rarecall(tmp_path, "predict", "model", "few.jsonl", "-o", "out.jsonl")
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["predicted"] for row in found] == ["vaporware", "pilot", "deployed"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_workers_that_share_a_trial_train_what_one_does(tmp_path):
    write_rows(tmp_path / "rows.jsonl", rows(96))
    write_experiment(tmp_path, EXPERIMENT)
    for workers in "12":
        changes = (f"name=by{workers}", f"resources.workers={workers}", "training.epochs=2", "training.precision=fp32")
        rarecall(tmp_path, "train", "experiment.yaml", *(part for change in changes for part in ("--set", change)))
    one, other = (read_ledger(tmp_path / "runs" / f"by{workers}-train").trials["t0001"].epochs for workers in "12")
    for first, second in zip(one, other, strict=True):
        assert first.train_loss == pytest.approx(second.train_loss, abs=1e-4)
        assert first.validation_loss == pytest.approx(second.validation_loss, abs=1e-4)
        assert dict(first.metrics) == pytest.approx(dict(second.metrics), abs=1e-4, nan_ok=True)
