"""Dotted keys: `training.learning_rate` into a nested mapping, from `--set` and from a trial's parameters."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from rarecall.analysis.errors import Fault, InputError
from rarecall.search.experiment.yaml_file import parse_yaml


def with_values(tree: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `tree` in which each dotted key holds its value; sections on the way are made.

    >>> with_values({"training": {"epochs": 3}}, {"training.epochs": 5, "model.lora.rank": 4})
    {'training': {'epochs': 5}, 'model': {'lora': {'rank': 4}}}
    """
    changed: dict[str, Any] = copy.deepcopy(dict(tree))
    for dotted, value in values.items():
        *sections, last = dotted.split(".")
        node = changed
        for section in sections:
            if not isinstance(node.get(section), dict):
                node[section] = {}
            node = node[section]
        node[last] = value
    return changed


def value_at(tree: Mapping[str, Any], dotted: str) -> Any:
    """The value of a dotted key; None where a section or the key is missing.

    >>> value_at({"model": {"lora": {"rank": 4}}}, "model.lora.rank")
    4
    """
    node: Any = tree
    for part in dotted.split("."):
        if not isinstance(node, Mapping):
            return None
        node = node.get(part)
    return node


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """`key=value` texts to dotted keys and YAML values.

    Raises:
        InputError: an assignment without `=`, without a key, or whose value is not YAML.
    """
    values: dict[str, Any] = {}
    faults = []
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            faults.append(Fault("--set", "must read key=value", repr(assignment)))
            continue
        # A space's key has dots of its own: space.training.learning_rate is one key below `space`.
        try:
            values[key.strip()] = parse_yaml(text)
        except yaml.YAMLError as failure:
            faults.append(Fault(f"--set {key}", f"value is not YAML: {failure}", repr(text)))
    if faults:
        raise InputError("command line", faults)
    return values
