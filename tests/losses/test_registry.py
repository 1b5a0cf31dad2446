from dataclasses import dataclass

import pytest
from torch import Tensor

from rarecall import losses
from rarecall.losses.registry import Registry


@dataclass(frozen=True)
class Scaled:
    scale: float = 1.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise ValueError(f"scale must be above 0, got {self.scale!r}")

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.scale * (outputs - targets).mean(1) + self.shift


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.register("scaled", target="scores")(Scaled)
    return registry


def test_the_defaults_are_the_focal_losses_without_focus():
    assert losses.build(None, "classes", {}) == losses.FocalCrossEntropy(gamma=0.0, label_smoothing=0.0)
    assert losses.build(None, "scores", {}) == losses.FocalSquaredError(gamma=0.0)
    assert losses.build(None, "corn", {}) == losses.ConditionalOrdinal(gamma=0.0)
    assert losses.build(None, "cumulative", {}) == losses.CumulativeLink(gamma=0.0)


def test_the_default_for_labels_is_that_of_content_moderation():
    assert losses.build(None, "labels", {}) == losses.FocalBinaryCrossEntropy(gamma=2.0, penalty=0.5)


def test_names_are_those_of_the_target():
    assert losses.names("classes") == ("focal", "ldam", "logit_adjusted")
    assert losses.names("scores") == ("focal_squared_error", "huber")
    assert losses.names("labels") == ("focal_bce",)
    assert losses.names("corn") == ("corn",)
    assert losses.names("cumulative") == ("cumulative_link",)
    assert losses.names("two_stage") == ("two_stage",)
    assert losses.names("tokens") == ("token_focal",)


def test_facts_reach_the_losses_that_need_them_and_no_others():
    facts = losses.LabelFacts(counts=(9.0, 1.0))
    adjusted = losses.build("logit_adjusted", "classes", {"tau": 0.5}, facts)
    assert adjusted == losses.LogitAdjusted(tau=0.5).for_labels(facts)
    assert losses.build("focal", "classes", {"gamma": 2.0}, facts) == losses.FocalCrossEntropy(gamma=2.0)


def test_build_passes_the_parameters_and_keeps_the_other_defaults():
    assert losses.build("focal", "classes", {"gamma": 2}) == losses.FocalCrossEntropy(gamma=2, label_smoothing=0.0)
    assert losses.build(None, "scores", {"gamma": 1.0}) == losses.FocalSquaredError(gamma=1.0)


def test_register_returns_the_class_and_makes_it_available(registry):
    assert registry.register("again", target="scores", default=True)(Scaled) is Scaled
    assert registry.names("scores") == ("again", "scaled")
    assert registry.build(None, "scores", {"scale": 3.0}) == Scaled(scale=3.0)


@pytest.mark.parametrize("target", ["scores", "classes"])
def test_a_name_is_taken_for_every_target(registry, target):
    with pytest.raises(ValueError, match=r"loss names must be unique, got 'scaled' twice \(for 'scores' already\)"):
        registry.register("scaled", target=target)
    assert registry.names("scores") == ("scaled",)


def test_a_registered_loss_cannot_be_registered_again():
    with pytest.raises(ValueError, match="must be unique, got 'focal' twice"):
        losses.register("focal", target="classes")(losses.FocalCrossEntropy)


def test_a_second_default_is_refused(registry):
    registry.register("first", target="scores", default=True)(Scaled)
    with pytest.raises(ValueError, match="'scores' has a default already, 'first'; got 'second' too"):
        registry.register("second", target="scores", default=True)


def test_without_a_default_a_loss_must_be_named(registry):
    with pytest.raises(ValueError, match=r"'scores' has no default loss; name one of \['scaled'\]"):
        registry.build(None, "scores", {})


def test_only_frozen_dataclasses_with_defaults_are_losses(registry):
    class Plain:
        def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
            return outputs

    @dataclass
    class Thawed(Plain):
        gamma: float = 0.0

    @dataclass(frozen=True)
    class Bare(Plain):
        gamma: float

    for refused in (Plain, Thawed, Plain()):
        with pytest.raises(TypeError, match="must be a frozen dataclass, got"):
            registry.register("new", target="scores")(refused)
    with pytest.raises(TypeError, match=r"needs a default, got Bare without one for \['gamma'\]"):
        registry.register("new", target="scores")(Bare)
    assert registry.names("scores") == ("scaled",)


def test_an_unknown_target_is_refused():
    with pytest.raises(ValueError, match=r"target must be one of \['classes', .*\], got 'boxes'"):
        losses.names("boxes")


def test_an_unknown_loss_is_told_with_what_is_allowed_and_near():
    with pytest.raises(ValueError, match="'focla' for 'classes'") as caught:
        losses.check("focla", "classes", {})
    assert str(caught.value) == (
        "no loss is called 'focla' for 'classes': must be one of ['focal', 'ldam', 'logit_adjusted'], "
        "did you mean 'focal'?"
    )


def test_a_loss_for_another_target_is_told_so():
    with pytest.raises(ValueError, match=r"'focal' is for 'classes', not for 'scores': must be one of \['focal_squ"):
        losses.check("focal", "scores", {})


def test_all_faults_of_the_parameters_are_told_at_once():
    with pytest.raises(ValueError, match="loss 'focal': ") as caught:
        losses.check(None, "classes", {"gama": 2.0, "gamma": -1.0, "label_smoothing": 1.0})
    assert str(caught.value).removeprefix("loss 'focal': ").split("; ") == [
        "no parameter is called 'gama': must be one of ['gamma', 'label_smoothing'], did you mean 'gamma'?",
        "gamma must be finite and at least 0, got -1.0",
        "label_smoothing must be at least 0 and below 1, got 1.0",
    ]


@pytest.mark.parametrize("value", [True, "2", None, float("nan"), float("inf")])
def test_a_parameter_must_be_a_finite_number(value):
    with pytest.raises(ValueError, match=f"gamma must be a finite number, got {value!r}"):
        losses.check("focal", "classes", {"gamma": value})


def test_build_checks():
    with pytest.raises(ValueError, match="delta must be finite and above 0, got 0"):
        losses.build("huber", "scores", {"delta": 0})


def test_what_is_right_passes_the_check():
    losses.check(None, "classes", {})
    losses.check("focal", "classes", {"gamma": 2, "label_smoothing": 0.1})
    losses.check("huber", "scores", {"delta": 1e-3})
