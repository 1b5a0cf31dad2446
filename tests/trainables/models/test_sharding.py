"""Frozen weights spread over two processes: each holds half of them, and both compute what one would."""

import os
from datetime import timedelta
from pathlib import Path

import peft
import pytest
import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor

from rarecall.trainables.config import TrialConfig
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import ClassifierPool, checkpoint_activations
from rarecall.trainables.models.sharding import is_sharded, shard_frozen
from rarecall.trainables.training.worker import Worker

SIZE = 2
INPUTS = {
    "input_ids": torch.tensor([[2, 7, 9, 11, 3], [2, 8, 3, 0, 0]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
}
CLASSES = torch.tensor([2, 0])
WRITTEN = {
    "kind": "tiered_scores",
    "dimensions": {"one": {"weight": 1}},
    "tiers": {"low": 0, "high": 5},
    "instruction": {"prompt": "Rate: {text}"},
}


def in_each_process(rank, place):
    """All that is compared; what a process asserts ends both when it fails."""
    # Each process builds the tiny models for itself, as on machines of their own.
    os.environ.update(HF_HUB_OFFLINE="1", RARECALL_CACHE=f"{place}/{rank}")
    torch.set_num_threads(1)
    store = dist.FileStore(str(Path(place) / "store"), SIZE)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=SIZE, timeout=timedelta(seconds=60))
    for base in ("tiny-qwen2", "tiny-deberta"):
        spread, whole = (ClassifierPool(resolve_base(base), ("a", "b", "c"), 0) for _ in range(2))
        # The second trial finds the base as the first one left it, with other adapters.
        for layers, checkpointed in (("all", False), ("last 1", True)):
            compare(Worker(rank, SIZE), *(adapted(pool, layers, checkpointed) for pool in (spread, whole)))
    dist.destroy_process_group()


def adapted(pool, layers, checkpointed):
    model = pool.with_lora(2, 4.0, 0.0, "all_linear", layers, seed=0).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.linspace(-0.1, 0.1, parameter.numel()).view_as(parameter))
    if checkpointed:
        checkpoint_activations(model)
    return model


def compare(worker, spread, whole):
    shard_frozen(spread, worker)
    assert is_sharded(spread)
    assert not is_sharded(whole)
    for _ in range(2):
        found, expected = loss_and_gradients(spread), loss_and_gradients(whole)
        assert found[0] == pytest.approx(expected[0], abs=1e-6)
        assert found[1].keys() == expected[1].keys()
        assert any("lora_A" in name for name in found[1])
        for name, gradient in expected[1].items():
            assert torch.allclose(found[1][name], gradient, atol=1e-6), name
        with torch.inference_mode():
            assert torch.allclose(spread(**INPUTS).logits, whole(**INPUTS).logits, atol=1e-6)
    frozen = {name: p for name, p in spread.named_parameters() if isinstance(p, DTensor)}
    assert not any(p.requires_grad or "lora" in name for name, p in frozen.items())
    here, there = sum(p.to_local().numel() for p in frozen.values()), sum(p.numel() for p in frozen.values())
    of_layers = sum(p.numel() for name, p in whole.named_parameters() if ".0." in name and not p.requires_grad)
    assert there >= of_layers > 0
    assert here == pytest.approx(there / SIZE, rel=0.02)
    saved = peft.get_peft_model_state_dict(spread, save_embedding_layers=False)
    assert not any(isinstance(value, DTensor) for value in saved.values())


def loss_and_gradients(model):
    model.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(**INPUTS).logits, CLASSES)
    loss.backward()
    return float(loss.detach()), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.timeout(300)
def test_each_process_holds_half_and_computes_the_whole(tmp_path):
    torch.multiprocessing.start_processes(in_each_process, (str(tmp_path),), nprocs=SIZE, start_method="spawn")


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({"model": {"adapter": "none"}}, "model.adapter: lora"),
        ({"model": {"quantization": "4bit"}}, "model.quantization: none"),
        ({"task": WRITTEN, "data": {"path": "rows.jsonl"}}, "no task.instruction"),
    ],
)
def test_what_cannot_be_spread_is_refused(changes, needed):
    tree = {
        "data": {"path": "rows.jsonl", "label": "label"},
        "task": {"kind": "multiclass"},
        "training": {"sharding": "frozen"},
    }
    TrialConfig.model_validate(tree)
    with pytest.raises(ValueError, match=needed):
        TrialConfig.model_validate({**tree, **changes})
