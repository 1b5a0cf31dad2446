"""Every key of the experiment file changes something, so that none is accepted and silently ignored.

A key is changed in an experiment in which it can matter, and what is built from it is compared: the rows that are read,
the task and what it decides, two epochs of training, the plan of the search. Keys that show in a search or on other
hardware alone name the test that sees them.
"""

import copy
import functools
import json
import types
import typing

import numpy as np
import pytest
from pydantic import BaseModel

from rarecall.analysis.errors import InputError
from rarecall.analysis.runs.ledger import Ledger
from rarecall.search.cluster.session import layout_within
from rarecall.search.engine.folder.run_folder import RunFolder
from rarecall.search.engine.launch import _Search
from rarecall.search.engine.preparation.goals import goal_of
from rarecall.search.engine.preparation.header import header
from rarecall.search.engine.recorder import RunFiles
from rarecall.search.experiment.overrides import with_values
from rarecall.search.experiment.schema import Experiment, experiment_from
from rarecall.search.experiment.space import ChoicesConfig, RangeConfig
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import load_splits, prepare
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import load_processor, open_pool
from rarecall.trainables.tasks import TaskSection
from rarecall.trainables.tasks.registry import sections
from rarecall.trainables.training.loop import Trial
from rarecall.trainables.training.request import TrialRequest
from rarecall.trainables.training.session import TrainingSession
from rarecall.trainables.training.worker import Worker
from tests.import_graph import ROOT

COMMON = {
    "name": "keys",
    "data": {"path": "rows.jsonl", "label": "label", "split": {"validation": 0.3, "test": 0.2}},
    "model": {"base": "tiny-bert", "max_length": 16},
    "training": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3},
    "search": {"trials": 4},
    "resources": {"slots": 1},
}
TIERS = {"low": 0, "mid": 4, "high": 7}
# An experiment for each kind of task.
TASKS = {
    "multiclass": {"kind": "multiclass"},
    "ordinal": {"kind": "ordinal", "classes": ["common", "rare", "odd"]},
    "multilabel": {"kind": "multilabel", "labels": ["a", "b", "c"]},
    "tiered_scores": {
        "kind": "tiered_scores",
        "dimensions": {"x": {}, "y": {}},
        "tiers": {"low": 0, "mid": 4, "high": 7},
    },
}
DATA = {"multilabel": {"data.label": "tags"}, "tiered_scores": {"data.label": None}}
GATE = {"task.gatekeeper": {"dimension": "x", "cut": 5, "max_tier": "low"}}
FAILED = {"task.catastrophic": {"true_below": 4, "predicted_above": 5}}
WORDS = {"task.keywords": [{"any": ["engine"], "at_least": 6, "at_most": 9}]}
STAGES = {"task.two_stage": {"rare": "high"}}
ASKED = {"task.instruction": {}}
FIT = {"training.decision_rule.fit": True, "training.decision_rule.folds": 2}
BAND = {"bands": {"good": {"criteria": ["accuracy >= 0.5"]}, "bad": {"criteria": ["accuracy >= 0.1"]}}}
FINE = {"search.stop_early": {"grace_epochs": 1, "reduction": 3}}

