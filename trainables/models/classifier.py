"""A classifier from a base model: loaded once, given a fresh adapter and head for every trial."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import peft
import torch
from torch import nn
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoImageProcessor,
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.settings import BASE
from rarecall.trainables.models.architectures import (
    BEFORE_HEAD,
    NEW_HEADS,
    head_modules,
    initialise,
    is_in_head,
    is_new_head,
    lora_targets,
    new_head,
)
from rarecall.trainables.models.base_check import check_text_base, read_config, told_in_one_line
from rarecall.trainables.models.bases import BaseModel
from rarecall.trainables.models.frozen.first_token import compute_first_token_only
from rarecall.trainables.models.quantization import Quantization, loading
from rarecall.trainables.models.quiet import quiet_transformers
from rarecall.trainables.tasks import Task, writes_answers


def load_tokenizer(base: BaseModel) -> Any:
    """The base model's fast tokenizer; a decoder without a padding token gets its end-of-text token for it."""
    with told_in_one_line(base):
        tokenizer = AutoTokenizer.from_pretrained(base.source)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_processor(base: BaseModel, max_length: int | None = None) -> Any:
    """What prepares the base model's inputs: a tokenizer, or for a model of images its image processor.

    max_length: of the texts in tokens, which the model's positions must reach; None where nobody asks.

    Raises:
        InputError: the model cannot be had, or its tokenizer or positions do not fit.
    """
    config = read_config(base)
    if takes_images(config):
        with told_in_one_line(base):
            # The default backend needs torchvision.
            return AutoImageProcessor.from_pretrained(base.source, backend="pil")
    tokenizer = load_tokenizer(base)
    if max_length is not None:
        check_text_base(base, config, tokenizer, max_length)
    return tokenizer


