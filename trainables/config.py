"""The sections of an experiment that one trial needs: data, task, model, training.

Every section refuses keys it does not know. Only builders read these; losses, samplers and models get flat arguments.
"""

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

import losses


class Section(BaseModel):
    """A part of the experiment file: strict about its keys, never changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SplitConfig(Section):
    """How rows are divided when the data come without splits. Shares are of all usable rows."""

    validation: float = Field(0.1, gt=0, lt=1)
    test: float = Field(0.1, ge=0, lt=1)
    seed: int = Field(42, ge=0)
    group: str | None = Field(None, description="column whose equal values stay in one split")

    @model_validator(mode="after")
    def _leaves_training_rows(self) -> "SplitConfig":
        if self.validation + self.test >= 1:
            raise ValueError("validation + test must stay below 1, so that rows are left to train on")
        return self


class DataConfig(Section):
    """Where the rows are and which columns matter. Give `path`, or `train` and `validation` (and `test`)."""

    path: str | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    format: Literal["auto", "jsonl", "csv", "tsv", "parquet"] = "auto"
    text: Annotated[tuple[str, ...], Field(min_length=1)] = ("text",)
    label: str | None = Field(None, description="class column, for multiclass")
    split: SplitConfig = SplitConfig()
    on_bad_row: Literal["stop", "skip"] = "stop"
    max_train_rows: int | None = Field(None, ge=1, description="a stratified sample of the training split")

    @field_validator("text", mode="before")
    @classmethod
    def _one_column_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_file_or_given_splits(self) -> "DataConfig":
        given = self.train is not None and self.validation is not None
        if (self.path is not None) == (given or self.test is not None or self.train is not None):
            raise ValueError("give either `path`, or both `train` and `validation` (and `test` if there is one)")
        if self.path is None and not given:
            raise ValueError("given splits need both `train` and `validation`")
        return self


class DimensionConfig(Section):
    """One score dimension: the column it is read from and its share in the overall score."""

    column: str | None = Field(None, description="default: the dimension's name")
    weight: float = Field(1.0, ge=0)


class GatekeeperConfig(Section):
    """A dimension without which nothing ranks high: below `cut`, the tier is at most `max_tier`."""

    dimension: str
    cut: float
    max_tier: str


class CatastrophicConfig(Section):
    """True overall score below one cut, predicted overall score above another."""

    true_below: float
    predicted_above: float


class TieredScoresConfig(Section):
    """Several scores per row; their weighted mean is cut into tiers. `tiers` maps each name to its lower bound."""

    kind: Literal["tiered_scores"]
    dimensions: dict[str, DimensionConfig] = Field(min_length=1)
    range: tuple[float, float] = (0.0, 10.0)
    tiers: dict[str, float] = Field(min_length=2)
    gatekeeper: GatekeeperConfig | None = None
    catastrophic: CatastrophicConfig | None = None
    minority: tuple[str, ...] | None = Field(None, description="default: every tier but the largest")

    @model_validator(mode="after")
    def _consistent(self) -> "TieredScoresConfig":
        low, high = self.range
        cuts = list(self.tiers.values())
        if low >= high:
            raise ValueError(f"range must ascend, got {low:g} to {high:g}")
        if sum(dimension.weight for dimension in self.dimensions.values()) <= 0:
            raise ValueError("at least one dimension needs a weight above 0")
        if cuts[0] != low or any(a >= b for a, b in itertools.pairwise(cuts)) or cuts[-1] >= high:
            raise ValueError(f"tiers must start at {low:g} and ascend below {high:g}, got {cuts}")
        if self.gatekeeper and self.gatekeeper.dimension not in self.dimensions:
            raise ValueError(f"gatekeeper.dimension must be one of {list(self.dimensions)}")
        if self.gatekeeper and self.gatekeeper.max_tier not in self.tiers:
            raise ValueError(f"gatekeeper.max_tier must be one of {list(self.tiers)}")
        _known_minority(self.minority, tuple(self.tiers))
        return self


class MulticlassConfig(Section):
    """One class per row. `classes` defaults to the values found in the training data, sorted."""

    kind: Literal["multiclass"]
    classes: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    minority: tuple[str, ...] | None = Field(None, description="default: every class but the largest")

    @model_validator(mode="after")
    def _consistent(self) -> "MulticlassConfig":
        if self.classes is not None:
            if len(set(self.classes)) < len(self.classes):
                raise ValueError("classes must not repeat")
            _known_minority(self.minority, self.classes)
        return self


def _known_minority(minority: tuple[str, ...] | None, classes: tuple[str, ...]) -> None:
    unknown = [name for name in minority or () if name not in classes]
    if unknown:
        raise ValueError(f"minority names {unknown}, which are not among {list(classes)}")
    if minority is not None and not 0 < len(minority) < len(classes):
        raise ValueError("minority must name at least one class and not all of them")


TaskConfig = Annotated[TieredScoresConfig | MulticlassConfig, Field(discriminator="kind")]


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
    adapter: Literal["lora", "none"] = "lora"
    lora: LoraConfig = LoraConfig()
    frozen_cache_gb: float = Field(
        2.0, ge=0, description="memory for the frozen layers' outputs when `lora.layers` leaves some frozen; 0: none"
    )


class OversamplingConfig(Section):
    """Each minority class is repeated until it holds `ratio` times the majority's count; 0 leaves all as they are."""

    ratio: float = Field(0.0, ge=0, le=1)


