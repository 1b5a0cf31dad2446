"""The experiment: one YAML file that says everything, validated as a whole before anything runs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from rarecall.analysis.criteria.criterion import SECONDS, parse, split_key
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.metrics import registry as metrics
from rarecall.analysis.plugins.loading import in_force
from rarecall.analysis.plugins.plugin import Plugin
from rarecall.analysis.settings import BASE, EPOCHS, LOSS_NAME, ROWS_PER_EPOCH, SCHEME, SECOND_OBJECTIVE
from rarecall.search.experiment.overrides import value_at, with_values
from rarecall.search.experiment.plugins import load_plugins
from rarecall.search.experiment.rungs import StopEarlyConfig
from rarecall.search.experiment.space import (
    Condition,
    SpaceEntry,
    conditions,
    default_space,
    is_searchable,
)
from rarecall.search.experiment.validation_errors import faults_of, nearest, value_fault
from rarecall.search.experiment.yaml_file import read_extended
from rarecall.trainables.config import TrialConfig, check_loss
from rarecall.trainables.data.reading.locations import resolved
from rarecall.trainables.imbalance import sampling, schemes
from rarecall.trainables.section import Section
from rarecall.trainables.tasks.config import default_loss, loss_parameters, loss_target


class FinalistsConfig(Section):
    """The best `count` trials are trained again on `folds` other folds and seeds before one is named the winner.

    race: folds are added only as long as they can change which one wins.
    """

    count: int = Field(3, ge=1)
    folds: int = Field(5, ge=2)
    race: bool = True


class SearchConfig(Section):
    """How many trials, for how long, and when one is given up. `stop_early: null` trains each to its end."""

    trials: int = Field(16, ge=1)
    seed: int = Field(0, ge=0)
    time_budget: float | None = Field(None, gt=0, description="seconds; running trials are stopped when it is used up")
    rows: int | None = Field(
        None, ge=1, description="training rows that an epoch of a trial takes, in each epoch others; null: all"
    )
    stop_early: StopEarlyConfig | None = StopEarlyConfig()
    finalists: FinalistsConfig | None = None
    refit: int = Field(
        1, ge=0, description="of the best trials, trained again on all rows where they have not seen them"
    )

    def rows_by_epoch(self, epochs: int) -> list[int | None] | None:
        """Training rows of each of a trial's epochs, None for all of them; None where nothing is said here."""
        if self.rows is None:
            return None
        if self.stop_early is not None and self.stop_early.grow_rows:
            return self.stop_early.growing(self.rows, epochs)
        return [self.rows] * epochs

    second_objective: str | None = Field(None, description="weighed against the objective; also `seconds`")
    known_points: bool = Field(True, description="after the experiment's own settings, some that are known to do well")
    screen: int = Field(0, ge=0, description="mitigations tried on frozen features first; the best head is a trial")
    baselines: bool = Field(True, description="what simple models reach, as rows beside the trials")
    trackers: tuple[Literal["mlflow", "wandb"], ...] = Field((), description="told beside TensorBoard")


class ResourcesConfig(Section):
    """What a slot takes, and how many slots there are. `auto`: as many as the cluster holds, one GPU each if any; one
    CPU, or an equal share of this machine's where a search has it for itself and no GPU.
    """

    slots: int | Literal["auto"] = "auto"
    workers: int = Field(1, ge=1, description="processes per slot that share one trial")
    cpus_per_worker: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    gpus_per_worker: float | Literal["auto"] = "auto"
    epoch_timeout: Annotated[float, Field(gt=0)] | Literal["auto"] | None = Field(
        "auto", description="seconds after which a slot without an answer is given up; auto: 20 of its longest epochs"
    )


class StorageConfig(Section):
    """Where run folders go: a local or shared folder, relative to the experiment file."""

    path: str = "runs"


class BandConfig(Section):
    """One outcome: when a trial is in it, and what to do then. By default a failure takes any of its criteria, every
    other band all of them.
    """

    criteria: tuple[str, ...] = Field(min_length=1)
    next_steps: tuple[str, ...] = ()
    when: Literal["all", "any"] | None = None


