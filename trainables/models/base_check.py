"""A base model looked at as data are: before anything starts, and all that is wrong with it in one line each."""

import contextlib
import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.settings import BASE, MAX_LENGTH
from rarecall.trainables.models.bases import MINILM, BaseModel

CONFIG, ADAPTER = "config.json", "adapter_config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
# A tokenizer has one of them at least.
TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
IMAGE_PROCESSOR = "preprocessor_config.json"
# Positions that RoBERTa's embeddings begin with and no token has, beside the padding's own.
_SHIFTED = ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "longformer", "mpnet", "roberta-prelayernorm")
KNOWN = (MINILM, "tiny-bert", "tiny-qwen2", "tiny-byt5", "tiny-vit")


def check_folder(base: BaseModel) -> None:
    """Whether a local folder holds what a base model needs; hub names and our own models are left alone.

    Raises:
        InputError: an adapter instead of a model, or no configuration, weights or tokenizer.
    """
    folder = Path(base.source)
    if not folder.is_dir():
        return
    has = {path.name for path in folder.iterdir()}
    if ADAPTER in has and CONFIG not in has:
        rule, remedy = (
            "must be a model, not an adapter",
            "merge it into its base first, as `rarecall export --merge` does",
        )
        raise InputError(BASE, [Fault(BASE, rule, f"{base.name}, an adapter of {_base_of(folder)}", remedy)])
    faults = []
    if CONFIG not in has:
        faults.append(Fault(BASE, f"must be a folder with {CONFIG}", repr(base.name)))
    if not has & set(WEIGHTS):
        faults.append(Fault(BASE, f"must hold weights, {WEIGHTS[0]} for one", f"none in {base.name!r}"))
    if not has & {*TOKENIZER, IMAGE_PROCESSOR}:
        faults.append(Fault(BASE, f"must hold a tokenizer, {TOKENIZER[0]} for one", f"none in {base.name!r}"))
    if faults:
        raise InputError(BASE, faults)


def _base_of(folder: Path) -> str:
    try:
        return repr(json.loads((folder / ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"])
    except (OSError, ValueError, KeyError, TypeError):
        return "an unknown base"


def read_config(base: BaseModel) -> Any:
    """The base model's configuration.

    Raises:
        InputError: it cannot be had, or is none that transformers knows.
    """
    check_folder(base)
    with told_in_one_line(base):
        return AutoConfig.from_pretrained(base.source)


@contextlib.contextmanager
def told_in_one_line(base: BaseModel) -> Iterator[None]:
    """What loading a base model raises, as one fault.

    Raises:
        InputError: anything that went wrong within.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # hub, network, files and configurations fail in a hundred ways
        rule = "must be a model that can be loaded" if Path(base.source).is_dir() else "must be a model that can be had"
        raise InputError(BASE, [Fault(BASE, rule, f"{base.name!r}: {_reason(error)}", _remedy(base))]) from None


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= 200 else f"{text[:199]}…"


def _remedy(base: BaseModel) -> str:
    match = difflib.get_close_matches(base.name, [*KNOWN, *_folders()], n=1)
    near = f"did you mean {match[0]!r}? " if match and match[0] != base.name else ""
    return "" if Path(base.source).is_dir() else f"{near}a hub name needs the network; a local folder begins with ./"


def _folders() -> list[str]:
    with contextlib.suppress(OSError):
        return [path.name for path in Path().iterdir() if (path / CONFIG).is_file()]
    return []


def position_limit(config: Any) -> int | None:
    """How many tokens the model has learned positions for; None where positions are relative or computed.

    >>> from transformers import BertConfig, RobertaConfig, T5Config
    >>> [position_limit(kind()) for kind in (BertConfig, RobertaConfig, T5Config)]
    [512, 510, None]
    """
    limit = getattr(config, "max_position_embeddings", None)
    computed = any(getattr(config, key, None) for key in ("rope_theta", "rope_parameters", "rope_scaling", "alibi"))
    relative = getattr(config, "position_biased_input", True) is False
    if not isinstance(limit, int) or limit <= 0 or computed or relative:
        return None
    shifted = config.model_type in _SHIFTED
    return limit - (config.pad_token_id or 0) - 1 if shifted else limit


def check_text_base(base: BaseModel, config: Any, tokenizer: Any, max_length: int) -> None:
    """Whether tokenizer, positions and `model.max_length` fit the model.

    Raises:
        InputError: the tokenizer has tokens that the model has no embedding for, or more tokens are asked for than the
            model has positions.
    """
    faults = []
    size, tokens = getattr(config, "vocab_size", None), len(tokenizer)
    if isinstance(size, int) and tokens > size:
        rule = f"must have a tokenizer of its own, of at most {size:,} tokens"
        faults.append(
            Fault(BASE, rule, f"{tokens:,} in {base.name!r}", "take the tokenizer files from where the model is")
        )
    limit = position_limit(config)
    if limit is not None and max_length > limit:
        faults.append(Fault(MAX_LENGTH, f"must be at most {limit}, the positions of {base.name}", str(max_length)))
    if faults:
        raise InputError(BASE, faults)
