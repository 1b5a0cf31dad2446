import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, recall_score
from torch.nn.functional import cross_entropy
from torch.optim.optimizer import register_optimizer_step_pre_hook

from rarecall.analysis.criteria.goal import Goal
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.models import checkpoint
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import ClassifierPool, load_tokenizer
from rarecall.trainables.models.frozen.frozen_prefix import FrozenPrefix
from rarecall.trainables.training.batches import pad
from rarecall.trainables.training.epoch import EpochOutputs, Pass, last_passes, result_of
from rarecall.trainables.training.forward import Forward, predict_outputs
from rarecall.trainables.training.loop import Start, build_model, train
from rarecall.trainables.training.request import TrialRequest
from rarecall.trainables.training.session import TrainingSession
from rarecall.trainables.training.worker import Worker

# Words give the class away; 60 rows to train on, 48 : 8 : 4, and 20 to validate.
OPENINGS = {"common": "rain and wind in", "rare": "a steam engine at", "rarest": "two violins from"}
COUNTS = {"train": {"common": 48, "rare": 8, "rarest": 4}, "validation": {"common": 14, "rare": 4, "rarest": 2}}
TASK = {"kind": "multiclass", "classes": list(OPENINGS)}
STILL = {"rank": 4, "dropout": 0.0, "layers": "last 1"}