class Experiment(TrialConfig):
    """All sections; see docs/experiment.md."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    plugins: tuple[str, ...] = Field(
        (), description="modules, or files relative to the experiment file; see extensions"
    )
    space: dict[str, SpaceEntry | None] = Field(default_factory=dict)
    auto_space: bool = Field(False, description="from `space: auto`, or `auto: true` beside entries of one's own")
    criteria: tuple[str, ...] = ()
    bands: dict[str, BandConfig] = Field(default_factory=dict, description="outcomes by name, the best one first")
    objective: str = "minority_recall"
    search: SearchConfig = SearchConfig()
    resources: ResourcesConfig = ResourcesConfig()
    storage: StorageConfig = StorageConfig()

    @model_validator(mode="before")
    @classmethod
    def _auto_space(cls, values: Any) -> Any:
        """Take `auto` out of the space, where all other keys are entries."""
        if not isinstance(values, Mapping):
            return values
        space = _with_auto(values.get("space"))
        if not isinstance(space, Mapping) or "auto" not in space:
            return values
        if not isinstance(space["auto"], bool):
            raise ValueError(f"space.auto: must be true or false, got {space['auto']!r}")
        rest = {key: entry for key, entry in space.items() if key != "auto"}
        return {**values, "space": rest, "auto_space": space["auto"]}

    @field_validator("plugins", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _sharding_has_workers(self) -> "Experiment":
        if self.training.sharding != "none" and self.resources.workers == 1:
            raise ValueError(
                f"training.sharding: {self.training.sharding} needs resources.workers of at least 2 to spread weights "
                "over, got 1"
            )
        return self

    @model_validator(mode="after")
    def _rows_are_said_once(self) -> "Experiment":
        if self.search.rows is not None and self.training.rows_per_epoch is not None:
            raise ValueError(
                f"search.rows: says how many rows an epoch takes, got {self.search.rows} beside "
                f"training.rows_per_epoch: {self.training.rows_per_epoch} (leave one of them out)"
            )
        return self

    def full_space(self) -> dict[str, SpaceEntry]:
        """The defaults with the experiment's own entries over them; a null entry removes one.

        With `auto_space`, what is derived from the labels comes with the data (`search.experiment.auto_space`).
        """
        scheme = self.training.class_weights.scheme
        defaults = default_space(self.loss_target, self.model.adapter, self.loss_parameters, scheme)
        merged = {**defaults, **self.space}
        return {key: entry for key, entry in merged.items() if entry is not None}

    def conditions(self) -> dict[str, Condition]:
        """By key of the full space, when a parameter exists."""
        return conditions(self.full_space(), lambda name: loss_parameters(name, self.loss_target))

    def own_settings(self, keys: Collection[str]) -> dict[str, Any]:
        """What the experiment itself has under these dotted keys, the task's loss where it names none."""
        settings = self.settings()
        own = {key: value_at(settings, key) for key in keys}
        return own | {key: own[key] or default_loss(self.loss_target) for key in own if key == LOSS_NAME}


