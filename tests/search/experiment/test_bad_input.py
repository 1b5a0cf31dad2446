"""Twelve kinds of bad input through the command line: each ends with exit code 2, and says what is wrong and where."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rarecall.search.cli import main

EXPERIMENT = {
    "name": "small",
    "data": {"path": "rows.jsonl"},
    "task": {
        "kind": "tiered_scores",
        "dimensions": {"maturity": {"weight": 0.7}, "proof": {"weight": 0.3}},
        "tiers": {"low": 0, "high": 5},
    },
    "model": {"max_length": 16},
    "search": {"trials": 1},
}
ROWS = [{"text": f"row {i}", "maturity": 1.0 + 7 * (i % 4 == 0), "proof": 2.0 + 5 * (i % 4 == 0)} for i in range(40)]
CLASSES = {"data": {"path": "rows.jsonl", "label": "label"}, "task": {"kind": "multiclass"}}


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def with_row(number, text):
    """The rows as JSON lines, of which the one with this number (from 1) reads `text`."""
    good = lines(ROWS).splitlines()
    good[number - 1] = text
    return "\n".join(good) + "\n"


def labelled(*counted):
    return lines([{"text": f"{name} {i}", "label": name} for name, count in counted for i in range(count)])


CASES = {
    "unknown key": (
        {"training": {"learning_rat": 1e-3}},
        {},
        ["training.learning_rat: is not a key of this section (did you mean `learning_rate`?)"],
    ),
    "wrong type": (
        {"training": {"epochs": "many"}},
        {},
        ["training.epochs: should be a valid integer", "got 'many'"],
    ),
    "rank 0": (
        {"model": {"lora": {"rank": 0}}},
        {},
        ["model.lora.rank: should be greater than or equal to 1, got 0"],
    ),
    "missing file": (
        {"data": {"path": "nowhere.jsonl"}},
        {},
        ["nowhere.jsonl: must be a file (relative paths count from the experiment file's folder)"],
    ),
    "empty file": ({}, {"rows.jsonl": ""}, ["rows.jsonl: must hold at least one row, got an empty file"]),
    "broken line": (
        {},
        {"rows.jsonl": with_row(3, '{"text": "cut off')},
        ["rows.jsonl:3: must be one JSON object, got Unterminated string", "column 10"],
    ),
    "missing column": (
        {"data": {"path": "rows.jsonl", "text": ["headline", "text"]}},
        {},
        ["rows.jsonl: must have the column 'headline'"],
    ),
    "one class only": (
        CLASSES,
        {"rows.jsonl": labelled(("only", 30))},
        ["rows.jsonl: must hold rows of at least two classes, got only 'only'"],
    ),
    "no rare row in validation": (
        {"data": {"train": "train.jsonl", "validation": "validation.jsonl", "label": "label"}, "task": CLASSES["task"]},
        {
            "train.jsonl": labelled(("common", 30), ("rare", 5)),
            "validation.jsonl": labelled(("common", 10)),
        },
        ["data.validation: minority class 'rare' must have a row in validation, got 0 of its 5"],
    ),
    "NaN score": (
        {},
        {"rows.jsonl": with_row(7, '{"text": "a row", "maturity": NaN, "proof": 1.0}')},
        ["rows.jsonl:7: score 'maturity' must be a number, got nan"],
    ),
    "score out of range": (
        {},
        {"rows.jsonl": with_row(5, '{"text": "a row", "maturity": 1.0, "proof": 10.5}')},
        ["rows.jsonl:5: score 'proof' must be from 0 to 10, got 10.5"],
    ),
    "not UTF-8": (
        {},
        {"rows.jsonl": lines(ROWS).encode() + '{"text": "äöü"}\n'.encode() + b'{"text": "caf\xe9"}'},
        ["rows.jsonl:42: must be UTF-8, got byte 0xe9"],
    ),
}
IN_A_PROCESS = ["unknown key", "broken line"]


def write(folder, changes, files):
    (folder / "experiment.yaml").write_text(yaml.safe_dump({**EXPERIMENT, **changes}, sort_keys=False))
    for name, content in {"rows.jsonl": lines(ROWS), **files}.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def rarecall(*arguments):
    """Run the command line in this process; gives its exit code."""
    sys.argv = ["rarecall", *map(str, arguments)]
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.fixture(autouse=True)
def arguments(monkeypatch):
    """Puts the arguments back afterwards."""
    monkeypatch.setattr(sys, "argv", sys.argv)


def check(told, expected):
    assert "Traceback" not in told
    assert "fault" in told
    flat = " ".join(told.split())
    for part in expected:
        assert part in flat, f"{part!r} is not in: {flat}"


@pytest.mark.parametrize("kind", CASES)
def test_bad_input_is_told_with_place_and_value(kind, tmp_path, capsys):
    changes, files, expected = CASES[kind]
    write(tmp_path, changes, files)
    assert rarecall("tune", tmp_path / "experiment.yaml") == 2
    printed = capsys.readouterr()
    check(printed.err, expected)
    assert printed.err.startswith("rarecall: ")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("kind", IN_A_PROCESS)
def test_the_same_in_a_process_of_its_own(kind, tmp_path):
    changes, files, expected = CASES[kind]
    write(tmp_path, changes, files)
    command = [Path(sys.executable).with_name("rarecall"), "tune", "experiment.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    check(done.stderr, expected)


def test_all_faults_come_at_once(tmp_path, capsys):
    rows = lines([{**ROWS[0], "maturity": 11}, ROWS[1], {**ROWS[2], "text": ""}]) + lines(ROWS)
    write(tmp_path, {}, {"rows.jsonl": rows})
    assert rarecall("tune", tmp_path / "experiment.yaml") == 2
    told = capsys.readouterr().err
    assert "2 faults" in told
    assert "rows.jsonl:1" in told
    assert "rows.jsonl:3" in told


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        (["recall[hihg] >= 0.4"], ["criteria: ", "'hihg'", "did you mean 'high'?"]),
        (["mae[speed] <= 1", "recall[low] >= 0.4", "recall[low] >= 0.4"], ["2 faults", "'speed'", "given once"]),
    ],
)
def test_criteria_that_do_not_fit_the_data(criteria, expected, tmp_path, capsys):
    write(tmp_path, {"criteria": criteria}, {})
    assert rarecall("tune", tmp_path / "experiment.yaml") == 2
    check(capsys.readouterr().err, expected)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("maee", ["search.second_objective: must be a metric", "or seconds, got 'maee'", "did you mean `mae`?"]),
        (3, ["search.second_objective: should be a valid string, got 3"]),
        ("minority_recall", ["search.second_objective: the second objective must be another one than the first"]),
        ("recall", ["search.second_objective: recall must name a class"]),
        ("roc_auc[low]", ["search.second_objective: roc_auc needs a task with probabilities"]),
        ("mae[speed]", ["search.second_objective: the dimension of mae must be one of maturity, proof", "'speed'"]),
    ],
)
def test_second_objectives_that_cannot_be_weighed(second, expected, tmp_path, capsys):
    write(tmp_path, {"search": {"trials": 1, "second_objective": second}}, {})
    assert rarecall("tune", tmp_path / "experiment.yaml") == 2
    check(capsys.readouterr().err, expected)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tune", "{folder}/experiment.yaml", "--set", "training.epochs"], "--set: must read key=value"),
        (["tune", "{folder}/experiment.yaml", "--set", "training.epoch=3"], "did you mean `epochs`?"),
        (["train", "{folder}/nowhere.yaml"], "nowhere.yaml: no such file"),
        (["tune", "{folder}/experiment.yaml", "--resume"], "no run to resume"),
        (["leaderboard", "{folder}/nowhere"], "nowhere"),
        (["export", "{folder}", "-o", "{folder}/out"], "is not a run folder"),
        (["export", "{folder}"], "Missing option '-o'"),
        (["generate", "-o", "{folder}/rows.jsonl", "--rows", "3"], "3 is not in the range"),
        (["tune"], "Missing argument 'EXPERIMENT'"),
        (["tume"], "No such command 'tume'"),
    ],
)
def test_commands_that_cannot_be_obeyed(arguments, expected, tmp_path, capsys):
    write(tmp_path, {}, {})
    assert rarecall(*(argument.format(folder=tmp_path) for argument in arguments)) == 2
    assert expected in " ".join(capsys.readouterr().err.split())


def test_help_and_version_are_no_errors(capsys):
    assert rarecall("--help") == 0
    assert "tune" in capsys.readouterr().out
    assert rarecall("--version") == 0
    assert "0.1.0" in capsys.readouterr().out
