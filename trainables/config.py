"""The sections of an experiment that one trial needs: data, model, training, and the task of `task_config`.

Every section refuses keys it does not know. Only builders read these; losses, samplers and models get flat arguments.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, field_validator, model_validator

from rarecall import losses
from rarecall.trainables.data.files.options import FormatChoice, Quoting
from rarecall.trainables.imbalance import sampling, schemes
from rarecall.trainables.section import Keys, Name, OpenSection, Section, joined_errors, key_errors
from rarecall.trainables.tasks.config import TaskConfig

FEWEST_FOLDS = 2
Rows = Annotated[int, Field(ge=1)]

# A file, a pattern such as `part-*.jsonl`, or several of either.
Files = str | Annotated[tuple[str, ...], Field(min_length=1)]


class SplitConfig(Section):
    """How rows are divided when the data come without splits. Shares are of all usable rows."""

    validation: float = Field(0.1, gt=0, lt=1)
    test: float = Field(0.1, ge=0, lt=1)
    seed: int = Field(42, ge=0)
    group: str | None = Field(None, description="column whose equal values stay in one split")
    column: str | None = Field(None, description="column that says `train`, `validation` or `test` of each row")
    time: str | None = Field(None, description="column of times: the latest rows are test, those before validation")

    @model_validator(mode="after")
    def _one_way(self) -> "SplitConfig":
        if self.column is not None and self.time is not None:
            raise ValueError("give `column` or `time`, not both")
        if self.time is not None and self.group is not None:
            raise ValueError(
                "`time` divides rows by their time alone, so `group` cannot be kept together (leave one out)"
            )
        return self

    @model_validator(mode="after")
    def _leaves_training_rows(self) -> "SplitConfig":
        if self.validation + self.test >= 1:
            raise ValueError("validation + test must stay below 1, so that rows are left to train on")
        return self


class DataConfig(Section):
    """Where the rows are and which columns matter. Give `path`, or `train` and `validation` (and `test`).

    With `image`, a column of file names or an array in an .npz file, the rows are images and `text` is not looked at.
    """

    dataset: str | None = Field(None, description="name or folder that `datasets.load_dataset` takes, NAME/CONFIG too")
    path: Files | None = None
    train: Files | None = None
    validation: Files | None = None
    test: Files | None = None
    format: FormatChoice = "auto"
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="default: found out")
    encoding: str | None = Field(None, description="of text files; default: as marked, UTF-8, or else guessed and told")
    quoting: Quoting = Field("auto", description="standard (RFC 4180) or none; auto is none for TSV")
    columns: tuple[str, ...] = Field((), description="names of the columns of files that have no header")
    text: Annotated[tuple[str, ...], Field(min_length=1)] = ("text",)
    image: str | None = None
    label: str | None = Field(None, description="column with the class, the grade or the labels")
    label_names: str | None = Field(None, description="file of the names that numbers in the label column stand for")
    label_separator: str = Field("|", min_length=1, description="between several labels written as one text")
    slices: tuple[str, ...] = Field((), description="columns by whose values every metric is looked at separately")
    split: SplitConfig = SplitConfig()
    folds: int | None = Field(
        None, ge=FEWEST_FOLDS, description="every trial is trained on as many folds and judged by all rows"
    )
    on_bad_row: Literal["stop", "skip"] = "stop"
    merge_alike: bool = Field(False, description="labels that look alike, such as `Spam` and `spam`, are one")
    max_train_rows: int | None = Field(None, ge=1, description="a stratified sample of the training split")

    @field_validator("text", mode="before")
    @classmethod
    def _one_column_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _folds_of_equal_size(cls, values: Any) -> Any:
        """Where nothing else is said, the validation split is as large as the other folds."""
        try:
            folds, split = int(values["folds"]), SplitConfig.model_validate(values.get("split") or {})
        except (KeyError, TypeError, ValueError, OverflowError):
            return values  # what is wrong is told with the fields
        if folds < FEWEST_FOLDS or "validation" in split.model_fields_set:
            return values
        return {**values, "split": {**split.model_dump(), "validation": (1 - split.test) / folds}}

    @model_validator(mode="after")
    def _one_file_or_given_splits(self) -> "DataConfig":
        given = any(one is not None for one in (self.train, self.validation, self.test))
        ways = (self.path is not None) + given + (self.dataset is not None)
        if ways != 1:
            rule = "give either `path`, or `train` (with `validation`, `test` or both), or `dataset`"
            raise ValueError(f"{rule}, got {'several of them' if ways else 'none of them'}")
        if given and self.train is None:
            raise ValueError("given splits need `train`")
        if given and (self.split.column or self.split.time):
            raise ValueError("`split.column` and `split.time` divide one `path`, and the splits are given")
        return self


class LoraConfig(Section):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685)."""

    rank: int = Field(8, ge=1)
    alpha: float = Field(16.0, gt=0)
    dropout: float = Field(0.05, ge=0, lt=1)
    targets: Literal["attention", "all_linear"] = "attention"
    layers: str = Field("all", pattern=r"^(all|last [1-9]\d*)$", description="`all`, or `last 2` and the like")


