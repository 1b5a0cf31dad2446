"""Drafts of experiments from files as people have them: they load, and say why they are as they are."""

import csv
import json

import pytest
import yaml
from click.testing import CliRunner

import rarecall as rarecall_package
from rarecall.analysis.errors import InputError, RunError
from rarecall.search.cli import rarecall
from rarecall.search.draft.criteria import criteria_for, validation_share
from rarecall.search.draft.writing import draft, write_draft
from rarecall.search.experiment.schema import load_experiment
from rarecall.trainables.data.prepare import load_splits

COMMON, RARE = "thank you for the invoice of last week", "you will regret this, we know where you live"


def write_csv(path, header, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def messages(folder, rare=75, rows=600):
    """A number, a subject, a text and a class: 75 of 600 are threats."""
    lines = [
        (i, f"re: {i % 7}", f"{RARE if i < rare else COMMON} {i}", "threat" if i < rare else "ordinary")
        for i in range(rows)
    ]
    return write_csv(folder / "messages.csv", ("id", "subject", "body", "class"), lines)


def drafted(path, **given):
    """The experiment that a draft comes to, and what it says."""
    text = draft(path, path.parent, **given, tell=lambda note: None)
    (path.parent / "made.yaml").write_text(text)
    return load_experiment(path.parent / "made.yaml"), text


def test_a_table_of_messages(tmp_path):
    loaded, text = drafted(messages(tmp_path))
    experiment = loaded.experiment
    assert (experiment.data.text, experiment.data.label, experiment.task.kind) == (("body",), "class", "multiclass")
    # A quarter: 131 of 525 ordinary ones and 19 of 75 threats.
    assert (experiment.data.split.validation, experiment.data.split.test) == (0.25, 0.25)
    assert "# Rows: ordinary 525, threat 75." in text
    assert experiment.criteria == ("recall[ordinary] >= 0.85", "recall[threat] >= 0.50")
    # scipy.stats: Beta(13 + 1, 19 - 13 + 1).sf(0.5) = 0.94, and of 12 it is 0.87.
    assert "# 19 rows validate; 13 of them found say so" in text
    # 46 characters at the most are 12 tokens or so.
    assert experiment.model.max_length == 32
    assert len(load_splits(experiment, loaded.folder).validation) == 150


def test_what_the_rows_cannot_decide_stays_a_comment(tmp_path):
    loaded, text = drafted(messages(tmp_path, rare=8))
    assert loaded.experiment.criteria == ("recall[ordinary] >= 0.85",)
    # Of 2 rows, 80 % are 1.6, and one gives Beta(2, 2).sf(0.3) = 0.784. Of 3, 2 give Beta(3, 2).sf(0.3) = 0.916.
    (line,) = (line for line in text.splitlines() if "recall[threat]" in line)
    assert line == "#  - 'recall[threat] >= 0.30'  # 2 rows validate, which cannot decide it; 3 could"


@pytest.mark.parametrize(
    ("cells", "kind", "names"),
    [
        ([["joy", "love"], ["joy"], [], ["fear"]], "multilabel", ("joy", "fear", "love")),
        (["joy|love", "joy", "fear", "joy"], "multilabel", ("joy", "fear", "love")),
        ([0, 1, 2, 0], "ordinal", ("0", "1", "2")),
        (["1", "3", "2", "1"], "ordinal", ("1", "2", "3")),
        (["no", "yes", "no", "no"], "multiclass", ("no", "yes")),
        (["true", False, True, "false"], "multiclass", ("false", "true")),
    ],
)
def test_labels_say_what_the_task_is(tmp_path, cells, kind, names):
    path = tmp_path / "rows.jsonl"
    rows = [{"comment": f"{COMMON} {i}", "meta": {"label": cells[i % 4]}} for i in range(80)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded, _ = drafted(path)
    assert (loaded.experiment.task.kind, loaded.experiment.data.label) == (kind, "meta.label")
    assert loaded.experiment.task.names == names
    splits = load_splits(loaded.experiment, loaded.folder)
    assert splits.task.label_space.classes == names


def test_several_columns_of_marks(tmp_path):
    lines = [(f"{COMMON} {i}", int(i % 3 == 0), int(i % 10 == 0)) for i in range(120)]
    path = write_csv(tmp_path / "toxic.csv", ("comment_text", "toxic", "threat"), lines)
    loaded, _ = drafted(path, label=("toxic", "threat"))
    assert (loaded.experiment.task.kind, loaded.experiment.data.label) == ("multilabel", None)
    splits = load_splits(loaded.experiment, loaded.folder)
    assert sum(counts["toxic"] for counts in splits.class_counts.values()) == 40


def test_scores_are_cut_into_tiers(tmp_path):
    lines = [(f"{COMMON} {i}", f"{i % 97 / 9.7:.2f}") for i in range(300)]
    path = write_csv(tmp_path / "scored.csv", ("sentence", "arousal"), lines)
    loaded, _ = drafted(path, label=("arousal",))
    task = loaded.experiment.task
    assert (task.kind, tuple(task.dimensions), dict(task.tiers)) == (
        "tiered_scores",
        ("arousal",),
        {"ordinary": 0.0, "high": 7.5, "highest": 9.0},
    )
    load_splits(loaded.experiment, loaded.folder)


def test_many_rows_are_taken_in_parts(tmp_path):
    loaded, _ = drafted(messages(tmp_path, rare=700, rows=7000))
    assert loaded.experiment.search.rows == 4000
    assert loaded.experiment.data.split.validation == 0.1


@pytest.mark.parametrize(
    ("header", "rows", "given", "told"),
    [
        (("body", "class"), [("x" * 30, "a"), ("y" * 30, "b")] * 9, {"label": ("klass",)}, "there are 'body', 'class'"),
        (("body", "class"), [("x" * 30, "a")] * 9, {"label": ("class",)}, "at least two classes, got 'a'"),
        (("id", "class"), [(i, "ab"[i % 2]) for i in range(9)], {}, "name it with --text"),
        (("body",), [(f"{COMMON} {i}",) for i in range(9)], {}, "name it with --label"),
        (("body", "marks"), [(COMMON, "[0, 1]"), (RARE, "[1, 0]")] * 9, {"label": ("marks",)}, "task.labels by hand"),
    ],
)
def test_what_cannot_be_found_out_is_asked_for(tmp_path, header, rows, given, told):
    path = write_csv(tmp_path / "rows.csv", header, rows)
    with pytest.raises(InputError) as refused:
        draft(path, tmp_path, **given)
    assert told in str(refused.value)


def test_the_command_writes_a_file_that_profile_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    messages(tmp_path)
    done = CliRunner().invoke(rarecall, ["init", "messages.csv", "-o", "made/threats.yaml"])
    assert done.output.startswith("wrote made/threats.yaml; next: rarecall profile made/threats.yaml")
    assert yaml.safe_load((tmp_path / "made" / "threats.yaml").read_text())["data"]["path"] == "../messages.csv"
    assert CliRunner().invoke(rarecall, ["profile", "made/threats.yaml"]).exit_code == 0
    with pytest.raises(RunError, match="exists already; --overwrite replaces it"):
        write_draft(tmp_path / "messages.csv", tmp_path / "made" / "threats.yaml")


def test_the_same_from_python(tmp_path):
    path = rarecall_package.init(messages(tmp_path), tmp_path / "threats.yaml", text="subject", label="class")
    assert load_experiment(path).experiment.data.text == ("subject",)


def test_names_that_yaml_takes_for_something_else(tmp_path):
    names = ("null", "- a", "it's: so", "#no")
    lines = [(f"{COMMON} {i}", names[i % 4]) for i in range(80)]
    path = write_csv(tmp_path / "odd.csv", ("text", "label"), lines)
    loaded, _ = drafted(path)
    assert set(loaded.experiment.task.classes) == set(names)


def test_shares_and_lines_by_hand():
    assert validation_share({"a": 10_000, "b": 300}) == 0.1
    assert validation_share({"a": 10_000, "b": 200}) == 0.15
    assert validation_share({}) == 0.25
    # Of 10, 8 give Beta(9, 3).sf(0.5) = 0.967; of 4, 3 give Beta(4, 2).sf(0.4) = 0.913 and .sf(0.5) = 0.813; of 2 none.
    lines = criteria_for({"a": 900, "b": 100, "c": 40, "d": 20}, 0.1, several=False)
    assert [(line.text, line.decided) for line in lines] == [
        ("recall[a] >= 0.85", True),
        ("recall[d] >= 0.30", False),
        ("recall[c] >= 0.40", True),
        ("recall[b] >= 0.50", True),
    ]
