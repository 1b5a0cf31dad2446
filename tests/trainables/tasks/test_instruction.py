"""Scores by instruction: asked for, learnt and written, and what an answer that cannot be read costs."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.errors import InputError
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.losses import IGNORED, FocalTokens
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.data.prompts import encode_for, fitted
from rarecall.trainables.exported.writing import outputs_in_fresh_process, write_model
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import load_processor, open_pool
from rarecall.trainables.models.generator import Writer, texts_of
from rarecall.trainables.tasks import InstructedScores, build_task, keyword_rules
from rarecall.trainables.tasks.config import TaskConfig
from rarecall.trainables.tasks.keywords import marked
from rarecall.trainables.training.batches import pad_left
from rarecall.trainables.training.decision_rule import decide
from rarecall.trainables.training.learning import open_forward
from rarecall.trainables.training.loop import Start, build_model, train
from rarecall.trainables.training.worker import Worker

NAMES = ("maturity", "proof")
TASK = {
    "kind": "tiered_scores",
    "dimensions": {"maturity": {"weight": 3}, "proof": {"weight": 1}},
    "tiers": {"vaporware": 0, "pilot": 4, "deployed": 8},
    "catastrophic": {"true_below": 4.0, "predicted_above": 8.0},
    "instruction": {"prompt": "Rate: {text}\n"},
}
# One text for each tier, and its scores.
LEVELS = {"idea": (1.0, 2.5), "trial": (5.0, 4.5), "running": (9.0, 8.5)}
WORKER = Worker()


def task_of(**changes):
    task = build_task(TypeAdapter(TaskConfig).validate_python({**TASK, **changes}), ())
    return task.with_minority(("pilot", "deployed"))


def truth_of(scores, texts=None):
    scores = np.asarray(scores, dtype=np.float64)
    return Examples(np.arange(len(scores)), texts or ("",) * len(scores), task_of().tiers(scores), scores)


def answers_of(*texts):
    return np.array(texts, dtype=np.object_)


def test_predictions_are_what_the_answers_say():
    found = task_of().predictions(
        answers_of('{"maturity":7.2,"proof":3.0}', '{"proof":4,"maturity":4}'), truth_of([[7, 3], [1, 1]])
    )
    assert found.predicted_scores.tolist() == [[7.2, 3.0], [4.0, 4.0]]
    # (3 · 7.2 + 3) / 4 = 6.15
    assert found.predicted_overall.tolist() == [6.15, 4.0]
    assert found.predicted_class.tolist() == [1, 1]
    assert found.unreadable.tolist() == [None, None]


def test_an_answer_that_cannot_be_read_is_as_wrong_as_can_be():
    true = [[1, 2], [5, 5], [4.5, 9], [9, 8.5]]
    task = task_of()
    found = task.predictions(answers_of("I", "do", "not", "know"), truth_of(true))
    # Of 0 and 10 the farther one; 5 is as far from both, and gets the lower one.
    assert found.predicted_scores.tolist() == [[10, 10], [0, 0], [10, 0], [0, 0]]
    # True overall scores are 1.25, 5, 5.625 and 8.875; true tiers 0, 1, 1 and 2 of 0 to 2.
    assert found.predicted_overall.tolist() == [10, 0, 0, 0]
    assert found.predicted_class.tolist() == [2, 0, 0, 0]
    assert found.unreadable.tolist() == ["I", "do", "not", "know"]
    metrics = evaluate(found, task.label_space)
    assert metrics["unparsable_answers"] == 4
    assert metrics["accuracy"] == 0
    assert metrics["catastrophic_failures"] == 1
    # (9 + 5 + 5.5 + 9) / 4
    assert metrics["mae[maturity]"] == 7.125


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1), st.randoms(use_true_random=False))
def test_one_bad_answer_more_never_helps(scores, random):
    task, truth = task_of(), truth_of(scores)
    texts = [task.completion([random.uniform(0, 10) for _ in NAMES]) for _ in scores]
    whole = task.predictions(answers_of(*texts), truth)
    broken = random.randrange(len(texts))
    texts[broken] = texts[broken][:-1]
    found = task.predictions(answers_of(*texts), truth)
    assert found.predicted_class[broken] != truth.classes[broken]
    errors, before = (np.abs(one.predicted_scores - truth.scores) for one in (found, whole))
    assert (errors[broken] >= before[broken]).all()
    others = np.arange(len(texts)) != broken
    np.testing.assert_array_equal(found.predicted_scores[others], whole.predicted_scores[others])


def test_words_do_not_rescue_an_answer_that_cannot_be_read():
    task = task_of(keywords=[{"any": "sold", "at_least": 8.5, "dimension": "maturity"}, {"any": "sold", "at_least": 8}])
    truth = marked(truth_of([[9, 9], [9, 9]], ("sold", "sold")), keyword_rules(task))
    found = task.predictions(answers_of('{"maturity":1,"proof":1}', "sold"), truth)
    assert found.predicted_scores.tolist() == [[8.5, 1], [0, 0]]
    assert found.predicted_class.tolist() == [2, 0]


def test_cuts_are_chosen_by_the_answers_that_can_be_read():
    # True tiers are cut at 4 and 8; the answers are 2 lower, so cuts of 2 and 6 are right.
    generator = np.random.default_rng(0)
    scores = np.repeat(np.round(generator.uniform(2, 10, (90, 1)), 1), 2, axis=1)
    task = task_of()
    texts = [task.completion(row) for row in scores - 2]
    texts[5] = texts[50] = "?"
    decided, predictions = decide(task, answers_of(*texts), truth_of(scores), Goal(), folds=3, seed=0)
    assert decided.rule == pytest.approx((2, 6), abs=0.5)
    assert evaluate(predictions, task.label_space)["unparsable_answers"] == 2
    assert isinstance(decided, InstructedScores)


def test_the_default_prompt_names_dimensions_range_and_decimals():
    prompt = task_of(instruction={"decimals": 2}, range=[0, 10]).prompt
    assert all(part in prompt for part in ("maturity, proof", "from 0 to 10", "decimal places: 2", "{text}"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"two_stage": {"rare": "deployed"}}, "instruction cannot be combined with two_stage"),
        ({"instruction": {"prompt": "Rate this."}}, "must hold {text} exactly once, got it 0 times"),
        ({"instruction": {"prompt": "{text} {text}"}}, "must hold {text} exactly once, got it 2 times"),
        ({"range": [0, 9.75]}, "instruction.decimals must be enough to write the range [0.0, 9.75], got 1"),
    ],
)
def test_sections_that_make_no_sense_are_refused(changes, told):
    with pytest.raises(ValidationError, match=re.escape(told)):
        task_of(**changes)


def test_images_are_refused():
    tree = {"data": {"path": "rows.npz", "image": "pixels"}, "task": TASK}
    with pytest.raises(ValidationError, match=r"task.instruction: asks about texts, and data.image names a column"):
        TrialConfig.model_validate(tree)


@pytest.fixture(scope="module")
def base():
    return resolve_base("tiny-writer")


@pytest.fixture(scope="module")
def tokenizer(base):
    return load_processor(base)


@pytest.mark.parametrize("name", ["minilm", "tiny-bert", "tiny-qwen2", "tiny-byt5"])
def test_only_a_causal_language_model_is_asked(name):
    with pytest.raises(InputError, match=r"model.base.*must be a causal language model, since task.instruction"):
        open_pool(resolve_base(name), task_of(), 0)


def test_a_tokenizer_must_give_json_back():
    words = AutoTokenizer.from_pretrained(resolve_base("minilm").source, eos_token="[SEP]")
    with pytest.raises(
        InputError, match=r"must have a tokenizer that gives JSON back as it was, such as {\"maturity\""
    ):
        fitted(task_of(), words, 256)
    words.eos_token = None
    with pytest.raises(InputError, match="must have a tokenizer with an end-of-text token"):
        fitted(task_of(), words, 256)


def test_an_answer_and_a_text_must_have_room(tokenizer):
    # {"maturity":10.0,"proof":10.0} has 30 bytes and an end.
    with pytest.raises(InputError, match=r"task.instruction.answer_tokens.*must be at least 31.*30"):
        fitted(task_of(instruction={"answer_tokens": 30}), tokenizer, 256)
    given = task_of(instruction={"prompt": "Rate: {text}\n", "answer_tokens": 31})
    # 6 bytes before the text and one behind it.
    assert fitted(given, tokenizer, 39).frame.text_tokens == 1
    with pytest.raises(InputError, match=r"model.max_length.*must be above 38.*38"):
        fitted(given, tokenizer, 38)


def test_a_row_is_the_prompt_with_its_text_and_the_answer_with_its_end(tokenizer):
    task = fitted(task_of(instruction={"prompt": "Rate: {text}\n", "answer_tokens": 31}), tokenizer, 48)
    texts = ("ein Prüfstand", "x<|end|>y")
    split = encode_for(task, tokenizer, truth_of([[7.24, 3], [10, 0]], texts), 48)
    rows = [split.ids[split.offsets[i] : split.offsets[i + 1]].tolist() for i in range(2)]
    # 48 - 38 = 10 bytes of the text, of which "ü" takes two.
    assert tokenizer.decode(rows[0]) == 'Rate: ein Prüfs\n{"maturity":7.2,"proof":3.0}<|end|>'
    assert split.prompts.tolist() == [17, 16]
    assert tokenizer.decode(rows[1]) == 'Rate: x<|end|>y\n{"maturity":10.0,"proof":0.0}<|end|>'
    # What looks like the end in a text is nine letters.
    assert rows[1].count(tokenizer.eos_token_id) == 1
    again = split.take(np.array([1, 0, 1]))
    assert again.prompts.tolist() == [16, 17, 16]


def test_a_chat_template_frames_the_prompt(tokenizer):
    chat = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    chat.chat_template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}<|end|>{% endfor %}[assistant] "
    frame = fitted(task_of(), chat, 256).frame
    assert (frame.before, frame.after) == ("[user] Rate: ", "\n<|end|>[assistant] ")
    chat.chat_template = "[user] [assistant] "
    with pytest.raises(InputError, match=r"must have a chat template that keeps the prompt's {text} once.*0 of them"):
        fitted(task_of(), chat, 256)


def trial_config(training=None, model=None):
    return TrialConfig.model_validate(
        {
            "data": {"train": "train.jsonl", "validation": "validation.jsonl"},
            "task": TASK,
            "model": {"base": "tiny-writer", "adapter": "none", "max_length": 80, **(model or {})},
            "training": {
                "epochs": 1,
                "batch_size": 8,
                "learning_rate": 3e-3,
                "schedule": "constant",
                "warmup": 0.0,
                **(training or {}),
            },
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("instruction")
    for split, count in (("train", 48), ("validation", 12)):
        rows = []
        for i in range(count):
            word = list(LEVELS)[i % 3]
            rows.append({"text": f"{word}{'!' * (i % 4)}", **dict(zip(NAMES, LEVELS[word], strict=True))})
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def data(folder, tokenizer):
    return prepare(trial_config(), tokenizer, base=folder)


@pytest.fixture(scope="module")
def pool(base, data):
    return open_pool(base, data.task, data.pad_id)


def run(data, pool, training=None, model=None, start=None):
    return list(train(trial_config(training, model), data, pool, WORKER, start))


def writer_of(data, pool, model=None):
    """A writer with the weights that a trial starts from."""
    config = trial_config(model=model)
    built = build_model(config.model, pool, 0)
    return open_forward(built, pool, config, data, WORKER, torch.float32)


def loss_by_hand(model, split, row, prompt):
    """Mean cross entropy of the answer's tokens, of the sequence alone and without padding."""
    ids = torch.from_numpy(split.ids[split.offsets[row] : split.offsets[row + 1]].astype(np.int64))
    logits = model(input_ids=ids[None]).logits[0]
    return cross_entropy(logits[prompt - 1 : -1], ids[prompt:])


