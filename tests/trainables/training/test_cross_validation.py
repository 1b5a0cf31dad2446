"""Trials on folds, with real models; what is expected comes from ordinary trials on the rows of one fold."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import recall_score

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.config import DataConfig, TrialConfig
from rarecall.trainables.data.encoding import joined
from rarecall.trainables.data.folds import one_fold
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.models.classifier import ClassifierPool, load_tokenizer
from rarecall.trainables.models.frozen.frozen_prefix import FrozenPrefix
from rarecall.trainables.training.decision_rule import decide
from rarecall.trainables.training.loop import Start, train
from rarecall.trainables.training.request import TrialRequest
from rarecall.trainables.training.session import TrainingSession
from rarecall.trainables.training.worker import Worker

FOLDS = 3
ADAPTER = "adapter_model.safetensors"
OPENINGS = {"common": "rain and wind in", "rare": "a steam engine at"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """18 rows to train on and 9 to validate, each third one rare."""
    folder = tmp_path_factory.mktemp("folds")
    with (folder / "rows.jsonl").open("w") as file:
        for i in range(27):
            name = "rare" if i % 3 == 0 else "common"
            file.write(json.dumps({"text": f"{OPENINGS[name]} the town {i}", "label": name}) + "\n")
    return folder


def trial_config(folds=FOLDS, **training):
    return TrialConfig.model_validate(
        {
            "data": {"path": "rows.jsonl", "label": "label", "folds": folds, "split": {"test": 0}},
            "task": {"kind": "multiclass"},
            "model": {"max_length": 16, "lora": {"rank": 2, "dropout": 0.1, "layers": "last 1"}},
            "training": {"epochs": 2, "batch_size": 6, "learning_rate": 3e-3, "precision": "fp32", **training},
        }
    )


@pytest.fixture(scope="module")
def data(still_minilm, folder):
    return prepare(trial_config(), load_tokenizer(still_minilm), base=folder).for_trials()


@pytest.fixture(scope="module")
def session(still_minilm, data):
    return opened(still_minilm, data)


def opened(base, data):
    """What runs a trial of these data, given the plain sections of its configuration."""
    run_trial = TrainingSession(base)(data, Worker())
    return lambda config, start, fold=None: run_trial(TrialRequest("t0001", {}, config, fold=fold), start)


@pytest.fixture(scope="module")
def pool(still_minilm, data):
    return ClassifierPool(still_minilm, data.task.output_names, data.pad_id)


def plain(config):
    return config.model_dump(mode="json")


def by_row(predictions):
    return dict(zip(predictions.rows.tolist(), predictions.probabilities, strict=True))


def test_validation_is_as_large_as_every_other_fold(data):
    assert (len(data.train), len(data.validation)) == (18, 9)
    assert [len(outside) for _, outside in data.folds] == [9, 9, 9]
    rows = {"path": "rows.jsonl", "folds": 4}
    assert DataConfig.model_validate({**rows, "split": {"test": 0.2}}).split.validation == pytest.approx(0.8 / 4)
    assert DataConfig.model_validate({**rows, "split": {"validation": 0.3}}).split.validation == 0.3
    assert DataConfig.model_validate({"path": "rows.jsonl"}).split.validation == 0.1


def test_an_epoch_is_one_epoch_of_every_fold(data, session, pool):
    config = trial_config()
    found = list(session(plain(config), None))
    alone = [list(train(config, one_fold(data, number), pool, Worker())) for number in range(FOLDS)]
    assert [result.epoch for result in found] == [1, 2]
    for epoch, result in enumerate(found):
        folds = [results[epoch] for results in alone]
        expected = {row: found for fold in folds for row, found in by_row(fold.predictions).items()}
        assert sorted(expected) == list(range(27))
        for row, probabilities in by_row(result.predictions).items():
            np.testing.assert_allclose(probabilities, expected[row], atol=1e-5)
        predictions = result.predictions
        recalls = recall_score(predictions.true_class, predictions.predicted_class, average=None)
        assert [result.metrics["recall[common]"], result.metrics["recall[rare]"]] == pytest.approx(recalls)
        assert np.sum(result.confusion) == 27
        # 18 rows are trained on and 9 held out in each of the folds.
        for name in ("train_loss", "validation_loss"):
            mean = np.mean([getattr(fold, name) for fold in folds])
            assert getattr(result, name) == pytest.approx(mean, abs=1e-5)
        right = np.mean([fold.train_metrics["accuracy"] for fold in folds])
        assert result.train_metrics["accuracy"] == pytest.approx(right, abs=1e-5)


def test_the_first_fold_is_the_trial_without_folds_and_its_model_is_the_checkpoint(data, session, pool, tmp_path):
    for result in session(plain(trial_config()), None):
        place = tmp_path / str(result.epoch)
        place.mkdir()
        result.save(place)
    (*_, without) = train(trial_config(folds=None), one_fold(data, 0), pool, Worker())
    pooled = by_row(result.predictions)
    assert len(without.predictions) == 9
    for row, probabilities in by_row(without.predictions).items():
        np.testing.assert_allclose(pooled[row], probabilities, atol=1e-5)
    without.save(tmp_path)
    kept, expected = load_file(tmp_path / "2" / ADAPTER), load_file(tmp_path / ADAPTER)
    assert kept.keys() == expected.keys()
    for name, value in kept.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)
    assert not torch.equal(load_file(tmp_path / "2" / "fold-2" / ADAPTER)[name], kept[name])
    assert {"fold-2", "fold-3"} <= {path.name for path in (tmp_path / "2").iterdir()}


def test_a_trial_of_folds_goes_on_where_it_was(session, tmp_path):
    config = plain(trial_config(epochs=3))
    whole = []
    for result in session(config, None):
        whole.append(result)
        if result.epoch == 1:
            result.save(tmp_path)
    resumed = list(session(config, Start(1, tmp_path)))
    assert [result.epoch for result in resumed] == [2, 3]
    for before, after in zip(whole[1:], resumed, strict=True):
        assert after.train_loss == pytest.approx(before.train_loss, abs=1e-5)
        np.testing.assert_allclose(after.predictions.probabilities, before.predictions.probabilities, atol=1e-5)


def test_the_rule_is_that_of_all_rows(data, session):
    settings = {"epochs": 1, "learning_rate": 1e-3}
    (with_rule,) = session(plain(trial_config(**settings, decision_rule={"fit": True, "folds": 3})), None)
    (without,) = session(plain(trial_config(**settings)), None)
    # Logarithms of probabilities are outputs, but for a number that all classes of a row share.
    outputs = np.log(without.predictions.probabilities)
    task, predictions = decide(data.task, outputs, joined(data.train, data.validation), Goal(), 3, 0)
    assert with_rule.rule == pytest.approx(task.rule, abs=1e-4)
    assert isinstance(predictions, Predictions)
    assert with_rule.predictions.predicted_class.tolist() == predictions.predicted_class.tolist()


def test_a_fold_that_diverges_ends_the_trial(session):
    results = list(session(plain(trial_config(epochs=5, learning_rate=1e10, warmup=0.0, clip_norm=1e9)), None))
    assert len(results) < 5
    last = results[-1]
    assert (last.diverged, last.metrics, last.train_metrics, last.predictions) == (True, {}, {}, None)


def test_a_finalist_is_trained_on_one_fold_alone(data, session):
    (result,) = session(plain(trial_config(epochs=1)), None, fold=1)
    assert sorted(result.predictions.rows) == sorted(one_fold(data, 1).validation.rows)


def test_folds_train_from_frozen_states_too(still_minilm, data, pool, session):
    frozen = FrozenPrefix(pool.with_lora(2, 16.0, 0.0, "attention", "last 1", 0), kept=1)
    splits = {name: frozen.with_states(getattr(data, name), data.pad_id) for name in ("train", "validation")}
    fast = opened(still_minilm, replace(data, **splits))
    config = plain(trial_config(epochs=1))
    ((one,), (other,)) = list(session(config, None)), list(fast(config, None))
    np.testing.assert_allclose(other.predictions.probabilities, one.predictions.probabilities, atol=1e-3)