def write_rows(path, counts):
    rows = [
        {"text": f"{OPENINGS[name]} {'the old town ' * (i % 3)}{path.stem} {i}", "label": name}
        for name, count in counts.items()
        for i in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loop")
    for split, counts in COUNTS.items():
        write_rows(folder / f"{split}.jsonl", counts)
    return folder


def trial_config(training=None, lora=None, task=None, data=None):
    return TrialConfig.model_validate(
        {
            "data": {"train": "train.jsonl", "validation": "validation.jsonl", "label": "label", **(data or {})},
            "task": task or TASK,
            "model": {"max_length": 16, "lora": {**STILL, **(lora or {})}},
            # Figures are compared to five digits, which bf16 has not.
            "training": {"epochs": 3, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", **(training or {})},
        }
    )


@pytest.fixture(scope="module")
def data(still_minilm, folder):
    return prepare(trial_config(), load_tokenizer(still_minilm), base=folder)


@pytest.fixture(scope="module")
def pool(still_minilm, data):
    return ClassifierPool(still_minilm, data.task.output_names, data.pad_id)


@pytest.fixture(scope="module")
def noisy_pool(data):
    """MiniLM as it is, with dropout."""
    return ClassifierPool(resolve_base("minilm"), data.task.output_names, data.pad_id)


@pytest.fixture
def steps():
    """Gradients and learning rate of every optimiser step that a test takes."""
    taken = []

    def note(optimizer, args, kwargs):
        groups = optimizer.param_groups
        gradients = [parameter.grad.clone() for group in groups for parameter in group["params"]]
        taken.append((groups[0]["lr"], gradients))

    handle = register_optimizer_step_pre_hook(note)
    yield taken
    handle.remove()


def run(config, data, pool, start=None):
    return list(train(config, data, pool, Worker(), start))


def figures(results):
    """All that must be the same twice."""
    return [(r.epoch, r.train_loss, r.metrics, r.confusion, r.predictions.probabilities.tolist()) for r in results]


def class_weights(strength):
    """(48 / n) ** strength of the classes with 48, 8 and 4 rows."""
    return torch.tensor([1.0, (48 / 8) ** strength, (48 / 4) ** strength])


def restored(config, pool, result, folder):
    """The model that an epoch left, from its checkpoint."""
    result.save(folder)
    model = build_model(config.model, pool, config.training.seed)
    checkpoint.restore_model(folder, model)
    return model.eval()


def all_inputs(data):
    split = data.train
    return pad(split, np.arange(len(split)), data.pad_id), torch.from_numpy(np.array(split.classes))


def test_easy_rows_are_learnt(data, noisy_pool):
    results = run(trial_config({"epochs": 4}), data, noisy_pool)
    losses = [result.train_loss for result in results]
    assert [result.epoch for result in results] == [1, 2, 3, 4]
    # Near zero, dropout moves it up and down.
    assert max(losses[1:]) < losses[0] / 2
    last = results[-1]
    assert last.metrics["accuracy"] > 14 / 20  # the share of the largest class
    assert np.sum(last.confusion, axis=1).tolist() == [14, 4, 2]
    assert last.predictions.rows.tolist() == list(range(60, 80))
    assert (last.diverged, last.peak_memory_mb) == (False, 0.0)
    assert last.seconds > 0


def test_the_same_seed_gives_the_same_trial_whatever_ran_before(data, noisy_pool):
    config = trial_config({"epochs": 2, "oversampling": {"ratio": 0.5}}, {"dropout": 0.1})
    first = figures(run(config, data, noisy_pool))
    other = figures(run(trial_config({"epochs": 1, "seed": 1}, {"rank": 8, "layers": "last 2"}), data, noisy_pool))
    assert figures(run(config, data, noisy_pool)) == first
    assert other[0][1] != first[0][1]


@pytest.mark.parametrize("rows", [None, [20, 30, None]])
def test_a_trial_that_goes_on_gives_what_it_would_have_given(data, noisy_pool, tmp_path, rows):
    sampled = {"oversampling": {"ratio": 0.5}, "rows_per_epoch": rows}
    config = trial_config({"epochs": 3, "warmup": 0.3, **sampled}, {"dropout": 0.1})
    whole = []
    for result in train(config, data, noisy_pool, Worker()):
        whole.append(result)
        if result.epoch == 1:
            result.save(tmp_path)
    resumed = run(config, data, noisy_pool, Start(1, tmp_path))
    assert [result.epoch for result in resumed] == [2, 3]
    for before, after in zip(whole[1:], resumed, strict=True):
        assert after.train_loss == pytest.approx(before.train_loss, abs=1e-5)
        np.testing.assert_allclose(after.predictions.probabilities, before.predictions.probabilities, atol=1e-5)
        assert after.metrics == pytest.approx(before.metrics, abs=1e-5, nan_ok=True)


def test_nothing_is_left_to_do_after_the_last_epoch(data, pool, tmp_path):
    (only,) = run(trial_config({"epochs": 1}), data, pool)
    only.save(tmp_path)
    assert run(trial_config({"epochs": 1}), data, pool, Start(1, tmp_path)) == []


def test_a_diverged_trial_says_so_and_ends(data, pool):
    results = run(trial_config({"epochs": 5, "learning_rate": 1e10, "warmup": 0.0, "clip_norm": 1e9}), data, pool)
    assert len(results) < 5
    last = results[-1]
    assert (last.diverged, last.metrics, last.confusion, last.predictions) == (True, {}, [], None)
    assert np.isnan(last.validation_loss)
    assert last.train_metrics == {}
    assert not any(result.diverged for result in results[:-1])


def test_a_trial_after_a_diverged_one_is_not_harmed(data, pool):
    config = trial_config({"epochs": 1})
    before = figures(run(config, data, pool))
    run(trial_config({"learning_rate": 1e10, "warmup": 0.0}), data, pool)
    assert figures(run(config, data, pool)) == before


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_a_step_follows_the_gradient_of_the_weighted_mean_cross_entropy(data, pool, steps, tmp_path, strength):
    """One step over all rows, so small that the saved weights are those of the gradient."""
    config = trial_config(
        {
            "epochs": 1,
            "batch_size": 60,
            "learning_rate": 1e-20,
            "clip_norm": 1e9,
            "class_weights": {"strength": strength, "cap": 100.0},
        }
    )
    (result,) = run(config, data, pool)
    ((_, taken),) = steps
    model = restored(config, pool, result, tmp_path)
    inputs, classes = all_inputs(data)
    # torch divides by the sum of the weights of the rows.
    loss = cross_entropy(model(**inputs).logits, classes, weight=class_weights(strength))
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    expected = torch.autograd.grad(loss, parameters)
    # AdamW holds matrices before vectors; each in the order of the model.
    order = sorted(range(len(expected)), key=lambda i: expected[i].ndim <= 1)
    for gradient, index in zip(taken, order, strict=True):
        torch.testing.assert_close(gradient, expected[index], rtol=1e-4, atol=1e-6)
    assert result.train_loss == pytest.approx(loss.item(), rel=1e-5)


def test_the_loss_of_an_epoch_is_the_weighted_mean_over_all_its_batches(data, pool, tmp_path):
    weights = {"strength": 0.5, "cap": 100.0}
    config = trial_config({"epochs": 1, "batch_size": 7, "learning_rate": 1e-20, "class_weights": weights})
    (result,) = run(config, data, pool)
    model = restored(config, pool, result, tmp_path)
    inputs, classes = all_inputs(data)
    with torch.inference_mode():
        expected = cross_entropy(model(**inputs).logits, classes, weight=class_weights(0.5))
    assert result.train_loss == pytest.approx(float(expected), rel=1e-5)


def test_the_validation_loss_is_the_plain_mean_over_the_validation_rows(data, pool):
    config = trial_config({"epochs": 1, "class_weights": {"strength": 1.0}, "oversampling": {"ratio": 0.5}})
    (result,) = run(config, data, pool)
    predictions = result.predictions
    of_truth = predictions.probabilities[np.arange(20), predictions.true_class]
    assert result.validation_loss == pytest.approx(-np.log(of_truth).mean(), rel=1e-4)


AT_FALSE_ALARM_RATES = ("recall_at_fpr5", "recall_at_fpr1")


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_training_figures_count_each_row_once_by_the_outputs_it_was_trained_on(data, pool, tmp_path, ratio):
    """Without dropout and with steps of nothing, these are the outputs of the model that is saved."""
    config = trial_config({"epochs": 1, "learning_rate": 1e-20, "batch_size": 7, "oversampling": {"ratio": ratio}})
    (result,) = run(config, data, pool)
    model = restored(config, pool, result, tmp_path)
    inputs, classes = all_inputs(data)
    with torch.inference_mode():
        predicted = model(**inputs).logits.argmax(dim=1).numpy()
    recalls = recall_score(classes, predicted, average=None, labels=[0, 1, 2])
    found = result.train_metrics
    assert found["accuracy"] == pytest.approx((predicted == classes.numpy()).mean(), abs=1e-6)
    assert [found[f"recall[{name}]"] for name in OPENINGS] == pytest.approx(recalls, abs=1e-6)
    expected = f1_score(classes, predicted, average="macro", labels=[0, 1, 2], zero_division=0)
    assert found["macro_f1"] == pytest.approx(expected, abs=1e-6)
    assert set(result.metrics) - set(found) == {
        key for key in result.metrics if key.split("[")[0] in ("support", "roc_auc", "pr_auc", *AT_FALSE_ALARM_RATES)
    }


def margins_of_one_half(split):
    """Outputs of `split` that are half a logit short of naming every row right: common 1, the true class 0.5."""
    outputs = np.full((len(split), 3), -1.0)
    outputs[np.arange(len(split)), split.classes] = 0.5
    outputs[:, 0] = 1.0
    return Pass(outputs, split, np.arange(len(split)))


@pytest.mark.parametrize(("fit", "accuracy"), [(False, 48 / 60), (True, 1.0)])
def test_training_figures_are_decided_by_the_rule_of_the_epoch(data, fit, accuracy):
    passes = (margins_of_one_half(data.train), margins_of_one_half(data.validation))
    outputs = EpochOutputs(1, *passes, 0.1, 0.2, 1.0, 0.0, save=lambda folder: None)
    training = trial_config({"decision_rule": {"fit": fit, "folds": 2}}).training
    result = result_of(outputs, data.task, training, Goal())
    assert result.train_metrics["accuracy"] == pytest.approx(accuracy)
    assert result.seconds > 1.0


def test_the_last_pass_of_a_row_counts():
    """Row 4 is in batches 0 and 2, and twice in batch 1; row 1 only in batch 0."""
    batches = [
        (0, np.array([4, 1]), torch.tensor([[0.0], [1.0]])),
        (1, np.array([4, 4]), torch.tensor([[2.0], [2.0]])),
        (2, np.array([4, 7]), torch.tensor([[5.0], [6.0]])),
    ]
    found = last_passes(Worker(), None, batches, width=1)
    assert found.rows.tolist() == [1, 4, 7]
    assert found.outputs.tolist() == [[1.0], [5.0], [6.0]]
    assert last_passes(Worker(), None, [], width=3).outputs.shape == (0, 3)


def test_two_batches_of_thirty_make_the_step_of_one_of_sixty(data, pool, steps):
    settings = {"epochs": 1, "clip_norm": 1e9, "class_weights": {"strength": 1.0}}
    (whole,) = run(trial_config({**settings, "batch_size": 60}), data, pool)
    (halves,) = run(trial_config({**settings, "batch_size": 30, "accumulation": 2}), data, pool)
    (rate, one), (other_rate, other) = steps
    assert rate == other_rate
    for gradient, accumulated in zip(one, other, strict=True):
        torch.testing.assert_close(accumulated, gradient, rtol=1e-4, atol=1e-6)
    assert halves.train_loss == pytest.approx(whole.train_loss, rel=1e-5)
    np.testing.assert_allclose(halves.predictions.probabilities, whole.predictions.probabilities, atol=1e-5)


def test_the_gradient_is_clipped_to_the_norm(data, pool, steps):
    run(trial_config({"epochs": 1, "batch_size": 60, "clip_norm": 0.01}), data, pool)
    ((_, gradients),) = steps
    assert float(torch.stack([g.norm() for g in gradients]).norm()) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"batch_size": 8}, 8),  # 60 / 8 = 7.5
        ({"batch_size": 8, "accumulation": 3}, 3),  # 8 / 3 = 2.7
        ({"batch_size": 8, "oversampling": {"ratio": 0.5}}, 12),  # 48 + 24 + 24 = 96 rows
    ],
)
def test_steps_and_schedule_are_those_of_the_sampled_rows(data, pool, steps, changes, count):
    run(trial_config({"epochs": 2, "warmup": 0.0, "learning_rate": 1e-3, **changes}), data, pool)
    rates = [rate for rate, _ in steps]
    assert rates == pytest.approx([1e-3 * (1 - step / (2 * count)) for step in range(2 * count)])