def test_the_tokens_of_the_answer_alone_are_learnt(data, pool):
    writer, split = writer_of(data, pool), data.train
    rows = np.array([3, 10, 1, 0])  # of different lengths
    assert len(set(split.lengths[rows])) > 1
    with writer.predicting(split):
        logits, targets = writer.shown(split, rows)
        found = FocalTokens()(logits, targets)
        alone = torch.cat([FocalTokens()(*writer.shown(split, rows[i : i + 1])) for i in range(4)])
        expected = torch.stack([loss_by_hand(writer.model, split, row, int(split.prompts[row])) for row in rows])
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(alone, expected)
    # 28 bytes of JSON such as {"maturity":1.0,"proof":2.5} and the end.
    assert (targets != IGNORED).sum(1).tolist() == [29, 29, 29, 29]


def test_an_answer_in_a_padded_batch_is_that_of_the_row_alone(data, pool):
    writer, split = writer_of(data, pool), data.validation
    rows = np.array([7, 0, 2, 9, 3])
    assert len(set(split.prompts[rows])) > 1
    with writer.predicting(split):
        together = writer.outputs(split, rows)
        alone = [writer.outputs(split, np.array([row])).item() for row in rows]
        ids = torch.from_numpy(split.ids[split.offsets[7] :][: split.prompts[7]].astype(np.int64))[None]
        limit = data.task.frame.answer_tokens
        for _ in range(limit):
            ids = torch.cat([ids, writer.model(input_ids=ids).logits[:, -1:].argmax(-1)], dim=1)
    assert together.tolist() == alone
    written = ids[0, split.prompts[7] :].tolist()
    assert texts_of(pool.tokenizer, [written]).tolist() == [together[0]]
    assert len(set(alone)) > 1


