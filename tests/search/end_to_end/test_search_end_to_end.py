"""From labelled files to exported winners through the real command line."""

import csv
import io
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from rarecall.analysis.predictions.parquet_file import read_predictions
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.trainables.models.manifest import write_manifest
from tests.command_line import rarecall, refused, write_experiment
from tests.tiny_experiment import DIMENSIONS, TIERED, TIERS

# What a user writes who has only torch, transformers and peft, following the model card.
PLAIN_SCRIPT = """
import json, sys
import torch
from peft import AutoPeftModelForSequenceClassification
from transformers import AutoTokenizer

folder, texts = sys.argv[1], json.load(open(sys.argv[2]))
model = AutoPeftModelForSequenceClassification.from_pretrained(folder).eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
batch = tokenizer(texts, truncation=True, max_length=16, padding=True, return_tensors="pt")
with torch.inference_mode():
    outputs = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
assert not {"rarecall", "ray"} & sys.modules.keys()
json.dump(outputs.tolist(), open(sys.argv[3], "w"))
"""


def plain_outputs(folder, texts, scratch):
    """Raw outputs of an exported folder, by a script that knows nothing of ours."""
    (scratch / "plain.py").write_text(PLAIN_SCRIPT)
    (scratch / "texts.json").write_text(json.dumps(texts))
    command = [sys.executable, "plain.py", str(folder), "texts.json", "outputs.json"]
    subprocess.run(command, cwd=scratch, check=True, capture_output=True, timeout=300)
    return np.array(json.loads((scratch / "outputs.json").read_text()))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with generated articles and a finished search; what the search printed."""
    folder = tmp_path_factory.mktemp("tiered")
    rarecall(folder, "generate", "-o", "articles.jsonl", "--rows", "160")
    write_experiment(folder, TIERED)
    return folder, rarecall(folder, "tune", "experiment.yaml")


@pytest.fixture(scope="module")
def exported(finished):
    folder, _ = finished
    return folder / "exported", rarecall(folder, "export", "runs/tiny", "-o", "exported")


@pytest.fixture
def copied(finished, tmp_path):
    """The same, to be changed."""
    return Path(shutil.copytree(finished[0], tmp_path / "copied"))


@pytest.mark.timeout(300)
def test_a_search_runs_all_its_trials_and_writes_everything_down(finished):
    folder, printed = finished
    run = read_ledger(folder / "runs" / "tiny")
    assert run.problems == []
    assert list(run.trials) == ["t0001", "t0002", "t0003"]
    assert {record.status for record in run.trials.values()} <= {"completed", "stopped"}
    first = run.trials["t0001"]
    assert first.params == {
        "training.oversampling.ratio": 0.0,
        "training.class_weights.strength": 0.0,
        "training.loss.gamma": 0.0,
        "training.learning_rate": 2e-3,
        "model.lora.rank": 8,
    }
    assert [row.epoch for row in first.epochs] == [1, 2]
    assert (run.header["trials_asked"], run.header["seed"], len(run.header["data_hash"])) == (3, 0, 64)
    assert [*run.baselines] == [
        "baseline-majority",
        "baseline-tfidf",
        "baseline-features",
        "baseline-features-weighted",
    ]
    assert "Baselines, fitted to all 96 training rows" in printed
    told = rarecall(folder, "compare", "runs/tiny:t0001", "runs/tiny:baseline-features", "--json")
    assert json.loads(told)[0]["rows"] == 39
    assert "train " in printed
    assert "t0001 started" in printed
    assert "tiny: 3 trials" in printed
    assert "rarecall export runs/tiny -o exported/tiny" in printed


def test_only_checkpoints_that_are_of_use_are_kept(finished):
    folder, _ = finished
    run = read_ledger(folder / "runs" / "tiny")
    kept = {str(path.parent.relative_to(run.folder)) for path in run.folder.glob("checkpoints/*/*/optimizer.pt")}
    told = {row.checkpoint for record in run.trials.values() for row in record.epochs}
    last = {record.epochs[-1].checkpoint for record in run.trials.values()}
    assert last <= kept <= told


def test_the_leaderboard_as_text_csv_and_json(finished):
    folder, _ = finished
    text = rarecall(folder, "leaderboard", "runs/tiny")
    table = list(csv.DictReader(io.StringIO(rarecall(folder, "leaderboard", "runs/tiny", "--csv"))))
    document = json.loads(rarecall(folder, "leaderboard", "runs/tiny", "--json"))
    # The baselines stand behind the trials, without a rank.
    ranked = [row for row in table if row["rank"]]
    assert [row["rank"] for row in ranked] == ["1", "2", "3"]
    assert [row["trial"] for row in ranked] == [trial["trial"] for trial in document["trials"]]
    others = [row["trial"] for row in table[3:]]
    assert others == [row["baseline"] for row in document["baselines"]]
    # The experiment's own settings hold no mitigation: its first trial is the fifth.
    assert len(others) == 5
    assert "baseline-no-mitigation" in others
    assert document["winner"] == table[0]["trial"]
    assert f"Winner: trial {table[0]['trial']}" in text
    run = read_ledger(folder / "runs" / "tiny")
    best = document["trials"][0]
    row = next(row for row in run.trials[best["trial"]].epochs if row.epoch == best["epoch"])
    assert best["metrics"]["recall[vaporware]"] == row.metrics["recall[vaporware]"]
    # 160 articles of which a quarter is held out: 1,688, 224 and 168 of 2,080 are 130, 17 and 13 of 160.
    assert [sum(counts) for counts in best["confusion"]] == [32, 4, 3]
    assert refused("leaderboard", folder)


def test_the_exported_folder_holds_what_others_expect(finished, exported):
    folder, printed = exported
    names = {path.name for path in folder.iterdir()}
    assert names >= {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "README.md"}
    assert names >= {"experiment.yaml", "decision_rule.json", "metrics.json"}
    assert not {path.suffix for path in folder.rglob("*")} & {".pt", ".bin", ".pkl"}
    assert "the same validation predictions" in printed
    facts = json.loads((folder / "metrics.json").read_text())
    run = read_ledger(finished[0] / "runs" / "tiny")
    row = next(row for row in run.trials[facts["trial"]].epochs if row.epoch == facts["epoch"])
    assert facts["validation"]["minority_recall"] == pytest.approx(row.metrics["minority_recall"])
    assert sum(map(sum, facts["confusion"]["test"])) == 25
    (opening,) = run.openings
    assert (opening.trial, opening.confusion) == (facts["trial"], facts["confusion"]["test"])
    stored = pd.read_parquet(run.resolve(opening.predictions))
    assert pd.read_parquet(folder / "test_predictions.parquet").equals(stored)
    assert printed.startswith(facts["decision"]["sentence"])
    assert "Test split, opened " in printed
    assert 0 < facts["parameters"]["trained"] < facts["parameters"]["total"]
    assert " parameters (0." in (folder / "README.md").read_text()
    winning = yaml.safe_load((folder / "experiment.yaml").read_text())
    assert winning["training"]["learning_rate"] == run.trials[facts["trial"]].params["training.learning_rate"]
    assert Path(winning["data"]["path"]) == finished[0] / "articles.jsonl"


@pytest.mark.timeout(300)
def test_the_exported_folder_gives_our_outputs_without_anything_of_ours(finished, exported, tmp_path):
    run = read_ledger(finished[0] / "runs" / "tiny")
    facts = json.loads((exported[0] / "metrics.json").read_text())
    row = next(row for row in run.trials[facts["trial"]].epochs if row.epoch == facts["epoch"])
    stored = read_predictions(run.resolve(row.predictions), run.labels)
    articles = [json.loads(line) for line in (finished[0] / "articles.jsonl").read_text().splitlines()]
    texts = [f"{articles[i]['title']}\n{articles[i]['text']}" for i in stored.rows]
    outputs = plain_outputs(exported[0], texts, tmp_path)
    scores = np.clip(outputs * 10, 0, 10)
    np.testing.assert_allclose(scores, stored.predicted_scores, atol=1e-3)
    rule = json.loads((exported[0] / "decision_rule.json").read_text())
    overall = scores @ np.array(rule["weights"]) / sum(rule["weights"])
    assert list(rule["dimensions"]) == list(DIMENSIONS)
    assert rule["cuts"] == list(TIERS.values())
    assert (np.digitize(overall, rule["cuts"]) - 1).tolist() == stored.predicted_class.tolist()


def test_what_is_there_is_not_overwritten(finished, exported):
    folder, _ = finished
    assert "exists already" in refused("export", folder / "runs" / "tiny", "-o", exported[0])
    assert "has no trial 't0009'" in refused("export", folder / "runs" / "tiny", "-o", folder / "x", "--trial", "t0009")
    assert not (folder / "x").exists()
    assert "a run exists already" in refused("tune", folder / "experiment.yaml")
    assert len(read_ledger(folder / "runs" / "tiny").headers) == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_space_made_from_the_labels_is_told_stored_and_kept(finished, tmp_path):
    shutil.copy(finished[0] / "articles.jsonl", tmp_path)
    small = {"model": {"base": "tiny-bert", "max_length": 16, "adapter": "none"}}
    small["search"] = {"trials": 4, "second_objective": "mae"}
    own = {"auto": True, "training.learning_rate": None, "training.warmup": {"low": 0.0, "high": 0.3}}
    training = {**TIERED["training"], "epochs": 1}
    path = write_experiment(tmp_path, {**TIERED, **small, "training": training, "space": own})
    printed = rarecall(tmp_path, "tune", "experiment.yaml")
    run = read_ledger(tmp_path / "runs" / "tiny")
    stored = yaml.safe_load((run.folder / "experiment.yaml").read_text())["space"]
    # Of 160 articles 96 are to train on, in the proportions of 1,688, 224 and 168 of 2,080: 78, 10 and 8.
    commercial, vaporware = (run.header["class_counts"]["train"][name] for name in ("commercial", "vaporware"))
    low = math.floor(100 * commercial / vaporware) / 100
    assert stored["training.oversampling.ratio"] == {"low": pytest.approx(low, abs=0.01), "high": 1.0, "log": True}
    assert f"commercial has {commercial} rows, the largest class {vaporware}" in printed
    assert stored["training.learning_rate"] is None
    params = run.trials["t0004"].params.keys()
    assert {"training.oversampling.ratio", "training.loss.gamma", "training.warmup"} <= params
    assert not {"model.lora.rank", "training.learning_rate"} & params
    document = json.loads(rarecall(tmp_path, "leaderboard", "runs/tiny", "--json"))
    origins = {trial["trial"]: trial["origin"] for trial in document["trials"]}
    assert origins == {
        "t0001": "own",
        "t0002": "known: oversampling 0.2, focal 2",
        "t0003": "sampler",
        "t0004": "sampler",
    }
    # The study had two objectives, and the Pareto set is of these: nobody is as good in both, and better in one.
    assert (run.header["second_objective"], document["run"]["second_objective"]) == ("mae", "mae")
    pairs = {one["trial"]: (one["metrics"]["minority_recall"], -one["metrics"]["mae"]) for one in document["trials"]}
    for one in document["trials"]:
        recall, less_error = pairs[one["trial"]]
        rivals = [pair for pair in pairs.values() if pair != (recall, less_error)]
        assert one["pareto"] != any(pair[0] >= recall and pair[1] >= less_error for pair in rivals)
    # A run that goes on keeps its space, whatever would be derived now.
    reasons = dict(run.header["space_reasons"])
    ledger = run.folder / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace("commercial has", "once commercial had"))
    rarecall(tmp_path, "tune", path, "--resume")
    header = read_ledger(run.folder).header
    assert header["space_reasons"].keys() == reasons.keys()
    assert header["space_reasons"]["training.oversampling.ratio"].startswith("once commercial had")
    assert yaml.safe_load((run.folder / "experiment.yaml").read_text())["space"] == stored


def test_a_finished_search_has_nothing_left_to_do(copied):
    before = (copied / "runs" / "tiny" / "ledger.jsonl").read_bytes()
    printed = rarecall(copied, "tune", "experiment.yaml", "--resume")
    run = read_ledger(copied / "runs" / "tiny")
    assert (copied / "runs" / "tiny" / "ledger.jsonl").read_bytes().startswith(before)
    assert (len(run.headers), len(run.trials)) == (2, 3)
    assert "tiny: 3 trials" in printed


def with_another_text(folder):
    path = folder / "articles.jsonl"
    first, *rest = path.read_text().splitlines(keepends=True)
    row = json.loads(first)
    key = next(name for name, value in row.items() if isinstance(value, str) and " " in value)
    path.write_text(json.dumps({**row, key: f"{row[key]} And so on."}) + "\n" + "".join(rest))


@pytest.mark.parametrize(
    "change",
    [
        with_another_text,
        lambda folder: write_experiment(
            folder, {**TIERED, "data": {**TIERED["data"], "split": {**TIERED["data"]["split"], "seed": 3}}}
        ),
        lambda folder: write_experiment(
            folder, {**TIERED, "task": {**TIERED["task"], "tiers": {**TIERS, "commercial": 6.5}}}
        ),
    ],
    ids=["file", "split", "cuts"],
)
def test_a_search_does_not_go_on_with_other_data(copied, change):
    kept = (copied / "runs" / "tiny" / "experiment.yaml").read_text()
    ledger = (copied / "runs" / "tiny" / "ledger.jsonl").read_bytes()
    change(copied)
    assert "the data or how they are read changed since the run began" in refused(
        "tune", copied / "experiment.yaml", "--resume"
    )
    assert (copied / "runs" / "tiny" / "experiment.yaml").read_text() == kept
    assert (copied / "runs" / "tiny" / "ledger.jsonl").read_bytes() == ledger


def test_an_export_that_does_not_predict_the_same_is_refused_and_removed(copied):
    """A stored prediction that the model does not give: 1 % off is no rounding."""
    run = read_ledger(copied / "runs" / "tiny")
    winner = json.loads(rarecall(copied, "leaderboard", "runs/tiny", "--json"))["trials"][0]
    path = run.folder / winner["predictions"]
    frame = pd.read_parquet(path)
    frame["predicted.proof_of_impact"] += 0.01
    frame.to_parquet(path)
    write_manifest(path.parent)  # or the change would be told as damage
    told = refused("export", copied / "runs" / "tiny", "-o", copied / "exported-2")
    assert "disagrees with the stored validation predictions by 0.01" in told
    assert not (copied / "exported-2").exists()


@pytest.mark.timeout(300)
def test_a_missed_criterion_stops_the_export_unless_it_is_forced(copied):
    """Criteria changed after the search; the forced export is merged, and judged on its own test rows."""
    path = copied / "runs" / "tiny" / "ledger.jsonl"
    header, *rows = path.read_text().splitlines()
    criteria = ["recall[vaporware] >= 0", "accuracy > 1"]
    path.write_text("\n".join([json.dumps({**json.loads(header), "criteria": criteria}), *rows]) + "\n")
    told = refused("export", copied / "runs" / "tiny", "-o", copied / "model")
    assert "misses 1 of its 2 criteria" in told
    assert "accuracy > 1: got" in told
    assert not (copied / "model").exists()
    printed = rarecall(copied, "export", "runs/tiny", "-o", "model", "--force", "--merge")
    assert "missed: accuracy > 1: " in printed
    facts = json.loads((copied / "model" / "metrics.json").read_text())
    assert facts["missed"] == ["accuracy > 1"]
    assert [one["status"] for one in facts["criteria"]] == ["met", "missed"]
    card = (copied / "model" / "README.md").read_text()
    assert "although it misses: `accuracy > 1`" in card
    assert not (copied / "model" / "adapter_config.json").exists()
    found = json.loads(rarecall(copied, "evaluate", "model", "--data", "articles.jsonl", "--json"))
    assert found["rows"] == 160


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("exported")
def test_a_criterion_missed_on_the_test_split_alone_ends_the_export_with_a_code_of_its_own(copied):
    """What an export stored of the test split is changed, and the second one goes by that: it opens nothing."""
    run = read_ledger(copied / "runs" / "tiny")
    (opening,) = run.openings
    path = run.resolve(opening.predictions)
    frame = pd.read_parquet(path)
    frame.assign(predicted="pilot").to_parquet(path)
    printed = rarecall(copied, "export", "runs/tiny", "-o", "model", expect=3)
    assert printed.startswith("Do not ship: vaporware 0 % on the test split (0 of ")
    assert "it was not opened again" in printed
    assert json.loads((copied / "model" / "metrics.json").read_text())["decision"]["outcome"] == "do not ship"
    assert len(read_ledger(run.folder).openings) == 1


@pytest.fixture
def messages(tmp_path):
    """Messages as CSV, of which the rare ones begin differently."""
    with (tmp_path / "messages.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["message", "kind"])
        for i in range(120):
            rare = i % 6 == 0
            rows.writerow(
                [f"{'please cancel my order' if rare else 'hello, good morning'}, {i}", "oos" if rare else "ok"]
            )
    return {
        "name": "messages",
        "data": {"path": "messages.csv", "text": "message", "label": "kind", "split": {"validation": 0.3, "test": 0}},
        "task": {"kind": "multiclass"},
        "model": {"max_length": 16, "lora": {"layers": "last 1", "rank": 4}},
        "training": {"epochs": 2, "batch_size": 8, "learning_rate": 5e-3, "precision": "fp32"},
        "space": {"training.loss.gamma": None, "training.warmup": {"choices": [0.0, 0.2]}},
        "objective": "recall[oos]",
        "search": {"trials": 2, "stop_early": None},
        "resources": {"slots": 2},
    }


@pytest.mark.timeout(400)
def test_classes_from_a_table_to_an_export_on_a_ray_that_runs_already(local_ray, messages, tmp_path):
    write_experiment(tmp_path, messages)
    printed = rarecall(tmp_path, "tune", "experiment.yaml", "--address", local_ray)
    assert "ok 70" in printed  # 100 of 120, of which 70 % train
    run = read_ledger(tmp_path / "runs" / "messages")
    assert (run.labels.classes, run.labels.minority) == (("ok", "oos"), ("oos",))
    assert [record.status for record in run.trials.values()] == ["completed", "completed"]
    assert "training.loss.gamma" not in run.trials["t0002"].params
    assert run.trials["t0002"].params["training.warmup"] in (0.0, 0.2)
    told = rarecall(tmp_path, "export", "runs/messages", "-o", "exported", "--trial", "t0002")
    assert "exported t0002" in told
    facts = json.loads((tmp_path / "exported" / "metrics.json").read_text())
    assert (facts["trial"], facts["test"], facts["confusion"]["test"]) == ("t0002", None, None)
    row = next(row for row in run.trials["t0002"].epochs if row.epoch == facts["epoch"])
    stored = read_predictions(run.resolve(row.predictions), run.labels)
    with (tmp_path / "messages.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    outputs = plain_outputs(tmp_path / "exported", [table[i]["message"] for i in stored.rows], tmp_path)
    powers = np.exp(outputs)
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), stored.probabilities, atol=1e-3)
    classes = json.loads((tmp_path / "exported" / "decision_rule.json").read_text())["classes"]
    assert [classes[i] for i in outputs.argmax(axis=1)] == [run.labels.classes[i] for i in stored.predicted_class]
    assert [table[i]["kind"] for i in stored.rows] == [classes[i] for i in stored.true_class]


@pytest.mark.timeout(300)
def test_train_runs_the_one_configuration_of_the_experiment(local_ray, messages, tmp_path):
    write_experiment(tmp_path, {**messages, "training": {**messages["training"], "oversampling": {"ratio": 0.5}}})
    arguments = ["--set", "training.epochs=1", "--set", "resources.slots=1", "--address", local_ray]
    printed = rarecall(tmp_path, "train", "experiment.yaml", *arguments)
    run = read_ledger(tmp_path / "runs" / "messages-train")
    (record,) = run.trials.values()
    assert (record.params, len(record.epochs), record.status) == ({}, 1, "completed")
    assert "oos 14→35" in printed  # 70 % of 20, and half of the 70 others
