"""What is asked of every family of base models, held against small models of random weights."""

import peft
import pytest
import torch
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
    DebertaV2Config,
    LlamaConfig,
    LlamaModel,
    ModernBertConfig,
    Qwen2Config,
    RobertaConfig,
    T5Config,
    ViTConfig,
)

from rarecall.trainables.config import ModelConfig, TrialConfig
from rarecall.trainables.models import checkpoint
from rarecall.trainables.models.architectures import NEW_HEADS, lora_targets
from rarecall.trainables.models.bases import BaseModel
from rarecall.trainables.models.classifier import ClassifierPool, checkpoint_activations
from rarecall.trainables.models.quantization import compute_in
from rarecall.trainables.training.loop import build_model
from rarecall.trainables.training.optimisation import adamw

SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
DROPOUT = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
T5 = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_decoder_layers": 1, "num_heads": 2}
CONFIGS = {
    "bert": BertConfig(**SMALL, **DROPOUT, max_position_embeddings=32),
    "roberta": RobertaConfig(**SMALL, **DROPOUT, max_position_embeddings=40, pad_token_id=1),
    "deberta-v2": DebertaV2Config(
        **SMALL, **DROPOUT, max_position_embeddings=32, relative_attention=True, pos_att_type=["p2c", "c2p"]
    ),
    "modernbert": ModernBertConfig(**SMALL, max_position_embeddings=32, pad_token_id=0, attn_implementation="eager"),
    "t5": T5Config(**T5, dropout_rate=0.1, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1),
    "qwen2": Qwen2Config(**SMALL, num_key_value_heads=1, pad_token_id=0),
    "llama": LlamaConfig(**SMALL, num_key_value_heads=1, pad_token_id=0),
    "vit": ViTConfig(**{**SMALL, "vocab_size": 0}, **DROPOUT, image_size=8, patch_size=4),
}
TEXTS = [family for family in CONFIGS if family != "vit"]
# Attention projections and other linear layers of one layer; the stack of T5 has two encoder layers and a decoder's.
LINEAR = {
    "bert": (4, 2),
    "roberta": (4, 2),
    "deberta-v2": (6, 2),  # also for the keys and queries of relative positions
    "modernbert": (2, 2),  # Wqkv and Wo; Wi and Wo
    "qwen2": (4, 3),
    "llama": (4, 3),
    "vit": (4, 2),
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A folder with the weights of each family, without a head, as a hub has them."""
    folders = {}
    for family, config in CONFIGS.items():
        torch.manual_seed(0)
        auto = AutoModelForImageClassification if family == "vit" else AutoModelForSequenceClassification
        folder = tmp_path_factory.mktemp(family)
        auto.from_config(config).base_model.save_pretrained(folder)
        folders[family] = BaseModel(family, str(folder), portable=False)
    return folders


def pool_of(bases, family):
    return ClassifierPool(bases[family], ("a", "b", "c"), getattr(CONFIGS[family], "pad_token_id", 0))


def adapted(pool, seed=0, **model):
    return build_model(ModelConfig.model_validate({"lora": {"rank": 2, "dropout": 0.0}, **model}), pool, seed)


def batch_of(family, padding=0):
    """Two rows, the second one shorter, and so much padding behind them."""
    if family == "vit":
        return {"pixel_values": torch.linspace(-1, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8)}
    pad = CONFIGS[family].pad_token_id
    # T5 finds the end of a text by its last token.
    rows = [[5, 9, 30, 7, 1 if family == "t5" else 3], [8, 11, 1 if family == "t5" else 3]]
    longest = 5 + padding
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def outputs_of(model, batch):
    model.eval()
    with torch.inference_mode():
        return model(**batch).logits


@pytest.mark.parametrize("family", CONFIGS)
def test_adapters_go_where_they_are_asked_to(bases, family):
    model = pool_of(bases, family).whole(seed=0)
    attention, every = lora_targets(model, "attention", "all"), lora_targets(model, "all_linear", "all")
    assert set(attention) < set(every)
    assert not any(head in name.split(".") for name in every for head in (*NEW_HEADS, "pooler"))
    if family in LINEAR:
        projections, others = LINEAR[family]
        assert (len(attention), len(every)) == (2 * projections, 2 * (projections + others))
    else:
        # Encoder: 2 layers of q, k, v, o and wi, wo; decoder: one with two attentions.
        assert (len(attention), len(every)) == (2 * 4 + 2 * 4, 2 * 6 + 10)


@pytest.mark.parametrize("family", TEXTS)
def test_outputs_do_not_depend_on_padding_nor_on_the_other_rows(bases, family):
    model = adapted(pool_of(bases, family))
    together = outputs_of(model, batch_of(family))
    torch.testing.assert_close(outputs_of(model, batch_of(family, padding=4)), together, atol=1e-5, rtol=1e-4)
    short = {name: tensor[1:, :3] for name, tensor in batch_of(family).items()}
    torch.testing.assert_close(outputs_of(model, short), together[1:], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", CONFIGS)
def test_head_and_adapter_are_saved_and_reloaded(bases, family, tmp_path):
    pool = pool_of(bases, family)
    model = adapted(pool, seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) / 10)
    expected = outputs_of(model, batch_of(family))
    checkpoint.save_model(tmp_path, model)
    again = adapted(pool, seed=2)
    assert not torch.allclose(outputs_of(again, batch_of(family)), expected)
    checkpoint.restore_model(tmp_path, again)
    torch.testing.assert_close(outputs_of(again, batch_of(family)), expected)
    if family != "vit":
        # As any user of the folder would.
        loaded = peft.AutoPeftModelForSequenceClassification.from_pretrained(str(tmp_path), num_labels=3)
        loaded.config.pad_token_id = CONFIGS[family].pad_token_id
        torch.testing.assert_close(outputs_of(loaded, batch_of(family)), expected)


def gradients(model, batch):
    """Gradients of a training pass, and the bytes that it keeps for the way back."""
    model.train()
    model.zero_grad()
    torch.manual_seed(3)
    kept = {}

    def keep(tensor):
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = torch.nn.functional.cross_entropy(model(**batch).logits, torch.tensor([0, 2]))
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}, sum(kept.values())


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("adapter", ["lora", "none"])
def test_checkpointed_activations_give_the_same_gradients_from_less_memory(bases, family, adapter):
    pool = pool_of(bases, family)
    settings = {"adapter": adapter, "lora": {"rank": 2, "dropout": 0.1, "targets": "all_linear"}}
    plain, bytes_plain = gradients(adapted(pool, **settings), batch_of(family))
    model = adapted(pool, **settings)
    checkpoint_activations(model)
    found, bytes_found = gradients(model, batch_of(family))
    assert found.keys() == plain.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, plain[name], atol=1e-6, rtol=1e-5, msg=name)
    assert bytes_found < bytes_plain
    # The next trial does without again.
    _, bytes_next = gradients(adapted(pool, **settings), batch_of(family))
    assert bytes_next == pytest.approx(bytes_plain, rel=0.05)


@pytest.fixture
def bitsandbytes():
    pytest.importorskip("accelerate")
    return pytest.importorskip("bitsandbytes")


@pytest.mark.parametrize(("quantization", "kind"), [("4bit", "Linear4bit"), ("8bit", "Linear8bitLt")])
@pytest.mark.parametrize("family", [BertModel, LlamaModel])
def test_quantized_weights_train_an_ordinary_adapter(bitsandbytes, tmp_path, family, quantization, kind):
    """With 64 numbers per row: bitsandbytes quantizes by blocks of 64."""
    sizes = {"vocab_size": 50, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = family.config_class(**sizes, intermediate_size=128, pad_token_id=0, max_position_embeddings=32)
    family(config).save_pretrained(tmp_path / "base")
    pool = ClassifierPool(BaseModel("base", str(tmp_path / "base"), portable=False), ("a", "b", "c"), 0)
    plain = adapted(pool, lora={"rank": 2, "dropout": 0.0})
    expected = outputs_of(plain, batch_of("bert"))
    model = adapted(pool, quantization=quantization, lora={"rank": 2, "dropout": 0.0, "targets": "all_linear"})
    compute_in(model, torch.float32)
    smaller = [name for name, module in model.named_modules() if type(module) is getattr(bitsandbytes.nn, kind)]
    assert len(smaller) == 2 * (6 if family is BertModel else 7)
    assert all(name.endswith("base_layer") for name in smaller)
    found = outputs_of(model, batch_of("bert"))
    assert 0 < float((found - expected).abs().max()) < 0.5
    optimizer = adamw(model, 1e-2, 0.0, "adamw_8bit")
    losses = []
    model.train()
    for _ in range(8):
        loss = torch.nn.functional.cross_entropy(model(**batch_of("bert")).logits, torch.tensor([0, 2]))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    trained = outputs_of(model, batch_of("bert"))
    checkpoint.save_model(tmp_path / "adapter", model)
    again = adapted(pool, quantization=quantization, lora={"rank": 2, "targets": "all_linear"}, seed=4)
    checkpoint.restore_model(tmp_path / "adapter", again)
    torch.testing.assert_close(outputs_of(again, batch_of("bert")), trained, atol=1e-4, rtol=1e-3)
    # Nothing about the adapter is quantized: it goes onto the base model as it was.
    loaded = peft.AutoPeftModelForSequenceClassification.from_pretrained(str(tmp_path / "adapter"), num_labels=3)
    loaded.config.pad_token_id = 0
    assert float((outputs_of(loaded, batch_of("bert")) - trained).abs().max()) < 0.5


def test_the_state_of_adamw_in_8_bits_is_small_and_goes_on(bitsandbytes, tmp_path):
    torch.manual_seed(0)
    model = torch.nn.Linear(128, 64)
    optimizer = adamw(model, 1e-3, 0.01, "adamw_8bit")
    model(torch.randn(4, 128)).square().sum().backward()
    optimizer.step()
    state = optimizer.state[model.weight]
    assert (state["state1"].dtype, state["state2"].dtype) == (torch.uint8, torch.uint8)
    assert optimizer.state[model.bias]["state1"].dtype == torch.float32  # too small to be worth it
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    other = adamw(model, 1e-3, 0.01, "adamw_8bit")
    other.load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
    assert torch.equal(other.state[model.weight]["state1"], state["state1"])


def trial(**changes):
    task = {"kind": "tiered_scores", "dimensions": {"x": {}}, "tiers": {"low": 0, "high": 5}}
    return TrialConfig.model_validate({"data": {"path": "rows.jsonl"}, "task": task, **changes})


def test_settings_for_quantized_weights_are_checked_without_bitsandbytes():
    assert trial(model={"quantization": "4bit"}, training={"optimizer": "adamw_8bit"}).model.quantization == "4bit"
    with pytest.raises(ValueError, match="4bit needs an adapter, since quantized weights cannot be trained"):
        trial(model={"quantization": "4bit", "adapter": "none"})


def test_what_a_label_would_be_ignored_for_is_refused():
    with pytest.raises(ValueError, match=r"data.label: a task of kind tiered_scores reads .* got 'tier'"):
        trial(data={"path": "rows.jsonl", "label": "tier"})
