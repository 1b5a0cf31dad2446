"""What rarecall relies on in transformers' models beyond their public interface, for each family it is tested with."""

import pytest
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, BertConfig

from rarecall.trainables.models.architectures import (
    READ_FIRST_TOKEN,
    embeddings,
    head_modules,
    initialise,
    last_attention_output,
    layer_stack,
)

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 50,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
}


def small(kind):
    extra = {"embedding_size": 16} if kind == "electra" else {}
    return AutoModelForSequenceClassification.from_config(AutoConfig.for_model(kind, num_labels=3, **SMALL, **extra))


@pytest.mark.parametrize("kind", READ_FIRST_TOKEN)
def test_encoders_keep_embeddings_layers_attention_and_head_where_they_are_looked_for(kind):
    model = small(kind)
    owner, name = embeddings(model)
    assert isinstance(getattr(owner, name), nn.Module)
    owner, name = layer_stack(model)
    assert len(getattr(owner, name)) == 2
    assert any(module is last_attention_output(model) for module in model.modules())
    assert "classifier" in head_modules(model)


@pytest.mark.parametrize("kind", ["qwen2", "modernbert"])
def test_other_families_keep_embeddings_and_layers_where_they_are_looked_for(kind):
    model = small(kind)
    assert all(hasattr(*place) for place in (embeddings(model), layer_stack(model)))


def test_a_head_gets_the_random_weights_of_its_architecture():
    model = small("bert")
    model.classifier.weight.data.fill_(7.0)
    initialise(model, model.classifier)
    assert 0 < float(model.classifier.weight.detach().std()) < 3 * BertConfig().initializer_range
    assert model.classifier.bias.abs().max() == 0
