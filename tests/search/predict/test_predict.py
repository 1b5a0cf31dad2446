"""`rarecall predict`: rows, order and labels of its output, bad rows, and a run that was killed."""

import csv
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from rarecall.analysis.errors import InputError, RunError
from rarecall.search.cli import main
from rarecall.search.predict import command as module
from rarecall.search.predict.command import PredictOptions, predict
from rarecall.search.predict.engine import ahead
from rarecall.search.predict.labelled import predict_labelled
from rarecall.search.predict.table import cut_distance
from rarecall.trainables.data.files.options import FileOptions
from rarecall.trainables.exported.predictor import load_merged
from rarecall.trainables.exported.reload import load, load_processor, outputs
from tests.exported_folder import CLASSES, LORA, TASKS, export_folder, texts, write_images

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A whole tiny model of three classes."""
    path = tmp_path_factory.mktemp("exported") / "classes"
    export_folder(path, "multiclass")
    return path


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """An adapter on MiniLM that predicts scores."""
    path = tmp_path_factory.mktemp("exported") / "scores"
    export_folder(path, "tiered_scores", LORA)
    return path


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_ROWS", 8)


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def rarecall(monkeypatch, *arguments):
    """Run the command line in this process; gives its exit code."""
    monkeypatch.setattr(sys, "argv", ["rarecall", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def test_classes_and_probabilities_are_those_of_the_bare_model_in_the_order_of_the_input(
    folder, small_chunks, tmp_path
):
    given = texts(30)
    source = write_jsonl(tmp_path / "rows.jsonl", [{"text": text, "key": f"k{i}"} for i, text in enumerate(given)])
    predict(PredictOptions(folder, source, tmp_path / "out.jsonl", id="key", batch_size=4), QUIET)
    rows = read_jsonl(tmp_path / "out.jsonl")
    logits = outputs(load(folder, 3), load_processor(folder), given, 32, images=False)
    offsets = json.loads((folder / "decision_rule.json").read_text())["offsets"]
    assert offsets == list(TASKS["multiclass"][1])
    assert [row["row"] for row in rows] == list(range(30))
    assert [row["key"] for row in rows] == [f"k{i}" for i in range(30)]
    # The bare model's head holds the offsets already; the probabilities are those without.
    assert [row["predicted"] for row in rows] == [CLASSES[i] for i in logits.argmax(axis=1)]
    given_probabilities = [[row[f"probability.{name}"] for name in CLASSES] for row in rows]
    np.testing.assert_allclose(given_probabilities, softmax(logits - offsets), atol=1e-4)
    assert list(rows[0]) == ["row", "key", "predicted", *(f"probability.{name}" for name in CLASSES)]
    assert {path.name for path in tmp_path.iterdir()} == {"rows.jsonl", "out.jsonl"}


def test_scores_tiers_and_distances_of_an_adapter(adapter, tmp_path):
    given = texts(24)
    source = write_jsonl(tmp_path / "rows.jsonl", [{"text": text} for text in given])
    predict(PredictOptions(adapter, source, tmp_path / "out.parquet"), QUIET)
    frame = pd.read_parquet(tmp_path / "out.parquet")
    raw = outputs(load(adapter, 2), load_processor(adapter), given, 32, images=False)
    maturity, proof = np.clip(raw * 10, 0, 10).T
    overall = (2 * maturity + proof) / 3
    np.testing.assert_allclose(frame["predicted.maturity"], maturity, atol=1e-4)
    np.testing.assert_allclose(frame["predicted.overall"], overall, atol=1e-4)
    # The cuts are 4.25 and 5.5; below a proof of 4.5 nothing is above `middle`.
    tiers = (overall >= 4.25).astype(int) + (overall >= 5.5)
    expected = np.where(proof < 4.5, np.minimum(tiers, 1), tiers)
    assert frame["predicted"].tolist() == [CLASSES[i] for i in expected]
    nearest = np.where(np.abs(overall - 4.25) <= np.abs(overall - 5.5), 4.25, 5.5)
    np.testing.assert_allclose(frame["cut_distance"], overall - nearest, atol=1e-4)


def test_merging_an_adapter_changes_nothing(adapter):
    given = texts(16)
    merged = outputs(load_merged(adapter, 2, 0), load_processor(adapter), given, 32, images=False)
    separate = outputs(load(adapter, 2), load_processor(adapter), given, 32, images=False)
    np.testing.assert_allclose(merged, separate, atol=1e-5)
    assert np.abs(separate).max() > 0.1


def test_several_labels_in_each_form(tmp_path):
    export_folder(tmp_path / "labels", "multilabel")
    source = write_jsonl(tmp_path / "rows.jsonl", [{"text": text} for text in texts(40)])
    for suffix in ("jsonl", "csv", "parquet"):
        predict(PredictOptions(tmp_path / "labels", source, tmp_path / f"out.{suffix}"), QUIET)
    lists = [row["predicted"] for row in read_jsonl(tmp_path / "out.jsonl")]
    frame = pd.read_parquet(tmp_path / "out.parquet")
    thresholds = dict(zip(CLASSES, TASKS["multilabel"][1], strict=True))
    expected = [
        [name for name in CLASSES if row[f"probability.{name}"] > thresholds[name]] for _, row in frame.iterrows()
    ]
    assert lists == expected
    assert [] in lists
    assert max(map(len, lists)) > 1
    assert [list(labels) for labels in frame["predicted"]] == lists
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row["predicted"] for row in csv.DictReader(file)] == ["|".join(labels) for labels in lists]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_other_forms_of_input_give_the_same(suffix, folder, tmp_path):
    frame = pd.DataFrame({"id": range(12), "text": [f"{text},\n\t“{i}”" for i, text in enumerate(texts(12))]})
    source = tmp_path / f"rows.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(source)
    else:
        frame.to_csv(source, index=False, sep="\t" if suffix == "tsv" else ",")
    write_jsonl(tmp_path / "rows.jsonl", frame.to_dict("records"))
    reading = FileOptions(quoting="standard")
    predict(PredictOptions(folder, source, tmp_path / "out.parquet", keep=True, reading=reading), QUIET)
    predict(PredictOptions(folder, tmp_path / "rows.jsonl", tmp_path / "out.csv", keep=True), QUIET)
    one, other = pd.read_parquet(tmp_path / "out.parquet"), pd.read_csv(tmp_path / "out.csv")
    assert list(one.columns) == ["row", "id", "text", "predicted", *(f"probability.{name}" for name in CLASSES)]
    assert one["text"].tolist() == frame["text"].tolist()
    assert one["id"].tolist() == (list(range(12)) if suffix == "parquet" else [str(i) for i in range(12)])
    pd.testing.assert_frame_equal(one.drop(columns=["id", "text"]), other.drop(columns=["id", "text"]), atol=2e-6)


BAD = ['{"text": "one", "key": 1}', '{"text": ""}', "", '{"text": "cut', '{"text": 3, "key": 4}', '{"text": "last"}']


def test_bad_rows_stop_before_anything_is_written(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "rows.jsonl").write_text("\n".join(BAD) + "\n")
    assert rarecall(monkeypatch, "predict", folder, tmp_path / "rows.jsonl", "-o", tmp_path / "out.jsonl") == 2
    told = capsys.readouterr().err
    assert "rows.jsonl:2: must have text in column 'text', got none" in told
    assert "rows.jsonl:4: must be one JSON object, got Unterminated string" in told
    assert "rows.jsonl:5: column 'text' must hold text, got 3" in told
    assert "(--on-bad-row skip goes on without such rows): 3 faults" in told
    assert "Traceback" not in told
    assert {path.name for path in tmp_path.iterdir()} == {"rows.jsonl"}


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_skipped_rows_say_why_and_none_is_missing(suffix, folder, small_chunks, tmp_path):
    (tmp_path / "rows.jsonl").write_text("\n".join(BAD) + "\n")
    told = io.StringIO()
    target = tmp_path / f"out.{suffix}"
    predict(PredictOptions(folder, tmp_path / "rows.jsonl", target, id="key", skip=True), Console(file=told, width=200))
    read = {"jsonl": lambda path: pd.DataFrame(read_jsonl(path)), "csv": pd.read_csv, "parquet": pd.read_parquet}
    frame = read[suffix](target)
    # The blank line is no row.
    assert frame["row"].tolist() == [0, 1, 2, 3, 4]
    assert frame["predicted"].isna().tolist() == [False, True, True, True, False]
    assert frame["error"].isna().tolist() == [True, False, False, False, True]
    assert "rows.jsonl:4: must be one JSON object" in frame["error"][2]
    assert float(frame["key"][3]) == 4
    assert "skipped 3 rows" in told.getvalue()
    assert "rows.jsonl:5: column 'text' must hold text" in told.getvalue()


class Killed(BaseException):
    """What a kill is to a process, as far as its files are concerned."""


def killed_after(monkeypatch, rows, target, options):
    """Predict until so many rows are written, and half of one more where the form allows it."""
    append = module.PredictionOutput.append

    def die(self, columns):
        if self.rows >= rows:
            if target.suffix != ".parquet":
                with target.open("a") as file:
                    file.write('{"row": 99, "pred')
            raise Killed
        append(self, columns)

    with monkeypatch.context() as patched:
        patched.setattr(module.PredictionOutput, "append", die)
        with pytest.raises(Killed):
            predict(options, QUIET)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_run_that_was_killed_goes_on_to_the_same_output(suffix, folder, small_chunks, tmp_path, monkeypatch):
    rows = [{"text": text, "note": f"a\n{i}"} for i, text in enumerate(texts(29))]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    whole, target = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    predict(PredictOptions(folder, source, whole, keep=True), QUIET)
    options = PredictOptions(folder, source, target, keep=True)
    killed_after(monkeypatch, 16, target, options)
    told = io.StringIO()
    predict(options, Console(file=told, width=200))
    assert "holds 16 of 29 rows already" in told.getvalue()
    assert target.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"rows.jsonl", whole.name, target.name}


def test_a_run_goes_on_with_its_own_model_input_and_columns_only(folder, small_chunks, tmp_path, monkeypatch):
    source = write_jsonl(tmp_path / "rows.jsonl", [{"text": text, "other": text} for text in texts(20)])
    options = PredictOptions(folder, source, tmp_path / "out.jsonl")
    killed_after(monkeypatch, 8, options.output, options)
    kept = options.output.read_bytes()
    with pytest.raises(RunError, match="was begun with another input columns"):
        predict(PredictOptions(folder, source, options.output, text=("other",)), QUIET)
    with pytest.raises(RunError, match="was begun with another columns"):
        predict(PredictOptions(folder, source, options.output, id="other"), QUIET)
    with source.open("a") as file:
        file.write('{"text": "one more"}\n')
    with pytest.raises(RunError, match="was begun with another input;"):
        predict(options, QUIET)
    assert options.output.read_bytes() == kept
    predict(PredictOptions(folder, source, options.output, overwrite=True), QUIET)
    assert [row["row"] for row in read_jsonl(options.output)] == list(range(21))
    with pytest.raises(RunError, match="exists already and is complete"):
        predict(options, QUIET)


def test_an_output_that_lost_rows_since_is_not_gone_on_with(folder, small_chunks, tmp_path, monkeypatch):
    source = write_jsonl(tmp_path / "rows.jsonl", [{"text": text} for text in texts(20)])
    options = PredictOptions(folder, source, tmp_path / "out.jsonl")
    killed_after(monkeypatch, 8, options.output, options)
    options.output.write_text("")
    with pytest.raises(RunError, match="must still hold the"):
        predict(options, QUIET)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["{folder}", "nowhere.jsonl", "-o", "out.jsonl"], "nowhere.jsonl: must be a file"),
        (["{folder}", "rows.txt", "-o", "out.jsonl"], "must end in one of .jsonl, .ndjson, .json, .csv"),
        (["{folder}", "rows.jsonl", "-o", "out.xlsx"], "-o: must end in .jsonl, .csv or .parquet, got"),
        (["{folder}", "rows.jsonl", "-o", "./rows.jsonl", "--overwrite"], "-o: must be another file than the input"),
        (["{folder}", "rows.jsonl"], "Missing option '-o'"),
        (["{folder}", "rows.jsonl", "-o", "out.jsonl", "--text", "txet"], "must have the column 'txet'"),
        (["{folder}", "rows.jsonl", "-o", "out.jsonl", "--id", "kye"], "did you mean 'key'?"),
        (["{folder}", "taken.jsonl", "-o", "out.jsonl", "--keep"], "columns named predicted cannot be handed on"),
        (["{folder}", "empty.jsonl", "-o", "out.jsonl"], "empty.jsonl: must hold at least one row"),
        ([".", "rows.jsonl", "-o", "out.jsonl"], "must be a folder that `rarecall export` wrote"),
        (["nowhere", "rows.jsonl", "-o", "out.jsonl"], "must be a folder that `rarecall export` wrote"),
        (["broken", "rows.jsonl", "-o", "out.jsonl"], "broken: the model does not load"),
        (["other", "rows.jsonl", "-o", "out.jsonl"], "must be the decision rule that the export wrote"),
    ],
)
def test_what_cannot_be_used_is_told_without_a_traceback(arguments, expected, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_jsonl(Path("rows.jsonl"), [{"text": "a", "key": 1}])
    write_jsonl(Path("taken.jsonl"), [{"text": "a", "predicted": "b"}])
    Path("empty.jsonl").write_text("")
    Path("rows.txt").write_text("a")
    for name in ("broken", "other"):
        Path(name).mkdir()
        for file in ("experiment.yaml", "decision_rule.json", "model.safetensors"):
            Path(name, file).write_bytes((folder / file).read_bytes())
    Path("other", "decision_rule.json").write_text("{}")
    code = rarecall(monkeypatch, "predict", *(argument.format(folder=folder) for argument in arguments))
    told = " ".join(capsys.readouterr().err.split())
    assert (code, expected in told) == (2, True), told
    assert "Traceback" not in told
    assert not Path("out.jsonl").exists()


def test_images_from_files_and_from_an_array(tmp_path):
    export_folder(tmp_path / "vit", "softmax", {"base": "tiny-vit", "adapter": "none"}, image="image")
    names = write_images(tmp_path, 12)
    write_jsonl(tmp_path / "rows.jsonl", [{"image": name} for name in [*names[:5], "missing.png", *names[5:]]])
    from rarecall.trainables.data.images import read_image  # noqa: PLC0415

    pixels = np.stack([read_image(tmp_path / name) for name in names])
    np.savez(tmp_path / "rows.npz", image=pixels, key=np.arange(12))
    files, array = tmp_path / "files.jsonl", tmp_path / "array.jsonl"
    predict(PredictOptions(tmp_path / "vit", tmp_path / "rows.jsonl", files, skip=True), QUIET)
    predict(PredictOptions(tmp_path / "vit", tmp_path / "rows.npz", array, keep=True), QUIET)
    from_files, from_array = read_jsonl(files), read_jsonl(array)
    assert "missing.png" in from_files.pop(5)["error"]
    assert [row["key"] for row in from_array] == list(range(12))
    assert [row["predicted"] for row in from_files] == [row["predicted"] for row in from_array]


def test_a_labelled_file_gives_predictions_beside_the_truth(folder, tmp_path):
    given = texts(20)
    # The model's classes count, not those that the file happens to hold.
    true = ["high" if i % 3 else "low" for i in range(20)]
    rows = [{"text": text, "label": label} for text, label in zip(given, true, strict=True)]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    predictions, labels = predict_labelled(folder, source)
    predict(PredictOptions(folder, source, tmp_path / "out.jsonl"), QUIET)
    assert labels.classes == tuple(CLASSES)
    assert [labels.classes[i] for i in predictions.true_class] == true
    expected = [row["predicted"] for row in read_jsonl(tmp_path / "out.jsonl")]
    assert [labels.classes[i] for i in predictions.predicted_class] == expected
    with pytest.raises(InputError, match="class must be one of"):
        predict_labelled(folder, write_jsonl(tmp_path / "bad.jsonl", [{**rows[0], "label": "huge"}, *rows]))


def test_evaluate_takes_a_model_and_labelled_rows(folder, tmp_path, monkeypatch, capsys):
    given = texts(20)
    rows = [{"text": text, "label": CLASSES[i % 3]} for i, text in enumerate(given)]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    assert not rarecall(monkeypatch, "evaluate", folder, "--data", source, "--json")
    found = json.loads(capsys.readouterr().out)
    predict(PredictOptions(folder, source, tmp_path / "out.jsonl"), QUIET)
    right = [row["predicted"] == rows[row["row"]]["label"] for row in read_jsonl(tmp_path / "out.jsonl")]
    assert np.trace(found["confusion"]) == sum(right)
    assert np.sum(found["confusion"]) == 20


# The command, with chunks so small that it can be killed between two of them.
SMALL_CHUNKS = """
from rarecall.search.cli import main
from rarecall.search.predict import command
command.CHUNK_ROWS = 16
main()
"""


def test_a_process_that_is_killed_and_started_again_writes_each_row_once(folder, tmp_path):
    source = write_jsonl(tmp_path / "rows.jsonl", [{"text": text} for text in texts(600)])
    target, progress = tmp_path / "out.jsonl", tmp_path / "out.jsonl.progress.json"
    command = [sys.executable, "-c", SMALL_CHUNKS, "predict", folder, source, "-o", target]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while not (progress.exists() and json.loads(progress.read_text())["rows"] >= 32):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert progress.exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "of 600 rows already; resuming after them" in done.stderr
    assert [row["row"] for row in read_jsonl(target)] == list(range(600))
    assert {path.name for path in tmp_path.iterdir()} == {"rows.jsonl", "out.jsonl"}


def test_items_made_ahead_come_in_order_with_their_errors():
    def items():
        yield from (1, 2)
        raise ValueError("three is missing")

    seen = []
    with pytest.raises(ValueError, match="three is missing"):
        seen.extend(ahead(items()))
    assert list(ahead(iter([1, 2, 3]))) == [1, 2, 3]


def test_the_distance_to_a_cut_has_a_sign():
    assert cut_distance(np.array([5.0, 6.0]), np.array([6.0])).tolist() == [-1.0, 0.0]