class ClassWeightsConfig(Section):
    """Row weights (n_max / n_c) ** strength, at most `cap`: 0 is none, 1 the inverse frequency with majority 1."""

    strength: float = Field(0.0, ge=0, le=1)
    cap: float = Field(10.0, ge=1)


class LossConfig(BaseModel):
    """A registered loss by name, the task's default without one, and its own parameters, which the registry checks."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    name: str | None = None

    @property
    def parameters(self) -> dict[str, float]:
        return dict(self.__pydantic_extra__ or {})


class TrainingConfig(Section):
    """The optimiser (AdamW), its schedule, and the mitigations."""

    epochs: int = Field(3, ge=1)
    batch_size: int = Field(16, ge=1, description="rows per forward pass, over all workers")
    accumulation: int = Field(1, ge=1, description="batches per optimiser step")
    learning_rate: float = Field(2e-4, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1, description="share of all steps")
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    clip_norm: float = Field(1.0, gt=0)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    early_stopping: int | None = Field(None, ge=1, description="epochs without a better one")
    seed: int = Field(0, ge=0)
    oversampling: OversamplingConfig = OversamplingConfig()
    class_weights: ClassWeightsConfig = ClassWeightsConfig()
    loss: LossConfig = LossConfig()


class TrialConfig(Section):
    """All that one trial needs."""

    data: DataConfig
    task: TaskConfig
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _loss_fits_task(self) -> "TrialConfig":
        check_loss(self.task.kind, self.training.loss.model_dump())
        return self

    def settings(self) -> dict[str, Any]:
        """All values in force as plain ones, those of the loss that were left at their defaults included."""
        tree = self.model_dump(mode="json")
        section = self.training.loss
        loss = losses.build(section.name, _loss_target(self.task.kind), section.parameters)
        tree["training"]["loss"] = {"name": section.name, **vars(loss)}
        return tree


def _loss_target(task_kind: str) -> losses.Target:
    return "scores" if task_kind == "tiered_scores" else "classes"


def check_loss(task_kind: str, loss: Mapping[str, Any]) -> None:
    """Hold a loss section, name and parameters, against the task.

    Raises:
        ValueError: every fault at once, beginning with the section's key path.
    """
    try:
        losses.check(
            loss.get("name"), _loss_target(task_kind), {key: value for key, value in loss.items() if key != "name"}
        )
    except ValueError as error:
        raise ValueError(f"training.loss: {error}") from None