def test_the_head_starts_at_the_weighted_shares_of_the_classes(data, pool, tmp_path):
    sampling = {"oversampling": {"ratio": 0.5}, "class_weights": {"strength": 0.5}}
    config = trial_config({"epochs": 1, "learning_rate": 1e-20, **sampling})
    (result,) = run(config, data, pool)
    (bias,) = [
        parameter
        for name, parameter in restored(config, pool, result, tmp_path).named_parameters()
        if parameter.requires_grad and "classifier" in name and name.endswith("bias")
    ]
    mass = np.array([48.0, 24 * (48 / 24) ** 0.5, 24 * (48 / 24) ** 0.5])  # rows after oversampling × weights
    np.testing.assert_allclose(bias.detach(), np.log(mass / mass.sum()), rtol=1e-5)


@pytest.mark.parametrize("layers", ["all", "last 1"])
def test_outputs_do_not_depend_on_the_batch_size(data, pool, layers):
    config = trial_config(lora={"layers": layers})
    model = build_model(config.model, pool, seed=0)
    forward = Forward(model, config.model, data.pad_id, Worker(), torch.float32)
    outputs = [predict_outputs(forward, data.train, size, Worker()) for size in (4, 7, 60, 1000)]
    assert outputs[0].shape == (60, 3)
    with torch.inference_mode():
        plain = model.eval()(**all_inputs(data)[0]).logits
    for other in outputs:
        np.testing.assert_allclose(other, plain, atol=1e-5)