# By key: what it is changed to, and with it what makes it matter, the same before and after.
CHANGES = {
    "name": ("other", {}),
    "criteria": (["accuracy >= 0.5"], {}),
    "objective": ("accuracy", {}),
    "auto_space": (True, {}),
    "space": ({"training.weight_decay": {"low": 0.0, "high": 0.1}}, {}),
    "bands.*.criteria": (["accuracy >= 0.9"], BAND),
    "bands.*.next_steps": (["label more"], BAND),
    "bands.*.when": ("any", BAND),
    "storage.path": ("elsewhere", {}),
    "search.trials": (9, {}),
    "search.seed": (5, {}),
    "search.second_objective": ("seconds", {}),
    "search.known_points": (False, {"search.trials": 16}),
    "search.stop_early.grace_epochs": (2, FINE),
    "search.stop_early.reduction": (4, FINE),
    "search.stop_early.grow_rows": (True, {"search.rows": 20} | FINE),
    "search.rows": (20, {}),
    "resources.slots": (2, {}),
    "resources.workers": (2, {}),
    "resources.cpus_per_worker": (2, {}),
    "resources.gpus_per_worker": (0.5, {}),
    "resources.epoch_timeout": (30, {}),
    "data.path": ("half.jsonl", {}),
    "data.train": ("half.jsonl", {"data.path": None, "data.train": "rows.jsonl", "data.validation": "rows.jsonl"}),
    "data.validation": ("half.jsonl", {"data.path": None, "data.train": "rows.jsonl", "data.validation": "rows.jsonl"}),
    "data.test": ("half.jsonl", {"data.path": None, "data.train": "rows.jsonl", "data.validation": "rows.jsonl"}),
    "data.format": ("csv", {}),
    "data.text": (["title", "text"], {}),
    "data.label": ("shape", {}),
    "data.label_separator": (";", {"task": TASKS["multilabel"] | {"labels": None}, "data.label": "tags"}),
    "data.slices": (["shape"], {}),
    "data.split.validation": (0.4, {}),
    "data.split.test": (0.1, {}),
    "data.split.seed": (7, {}),
    "data.split.group": ("shape", {}),
    "data.folds": (3, {}),
    "data.on_bad_row": ("skip", {"data.path": "bad.jsonl"}),
    "data.max_train_rows": (20, {}),
    "model.base": ("tiny-byt5", {}),
    "model.max_length": (8, {}),
    "model.adapter": ("none", {}),
    "model.lora.rank": (2, {}),
    "model.lora.alpha": (64.0, {}),
    "model.lora.dropout": (0.5, {}),
    "model.lora.targets": ("all_linear", {}),
    "model.lora.layers": ("last 1", {}),
    "training.epochs": (3, {}),
    "training.rows_per_epoch": (20, {}),
    "training.batch_size": (4, {}),
    "training.accumulation": (2, {}),
    "training.learning_rate": (1e-2, {}),
    "training.weight_decay": (0.9, {}),
    "training.warmup": (0.9, {}),
    "training.schedule": ("constant", {}),
    "training.clip_norm": (1e-3, {}),
    "training.precision": ("bf16", {"training.precision": "fp32"}),
    "training.gradient_checkpointing": (True, {}),
    "training.seed": (3, {}),
    "training.oversampling.ratio": (1.0, {}),
    "training.weighted_sampling.strength": (1.0, {}),
    "training.class_weights.scheme": ("balanced", {}),
    "training.class_weights.strength": (1.0, {}),
    "training.class_weights.beta": (0.1, {"training.class_weights.scheme": "effective_number"}),
    "training.class_weights.values": ({"rare": 3.0}, {}),
    "training.class_weights.cap": (1.5, {"training.class_weights.scheme": "inverse"}),
    "training.loss.name": ("logit_adjusted", {}),
    "training.decision_rule.fit": (True, {"training.decision_rule.folds": 2}),
    "training.decision_rule.folds": (3, {"task": TASKS["multilabel"], "data.label": "tags"} | FIT),
    "training.decision_rule.keywords": (False, {"task": TASKS["tiered_scores"], "data.label": None} | WORDS),
    "multiclass.classes": (["rare", "odd", "common"], {}),
    "multiclass.minority": (["odd"], {}),
    "ordinal.classes": (["rare", "odd", "common"], {}),
    "ordinal.minority": (["odd"], {}),
    "ordinal.link": ("softmax", {}),
    "multilabel.labels": (["c", "a", "b"], {}),
    "multilabel.minority": (["b"], {}),
    "multilabel.groups": ({"first": ["a", "b"]}, {}),
    "multilabel.implies": ({"b": "a"}, {}),
    "multilabel.excludes": ([["a", "c"]], {}),
    "multilabel.enforce_implications": (True, {"task.implies": {"b": "a"}}),
    "tiered_scores.dimensions.*.column": ("z", {}),
    "tiered_scores.dimensions.*.weight": (3.0, {}),
    "tiered_scores.range": ([0, 20], {}),
    "tiered_scores.tiers": ({"low": 0, "mid": 5, "high": 7}, {}),
    "tiered_scores.gatekeeper.dimension": ("y", GATE),
    "tiered_scores.gatekeeper.cut": (8, GATE),
    "tiered_scores.gatekeeper.max_tier": ("mid", GATE),
    "tiered_scores.catastrophic.true_below": (9, FAILED),
    "tiered_scores.catastrophic.predicted_above": (1, FAILED),
    "tiered_scores.keywords.*.any": (["calm"], WORDS),
    "tiered_scores.keywords.*.pattern": ("calm|engine", {"task.keywords": [{"pattern": "engine", "at_least": 6}]}),
    "tiered_scores.keywords.*.dimension": ("x", WORDS),
    "tiered_scores.keywords.*.at_least": (8, WORDS),
    "tiered_scores.keywords.*.at_most": (7, WORDS),
    "tiered_scores.two_stage.rare": ("low", STAGES),
    "tiered_scores.instruction.prompt": ("Say it: {text}", ASKED),
    "tiered_scores.instruction.decimals": (2, ASKED),
    "tiered_scores.instruction.answer_tokens": (99, ASKED),
    "tiered_scores.minority": (["mid"], {}),
}
# What shows only in a search, with several processes, with images or with a library that need not be there.
ELSEWHERE = {
    "plugins": "tests/search/end_to_end/test_plugins_end_to_end.py",
    "search.time_budget": "tests/search/engine/test_recorder.py",
    "search.finalists.count": "tests/search/end_to_end/test_tasks_end_to_end.py",
    "search.finalists.folds": "tests/search/end_to_end/test_tasks_end_to_end.py",
    "search.finalists.race": "tests/analysis/runs/ranking/test_finalists.py",
    "search.refit": "tests/search/end_to_end/test_refit.py",
    "search.trackers": "tests/search/engine/test_trackers.py",
    "search.baselines": "tests/search/engine/preparation/test_baselines.py",
    "search.screen": "tests/search/engine/preparation/test_baselines.py",
    "data.dataset": "tests/trainables/data/test_dividing.py",
    "data.split.column": "tests/trainables/data/test_dividing.py",
    "data.split.time": "tests/trainables/data/test_dividing.py",
    "data.label_names": "tests/trainables/data/test_label_meaning.py",
    "data.delimiter": "tests/trainables/data/files/test_kinds_of_files.py",
    "data.encoding": "tests/trainables/data/files/test_kinds_of_files.py",
    "data.quoting": "tests/trainables/data/files/test_kinds_of_files.py",
    "data.columns": "tests/trainables/data/files/test_kinds_of_files.py",
    "data.merge_alike": "tests/trainables/data/test_label_meaning.py",
    "data.image": "tests/search/end_to_end/test_tasks_end_to_end.py",
    "model.quantization": "tests/trainables/models/test_quantization.py",
    "model.frozen_cache_gb": "tests/search/engine/preparation/test_frozen.py",
    "model.frozen_cache_precision": "tests/search/engine/preparation/test_frozen.py",
    "training.optimizer": "tests/trainables/models/test_quantization.py",
    "training.sharding": "tests/trainables/models/test_sharding.py",
    "training.early_stopping": "tests/trainables/slot/test_slot.py",
    "training.augmentation.flip": "tests/trainables/training/test_augmentation.py",
    "training.augmentation.turn": "tests/trainables/training/test_augmentation.py",
    "training.augmentation.shift": "tests/trainables/training/test_augmentation.py",
}
TRAINED = ("model.", "training.", "data.folds")


