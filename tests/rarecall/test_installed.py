"""The wheel in a fresh environment, used from a folder whose own modules have the names of ours and refuse to load."""

import json
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import venv
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.import_graph import NAME, PACKAGES, ROOT
from tests.tiny_experiment import TIERED

SHIPPED = ("pyproject.toml", "README.md", "LICENSE", NAME, *PACKAGES)
REFUSES = "raise RuntimeError('the user\\'s own module was loaded')\n"
# As a data project has them: packages and modules.
OWN_PACKAGES, OWN_MODULES = ("analysis", "trainables", "tests"), ("losses.py", "search.py")
SCRIPT = """
import pandas as pd
import rarecall

if __name__ == "__main__":
    frame = pd.read_json("articles.jsonl", lines=True)
    run = rarecall.tune("frame.yaml", data=frame, overwrite=True)
    print(run.leaderboard()[["trial", "minority_recall"]])
    run.export("from_frame", force=True)
    rarecall.load_model("from_frame").predict(frame).to_json("labels.json", orient="values")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A fresh environment with the wheel and what it depends on; gives its folder of programs."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    source.mkdir()
    for name in SHIPPED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name, **({"symlinks": True} if copy is shutil.copytree else {}))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run([*pip, *build], check=True)
    venv.create(folder / "venv", symlinks=True)
    site = next((folder / "venv").glob("lib/python*/site-packages"))
    # What we depend on, without the editable install beside it: files named here are not read for further paths.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    before = {path.name for path in site.iterdir()}
    (wheel,) = folder.glob("*.whl")
    python = str(folder / "venv" / "bin" / "python")
    subprocess.run([*pip, "--python", python, "install", "--quiet", "--no-deps", str(wheel)], check=True)
    gained = {path.name for path in site.iterdir()} - before
    assert {name for name in gained if not name.endswith(".dist-info")} == {NAME}
    return folder / "venv" / "bin"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for name in OWN_PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(REFUSES)
    for name in OWN_MODULES:
        (folder / name).write_text(REFUSES)
    tree = {
        **TIERED,
        "search": {"trials": 2, "baselines": False},
        "model": {**TIERED["model"], "base": "tiny-byt5", "adapter": "none"},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    frame = {**tree, "name": "frame", "data": {key: value for key, value in tree["data"].items() if key != "path"}}
    (folder / "frame.yaml").write_text(yaml.safe_dump(frame, sort_keys=False))
    (folder / "script.py").write_text(textwrap.dedent(SCRIPT))
    return folder


def run(program, folder, *arguments):
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.timeout(600)
def test_the_wheel_works_in_a_folder_with_modules_of_the_same_names(installed, hostile):
    command = installed / NAME
    run(command, hostile, "generate", "-o", "articles.jsonl", "--rows", "160")
    run(command, hostile, "train", "tiny.yaml")
    run(command, hostile, "tune", "tiny.yaml")
    run(command, hostile, "export", "runs/tiny", "-o", "model", "--force")
    run(command, hostile, "predict", "model", "articles.jsonl", "-o", "labelled.jsonl", "--ray")
    labels = [json.loads(line)["predicted"] for line in (hostile / "labelled.jsonl").read_text().splitlines()]
    assert len(labels) == 160
    assert "ended" not in run(installed / "python", hostile, "-m", NAME, "leaderboard", "runs/tiny")


@pytest.mark.timeout(600)
def test_ten_lines_of_python_lead_from_a_frame_to_the_labels_of_the_command_line(installed, hostile):
    if not (hostile / "articles.jsonl").exists():
        run(installed / NAME, hostile, "generate", "-o", "articles.jsonl", "--rows", "160")
    assert len(SCRIPT.strip().splitlines()) <= 10
    run(installed / "python", hostile, "script.py")
    run(installed / NAME, hostile, "predict", "from_frame", "articles.jsonl", "-o", "beside.jsonl")
    beside = pd.read_json(Path(hostile, "beside.jsonl"), lines=True)
    assert json.loads(Path(hostile, "labels.json").read_text()) == beside["predicted"].tolist()
