"""The script in a model card, run in a fresh process, gives the labels of `rarecall predict`."""

import ast
import json
import re
import subprocess
import sys

import pytest
from rich.console import Console

from rarecall.search.predict.command import PredictOptions, predict
from tests.exported_folder import CLASSES, LORA, TASKS, export_folder, texts, write_images

# Runs one program after another and prints what each printed, as JSON.
RUNNER = """
import contextlib, io, json, sys
told = []
for program in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(program, {})
    told.append(printed.getvalue())
assert not {"rarecall", "ray"} & sys.modules.keys()
print(json.dumps(told))
"""


def script_labels(folders, given, inputs='["a text"]'):
    """What the scripts of the cards print for the given inputs, run beside their folders."""
    programs = []
    for folder in folders:
        (script,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
        assert inputs in script
        programs.append(script.replace(inputs, repr(given)))
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        cwd=folders[0].parent,
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [ast.literal_eval(told) for told in json.loads(done.stdout.splitlines()[-1])]


def predicted(folder, source):
    output = folder.with_suffix(".out.jsonl")
    predict(PredictOptions(folder, source, output), Console(quiet=True))
    return [json.loads(line)["predicted"] for line in output.read_text().splitlines()]


@pytest.fixture
def written(tmp_path):
    """A file of 60 texts."""
    given = texts(60)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in given))
    return tmp_path / "rows.jsonl", given


def test_the_scripts_of_all_tasks_give_the_labels_of_predict(written, tmp_path):
    path, given = written
    folders = [tmp_path / task for task in TASKS]
    for folder in folders:
        export_folder(folder, folder.name)
    ours = [predicted(folder, path) for folder in folders]
    for task, labels in zip(TASKS, ours, strict=True):
        assert {name for label in labels for name in ([label] if isinstance(label, str) else label)} == set(CLASSES), (
            task
        )
    assert script_labels(folders, given) == ours


def test_the_script_of_an_adapter_goes_with_its_folder(written, tmp_path):
    path, given = written
    export_folder(tmp_path / "adapter", "tiered_scores", LORA)
    moved = tmp_path / "elsewhere" / "adapter"
    moved.parent.mkdir()
    (tmp_path / "adapter").rename(moved)
    ours = predicted(moved, path)
    assert set(ours) == set(CLASSES)
    assert script_labels([moved], given) == [ours]


def test_the_script_of_a_merged_adapter_needs_no_peft(written, tmp_path):
    path, given = written
    export_folder(tmp_path / "merged", "corn", LORA, merge=True)
    ours = predicted(tmp_path / "merged", path)
    assert set(ours) == set(CLASSES)
    card = (tmp_path / "merged" / "README.md").read_text()
    assert "peft" not in card
    assert "A whole model, its LoRA adapter merged into the weights" in card
    assert script_labels([tmp_path / "merged"], given) == [ours]


def test_the_scripts_of_image_models_give_the_labels_of_predict(tmp_path):
    folders = [tmp_path / adapter for adapter in ("none", "lora")]
    for folder in folders:
        export_folder(folder, "corn", {"base": "tiny-vit", "adapter": folder.name}, image="file")
    names = write_images(tmp_path, 40)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"file": name}) + "\n" for name in names))
    ours = [predicted(folder, path) for folder in folders]
    assert all(len(set(labels)) > 1 for labels in ours)
    assert script_labels(folders, names, '["an image.png"]') == ours
    # Its outputs are steps between grades, which no program takes for classes.
    assert "pipeline_tag" not in (folders[0] / "README.md").read_text()
