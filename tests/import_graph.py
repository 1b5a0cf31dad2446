"""The import graph of the packages: modules, arrows, circles, files per folder, lengths of functions.

`python -m tests.import_graph [ROOT]` prints them; ROOT is another checkout.
"""

import ast
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

ROOT = Path(__file__).parents[1]
PACKAGES = ("search", "trainables", "losses", "analysis")
NAME = "rarecall"


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
    """Absolute names of all that the source of a module of `package` imports, at any depth: `module.name` for names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve(node.module or "", node.level, package)
            yield from (f"{module}.{alias.name}" if module else alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and (name := called_name(node)) is not None:
            bare = name.lstrip(".")
            yield resolve(bare, len(name) - len(bare), package)


def sources(root: Path = ROOT) -> dict[str, str]:
    """Source of every module by its path, relative to the repository, without the links below `rarecall/`."""
    folders = [root / name for name in PACKAGES]
    paths = [*(path for folder in folders for path in folder.rglob("*.py")), *(root / NAME).glob("*.py")]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in sorted(paths)}


def module_name(path: str) -> str:
    """The name a module is imported under.

    >>> module_name("analysis/runs/ledger.py"), module_name("analysis/runs/__init__.py"), module_name("rarecall/api.py")
    ('rarecall.analysis.runs.ledger', 'rarecall.analysis.runs', 'rarecall.api')
    """
    dotted = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return dotted if dotted.split(".")[0] == NAME else f"{NAME}.{dotted}"


def package_of(path: str) -> list[str]:
    """The package that relative imports of a module count from."""
    name = module_name(path).split(".")
    return name if path.endswith("__init__.py") else name[:-1]


def arrows(root: Path = ROOT, prefix: str = NAME) -> dict[str, set[str]]:
    """Which modules each module imports, nested imports included. prefix: "" for a checkout without the name."""
    found = sources(root)
    names = {module_name(path).removeprefix("" if prefix else f"{NAME}."): path for path in found}
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        package = package_of(path) if prefix else package_of(path)[1:]
        graph[name] = {target for one in imported(found[path], package) if (target := _module(one, names)) is not None}
        graph[name].discard(name)
    return graph


def _module(name: str, names: dict[str, str]) -> str | None:
    """The module that `module.name` stands for: the module of that name, or the one that holds it."""
    return next((one for one in (name, name.rpartition(".")[0]) if one in names), None)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of two or more modules that reach each other: strongly connected components."""
    names = sorted(graph)
    matrix = np.array([[other in graph[name] for other in names] for name in names])
    _, group = connected_components(csr_matrix(matrix), connection="strong")
    together = [[name for name, one in zip(names, group, strict=True) if one == number] for number in set(group)]
    return [members for members in together if len(members) > 1]


def function_lengths(root: Path = ROOT) -> list[int]:
    """Lines of each function from its `def` on, ascending."""
    nodes = (node for source in sources(root).values() for node in ast.walk(ast.parse(source)))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return sorted((node.end_lineno or node.lineno) - node.lineno + 1 for node in functions)


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    graph = arrows(root, NAME if (root / NAME).exists() else "")
    folders = Counter(path.rpartition("/")[0] for path in sources(root) if not path.endswith("__init__.py"))
    lengths = function_lengths(root)
    print(f"modules {len(graph)}, arrows {sum(map(len, graph.values()))}, circles {len(circles(graph))}")
    for circle in circles(graph):
        print(f"  circle: {' <-> '.join(circle)}")
    percentile = lengths[int(0.9 * len(lengths))]
    print(f"functions {len(lengths)}: median {statistics.median(lengths):g}, p90 {percentile}, longest {lengths[-1]}")
    for folder, count in sorted(folders.items()):
        print(f"{count:4} {folder}")


if __name__ == "__main__":
    main()
