"""Reading and writing the YAML of an experiment: duplicate keys refused, `1e-4` a number, `no` a text."""

import re
from pathlib import Path
from typing import Any

import yaml

from rarecall.analysis.errors import Fault, InputError

EXTENDS = "extends"


# Far beyond any experiment: files that are made to stop a reader have billions of values behind a few aliases.
MOST_CHARACTERS, MOST_VALUES, DEEPEST, LONGEST_NUMBER = 2**20, 100_000, 50, 300


class _Loader(yaml.SafeLoader):
    """Safe loader of the core schema of YAML 1.2 that refuses a key which stands twice, and has bounds."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # pyyaml's
            raise yaml.composer.ComposerError(None, None, f"values must not nest deeper than {DEEPEST}", mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _check_size(node)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be one word", key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                told = f"key {key!r} stands twice, first in line {seen[key]}"
                raise yaml.constructor.ConstructorError(None, None, told, key_node.start_mark)
            seen[key] = key_node.start_mark.line + 1
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Safe dumper that puts in quotes what either version of YAML takes for something else than a text."""


# The core schema of YAML 1.2 (section 10.3.2): `no`, `12:30` and dates are texts. Numbers without a dot before their
# exponent are those of JSON. An empty first letter stands for an empty value.
_CORE: tuple[tuple[str, str, list[str]], ...] = (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    ("float", r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)$", list("-+0123456789.")),
    ("float", r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", list("-+.")),
    ("merge", r"^(?:<<)$", ["<"]),
)
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _letters in _CORE:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _letters)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"Exceeds the limit of {LONGEST_NUMBER} digits of a whole number")
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def parse_yaml(text: str) -> Any:
    """One YAML value.

    Raises:
        yaml.YAMLError: the text is not YAML, a key stands twice, or it is larger than any experiment.
    """
    if len(text) > MOST_CHARACTERS:
        raise yaml.YAMLError(f"must hold at most {MOST_CHARACTERS:,} characters, got {len(text):,}")
    try:
        return yaml.load(text, Loader=_Loader)  # a subclass of SafeLoader
    except (ValueError, OverflowError) as failure:  # a date or a number that there is not
        raise yaml.YAMLError(str(failure)) from None


def _check_size(node: yaml.Node) -> None:
    """Count the values with each alias written out, and refuse too many, or an alias of what it stands in."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = MOST_VALUES  # until it is known: what holds itself has no end
            sizes[id(node)] = 1 + sum(size(part) for part in _parts(node))
        return sizes[id(node)]

    if size(node) > MOST_VALUES:
        rule = f"must hold at most {MOST_VALUES:,} values with all aliases written out"
        raise yaml.composer.ComposerError(None, None, rule, node.start_mark)


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a file holds.

    Raises:
        InputError: no such file, not UTF-8, not YAML, or not a mapping.
    """
    try:
        value = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(str(path), [Fault(str(path), "no such file")]) from None
    except (OSError, UnicodeDecodeError) as failure:
        raise InputError(str(path), [Fault(str(path), f"cannot be read: {failure}")]) from None
    except yaml.YAMLError as failure:
        raise InputError(str(path), [_yaml_fault(path, failure)]) from None
    if not isinstance(value, dict):
        raise InputError(str(path), [Fault(str(path), "must hold a mapping of sections", type(value).__name__)])
    return value


def read_extended(path: Path) -> dict[str, Any]:
    """The mapping that a file holds, laid over that of the file beside it which its key `extends` names.

    Sections are merged key by key; everything else of the file takes the place of what it extends.

    Raises:
        InputError: as `read_yaml`; `extends` names no file of the same folder, or the files lead back to one another.
    """
    layers = [read_yaml(path)]
    seen = [path.name]
    while EXTENDS in layers[-1]:
        name = layers[-1].pop(EXTENDS)
        if not isinstance(name, str) or Path(name).name != name:
            raise InputError(str(path), [Fault(EXTENDS, "must name a file of the same folder", repr(name))])
        if name in seen:
            raise InputError(str(path), [Fault(EXTENDS, "must not lead back to a file", " → ".join([*seen, name]))])
        seen.append(name)
        layers.append(read_yaml(path.parent / name))
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        merged = _merged(merged, layer)
    return merged


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`.

    >>> _merged({"model": {"base": "minilm", "max_length": 48}}, {"model": {"base": "roberta-base"}})
    {'model': {'base': 'roberta-base', 'max_length': 48}}
    """
    both = {key: _merged(below[key], value) for key, value in above.items() if _sections(below.get(key), value)}
    return {**below, **above, **both}


def _sections(*values: Any) -> bool:
    return all(isinstance(value, dict) for value in values)


def write_yaml(path: Path, value: dict[str, Any]) -> None:
    """Write a mapping in its own order."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    path.write_text(text, encoding="utf-8")


def on_one_line(value: Any) -> str:
    """A text or a list as it stands on a line of a file that `parse_yaml` reads, in quotes where it needs them.

    >>> on_one_line("no"), on_one_line("recall[a: b] >= 0.5"), on_one_line(["a", "b, c"])
    ("'no'", "'recall[a: b] >= 0.5'", "[a, 'b, c']")
    """
    # In brackets, where more needs quotes than outside.
    listed = value if isinstance(value, list) else [value]
    text = yaml.dump(listed, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=10**9).strip()
    return text if isinstance(value, list) else text[1:-1]


def _yaml_fault(path: Path, failure: yaml.YAMLError) -> Fault:
    mark = getattr(failure, "problem_mark", None)
    place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
    return Fault(place, f"is not valid YAML: {getattr(failure, 'problem', None) or failure}")
