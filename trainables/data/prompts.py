"""Prompts and answers as token ids: what stands around a text, how much of the text fits, how long an answer may be."""

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.settings import BASE, MAX_LENGTH
from rarecall.trainables.data.encoding import UNCUT, EncodedSplit, TokenArrays, encode, encoded, tokenize
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.tasks import InstructedScores, Task
from rarecall.trainables.tasks.answers import PLACE_OF_TEXT
from rarecall.trainables.tasks.instructed import Frame

# Scores whose answers are written to see how long one gets; with more values on the scale, so many of them.
MOST_VALUES = 2001

AnyTask = TypeVar("AnyTask", bound=Task)


def fitted(task: AnyTask, tokenizer: Any, max_length: int) -> AnyTask:
    """The task with its prompt as the tokenizer takes it; as it is where no answer is written.

    max_length: tokens of prompt, text and answer together; the text is what gives way.

    Raises:
        InputError: the tokenizer has no end-of-text token, its chat template leaves the text out, it does not give JSON
            back, an answer may not be as long as one has to be, or no room is left for a text.
    """
    if not isinstance(task, InstructedScores):
        return task
    if tokenizer.eos_token_id is None:
        raise _fault(BASE, "must have a tokenizer with an end-of-text token, at which an answer ends", "none")
    before, after = _rendered(task.prompt, tokenizer)
    answer = _answer_tokens(task, tokenizer)
    needed = answer + sum(len(ids) for ids in _frame_ids(tokenizer, before, after))
    if needed >= max_length:
        rule = f"must be above {needed}, the tokens of the prompt and of an answer, to have room for a text"
        raise _fault(MAX_LENGTH, rule, str(max_length))
    return replace(task, frame=Frame(before, after, max_length - needed, answer))


def text_tokens(task: Task, max_length: int) -> int:
    """How many tokens of a text count; less than `max_length` where a prompt and an answer need some."""
    return task.given_frame.text_tokens if isinstance(task, InstructedScores) else max_length


def _rendered(prompt: str, tokenizer: Any) -> tuple[str, str]:
    """What stands before and after the text: as the chat template has it, else the prompt as it is."""
    if getattr(tokenizer, "chat_template", None):
        messages = [{"role": "user", "content": prompt}]
        prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    elif tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]:
        prompt = tokenizer.bos_token + prompt
    if prompt.count(PLACE_OF_TEXT) != 1:
        rule = f"must have a chat template that keeps the prompt's {PLACE_OF_TEXT} once"
        raise _fault(BASE, rule, f"{prompt.count(PLACE_OF_TEXT)} of them")
    before, _, after = prompt.partition(PLACE_OF_TEXT)
    return before, after


def _answer_tokens(task: InstructedScores, tokenizer: Any) -> int:
    """The most tokens that an answer may have, its end included."""
    answers = [task.completion([value] * len(task.label_space.dimensions)) for value in _scale(task)]
    tokens = tokenize(tokenizer, answers, UNCUT, plain=True)
    for i, answer in enumerate(answers):
        found = decoded(tokenizer, tokens.ids[tokens.offsets[i] : tokens.offsets[i + 1]].tolist())
        if found != answer:
            rule = f"must have a tokenizer that gives JSON back as it was, such as {answer}"
            raise _fault(BASE, rule, found)
    longest = int(tokens.lengths.max()) + 1
    if task.answer_tokens is None:
        # Scores that differ may be cut into tokens in another way at their borders.
        return longest + len(task.label_space.dimensions)
    if task.answer_tokens < longest:
        raise _fault("task.instruction.answer_tokens", f"must be at least {longest}", str(task.answer_tokens))
    return task.answer_tokens


def _scale(task: InstructedScores) -> FloatArray:
    """Scores from one end of the range to the other, each as an answer can have it."""
    low, high = task.range
    steps = round((high - low) * 10**task.decimals) + 1
    return np.linspace(low, high, min(steps, MOST_VALUES))


def encode_for(task: Task, processor: Any, examples: Examples, max_length: int) -> EncodedSplit:
    """The examples as `encode` has them, or each as a prompt with its answer where the task's answers are written."""
    if not isinstance(task, InstructedScores):
        return encode(processor, examples, max_length)
    return encoded_prompts(task, processor, examples)


def encoded_prompts(task: InstructedScores, tokenizer: Any, examples: Examples) -> EncodedSplit:
    """The examples as prompts with their texts, which are cut to fit, each with its answer and the end of text behind.

    Nothing in a text counts as a special token.
    """
    frame, texts = task.given_frame, examples.texts
    scores = np.empty((0, 0)) if examples.scores is None else examples.scores
    before, after = _frame_ids(tokenizer, frame.before, frame.after)
    bodies = tokenize(tokenizer, texts, frame.text_tokens, plain=True)
    answers = tokenize(tokenizer, [task.completion(row) for row in scores.tolist()], UNCUT, plain=True)
    end = np.array([tokenizer.eos_token_id], dtype=np.int32)
    parts = [np.empty(0, dtype=np.int32)]
    for i in range(len(texts)):
        body, answer = (one.ids[one.offsets[i] : one.offsets[i + 1]] for one in (bodies, answers))
        parts += [before, body, after, answer, end]
    prompts = len(before) + bodies.lengths + len(after)
    offsets = np.concatenate([[0], np.cumsum(prompts + answers.lengths + 1)]).astype(np.int64)
    return encoded(examples, TokenArrays(np.concatenate(parts), offsets), prompts=prompts)


def decoded(tokenizer: Any, ids: list[int]) -> str:
    """The text of an answer's tokens, special ones shown."""
    text: str = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text


def _frame_ids(tokenizer: Any, *parts: str) -> tuple[Any, ...]:
    """Token ids of the parts of a prompt, in which special tokens count."""
    return tuple(np.array(tokenizer(part, add_special_tokens=False)["input_ids"], dtype=np.int32) for part in parts)


def _fault(where: str, rule: str, value: str) -> InputError:
    return InputError(where, [Fault(where, rule, value)])
