"""The registry of losses: by name, for one kind of target, with parameters that are checked before they are used."""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol, TypeVar, get_args, runtime_checkable

from torch import Tensor

from rarecall.losses.facts import LabelFacts
from rarecall.losses.parameters import defaults, nearest, parameter_faults, require_parameters_with_defaults

Target = Literal["classes", "scores", "labels", "corn", "cumulative", "two_stage", "tokens"]


class Loss(Protocol):
    """Row losses [batch] from outputs and targets, not reduced and not weighted.

    For `classes`: outputs [batch, classes] logits, targets int64 [batch].
    For `scores`: outputs [batch, dimensions], targets float [batch, dimensions], both on the scale 0 to 1.
    For `labels`: outputs [batch, labels] logits, targets float [batch, labels] of 0 and 1.
    For `corn`: outputs [batch, grades - 1] logits of P(y > j | y >= j), targets int64 [batch].
    For `cumulative`: outputs [batch, grades - 1], column 0 the logit of P(y > 0), every further one lowering it by its
    softplus to the logit of P(y > j); targets int64 [batch].
    For `two_stage`: outputs [batch, 1 + dimensions], column 0 the logit of being rare, the others scores on the scale 0
    to 1; targets float of the same shape, column 0 being 1 for a rare row and 0 for any other.
    For `tokens`: outputs [batch, tokens, vocabulary] logits, targets int64 [batch, tokens], `IGNORED` for a token that
    nothing is learnt from.
    """

    def __call__(self, outputs: Tensor, targets: Tensor, /) -> Tensor: ...


@runtime_checkable
class NeedsFacts(Protocol):
    """A loss that depends on how often labels come, what they weigh, or which go together."""

    def for_labels(self, facts: LabelFacts) -> Loss:
        """The loss for labels of which these facts hold."""


@runtime_checkable
class ChangesOutputs(Protocol):
    """A loss that changes the outputs before it compares them with the targets."""

    def outputs_for(self, logits: Tensor) -> Tensor:
        """The outputs that the loss makes these logits of."""


def outputs_for(loss: Loss, logits: Tensor) -> Tensor:
    """The outputs [..., columns] from which `loss` sees these logits [..., columns]: where a new head has to start.

    A loss on adjusted logits or on outputs times 30 would else be far from what is meant, and small steps do not get
    there in a few epochs.
    """
    return loss.outputs_for(logits) if isinstance(loss, ChangesOutputs) else logits


LossClass = TypeVar("LossClass", bound=Callable[..., Loss])


class Registry:
    """Losses by name. A name belongs to one target, and each target has at most one default."""

    def __init__(self) -> None:
        self._losses: dict[str, Callable[..., Loss]] = {}
        self._target_of: dict[str, Target] = {}
        self._defaults: dict[Target, str] = {}

    def register(self, name: str, target: Target, default: bool = False) -> Callable[[LossClass], LossClass]:
        """Decorator for a frozen dataclass whose fields, each with a default, are the loss's parameters.

        Raises:
            TypeError: the class is not such a dataclass.
            ValueError: the name is taken, the target is unknown or has a default already.
        """
        _require_target(target)
        if name in self._losses:
            raise ValueError(f"loss names must be unique, got {name!r} twice (for {self._target_of[name]!r} already)")
        if default and target in self._defaults:
            raise ValueError(f"target {target!r} has a default already, {self._defaults[target]!r}; got {name!r} too")

        def add(loss: LossClass) -> LossClass:
            require_parameters_with_defaults("loss", loss)
            self._losses[name], self._target_of[name] = loss, target
            if default:
                self._defaults[target] = name
            return loss

        return add

    def names(self, target: Target) -> tuple[str, ...]:
        """Names of the losses for `target`, sorted."""
        _require_target(target)
        return tuple(sorted(name for name, owner in self._target_of.items() if owner == target))

    def build(
        self, name: str | None, target: Target, parameters: Mapping[str, float], facts: LabelFacts | None = None
    ) -> Loss:
        """The loss `name`, or the target's default for None, with `parameters`; those not given keep their defaults.

        facts: of the labels it is used on, for the losses that depend on them. One that cannot do without tells so
        when it is called.

        Raises:
            ValueError: as `check` does.
        """
        self.check(name, target, parameters)
        loss = self._losses[self._resolve(name, target)](**parameters)
        return loss.for_labels(facts) if facts is not None and isinstance(loss, NeedsFacts) else loss

    def check(self, name: str | None, target: Target, parameters: Mapping[str, float]) -> None:
        """Accept a choice, or raise a ValueError with all its faults: what is wrong, what is allowed, what is near."""
        name = self._resolve(name, target)
        loss = self._losses[name]
        if faults := parameter_faults(loss, parameters):
            raise ValueError(f"loss {name!r}: " + "; ".join(faults.values()))

    def default(self, target: Target) -> str | None:
        """The loss of a target where none is named."""
        return self._defaults.get(target)

    def parameters(self, name: str | None, target: Target) -> tuple[str, ...]:
        """Names of the parameters of the loss `name`, or of the target's default for None; none for an unknown one."""
        loss = self._losses.get(self._defaults.get(target, "") if name is None else name)
        return tuple(defaults(loss)) if loss else ()

    def _resolve(self, name: str | None, target: Target) -> str:
        allowed = self.names(target)
        if name is None:
            if target not in self._defaults:
                raise ValueError(f"target {target!r} has no default loss; name one of {list(allowed)}")
            return self._defaults[target]
        if name not in allowed:
            raise ValueError(f"{self._unfit(name, target)}: must be one of {list(allowed)}{nearest(name, allowed)}")
        return name

    def _unfit(self, name: str, target: Target) -> str:
        if name in self._losses:
            return f"loss {name!r} is for {self._target_of[name]!r}, not for {target!r}"
        return f"no loss is called {name!r} for {target!r}"


def _require_target(target: str) -> None:
    if target not in get_args(Target):
        raise ValueError(f"target must be one of {list(get_args(Target))}, got {target!r}")


_registry = Registry()
register = _registry.register
names = _registry.names
build = _registry.build
check = _registry.check
parameters = _registry.parameters
default = _registry.default