def test_training_from_the_frozen_states_is_training_from_the_texts(data, noisy_pool):
    config = trial_config({"epochs": 2}, {"dropout": 0.1})
    frozen = FrozenPrefix(noisy_pool.with_lora(4, 16.0, 0.0, "attention", "last 1", 0), kept=1)
    train_split, validation = (frozen.with_states(split, data.pad_id) for split in (data.train, data.validation))
    with_states = dataclasses.replace(data, train=train_split, validation=validation)
    for plain, fast in zip(run(config, data, noisy_pool), run(config, with_states, noisy_pool), strict=True):
        assert fast.train_loss == pytest.approx(plain.train_loss, abs=1e-4)
        np.testing.assert_allclose(fast.predictions.probabilities, plain.predictions.probabilities, atol=1e-3)


def test_a_whole_model_learns_and_goes_on_too(data, still_minilm, tmp_path):
    settings = {"epochs": 2, "batch_size": 20, "learning_rate": 1e-4}
    config = TrialConfig.model_validate(
        {**trial_config(settings).model_dump(), "model": {"max_length": 16, "adapter": "none"}}
    )
    pool = ClassifierPool(still_minilm, data.task.output_names, data.pad_id)
    epochs = train(config, data, pool, Worker())
    first = next(epochs)
    first.save(tmp_path)
    second = next(epochs)
    assert second.train_loss < first.train_loss
    (resumed,) = run(config, data, pool, Start(1, tmp_path))
    assert resumed.train_loss == pytest.approx(second.train_loss, abs=1e-5)