def test_padding_on_the_left_counts_positions_from_the_first_token(data):
    split = data.train
    rows, lengths = np.array([0, 3]), np.array([2, 4])
    padded = pad_left(split, rows, lengths, pad_id=0)
    first, other = (split.ids[split.offsets[row] :][:count].tolist() for row, count in ((0, 2), (3, 4)))
    assert padded["input_ids"].tolist() == [[0, 0, *first], other]
    assert padded["attention_mask"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]
    assert padded["position_ids"].tolist() == [[0, 0, 0, 1], [0, 1, 2, 3]]


def test_row_weights_multiply_the_loss_of_a_row(data, pool):
    # Hardly any learning, so that every row meets the same weights.
    weights = {"values": {"deployed": 2.0}}
    (plain,) = run(data, pool, {"learning_rate": 1e-20})
    (weighted,) = run(data, pool, {"learning_rate": 1e-20, "class_weights": weights})
    writer, split = writer_of(data, pool), data.train
    with writer.predicting(split):
        losses = torch.stack([loss_by_hand(writer.model, split, row, int(split.prompts[row])) for row in range(48)])
    twice = torch.from_numpy(np.where(split.classes == 2, 2.0, 1.0))
    assert plain.train_loss == pytest.approx(float(losses.mean()), rel=1e-5)
    assert weighted.train_loss == pytest.approx(float((twice * losses).sum() / twice.sum()), rel=1e-5)
    assert plain.validation_loss == pytest.approx(weighted.validation_loss)