def models(annotation):
    """The sections in an annotation, and whether they stand in a mapping or a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(annotation, False)]
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    several = origin in (dict, tuple, list)
    if several or origin in (typing.Union, types.UnionType, typing.Annotated):
        return [(model, several or inside) for one in args for model, inside in models(one)]
    return []


def leaves(section, above=""):
    """Dotted keys below a section that have no keys of their own; `*` for whatever name or number."""
    for name, field in section.model_fields.items():
        found = [
            (model, inside) for model, inside in models(field.annotation) if model not in (RangeConfig, ChoicesConfig)
        ]
        if (TaskSection, False) in found or name == "kind":
            continue
        if not found:
            yield above + name
        for model, inside in found:
            yield from leaves(model, f"{above}{name}.{'*.' if inside else ''}")


def every_key():
    yield from leaves(Experiment)
    for section in sections():
        (kind,) = typing.get_args(section.model_fields["kind"].annotation)
        yield from leaves(section, f"{kind}.")


def test_no_key_is_left_out():
    assert set(every_key()) == {*CHANGES, *ELSEWHERE}


@pytest.mark.parametrize("key", ELSEWHERE)
def test_a_key_that_shows_elsewhere_is_in_the_test_that_is_named(key):
    assert key.rpartition(".")[2] in (ROOT / ELSEWHERE[key]).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    lines = [json.dumps(row) for row in map(written_row, range(90))]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    (folder / "half.jsonl").write_text("\n".join(lines[::2]))
    (folder / "bad.jsonl").write_text("\n".join([*lines, '{"text": "", "label": "common"}']))
    return folder


def written_row(i):
    label = "rare" if i % 6 == 0 else "odd" if i % 5 == 0 else "common"
    text = {"rare": "engine on fire", "odd": "two violins", "common": "all calm here and there"}[label]
    return {
        "title": f"title {i % 4}",
        "text": f"{text} number {i} of a long row of many texts",
        "label": label,
        "shape": ("round", "square", "flat")[i % 3],
        "tags": "|".join(name for name, step in (("a", 2), ("b", 3), ("c", 5)) if i % step == 0),
        "a": int(i % 2 == 0),
        "b": int(i % 3 == 0),
        "c": int(i % 5 == 0),
        "x": (i * 7) % 10,
        "y": min(9, (i * 7) % 10 + i % 3),
        "z": (i * 9) % 10,
    }


def tree_for(key, changed):
    """The experiment with what makes the key matter, and with its change."""
    value, context = copy.deepcopy(CHANGES[key])
    first, _, rest = key.partition(".")
    kind = first if first in TASKS else "multiclass"
    tree = with_values({**COMMON, "task": TASKS[kind]}, {**DATA.get(kind, {}), **context})
    if changed:
        dotted = f"task.{rest}" if first in TASKS else key
        dotted = dotted.replace("bands.*", "bands.bad").replace("dimensions.*", "dimensions.x")
        if "keywords.*" in dotted:
            tree["task"]["keywords"][0][dotted.rpartition(".")[2]] = value
        elif key == "auto_space":
            tree["space"] = "auto"
        else:
            tree = with_values(tree, {dotted: value})
    return tree


def digest(array):
    return None if array is None else np.asarray(array).tolist()


def rows_of(part):
    if part is None:
        return None
    slices = {name: digest(values) for name, values in part.slices.items()}
    arrays = (part.classes, part.scores, part.labels, part.keywords)
    return [part.texts, part.groups, slices, *map(digest, arrays)]


def built(loaded, folder, place):
    """Rows, task and plan."""
    data = load_splits(loaded.experiment, folder)
    parts = [rows_of(part) for part in (data.train, data.validation, data.test)]
    return [parts, data.class_counts, repr(data.task), len(data.skipped), plan(loaded, data, place)]


def plan(loaded, data, place):
    experiment = loaded.experiment
    goal = goal_of(experiment, data.task.label_space)
    echoed = ("run_id", "data_hash", "versions")
    told = {key: value for key, value in header(experiment, data).items() if key not in echoed}
    with Ledger(place / "ledger.jsonl") as ledger:
        search = _Search(loaded, None, data, goal, RunFiles(ledger, RunFolder(place), {}), 1)
        searcher, scheduler = search._searcher(), search._scheduler()
        suggested = [repr(searcher.suggest(f"t{number}")) for number in range(3)]
    slots = layout_within(experiment.resources, experiment.search.trials, 4, 1)
    # Not what an object's own text says, which holds its address and so is never the same.
    rungs = None if scheduler is None else [scheduler.debug_string(), scheduler._share, scheduler._spared]
    return [repr(goal), repr(told), suggested, repr(slots), rungs, experiment.auto_space, str(loaded.run_folder())]


def trained(loaded, folder):
    """Two epochs as a slot would train them."""
    base = resolve_base(loaded.experiment.model.base, folder)
    data = prepare(loaded.experiment, load_processor(base), base=folder)
    run_trial = TrainingSession(base, goal_of(loaded.experiment, data.task.label_space))(data, Worker())
    tree = loaded.trial_tree({})
    results = list(run_trial(TrialRequest("t1", {}, tree), None))
    model = Trial(TrialConfig.model_validate(tree), data, open_pool(base, data.task, data.pad_id), Worker()).model
    saving = [name for name, part in model.named_modules() if getattr(part, "gradient_checkpointing", False)]
    return [saving] + [
        [r.train_loss, r.validation_loss, repr(r.metrics), repr(r.rule), repr(r.predictions)] for r in results
    ]


@pytest.fixture(scope="module")
def seen(folder, tmp_path_factory):
    """What an experiment comes to, the same one built and trained once."""

    @functools.cache
    def look(text, train):
        try:
            loaded = experiment_from(json.loads(text), folder)
            return json.dumps(
                trained(loaded, folder) if train else built(loaded, folder, tmp_path_factory.mktemp("plan"))
            )
        except InputError as refused:
            return str(refused)

    return lambda tree, train: look(json.dumps(tree), train)


@pytest.mark.parametrize("key", CHANGES)
def test_a_changed_key_changes_something(key, seen):
    train = key.startswith(TRAINED)
    before, after = seen(tree_for(key, False), train), seen(tree_for(key, True), train)
    assert "fault" not in before or key == "data.on_bad_row", before
    assert before != after