class ModelConfig(Section):
    """The base model and what of it is trained."""

    base: str = "minilm"
    max_length: int = Field(256, ge=8)
    adapter: Literal["lora", "none", "head"] = Field(
        "lora", description="none: all weights are trained; head: none but those of the new head"
    )
    lora: LoraConfig = LoraConfig()
    quantization: Literal["none", "4bit", "8bit"] = Field(
        "none", description="of the frozen weights, through bitsandbytes: 4bit is NF4 with double quantization"
    )
    frozen_cache_gb: float = Field(
        2.0, ge=0, description="memory for the frozen layers' outputs when `lora.layers` leaves some frozen; 0: none"
    )
    frozen_cache_precision: Literal["fp32", "bf16"] = Field("fp32", description="in which they are kept")

    @model_validator(mode="after")
    def _quantized_weights_stay_frozen(self) -> "ModelConfig":
        if self.quantization != "none" and self.adapter != "lora":
            raise ValueError(
                f"quantization: {self.quantization} needs an adapter, since quantized weights cannot be trained, got "
                f"adapter: {self.adapter}"
            )
        return self


class OversamplingConfig(Section):
    """Each minority class is repeated until it holds `ratio` times the majority's count; 0 leaves all as they are."""

    ratio: float = Field(0.0, ge=0, le=1)


class WeightedSamplingConfig(Section):
    """Rows are drawn by n_c ** -strength, with replacement, as many as oversampling left; 0 draws none, 1 evens out."""

    strength: float = Field(0.0, ge=0, le=1)


