"""A linear model on frozen features as the head of each family of base models: the whole model gives its outputs."""

import numpy as np
import pytest
import torch

from rarecall.trainables.models import checkpoint
from rarecall.trainables.models.architectures import first_of_head
from rarecall.trainables.models.frozen.linear_head import put_linear_head
from tests.trainables.models.test_model_families import adapted, bases, batch_of, outputs_of, pool_of  # noqa: F401

WITH_BIAS = ("bert", "roberta", "deberta-v2", "modernbert", "t5", "vit")
WITHOUT = ("qwen2", "llama")
FEATURES = 16


def linear_model(outputs=3):
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.normal(size=(outputs, FEATURES))), torch.tensor([0.5, -3.0, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("family", WITH_BIAS)
def test_the_model_gives_what_the_linear_model_gives(bases, family, tmp_path):  # noqa: F811
    weight, bias = linear_model()
    model = adapted(pool_of(bases, family), adapter="head").eval()
    read = []
    first_of_head(model).register_forward_pre_hook(lambda _, args: read.append(args[0].detach()))
    outputs_of(model, batch_of(family))
    features = read.pop().reshape(2, -1)[:, :FEATURES]
    put_linear_head(model, weight, bias, features)
    wanted = (features.double() @ weight.T + bias).float()
    found = outputs_of(model, batch_of(family))
    torch.testing.assert_close(found, wanted, atol=5e-3, rtol=1e-3)
    checkpoint.save_model(tmp_path, model)
    again = adapted(pool_of(bases, family), seed=1, adapter="head")
    checkpoint.restore_model(tmp_path, again)
    torch.testing.assert_close(outputs_of(again, batch_of(family)), found)
    assert (tmp_path / checkpoint.HEAD_FILE).stat().st_size < 10_000


@pytest.mark.parametrize("family", WITHOUT)
def test_a_head_without_a_bias_says_so(bases, family):  # noqa: F811
    model = adapted(pool_of(bases, family), adapter="head")
    with pytest.raises(ValueError, match="cannot take over a linear model"):
        put_linear_head(model, *linear_model(), torch.zeros(2, FEATURES))


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_nothing_but_the_head_is_trained(bases, family):  # noqa: F811
    model = adapted(pool_of(bases, family), adapter="head")
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert trained
    assert all(name.startswith("classifier.") for name in trained)
