"""All that rarecall knows of the insides of transformers' models: where embeddings, layers, attention and heads are.

transformers does not promise to keep any of it; `tests/trainables/models/test_architectures.py` names what is relied on
for each family.
"""

import re
from collections.abc import Sequence
from typing import Any

from torch import nn

# Bytes as the characters that stand for them in byte-level vocabularies, and an image processor without torchvision.
from transformers.convert_slow_tokenizer import bytes_to_unicode
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

__all__ = ["ViTImageProcessorPil", "bytes_to_unicode"]

NEW_HEADS = ("classifier", "classification_head", "score")
# Between backbone and head; some checkpoints have them, others leave them to chance.
BEFORE_HEAD = ("pooler", "head")
ATTENTION = re.compile(r"(^|\.)(attention|attn|self_attn|SelfAttention|EncDecAttention)(\.|$)")
LAYER_NUMBER = re.compile(r"\.(\d+)\.")
# Their heads pool the first token: `*Pooler`, `*ClassificationHead` and `ContextPooler` of transformers.
READ_FIRST_TOKEN = ("bert", "roberta", "xlm-roberta", "electra", "deberta", "deberta-v2")


def lora_targets(model: nn.Module, targets: str, layers: str) -> list[str]:
    """Names of the linear layers that get an adapter.

    targets: `attention` (all projections of the attention blocks) or `all_linear`; layers: `all` or `last k`.

    Raises:
        ValueError: nothing matches, or the model has fewer layers than asked for.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and _in_a_layer(name)]
    if targets == "attention":
        names = [name for name in names if ATTENTION.search(name)]
    if layers != "all":
        names = _of_last_layers(names, int(layers.removeprefix("last ")))
    if not names:
        raise ValueError(f"no layer of {type(model).__name__} matches lora.targets={targets!r}, lora.layers={layers!r}")
    return names


def _in_a_layer(name: str) -> bool:
    return LAYER_NUMBER.search(name) is not None


def _of_last_layers(names: Sequence[str], count: int) -> list[str]:
    numbers = {name: int(LAYER_NUMBER.findall(name)[0]) for name in names}
    present = sorted(set(numbers.values()))
    if count > len(present):
        raise ValueError(f"lora.layers asks for the last {count} layers, the model has {len(present)}")
    return [name for name in names if numbers[name] in present[-count:]]


def head_modules(model: nn.Module) -> list[str]:
    """Names of the parts that are trained whole and saved with the adapter: the head and what feeds it, if anything."""
    found = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    return [name for name in (*NEW_HEADS, *BEFORE_HEAD) if name in found]


def new_head(model: nn.Module) -> nn.Module:
    """The head that no checkpoint has trained.

    Raises:
        ValueError: the model has none under a name that this module knows.
    """
    found: list[nn.Module] = [module for name, module in model.named_modules() if is_new_head(name)]
    if not found:
        raise ValueError(f"{type(model).__name__} has no head where this project looks for one")
    return found[0]


def first_of_head(model: nn.Module) -> nn.Module:
    """The first linear layer of the head, in the order in which it was made; it reads what the backbone hands over.

    Raises:
        ValueError: as `new_head`.
    """
    head = new_head(model)
    linear: list[nn.Module] = [part for part in head.modules() if isinstance(part, nn.Linear)]
    return linear[0] if linear else head


def is_new_head(name: str) -> bool:
    """Whether the module of this dotted name is a head that no checkpoint has trained."""
    return name.rsplit(".", 1)[-1] in NEW_HEADS


def is_in_head(parameter: str) -> bool:
    """Whether a parameter belongs to such a head."""
    return any(f"{head}." in parameter for head in NEW_HEADS)


def initialise(model: Any, part: nn.Module) -> None:
    """Give a part of a model the random weights that its architecture begins with."""
    part.apply(model._init_weights)


def last_attention_output(model: Any) -> nn.Module:
    """Where the last layer's attention hands its states on, a part that peft leaves in its place."""
    output: nn.Module = model.base_model.encoder.layer[-1].attention.output
    return output


def embeddings(model: Any) -> tuple[nn.Module, str]:
    """The module that holds a model's embeddings, and their name there.

    Raises:
        ValueError: they are not where this module knows to look for them.
    """
    backbone = model.base_model
    for name in ("embeddings", "embed_tokens"):
        if hasattr(backbone, name):
            return backbone, name
    raise ValueError(f"{type(model).__name__} has no embeddings where the frozen part could be cut off")


def layer_stack(model: Any) -> tuple[nn.Module, str]:
    """The module that holds a model's stack of layers, and the stack's name there.

    Raises:
        ValueError: it is not where this module knows to look for it.
    """
    backbone = model.base_model
    owners = [owner for owner in (getattr(backbone, "encoder", None), backbone) if owner is not None]
    for owner in owners:
        # A convolution beside the first layer (DeBERTa-v2 xlarge) belongs to no layer that could be cut off.
        if getattr(owner, "conv", None) is not None:
            break
        for name in ("layer", "layers"):
            if isinstance(getattr(owner, name, None), nn.ModuleList):
                return owner, name
    raise ValueError(f"{type(model).__name__} has no stack of layers where this project looks for one")