def takes_images(config: Any) -> bool:
    """Whether a model of this configuration classifies images."""
    known = type(config) in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING
    return known and type(config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING


def load_classifier(
    base: BaseModel, label_names: Sequence[str], pad_token_id: int | None, quantization: Quantization = "none"
) -> Any:
    """Load the base model with a new head of one output per label name; it is never quantized."""
    labels = dict(enumerate(label_names))
    config = AutoConfig.from_pretrained(
        base.source, num_labels=len(labels), id2label=labels, label2id={name: i for i, name in labels.items()}
    )
    images = takes_images(config)
    if not images and config.pad_token_id is None:
        config.pad_token_id = pad_token_id
    auto = AutoModelForImageClassification if images else AutoModelForSequenceClassification
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        # What the checkpoint lacks, such as a pooler, is the same in every process.
        torch.manual_seed(0)
        smaller = loading(quantization, [f"(.*\\.)?{name}" for name in (*NEW_HEADS, *BEFORE_HEAD)])
        # A head of another size is replaced by the new one.
        model, found = auto.from_pretrained(
            base.source,
            config=config,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **smaller,
        )
    _check_sizes(base, found["mismatched_keys"])
    compute_first_token_only(model)
    return model


def _check_sizes(base: BaseModel, mismatched: Iterable[Any]) -> None:
    """Only heads may be of another size than the configuration says.

    Raises:
        InputError: other weights are.
    """
    wrong = [name for name in (key if isinstance(key, str) else key[0] for key in mismatched) if not is_in_head(name)]
    if wrong:
        rule = "must hold weights of the sizes that its config.json says"
        raise InputError(BASE, [Fault(BASE, rule, f"others for {', '.join(wrong[:3])} in {base.name!r}")])


def load_writer(base: BaseModel, quantization: Quantization = "none") -> Any:
    """Load the base model as one that writes, with the head that it has; that is never quantized.

    Raises:
        InputError: it is no causal language model.
    """
    check_writer(base)
    with quiet_transformers():
        smaller = loading(quantization, ["(.*\\.)?lm_head"])
        return AutoModelForCausalLM.from_pretrained(base.source, dtype=torch.float32, **smaller)


def check_writer(base: BaseModel) -> None:
    """Whether the base model was trained to write from left to right.

    Raises:
        InputError: it was not.
    """
    config = read_config(base)
    known: Any = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    trained = tuple(config.architectures or ())
    # Encoders have such a class as well, to be trained anew; only a checkpoint that names it was trained to write.
    if known is None or known.__name__ not in trained:
        rule = "must be a causal language model, since task.instruction has it write its answers"
        raise InputError(BASE, [Fault(BASE, rule, f"{base.name}: {', '.join(trained) or 'unknown'}")])


class ClassifierPool:
    """Keeps one loaded base model in a process and hands out models for one trial after another.

    The frozen backbone stays; adapter and head are new each time, so that a trial never sees what another learned.
    """

    def __init__(self, base: BaseModel, label_names: Sequence[str], pad_token_id: int | None) -> None:
        self._source = (base, tuple(label_names), pad_token_id)
        self._load("none")

    def _load(self, quantization: Quantization) -> None:
        self._spent = False
        self._quantization: Quantization = quantization
        self._base = self._load_base(quantization)
        self._head = head_modules(self._base)
        self._pristine = {name: value.clone() for name, value in self._base.state_dict().items() if self._of_head(name)}
        self._adapted: Any = None

    def _load_base(self, quantization: Quantization) -> Any:
        return load_classifier(*self._source, quantization)

    def _kind(self) -> peft.TaskType | None:
        """What peft calls the model; it has no task for images, and the plain wrapper passes any input on."""
        return None if takes_images(self._base.config) else peft.TaskType.SEQ_CLS

    def with_lora(
        self,
        rank: int,
        alpha: float,
        dropout: float,
        targets: str,
        layers: str,
        seed: int,
        quantization: Quantization = "none",
    ) -> Any:
        """A model whose adapter and head are newly initialised from `seed`; the one handed out before is void."""
        self._take_back()
        if quantization != self._quantization:
            self._load(quantization)
        self._initialise_head(seed)
        config = peft.LoraConfig(
            task_type=self._kind(),
            r=rank,
            lora_alpha=alpha,  # type: ignore[arg-type]  # peft divides by it; a float is as good
            lora_dropout=dropout,
            target_modules=lora_targets(self._base, targets, layers),
            modules_to_save=self._head or None,
        )
        with warnings.catch_warnings():
            # peft asks transformers under a name that transformers is giving up.
            warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
            self._adapted = peft.get_peft_model(self._base, config)
        return self._adapted

    def whole(self, seed: int) -> Any:
        """The base model itself with all its weights trainable; loaded anew, since a trial changes every weight."""
        self._load("none")
        self._initialise_head(seed)
        self._spent = True
        return self._base.requires_grad_(True)

    def head_alone(self, seed: int) -> Any:
        """The base model with a new head, of which nothing else is trainable."""
        self._take_back()
        if self._quantization != "none":
            self._load("none")
        self._initialise_head(seed)
        self._base.requires_grad_(False)
        new_head(self._base).requires_grad_(True)
        return self._base

    def _take_back(self) -> None:
        if self._spent:
            # A trial has trained all of it.
            self._load("none")
            return
        if self._adapted is None:
            return
        self._base = self._adapted.unload()
        self._base.activation_checkpointing_disable()
        self._base.load_state_dict(self._pristine, strict=False)
        self._adapted = None

    def _initialise_head(self, seed: int) -> None:
        torch.manual_seed(seed)
        for name, module in self._base.named_modules():
            if is_new_head(name):
                initialise(self._base, module)

    def _of_head(self, name: str) -> bool:
        return any(part in self._head for part in name.split("."))


class WriterPool(ClassifierPool):
    """The same for models that write: with the head that they have, and their tokenizer beside them."""

    def __init__(self, base: BaseModel) -> None:
        self.tokenizer = load_tokenizer(base)
        super().__init__(base, (), self.tokenizer.pad_token_id)

    def _load_base(self, quantization: Quantization) -> Any:
        return load_writer(self._source[0], quantization)

    def _kind(self) -> peft.TaskType:
        return peft.TaskType.CAUSAL_LM


def open_pool(base: BaseModel, task: Task, pad_token_id: int | None) -> ClassifierPool:
    """A pool of the models that a task trains.

    Raises:
        InputError: the task's answers are written, and the base model is no causal language model.
    """
    return WriterPool(base) if writes_answers(task) else ClassifierPool(base, task.output_names, pad_token_id)


def unwrapped(model: Any) -> Any:
    """The transformers model inside of what peft made of it; one without an adapter as it is."""
    return model.get_base_model() if isinstance(model, peft.PeftModel) else model


class ParameterCounts(NamedTuple):
    """How many parameters are trained, and how many there are; those that are packed in 4 bits count one by one."""

    trained: int
    total: int


def count_parameters(model: Any) -> ParameterCounts:
    """The parameters of a model as `ClassifierPool` hands it out."""
    if isinstance(model, peft.PeftModel):
        return ParameterCounts(*model.get_nb_trainable_parameters())
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return ParameterCounts(sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes))


def checkpoint_activations(model: Any) -> None:
    """Compute the activations of every layer again in the backward pass (Chen et al. 2016, arXiv 1604.06174).

    Raises:
        ValueError: the architecture has no layers that can do so.
    """
    base = unwrapped(model)
    base.config.use_cache = False
    base.activation_checkpointing_enable({"use_reentrant": False})
    # Only with re-entrance would inputs need gradients, which had to run back through frozen layers.
    base.disable_input_require_grads()


def set_head_bias(model: nn.Module, bias: torch.Tensor) -> None:
    """Start the head at the prior [outputs] instead of at zero (Lin et al. 2017, section 4.1), where it has a bias.

    Without it, the first epoch of a rare-class problem is spent on learning how rare the class is.
    """
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and name.endswith("bias") and parameter.shape == bias.shape and is_in_head(name):
            with torch.no_grad():
                parameter.copy_(bias)