@pytest.fixture(scope="module")
def scored(still_minilm, folder):
    """Two scores per row that depend on the opening, and their mean in three tiers."""
    levels = {"common": (1.0, 2.0), "rare": (5.0, 6.0), "rarest": (9.0, 8.5)}
    for split, counts in COUNTS.items():
        with (folder / f"scored-{split}.jsonl").open("w") as file:
            for name, (one, other) in levels.items():
                for i in range(counts[name]):
                    row = {"text": f"{OPENINGS[name]} {split} {i}", "one": one, "other": other + (i % 2) / 2}
                    file.write(json.dumps(row) + "\n")
    task = {
        "kind": "tiered_scores",
        "dimensions": {"one": {}, "other": {}},
        "tiers": {"low": 0, "middle": 4, "high": 7},
        "catastrophic": {"true_below": 4, "predicted_above": 7},
    }
    config = trial_config(
        {"epochs": 6, "learning_rate": 1e-2, "oversampling": {"ratio": 1.0}},
        task=task,
        data={"train": "scored-train.jsonl", "validation": "scored-validation.jsonl", "label": None},
    )
    return config, prepare(config, load_tokenizer(still_minilm), base=folder)


def test_scores_are_learnt_and_cut_into_tiers(still_minilm, scored):
    config, data = scored
    pool = ClassifierPool(still_minilm, data.task.output_names, data.pad_id)
    results = run(config, data, pool)
    assert results[-1].train_loss < results[0].train_loss
    predictions, metrics = results[-1].predictions, results[-1].metrics
    assert predictions.predicted_scores.shape == (20, 2)
    assert predictions.predicted_scores.min() >= 0
    assert predictions.predicted_scores.max() <= 10
    assert {"mae", "mae[one]", "mae[other]", "rmse[one]"} < set(results[-1].train_metrics)
    assert results[-1].train_metrics["mae[one]"] < results[0].train_metrics["mae[one]"]
    error = np.abs(predictions.predicted_scores - predictions.true_scores).mean(axis=0)
    assert (metrics["mae[one]"], metrics["mae[other]"]) == pytest.approx(tuple(error))
    # Without a look at the text, the mean of 14 × 1, 4 × 5 and 2 × 9, which is 2.6, is off by 2.24 on average.
    assert metrics["mae[one]"] < 2.24
    overall = predictions.predicted_scores.mean(axis=1)
    tiers = Counter(np.digitize(overall, [4, 7]).tolist())
    assert Counter(predictions.predicted_class.tolist()) == tiers


def test_a_session_runs_one_trial_after_another(still_minilm, data):
    session = TrainingSession(still_minilm)(data.for_trials(), Worker())
    config = trial_config({"epochs": 1})
    request = TrialRequest("t0001", {}, config.model_dump(mode="json"))
    assert figures(session(request, None)) == figures(session(request, None))


def test_precision_and_whole_state_are_in_the_checkpoint(data, pool, tmp_path):
    (result,) = run(trial_config({"epochs": 1, "precision": "bf16"}), data, pool)
    result.save(tmp_path)
    assert checkpoint.precision(tmp_path) == "bfloat16"
    assert {path.name for path in tmp_path.iterdir()} >= {"adapter_model.safetensors", "optimizer.pt"}
    with pytest.raises(FileNotFoundError):
        run(trial_config(), data, pool, Start(1, tmp_path / "nowhere"))
