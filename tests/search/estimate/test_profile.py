import json
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from rarecall.analysis.profile.figure import draw
from rarecall.analysis.text.profile import render
from rarecall.search.cli import rarecall
from rarecall.search.estimate.profile import profile_of
from rarecall.search.experiment.schema import load_experiment
from rarecall.search.experiment.yaml_file import write_yaml

WORDS = ["the", "old", "engine", "runs", "again", "behind", "the", "long", "wooden", "shed", "near", "our", "river"]
COUNTS = {"common": 400, "rare": 40, "rarest": 10}


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def experiment(tmp_path):
    """450 rows in three classes, of 1 to 12 words, two scripts; sampling and weights on."""
    rows = [
        {"text": f"{' '.join(WORDS[: i % 12])} {name}{i}", "label": name, "script": "latin" if i % 4 else "kana"}
        for name, count in COUNTS.items()
        for i in range(count)
    ]
    write_rows(tmp_path / "rows.jsonl", rows)
    tree = {
        "name": "made",
        "data": {
            "path": "rows.jsonl",
            "label": "label",
            "slices": ["script"],
            "split": {"validation": 0.1, "test": 0.1},
        },
        "task": {"kind": "multiclass"},
        "model": {"max_length": 12},
        "training": {"oversampling": {"ratio": 0.5}, "class_weights": {"strength": 1.0, "cap": 1.5}},
    }
    write_yaml(tmp_path / "made.yaml", tree)
    return tmp_path / "made.yaml"


def test_counts_ratios_and_what_the_settings_make_of_them(experiment):
    found = profile_of(load_experiment(experiment))
    assert found.rows == {"train": 360, "validation": 45, "test": 45}
    by_name = {one.name: one for one in found.classes}
    assert {name: one.rows["train"] for name, one in by_name.items()} == {"common": 320, "rare": 32, "rarest": 8}
    assert [found.ratio(by_name[name]) for name in COUNTS] == [1.0, 10.0, 40.0]
    assert [one.minority for one in found.classes] == [False, True, True]
    # Half of 320 after oversampling, so 320 / 160 = 2, above the cap.
    own = [by_name[name].mitigations[""] for name in COUNTS]
    assert [(one.rows, one.weight, one.capped) for one in own] == [(320, 1, False), (160, 1.5, True), (160, 1.5, True)]
    assert by_name["rarest"].mitigations["ratio 0.2"].rows == 64
    assert by_name["rarest"].mitigations["strength 1"].rows == 8


def test_lengths_are_those_of_all_texts(experiment):
    found = profile_of(load_experiment(experiment))
    words, tokens = found.lengths
    rows = [json.loads(line) for line in (experiment.parent / "rows.jsonl").read_text().splitlines()]
    lengths = [len(row["text"].split()) for row in rows]
    assert words.quantiles[0] == min(lengths)
    assert words.quantiles[2] == np.median(lengths)
    assert words.quantiles[-1] == 12
    assert words.cut is None
    # A word and its number take several pieces, and [CLS] and [SEP] come with each.
    assert tokens.quantiles[0] >= 3
    assert 0 < tokens.cut < 1
    assert tokens.quantiles[-1] > 12  # not cut to what the model takes


def test_slices_are_counted_by_split(experiment):
    found = profile_of(load_experiment(experiment))
    counted = Counter(
        json.loads(line)["script"] for line in (experiment.parent / "rows.jsonl").read_text().splitlines()
    )
    assert {value: sum(by_split.values()) for value, by_split in found.slices["script"].items()} == counted


def test_duplicates_and_contradictions_are_found(tmp_path):
    train = [("one", "a"), ("one", "b"), ("two", "a"), ("two", "a"), ("three", "b"), ("four", "a")]
    write_rows(tmp_path / "train.jsonl", [{"text": text, "label": label} for text, label in train])
    other = [{"text": "three", "label": "b"}, {"text": "five", "label": "a"}]
    write_rows(tmp_path / "validation.jsonl", other)
    data = {"train": "train.jsonl", "validation": "validation.jsonl", "label": "label"}
    write_yaml(tmp_path / "e.yaml", {"name": "e", "data": data, "task": {"kind": "multiclass"}})
    found = profile_of(load_experiment(tmp_path / "e.yaml")).duplicates
    assert found.within == {"train": 2, "validation": 0}
    assert found.across == {("train", "validation"): 1}
    assert found.contradicting == 1  # `one`


def test_labels_per_row_and_broken_rules(tmp_path):
    rows = [["anger", "rage"], ["rage"], ["joy"], ["joy", "anger"], [], ["anger", "rage"]]
    write_rows(tmp_path / "train.jsonl", [{"text": f"text {i}", "label": labels} for i, labels in enumerate(rows)])
    write_rows(tmp_path / "validation.jsonl", [{"text": f"v {i}", "label": labels} for i, labels in enumerate(rows)])
    task = {
        "kind": "multilabel",
        "labels": ["anger", "rage", "joy"],
        "implies": {"rage": "anger"},
        "excludes": [["joy", "anger"]],
    }
    data = {"train": "train.jsonl", "validation": "validation.jsonl", "label": "label"}
    write_yaml(tmp_path / "e.yaml", {"name": "e", "data": data, "task": task})
    found = profile_of(load_experiment(tmp_path / "e.yaml"))
    told = found.labels_per_row
    assert (told.cardinality, told.none) == (pytest.approx(8 / 6), 1)
    assert told.broken == {"rage without anger": 1, "joy with anger": 1}
    assert told.together == (("anger", "joy", 1),)  # rage implies anger, so these two are no news
    assert "rage without anger 1" in render(found, 80)


@pytest.mark.parametrize("width", [80, 120])
def test_the_text_keeps_to_the_width(experiment, width):
    text = render(profile_of(load_experiment(experiment)), width)
    assert max(map(len, text.splitlines())) <= width
    assert "1.50+" in text
    assert "% of the texts are cut by model.max_length 12" in text


def test_the_command_writes_text_json_and_a_picture(experiment, tmp_path):
    shown = CliRunner().invoke(rarecall, ["profile", str(experiment), "--png", str(tmp_path / "p.png")])
    assert shown.exit_code == 0, shown.output
    assert "made: 450 rows (train 360, validation 45, test 45)" in shown.output
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.width > 800
    as_json = CliRunner().invoke(rarecall, ["profile", str(experiment), "--json"])
    assert json.loads(as_json.stdout)["classes"][2]["ratio"] == 40.0


def test_forty_labels_get_room_each(experiment, tmp_path):
    found = profile_of(load_experiment(experiment))
    many = type(found)(**{**vars(found), "classes": tuple([*found.classes] * 13 + [found.classes[0]])})
    draw(many, tmp_path / "many.png")
    with Image.open(tmp_path / "many.png") as picture:
        assert picture.height / 40 > 25  # pixels, at 120 to the inch and ten points a line