def test_a_model_that_knows_nothing_fails_in_every_row_and_goes_on(data, pool):
    results = run(data, pool, {"epochs": 2, "learning_rate": 1e-20})
    assert [result.diverged for result in results] == [False, False]
    last = results[-1]
    assert last.metrics["unparsable_answers"] == 12
    assert last.metrics["accuracy"] == 0
    assert all(isinstance(answer, str) for answer in last.predictions.unreadable)
    # Of 1, 5 and 9 the farther ends are 10, 0 and 0.
    assert last.metrics["mae[maturity]"] == pytest.approx((9 + 5 + 9) / 3)
    assert last.train_metrics == {}
    assert np.isfinite([last.train_loss, last.validation_loss]).all()


def test_a_tiny_model_learns_to_answer(data, pool):
    results = run(data, pool, {"epochs": 14, "oversampling": {"ratio": 1.0}})
    first, last = results[0], results[-1]
    assert last.train_loss < first.train_loss / 10
    assert first.metrics["unparsable_answers"] == 12
    assert last.metrics["unparsable_answers"] == 0
    assert last.metrics["accuracy"] == 1.0
    assert last.predictions.predicted_scores.tolist() == last.predictions.true_scores.tolist()


def test_a_trial_that_goes_on_gives_what_it_would_have_given(data, pool, tmp_path):
    lora = {"adapter": "lora", "lora": {"rank": 2, "dropout": 0.1, "layers": "last 1"}}
    whole = []
    for result in train(trial_config({"epochs": 2, "accumulation": 2}, lora), data, pool, WORKER):
        whole.append(result)
        if result.epoch == 1:
            result.save(tmp_path)
    (resumed,) = run(data, pool, {"epochs": 2, "accumulation": 2}, lora, Start(1, tmp_path))
    assert resumed.train_loss == pytest.approx(whole[1].train_loss)
    assert resumed.validation_loss == pytest.approx(whole[1].validation_loss)
    assert resumed.predictions.unreadable.tolist() == whole[1].predictions.unreadable.tolist()


