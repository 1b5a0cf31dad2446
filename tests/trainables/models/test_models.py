import pytest
import torch

from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import (
    ClassifierPool,
    count_parameters,
    head_modules,
    load_tokenizer,
    lora_targets,
    set_head_bias,
)

LABELS = ("common", "rare", "rarest")
LORA = {"rank": 4, "alpha": 16.0, "dropout": 0.0, "targets": "attention", "layers": "all"}


@pytest.fixture(scope="module")
def base():
    return resolve_base("minilm")


@pytest.fixture
def pool(base):
    return ClassifierPool(base, LABELS, pad_token_id=0)


@pytest.fixture(scope="module")
def batch(base):
    return load_tokenizer(base)(["a sensor in the field", "it runs"], padding=True, return_tensors="pt")


def logits(model, batch):
    model.eval()
    with torch.inference_mode():
        return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits


def test_the_same_seed_gives_the_same_model_even_after_another_trial_trained(base, pool, batch):
    first = {name: value.clone() for name, value in pool.with_lora(**LORA, seed=3).state_dict().items()}
    other = pool.with_lora(**(LORA | {"rank": 8, "layers": "last 2"}), seed=9)
    with torch.no_grad():
        for parameter in other.parameters():
            if parameter.requires_grad:
                parameter.add_(1.0)
    again = pool.with_lora(**LORA, seed=3)
    fresh = ClassifierPool(base, LABELS, pad_token_id=0).with_lora(**LORA, seed=3)
    for name, value in again.state_dict().items():
        assert torch.equal(value, first[name]), name
        assert torch.equal(value, fresh.state_dict()[name]), name
    assert logits(again, batch).shape == (2, len(LABELS))


def test_another_seed_gives_another_head(pool):
    head = pool.with_lora(**LORA, seed=1).base_model.model.classifier.modules_to_save["default"].weight.clone()
    assert not torch.equal(
        head, pool.with_lora(**LORA, seed=2).base_model.model.classifier.modules_to_save["default"].weight
    )


def test_only_adapter_and_head_are_trained(pool):
    model = pool.with_lora(**LORA, seed=0)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    # 6 layers × 4 attention projections × (A, B), and weight and bias of classifier and pooler.
    assert sum("lora_" in name for name in trained) == 6 * 4 * 2
    assert sorted(name.split(".")[-3] for name in trained if "lora_" not in name and "classifier" in name) == [
        "modules_to_save",
        "modules_to_save",
    ]
    assert len(trained) == 6 * 4 * 2 + 4


@pytest.mark.parametrize(
    ("targets", "layers", "count"),
    [("attention", "all", 24), ("all_linear", "all", 36), ("attention", "last 2", 8), ("all_linear", "last 1", 6)],
)
def test_lora_targets_of_a_six_layer_bert(pool, targets, layers, count):
    model = pool.whole(seed=0)
    assert len(lora_targets(model, targets, layers)) == count


def test_more_layers_than_there_are_is_an_error(pool):
    with pytest.raises(ValueError, match="last 7 layers, the model has 6"):
        lora_targets(pool.whole(seed=0), "attention", "last 7")


def test_head_modules_of_a_bert_are_classifier_and_pooler(pool):
    assert head_modules(pool.whole(seed=0)) == ["classifier", "pooler"]


def test_head_bias_starts_at_the_prior(pool):
    model = pool.with_lora(**LORA, seed=0)
    set_head_bias(model, torch.tensor([0.5, -1.0, 2.0]))
    assert model.base_model.model.classifier.modules_to_save["default"].bias.tolist() == [0.5, -1.0, 2.0]


def test_whole_model_trains_every_weight(pool):
    assert all(parameter.requires_grad for parameter in pool.whole(seed=0).parameters())


def test_a_head_alone_sits_on_the_base_as_it_was(pool):
    before = {name: value.clone() for name, value in pool.head_alone(seed=0).state_dict().items()}
    trained = pool.whole(seed=0)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1.0)
    for name, value in pool.head_alone(seed=0).state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_parameters_are_counted_as_trained_and_in_all(pool):
    """MiniLM has 22,713,216: its pooler is among them, the classifier of three labels is not."""
    pooler, classifier = 384 * 384 + 384, 384 * 3 + 3
    adapter = 6 * 4 * 2 * 4 * 384  # layers, projections, A and B of rank 4
    # peft keeps what it trains anew, pooler and classifier, beside the original.
    whole = 22_713_216 + classifier
    assert count_parameters(pool.with_lora(**LORA, seed=0)) == (
        adapter + pooler + classifier,
        whole + adapter + pooler + classifier,
    )
    assert count_parameters(pool.whole(seed=0)) == (whole, whole)
