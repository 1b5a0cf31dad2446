"""A causal language model at work: what it makes of answers that it is shown, and the answers that it writes."""

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import GenerationConfig

from rarecall.analysis.arrays import IntArray
from rarecall.losses import IGNORED
from rarecall.trainables.data.encoding import EncodedSplit
from rarecall.trainables.data.prompts import decoded
from rarecall.trainables.training.batches import pad_left
from rarecall.trainables.training.optimisation import autocast
from rarecall.trainables.training.worker import Worker


class Writer:
    """One model as the loop runs it, as `Forward` for models that give numbers. answer_tokens: the most it writes."""

    sharded = False  # workers write for different times, so weights are never spread

    def __init__(self, model: Any, tokenizer: Any, answer_tokens: int, worker: Worker, dtype: torch.dtype) -> None:
        self.model, self._tokenizer, self._worker, self._dtype = model, tokenizer, worker, dtype
        self._base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._accepted = frozenset(inspect.signature(self._base.forward).parameters)
        set_greedy(self._base, tokenizer, answer_tokens)

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Training mode."""
        self.model.train()
        yield

    @contextlib.contextmanager
    def predicting(self, _: EncodedSplit) -> Iterator[None]:
        """Evaluation mode without gradients."""
        self.model.eval()
        with torch.inference_mode():
            yield

    def shown(self, split: EncodedSplit, rows: IntArray) -> tuple[Tensor, Tensor]:
        """For answers that are there: logits [rows, tokens, vocabulary], and the tokens that would be right.

        tokens: of the longest answer; `IGNORED` where a row's answer is shorter.
        """
        lengths = split.offsets[rows + 1] - split.offsets[rows]
        answers = lengths - prompt_lengths(split, rows)
        longest = int(answers.max())
        inputs = self._on_device(pad_left(split, rows, lengths, self._tokenizer.pad_token_id))
        # Of a vocabulary of 150,000, logits of whole prompts would take gigabytes. Each token foretells the next one.
        kept = {"logits_to_keep": longest + 1} if "logits_to_keep" in self._accepted else {}
        accepted = {name: values for name, values in inputs.items() if name in self._accepted}
        with autocast(self._worker.device, self._dtype):
            logits = self.model(**accepted, **kept).logits[:, -longest - 1 : -1]
        of_prompt = np.arange(longest) < (longest - answers)[:, None]
        targets = inputs["input_ids"][:, -longest:]
        return logits, targets.masked_fill(torch.from_numpy(of_prompt).to(targets.device), IGNORED)

    def outputs(self, split: EncodedSplit, rows: IntArray) -> NDArray[np.object_]:
        """The answers [rows] to prompts."""
        inputs = self._on_device(pad_left(split, rows, prompt_lengths(split, rows), self._tokenizer.pad_token_id))
        del inputs["position_ids"]
        with torch.inference_mode(), autocast(self._worker.device, self._dtype):
            tokens = self._base.generate(**inputs)
        return texts_of(self._tokenizer, tokens[:, inputs["input_ids"].shape[1] :].tolist())

    def _on_device(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: values.to(self._worker.device) for name, values in inputs.items()}


def prompt_lengths(split: EncodedSplit, rows: IntArray) -> IntArray:
    """How many tokens of each of the rows are its prompt."""
    if split.prompts is None:
        raise ValueError("a model that writes needs rows encoded as prompts (trainables.prompts), got others")
    return split.prompts[rows]


def set_greedy(model: Any, tokenizer: Any, answer_tokens: int) -> None:
    """Let the model write the likeliest token each time, until the end of text.

    In place of what its checkpoint says, which may be to sample, or to avoid repetition, as JSON cannot.
    """
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=answer_tokens,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        use_cache=True,
    )


def texts_of(tokenizer: Any, tokens: Sequence[list[int]]) -> NDArray[np.object_]:
    """Answers [n] as texts, each up to its end-of-text token."""
    end = tokenizer.eos_token_id
    texts = [decoded(tokenizer, ids[: ids.index(end)] if end in ids else ids) for ids in tokens]
    return np.array(texts, dtype=np.object_)