def test_a_loss_that_is_no_number_is_divergence(data, pool):
    (result,) = run(data, pool, {"epochs": 3, "learning_rate": 1e30, "clip_norm": 1e30})
    assert result.diverged
    assert (result.metrics, result.predictions) == ({}, None)


@pytest.mark.parametrize("merge", [False, True])
def test_an_exported_adapter_writes_the_same_in_a_fresh_process(merge, base, data, pool, tmp_path):
    model = {"adapter": "lora", "lora": {"rank": 4, "targets": "all_linear"}}
    config = trial_config({"learning_rate": 0.05}, model)
    (result,) = train(config, data, pool, WORKER)
    (tmp_path / "checkpoint").mkdir()
    result.save(tmp_path / "checkpoint")
    examples = Examples(np.arange(3), ("idea!", "running", "trial!!!"), np.zeros(3, int), np.zeros((3, 2)))
    task = replace(data.task, frame=None)
    write_model(tmp_path / "model", base, config, task, tmp_path / "checkpoint", merge=merge)
    told = json.loads((tmp_path / "model" / "decision_rule.json").read_text())["instruction"]
    assert told == {"before": "Rate: ", "after": "\n", "text_tokens": 80 - 7 - 33, "answer_tokens": 33}
    assert (tmp_path / "model" / "adapter_config.json").exists() is not merge
    found = outputs_in_fresh_process(tmp_path / "model", [examples], 80, 1)
    writer = Writer(restored(config, pool, tmp_path), pool.tokenizer, 33, WORKER, torch.float32)
    split = encode_for(data.task, pool.tokenizer, examples, 80)
    with writer.predicting(split):
        assert found.tolist() == writer.outputs(split, np.arange(3)).tolist()
    if merge:
        assert AutoModelForCausalLM.from_pretrained(tmp_path / "model").generation_config.max_new_tokens == 33


def restored(config, pool, folder):
    """The model of the checkpoint below `folder`."""
    from rarecall.trainables.models import checkpoint  # noqa: PLC0415

    model = build_model(config.model, pool, 0)
    checkpoint.restore_model(folder / "checkpoint", model)
    return model
