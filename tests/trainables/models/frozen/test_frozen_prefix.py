import numpy as np
import peft
import pytest
import torch
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    LlamaConfig,
    Qwen2Config,
    RobertaConfig,
    ViTConfig,
)

from rarecall.trainables.data.encoding import EncodedImages, EncodedSplit
from rarecall.trainables.models.architectures import head_modules, lora_targets
from rarecall.trainables.models.frozen.frozen_prefix import FrozenPrefix, entry_width, kept_layers, state_bytes
from rarecall.trainables.training.batches import model_inputs, pad_states

SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 32}
CONFIGS = {
    "bert": BertConfig(**SMALL, max_position_embeddings=32),
    "roberta": RobertaConfig(**SMALL, max_position_embeddings=40),
    "deberta-v2": DebertaV2Config(
        **SMALL, max_position_embeddings=32, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8
    ),
    "qwen2": Qwen2Config(**SMALL, num_key_value_heads=2, pad_token_id=0),
    "llama": LlamaConfig(**SMALL, num_key_value_heads=2, pad_token_id=0),
    "vit": ViTConfig(**{**SMALL, "vocab_size": 0}, image_size=8, patch_size=4),
}


def small_split(rows=9, images=False):
    rng = np.random.default_rng(0)
    if images:
        pixels = rng.integers(0, 256, (rows, 3, 8, 8)).astype(np.uint8)
        encoded = EncodedImages(pixels, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
        entries = np.zeros(rows, np.int32), np.arange(rows + 1)
        return EncodedSplit(np.arange(rows), *entries, rng.integers(0, 3, rows), images=encoded)
    lengths = rng.integers(2, 12, rows)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = rng.integers(3, 50, offsets[-1]).astype(np.int32)
    return EncodedSplit(np.arange(rows), ids, offsets, rng.integers(0, 3, rows))


def adapted(family):
    torch.manual_seed(0)
    config = CONFIGS[family]
    config.num_labels = 3
    config.pad_token_id = 0
    auto = AutoModelForImageClassification if family == "vit" else AutoModelForSequenceClassification
    model = auto.from_config(config)
    lora = peft.LoraConfig(
        task_type=None if family == "vit" else "SEQ_CLS",
        r=2,
        init_lora_weights=False,
        target_modules=lora_targets(model, "attention", "last 2"),
        modules_to_save=head_modules(model),
    )
    return peft.get_peft_model(model, lora)


def backward(model, inputs, targets):
    model.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(**inputs).logits, targets)
    loss.backward()
    return float(loss.detach())


def gradients_of(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


# In bf16, a state has 8 significant bits.
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("bf16", 2e-2)])
@pytest.mark.parametrize("family", CONFIGS)
def test_losses_and_gradients_equal_the_plain_path(family, precision, tolerance):
    model, split = adapted(family), small_split(images=family == "vit")
    prefix = FrozenPrefix(model, 2)
    states = prefix.states(split, 0, precision, batch_size=4)
    assert states.nbytes == state_bytes(split, entry_width(CONFIGS[family]), precision)
    rows = np.array([5, 0, 7, 2])
    inputs, targets = model_inputs(split, rows, 0), torch.from_numpy(split.classes[rows])
    model.eval()
    names = list(model.state_dict())
    plain_loss = backward(model, inputs, targets)
    plain = gradients_of(model)
    with prefix.skipped() as stem:
        stem.feed(pad_states(split.offsets, states, rows))
        loss = backward(model, inputs, targets)
    gradients = gradients_of(model)
    assert loss == pytest.approx(plain_loss, abs=tolerance)
    assert gradients.keys() == plain.keys()
    assert len(plain) > 0
    for name, gradient in gradients.items():
        assert torch.allclose(gradient, plain[name], atol=tolerance), name
    assert list(model.state_dict()) == names


def test_the_stack_is_whole_again_even_after_an_error():
    model = adapted("bert")
    prefix = FrozenPrefix(model, 2)
    with prefix.skipped():
        assert len(model.get_base_model().bert.encoder.layer) == 2
    with pytest.raises(AssertionError, match="fed before"), prefix.skipped() as stem:
        stem()
    assert len(model.get_base_model().bert.encoder.layer) == 4


def test_frozen_dropout_is_off_and_trained_dropout_on():
    model = adapted("bert")
    model.train()
    FrozenPrefix(model, 2).freeze_dropout()
    bert = model.get_base_model().bert
    assert not bert.embeddings.dropout.training
    assert [layer.training for layer in bert.encoder.layer] == [False, False, True, True]


def test_states_travel_with_the_split():
    split = small_split()
    prefix = FrozenPrefix(adapted("bert"), 2)
    assert prefix.with_states(split, 0).states.shape == (len(split.ids), 16)
    padded = pad_states(split.offsets, np.ones((len(split.ids), 4), np.float32), np.array([1, 2]))
    assert padded.sum(dim=(1, 2)).tolist() == [4.0 * length for length in split.lengths[[1, 2]]]


@pytest.mark.parametrize(
    ("adapter", "layers", "kept"), [("lora", "all", None), ("lora", "last 2", 2), ("none", "last 2", None)]
)
def test_kept_layers(adapter, layers, kept):
    assert kept_layers(adapter, layers) == kept
