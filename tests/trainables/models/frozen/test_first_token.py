"""The last layer computed for the first token alone gives the logits and gradients of the whole layer."""

import copy

import peft
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaConfig,
    DebertaV2Config,
    ElectraConfig,
    Qwen2Config,
    RobertaConfig,
    XLMRobertaConfig,
)

from rarecall.trainables.models.architectures import READ_FIRST_TOKEN, head_modules, lora_targets
from rarecall.trainables.models.frozen.first_token import compute_first_token_only

SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SMALL |= {"max_position_embeddings": 40, "pad_token_id": 0}
RELATIVE = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
CONFIGS = {
    "bert": BertConfig(**SMALL),
    "roberta": RobertaConfig(**SMALL),
    "xlm-roberta": XLMRobertaConfig(**SMALL),
    "electra": ElectraConfig(**SMALL),
    "deberta": DebertaConfig(**SMALL, **RELATIVE),
    "deberta-v2": DebertaV2Config(**SMALL, **RELATIVE),
}
INPUTS = {
    "input_ids": torch.tensor([[2, 7, 9, 11, 3], [2, 8, 3, 0, 0]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
}
CLASSES = torch.tensor([2, 0])


def plain(family):
    torch.manual_seed(0)
    config = CONFIGS[family]
    config.num_labels = 3
    # Weights of a size that makes every part matter.
    config.initializer_range = 0.5
    # In double precision, so that rounding hides nothing.
    return AutoModelForSequenceClassification.from_config(config).double()


def adapted(model):
    torch.manual_seed(1)
    lora = peft.LoraConfig(
        task_type="SEQ_CLS",
        r=2,
        init_lora_weights=False,
        target_modules=lora_targets(model, "all_linear", "all"),
        modules_to_save=head_modules(model),
    )
    return peft.get_peft_model(model, lora).double()


def logits_and_gradients(model):
    logits = model.eval()(**INPUTS).logits
    torch.nn.functional.cross_entropy(logits, CLASSES).backward()
    return logits.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_each_family_is_tested():
    assert set(CONFIGS) == set(READ_FIRST_TOKEN)


@pytest.mark.parametrize("prepare", [lambda model: model, adapted], ids=["whole", "lora"])
@pytest.mark.parametrize("family", CONFIGS)
def test_logits_and_gradients_are_those_of_the_whole_layer(family, prepare):
    model = plain(family)
    changed = copy.deepcopy(model)
    compute_first_token_only(changed)
    logits, gradients = logits_and_gradients(prepare(model))
    changed = prepare(changed)
    found, changed_gradients = logits_and_gradients(changed)
    assert torch.allclose(found, logits, rtol=1e-9, atol=1e-11)
    assert logits.std() > 0.01
    assert changed_gradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert torch.allclose(changed_gradients[name], gradient, rtol=1e-9, atol=1e-11), name


@pytest.mark.parametrize("family", CONFIGS)
def test_only_the_last_layer_sees_one_token(family):
    model, seen = plain(family), []
    compute_first_token_only(model)
    for layer in model.base_model.encoder.layer:
        layer.intermediate.register_forward_hook(lambda _, args, output: seen.append(tuple(output.shape)))
    adapted(model)(**INPUTS)
    assert seen == [(2, 5, 32), (2, 1, 32)]


def test_a_model_that_reads_otherwise_is_left_alone():
    small = {key: value for key, value in SMALL.items() if key != "pad_token_id"}
    model = AutoModelForSequenceClassification.from_config(Qwen2Config(**small, num_key_value_heads=2, pad_token_id=0))
    compute_first_token_only(model)
    assert not any(module._forward_pre_hooks for module in model.modules())