@dataclass(frozen=True)
class LoadedExperiment:
    """A validated experiment, the mapping it was read from, and the folder that its relative paths count from."""

    experiment: Experiment
    tree: dict[str, Any]
    folder: Path

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """What the experiment's plugins are, and those that installed packages bring."""
        return in_force(self.experiment.plugins)

    def trial_tree(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The sections one trial needs as plain values, with its parameters put in; the rows of its epochs are those
        of the search where nothing else is said.

        Raises:
            InputError: parameters, of a ledger say, that the experiment does not allow.
        """
        sections = {key: self.tree[key] for key in TrialConfig.model_fields if key in self.tree}
        epochs = params.get(EPOCHS, self.experiment.training.epochs)
        # What is wrong with any others is told below.
        rows = self.experiment.search.rows_by_epoch(epochs) if isinstance(epochs, int) else None
        given = {ROWS_PER_EPOCH: rows, **params} if rows else params
        try:
            return TrialConfig.model_validate(with_parameters(sections, given)).model_dump(mode="json")
        except ValidationError as error:
            raise InputError("parameters of a trial", faults_of(error, TrialConfig)) from None

    def without_search(self) -> "LoadedExperiment":
        """The same experiment as one trial of its own settings."""
        single = dict.fromkeys([*self.experiment.space, *self.experiment.full_space()])
        baselines = self.experiment.search.baselines
        search = {"trials": 1, "stop_early": None, "finalists": None, "refit": 0, "baselines": baselines}
        tree = with_values(self.tree, {"name": f"{self.experiment.name}-train", "search": search})
        tree["space"] = single
        return LoadedExperiment(Experiment.model_validate(tree), tree, self.folder)

    def run_folder(self) -> Path:
        return (self.folder / self.experiment.storage.path / self.experiment.name).resolve()

    def tree_for_run(self) -> dict[str, Any]:
        """The mapping with paths that hold from anywhere, to be kept beside the ledger."""
        data = resolved(self.tree["data"], self.folder)
        storage = {**(self.tree.get("storage") or {}), "path": str(self.run_folder().parent)}
        tree = {**self.tree, "data": data, "storage": storage}
        if self.experiment.plugins:
            tree["plugins"] = [plugin.kept_as for plugin in self.plugins if not plugin.automatic]
        base = self.folder / self.experiment.model.base
        return with_values(tree, {BASE: str(base.resolve())}) if base.is_dir() else tree


def load_experiment(path: Path, overrides: Mapping[str, Any] | None = None) -> LoadedExperiment:
    """Read, override and validate an experiment file.

    Raises:
        InputError: every fault of the file at once, each with its key path.
    """
    return experiment_from(read_extended(path), path.resolve().parent, overrides, str(path))


def experiment_from(
    tree: Mapping[str, Any], folder: Path, overrides: Mapping[str, Any] | None = None, name: str = "experiment"
) -> LoadedExperiment:
    """Override and validate an experiment given as a mapping; its relative paths count from `folder`.

    Raises:
        InputError: as `load_experiment`; `name` is what it is about.
    """
    tree = _apply_overrides(dict(tree), overrides or {})
    load_plugins(tree.get("plugins"), folder)
    faults = [*_section_faults(tree), *_loss_faults(tree), *_space_faults(tree), *_criteria_faults(tree)]
    if faults:
        raise InputError(name, list(dict.fromkeys(faults)))
    return LoadedExperiment(Experiment.model_validate(tree), tree, folder)


def _apply_overrides(tree: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides below `space` name one dotted key there; all others are paths through the sections."""
    plain = {key: value for key, value in overrides.items() if not key.startswith("space.")}
    changed = with_values(tree, plain)
    for key, value in overrides.items():
        if key.startswith("space."):
            changed["space"] = {**(_with_auto(changed.get("space")) or {}), key.removeprefix("space."): value}
    return changed


def _with_auto(space: Any) -> Any:
    """`space: auto` as a mapping like any other."""
    return {"auto": True} if space == "auto" else space


def _section_faults(tree: Mapping[str, Any]) -> list[Fault]:
    try:
        Experiment.model_validate(tree)
    except ValidationError as error:
        return faults_of(error, Experiment)
    return []


def _space_faults(tree: Mapping[str, Any]) -> list[Fault]:
    """Keys of the space that no trial may vary, and ends of ranges that the experiment itself would refuse."""
    space = tree.get("space")
    if not isinstance(space, Mapping):
        return []
    faults: list[Fault] = []
    for key, raw in space.items():
        if key == "auto":
            continue
        if not is_searchable(str(key)):
            rule = "cannot be searched: it must be below `model` or `training`, and not what all trials share"
            faults.append(Fault(f"space.{key}", rule, remedy=nearest(str(key), searchable_keys())))
            continue
        try:
            entry: SpaceEntry | None = TypeAdapter(SpaceEntry | None).validate_python(raw)
        except ValidationError:
            continue  # told with the sections
        faults += _condition_faults(str(key), entry, space)
        for value in entry.extremes() if entry else ():
            faults += _fault_of_value(tree, str(key), value, _companions(str(key), tree))
    return faults


def _condition_faults(key: str, entry: SpaceEntry | None, space: Mapping[str, Any]) -> list[Fault]:
    """Conditions must be on choices of the space that are always there."""
    faults = []
    for parent, values in entry.when.items() if entry else ():
        raw = space.get(parent)
        choices = raw.get("choices") if isinstance(raw, Mapping) and not raw.get("when") else None
        unknown = [value for value in values if value not in (choices or ())]
        if unknown:
            rule = "must name choices of the space that have no condition themselves"
            remedy = f"choices of {parent}: {choices}" if choices else "give that key `choices` in the space"
            faults.append(Fault(f"space.{key}.when.{parent}", rule, repr(unknown), remedy))
    return faults


def _companions(key: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    """The loss or the scheme that a searched parameter of it needs, where these are searched too and another is set."""
    if key.rpartition(".")[0] == SCHEME.rpartition(".")[0] and key != SCHEME:
        choices = (tree["space"].get(SCHEME) or {}).get("choices") or ()
        readers = [one for one in choices if key.rpartition(".")[2] in schemes.parameters(str(one))]
        return {SCHEME: readers[0]} if readers else {}
    choices, task = (tree["space"].get(LOSS_NAME) or {}).get("choices") or (), tree.get("task")
    section, _, name = key.rpartition(".")
    if section != LOSS_NAME.rpartition(".")[0] or key == LOSS_NAME or not isinstance(task, Mapping):
        return {}
    readers = [one for one in choices if name in loss_parameters(str(one), loss_target(task))]
    return {LOSS_NAME: readers[0]} if readers else {}


def _fault_of_value(tree: Mapping[str, Any], key: str, value: Any, companions: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with a searched value that was not wrong without it."""
    sections = {name: tree[name] for name in TrialConfig.model_fields if name in tree}
    before, params = _messages(sections), {key: value, **companions}
    faults = [fault for fault in _trial_faults(with_parameters(sections, params)) if str(fault) not in before]
    return [Fault(f"space.{key}", fault.rule, fault.value or repr(value), fault.remedy) for fault in faults[:1]]


def with_parameters(sections: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The sections with a trial's parameters put in; where the loss or the weighting scheme is one of them, without
    what it does not read.
    """
    tree = with_values(sections, params)
    if SCHEME in params:
        tree = with_values(tree, {"training.class_weights": _read_by_scheme(tree["training"]["class_weights"])})
    task = tree.get("task")
    target = loss_target(task) if LOSS_NAME in params and isinstance(task, Mapping) else None
    if target is None:
        return tree
    known = loss_parameters(params[LOSS_NAME], target)
    loss = {key: value for key, value in tree["training"]["loss"].items() if key == "name" or key in known}
    return with_values(tree, {"training.loss": loss})


def _read_by_scheme(section: Mapping[str, Any]) -> dict[str, Any]:
    """Class weights without the parameters of other schemes than theirs."""
    own = schemes.parameters(str(section["scheme"]))
    others = {key for name in schemes.names() for key in schemes.parameters(name)} - {*own, "strength", "beta"}
    return {key: value for key, value in section.items() if key not in others}


def _messages(sections: Mapping[str, Any]) -> set[str]:
    return {str(fault) for fault in _trial_faults(sections)}


def _trial_faults(sections: Mapping[str, Any]) -> list[Fault]:
    try:
        TrialConfig.model_validate(sections)
    except ValidationError as error:
        return faults_of(error, TrialConfig)
    return []


def searchable_keys() -> list[str]:
    """Dotted keys that make sense in a space, for the nearest match to a typo."""
    return [
        *default_space("classes", "lora", ("gamma",), "power"),
        *_dotted(TrialConfig.model_fields, ("model", "training")),
        *(f"training.class_weights.{key}" for name in schemes.names() for key in schemes.parameters(name)),
        *(f"training.{name}.{key}" for name in sampling.names() for key in sampling.parameters(name)),
    ]


def _dotted(fields: Mapping[str, Any], sections: Sequence[str]) -> list[str]:
    keys = []
    for name in sections:
        annotation = fields[name].annotation
        inner = getattr(annotation, "model_fields", None)
        keys += [f"{name}.{key}" for key in _dotted(inner, list(inner))] if inner else [name]
    return keys


def _criteria_faults(tree: Mapping[str, Any]) -> list[Fault]:
    """Criteria that cannot be read; whether their classes exist is checked once the data are known."""
    faults = _unreadable("criteria", tree.get("criteria"))
    bands = tree.get("bands")
    for name, band in bands.items() if isinstance(bands, Mapping) else ():
        if isinstance(band, Mapping):
            faults += _unreadable(f"bands.{name}.criteria", band.get("criteria"))
    faults += _objective_faults("objective", tree.get("objective", "minority_recall"))
    search = tree.get("search")
    second = search.get("second_objective") if isinstance(search, Mapping) else None
    return faults if second is None else [*faults, *_objective_faults(SECOND_OBJECTIVE, second, (SECONDS,))]


def _objective_faults(where: str, objective: Any, others: tuple[str, ...] = ()) -> list[Fault]:
    """What is no metric and none of the others."""
    name = str(objective)
    if name in others or metrics.find(split_key(name)[0]) is not None:
        return []
    rule = "must be a metric, with its class or dimension if it has one" + "".join(f", or {one}" for one in others)
    return [Fault(where, rule, repr(name), nearest(name, [*(one.name for one in metrics.registered()), *others]))]


def _unreadable(where: str, criteria: Any) -> list[Fault]:
    faults = []
    for number, text in enumerate(criteria if isinstance(criteria, list) else ()):
        try:
            parse(str(text))
        except ValueError as error:
            faults.append(Fault(f"{where}[{number}]", str(error)))
    return faults


def _loss_faults(tree: Mapping[str, Any]) -> list[Fault]:
    """The loss against the task, also when other sections keep the whole from being built."""
    training, task = tree.get("training"), tree.get("task")
    loss = training.get("loss") if isinstance(training, Mapping) else None
    if not isinstance(loss, Mapping) or not isinstance(task, Mapping):
        return []
    target = loss_target(task)
    if target is None:
        return []  # told with the sections
    try:
        check_loss(target, loss)
    except ValueError as error:
        return [value_fault(str(error))]
    return []