class ClassWeightsConfig(OpenSection):
    """Row weights, or the weights of the positive labels where a row may have several, from counts after sampling.

    scheme: `power` is (n_max / n_c) ** strength; see `trainables.imbalance.class_weights` for all. Its own parameters
    are keys beside it, which the registry checks. strength and beta, of `power` and `effective_number`, may stand
    beside any scheme. values: weights by class that take the place of the scheme's, and are not capped. cap: what the
    scheme gives is never above it.
    """

    scheme: str = "power"
    strength: float = 0.0
    beta: float = 0.999
    values: dict[Name, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    cap: float = Field(10.0, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, values: Any) -> Any:
        """Write out the scheme's own parameters, so that what is in force can be seen, searched and compared."""
        if not isinstance(values, Mapping):
            return values
        return {**schemes.parameters(str(values.get("scheme", cls.model_fields["scheme"].default))), **values}

    @field_validator("scheme")
    @classmethod
    def _registered(cls, value: str) -> str:
        if fault := schemes.unknown(value):
            raise ValueError(fault)
        return value

    @model_validator(mode="after")
    def _parameters_fit(self) -> "ClassWeightsConfig":
        shared = {"strength": self.strength, "beta": self.beta}
        faults = schemes.faults(self.scheme, {**self.parameters, **(self.__pydantic_extra__ or {})})
        for owner, key in (("power", "strength"), ("effective_number", "beta")):
            faults |= schemes.faults(owner, {key: shared[key]}) if key not in self.parameters else {}
        if faults:
            raise key_errors("class_weights", {(key,): fault for key, fault in faults.items()})
        return self

    @property
    def parameters(self) -> dict[str, float]:
        """Those that the scheme reads."""
        given = {"strength": self.strength, "beta": self.beta, **(self.__pydantic_extra__ or {})}
        return {key: given[key] for key in schemes.parameters(self.scheme) if key in given}


class LossConfig(OpenSection):
    """A registered loss by name, the task's default without one, and its own parameters, which the registry checks."""

    name: str | None = None

    @property
    def parameters(self) -> dict[str, float]:
        return dict(self.__pydantic_extra__ or {})


class AugmentationConfig(Section):
    """How images of the training split are varied, each time anew; nothing here touches texts."""

    flip: Literal["none", "horizontal", "both"] = Field("none", description="each direction with a chance of one half")
    turn: bool = Field(False, description="by quarters of a circle")
    shift: float = Field(0.0, ge=0, le=0.5, description="at most, as a share of the sides")


class DecisionRuleConfig(Section):
    """Whether the values that decide between labels are chosen on the validation split, and in how many parts.

    Offsets of classes, thresholds of grades and labels, cuts between tiers; see `trainables.training.decision_rule`.
    The metrics of an epoch come from rules that have not seen the rows they decide. keywords: whether `task.keywords`
    are used.
    """

    fit: bool = False
    folds: int = Field(5, ge=2)
    keywords: bool = True


class TrainingConfig(OpenSection):
    """The optimiser, its schedule, and the mitigations.

    Further keys are sections of registered samplers, each with the sampler's own parameters.
    """

    epochs: int = Field(3, ge=1)
    rows_per_epoch: Rows | Annotated[tuple[Rows | None, ...], Field(min_length=1)] | None = Field(
        None,
        description="of the training split, in each epoch others; a list is by epoch, its last for all that follow",
    )
    batch_size: int = Field(16, ge=1, description="rows per forward pass, over all workers")
    accumulation: int = Field(1, ge=1, description="batches per optimiser step")
    optimizer: Literal["adamw", "adamw_8bit"] = Field(
        "adamw", description="adamw_8bit keeps AdamW's state in 8 bits, through bitsandbytes"
    )
    learning_rate: float = Field(2e-4, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1, description="share of all steps")
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    clip_norm: float = Field(1.0, gt=0)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    gradient_checkpointing: bool = Field(
        False, description="computes activations again in the backward pass instead of keeping them: less memory"
    )
    sharding: Literal["none", "frozen"] = Field(
        "none", description="frozen: a layer's frozen weights are spread over the workers of a trial (FSDP)"
    )
    early_stopping: int | None = Field(None, ge=1, description="epochs without a better one")
    seed: int = Field(0, ge=0)
    oversampling: OversamplingConfig = OversamplingConfig()
    weighted_sampling: WeightedSamplingConfig = WeightedSamplingConfig()
    class_weights: ClassWeightsConfig = ClassWeightsConfig()
    loss: LossConfig = LossConfig()
    decision_rule: DecisionRuleConfig = DecisionRuleConfig()
    augmentation: AugmentationConfig = AugmentationConfig()

    @model_validator(mode="wrap")
    @classmethod
    def _sections_of_samplers(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Write out the sections of samplers that are no fields here, and check them against their samplers."""
        if not isinstance(values, Mapping):
            return handler(values)
        own = [name for name in sampling.names() if name not in cls.model_fields]
        faults: dict[Keys, str] = {}
        for name in own:
            faults |= _sampler_faults(name, values.get(name, {}))
        unknown = [(str(key),) for key in values if key not in own and key not in cls.model_fields]
        errors = [key_errors("training", faults, unknown)] if faults or unknown else []
        faulty = {keys[0] for keys in faults}
        sections = {name: {**sampling.parameters(name), **values.get(name, {})} for name in own if name not in faulty}
        try:
            valid = handler({**values, **sections})
        except ValidationError as error:
            errors.append(error)
        if errors:
            raise joined_errors(errors)
        return valid

    def rows_by_epoch(self) -> list[int | None]:
        """Of the training split, how many rows each epoch takes; None for all."""
        listed = self.rows_per_epoch if isinstance(self.rows_per_epoch, tuple) else (self.rows_per_epoch,)
        return [listed[min(epoch, len(listed) - 1)] for epoch in range(self.epochs)]

    def samplers(self) -> dict[str, dict[str, Any]]:
        """Parameters of each registered sampler by its name."""
        sections = self.model_dump()
        return {name: sections[name] for name in sampling.names() if name in sections}


def _sampler_faults(name: str, section: Any) -> dict[Keys, str]:
    """What is wrong with the section of a sampler, by the keys that lead there."""
    if not isinstance(section, Mapping):
        return {(name,): f"must be a section with keys of its own, got {section!r}"}
    return {(name, key): fault for key, fault in sampling.faults(name, section).items()}


class TrialConfig(Section):
    """All that one trial needs."""

    data: DataConfig
    task: TaskConfig
    model: ModelConfig = ModelConfig()
    # Made when it is needed, since samplers may be registered after this module.
    training: TrainingConfig = Field(default_factory=TrainingConfig)

    @model_validator(mode="after")
    def _loss_fits_task(self) -> "TrialConfig":
        check_loss(self.loss_target, self.training.loss.model_dump())
        return self

    @model_validator(mode="after")
    def _frozen_weights_can_be_spread(self) -> "TrialConfig":
        if self.training.sharding == "none":
            return self
        missing = {
            "model.adapter: lora, whose frozen weights can be spread": self.model.adapter != "lora",
            "model.quantization: none": self.model.quantization != "none",
            "no task.instruction, since workers that write do so for different times": getattr(
                self.task, "instruction", None
            )
            is not None,
        }
        if needed := [what for what, wrong in missing.items() if wrong]:
            raise ValueError(f"training.sharding: {self.training.sharding} needs {'; and '.join(needed)}")
        return self

    @model_validator(mode="after")
    def _label_is_read(self) -> "TrialConfig":
        if self.data.label is not None and not self.task.reads_label:
            raise ValueError(
                f"data.label: a task of kind {self.task.kind} reads its dimensions' columns and no label, got "
                f"{self.data.label!r} (leave it out, or take another task.kind)"
            )
        return self

    @model_validator(mode="after")
    def _weights_fit_task(self) -> "TrialConfig":
        section = self.training.class_weights
        if schemes.weighs_rows(section.scheme) and not self.task.has_scores:
            raise ValueError(
                f"training.class_weights.scheme: {section.scheme} weighs rows by their scores, and a task of kind "
                f"{self.task.kind} has none"
            )
        named = self.task.names
        unknown = [name for name in section.values if named and name not in named]
        if unknown:
            raise ValueError(f"training.class_weights.values: must name some of {list(named)}, got {unknown}")
        return self

    @model_validator(mode="after")
    def _keywords_have_texts(self) -> "TrialConfig":
        if self.data.image is not None and getattr(self.task, "keywords", None):
            raise ValueError("task.keywords: need texts to be found in, and data.image names a column of images")
        return self

    @model_validator(mode="after")
    def _instruction_has_texts(self) -> "TrialConfig":
        if self.data.image is not None and getattr(self.task, "instruction", None) is not None:
            raise ValueError("task.instruction: asks about texts, and data.image names a column of images")
        return self

    @property
    def loss_target(self) -> losses.Target:
        """Which losses fit the task."""
        return self.task.target

    @property
    def loss_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that the loss reads."""
        return losses.parameters(self.training.loss.name, self.loss_target)

    def settings(self) -> dict[str, Any]:
        """All values in force as plain ones, those of the loss that were left at their defaults included."""
        tree = self.model_dump(mode="json")
        section = self.training.loss
        loss = losses.build(section.name, self.loss_target, section.parameters)
        tree["training"]["loss"] = {"name": section.name, **vars(loss)}
        return tree


def check_loss(target: losses.Target, loss: Mapping[str, Any]) -> None:
    """Check a loss section, name and parameters, against the task's target.

    Raises:
        ValueError: every fault at once, beginning with the section's key path.
    """
    try:
        losses.check(loss.get("name"), target, {key: value for key, value in loss.items() if key != "name"})
    except ValueError as error:
        raise ValueError(f"training.loss: {error}") from None
