"""Small, randomly initialised models of real architectures, to be trained whole where no hub can be reached.

Each is built from its configuration class once and kept in a cache folder, RARECALL_CACHE or ~/.cache/rarecall.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    ByT5Tokenizer,
    DebertaV2Config,
    DebertaV2Model,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2Model,
    Qwen2Tokenizer,
    T5Config,
    T5Model,
    ViTConfig,
    ViTModel,
)

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.settings import BASE
from rarecall.trainables.models.architectures import ViTImageProcessorPil, bytes_to_unicode
from rarecall.trainables.models.cache import cache_folder
from rarecall.trainables.models.minilm import minilm_folder
from rarecall.trainables.models.quiet import quiet_transformers

# Part of the folder's name, so that a changed definition is built anew.
VERSION = 1
SEED = 0

HIDDEN, LAYERS, HEADS = 64, 2, 4
LONGEST = 512
IMAGE_SIZE, PATCH_SIZE = 28, 4
PADDING, END = "<|padding|>", "<|end|>"


def tiny_folder(name: str) -> Path:
    """The folder of the model called `name`, such as `tiny-vit`; built when it is not there yet.

    Raises:
        InputError: no tiny model has this name.
    """
    if name not in BUILDERS:
        raise InputError(BASE, [Fault(BASE, f"must be one of {', '.join(BUILDERS)}", repr(name))])
    cache = cache_folder()
    folder = cache / f"{name}-v{VERSION}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        _build(name, folder)
    return folder


def _build(name: str, folder: Path) -> None:
    """Complete or not at all: another process may be building the same."""

    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch, torch.random.fork_rng(), quiet_transformers():
        torch.manual_seed(SEED)
        part = Path(scratch, name)
        for piece in BUILDERS[name]():
            if isinstance(piece, PreTrainedModel):
                # Models are otherwise written by rank 0 of a worker group alone, which may be on another machine.
                piece.should_save_on_this_rank = lambda is_main_process: True  # type: ignore[method-assign]
            piece.save_pretrained(part)
        try:
            part.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            shutil.rmtree(part)


def _words() -> Any:
    """The tokenizer of `minilm`: word pieces of English."""

    return AutoTokenizer.from_pretrained(minilm_folder())


def _bert() -> tuple[Any, ...]:

    words = _words()
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * HIDDEN,
    )
    return BertModel(config), words


def _deberta() -> tuple[Any, ...]:

    words = _words()
    config = DebertaV2Config(  # type: ignore[call-arg]  # it reads this one from its keywords
        vocab_size=len(words),
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * HIDDEN,
        max_position_embeddings=LONGEST,
        relative_attention=True,
        position_buckets=32,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        type_vocab_size=0,
        pad_token_id=words.pad_token_id,
    )
    return DebertaV2Model(config), words


def _byt5() -> tuple[Any, ...]:
    """T5 over bytes: text in any script, without a vocabulary."""

    config = T5Config(  # type: ignore[call-arg]  # it takes these through its base class
        vocab_size=384,
        d_model=HIDDEN,
        d_kv=HIDDEN // HEADS,
        d_ff=4 * HIDDEN,
        num_layers=LAYERS,
        num_decoder_layers=1,
        num_heads=HEADS,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
    )
    return T5Model(config), ByT5Tokenizer()


def _qwen2() -> tuple[Any, ...]:

    words = _words()
    ends = {"bos_token_id": words.cls_token_id, "eos_token_id": words.sep_token_id}
    return Qwen2Model(_qwen2_config(len(words), LONGEST, pad_token_id=words.pad_token_id, **ends)), words


def _writer() -> tuple[Any, ...]:
    """Qwen2 as it writes, over bytes: a vocabulary that gives any text back as it was."""

    vocabulary = {token: i for i, token in enumerate((PADDING, END, *bytes_to_unicode().values()))}
    special = {"pad_token_id": vocabulary[PADDING], "bos_token_id": None, "eos_token_id": vocabulary[END]}
    tokenizer = Qwen2Tokenizer(vocabulary, merges=[], unk_token=END, eos_token=END, pad_token=PADDING)
    return Qwen2ForCausalLM(_qwen2_config(len(vocabulary), 4 * LONGEST, **special)), tokenizer


def _qwen2_config(vocabulary: int, longest: int, **special: Any) -> Qwen2Config:
    """special: ids of the special tokens."""
    return Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS // 2,
        intermediate_size=4 * HIDDEN,
        max_position_embeddings=longest,
        **special,
    )


def _vit() -> tuple[Any, ...]:

    config = ViTConfig(
        hidden_size=HIDDEN,
        num_hidden_layers=2 * LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=2 * HIDDEN,
        image_size=IMAGE_SIZE,
        patch_size=PATCH_SIZE,
    )
    size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    return ViTModel(config, add_pooling_layer=False), ViTImageProcessorPil(size=size)


BUILDERS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "tiny-bert": _bert,
    "tiny-deberta": _deberta,
    "tiny-byt5": _byt5,
    "tiny-qwen2": _qwen2,
    "tiny-vit": _vit,
    "tiny-writer": _writer,
}
