"""Settings that are known to do well on imbalanced data, for the search to start from.

They are what the five systems of docs/systems.md use or recommend, adapted to the space at hand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from rarecall.analysis.runs.run import PLAIN
from rarecall.analysis.settings import GAMMA, LOSS_NAME, RATIO, SAMPLING_STRENGTH, SCHEME, STRENGTH, TAU
from rarecall.search.experiment.optuna_compat import contains

MITIGATION_KEYS = (RATIO, SAMPLING_STRENGTH, SCHEME, STRENGTH, LOSS_NAME, GAMMA, TAU)
# Of all trials, so that most are left to the sampler.
SHARE = 1 / 4

# By mitigation: ratio of oversampling, strength of sampler and class weights, focal exponent, logit adjustment. What
# a point does not name is off. The order is that in which they are tried.
POINTS: Mapping[str, Mapping[str, float]] = {
    PLAIN: {},  # the baseline that the others have to beat
    "oversampling 0.2, focal 2": {"ratio": 0.2, "gamma": 2.0},  # technology filter
    "inverse weights, focal 2": {"weights": 1.0, "gamma": 2.0},  # moderation, retina grades
    "weighted sampling": {"sampler": 1.0},  # retina grades, one of its two switches
    "balanced weights": {"weights": 1.0},  # toxicity
    "oversampling 0.3, weights": {"ratio": 0.3, "weights": 1.0},  # technology filter, its rare tier below 30 %
    "logit adjustment": {"tau": 1.0},  # Menon et al. 2021
}
_MITIGATIONS = ("ratio", "sampler", "weights", "gamma", "tau")


@dataclass(frozen=True)
class KnownPoint:
    """Parameters by dotted key, for every key of the space that is not left to the sampler."""

    name: str
    params: Mapping[str, Any]

    def gave(self, params: Mapping[str, Any]) -> bool:
        """Whether a trial's parameters, some of which may not exist in it, are those of the point."""
        return bool(params) and all(self.params.get(key) == value for key, value in params.items())


def known_points(
    distributions: Mapping[str, BaseDistribution], own: Mapping[str, Any], trials: int
) -> tuple[KnownPoint, ...]:
    """The points that the space can hold, at most a quarter of the trials, none like the experiment's own settings.

    own: the experiment's settings by dotted key, those of `distributions` and the mitigations' included; all that is no
    mitigation is taken from there. A value beyond its range is moved to the range's end. A point is left out where one
    of its mitigations cannot be set; one that it does not name is switched off as far as the space goes.

    >>> space = {RATIO: FloatDistribution(0.0, 0.15), GAMMA: FloatDistribution(0.0, 3.0)}
    >>> [(one.name, *one.params.values()) for one in known_points(space, {RATIO: 0.0, GAMMA: 0.0}, trials=16)]
    [('oversampling 0.2, focal 2', 0.15, 2.0)]
    """
    inside = _own_within(distributions, own)
    found: list[KnownPoint] = []
    for name, mitigations in POINTS.items():
        settings = _settings(mitigations, distributions, own)
        params = None if settings is None else {**inside, **settings}
        if params is not None and params != inside and all(params != one.params for one in found):
            found.append(KnownPoint(name, params))
    return tuple(found[: int(trials * SHARE)])


def own_origin(distributions: Mapping[str, BaseDistribution], own: Mapping[str, Any]) -> str:
    """What the experiment's own settings are called, which may hold no mitigation."""
    inside, plain = _own_within(distributions, own), _settings({}, distributions, own)
    return f"own: {PLAIN}" if plain is not None and {**inside, **plain} == inside else "own"


def _own_within(distributions: Mapping[str, BaseDistribution], own: Mapping[str, Any]) -> dict[str, Any]:
    """The experiment's settings as far as the space could give them."""
    return {key: own.get(key) for key, one in distributions.items() if contains(one, own.get(key))}


def _settings(
    mitigations: Mapping[str, float], distributions: Mapping[str, BaseDistribution], own: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What to set for a point; None where the space cannot hold one of its mitigations."""
    settings: dict[str, Any] = {}
    for mitigation in _MITIGATIONS:
        ways = (_within(way, distributions, own) for way in _ways(mitigation, mitigations.get(mitigation, 0.0), own))
        chosen = next((way for way in ways if way is not None), None)
        if chosen is None and (mitigation in mitigations or (not mitigations and _is_on(mitigation, own))):
            return None
        settings |= chosen or {}
    return settings


def _is_on(mitigation: str, own: Mapping[str, Any]) -> bool:
    """Whether the experiment has a mitigation that the space cannot switch off."""
    return any(own.get(key) is not None for way in _ways(mitigation, 0.0, own) for key in way)


def _ways(mitigation: str, amount: float, own: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Settings that amount to the mitigation, the best one first."""
    if mitigation == "weights":
        yield from ({SCHEME: name} for name in (("balanced", "inverse") if amount else ("none",)))
        yield {SCHEME: "power", STRENGTH: amount}
    elif mitigation == "tau":
        if not amount:
            yield from ({LOSS_NAME: name} for name in (own.get(LOSS_NAME), "focal") if name != "logit_adjusted")
        yield {LOSS_NAME: "logit_adjusted", TAU: amount}
    else:
        yield {{"ratio": RATIO, "sampler": SAMPLING_STRENGTH, "gamma": GAMMA}[mitigation]: amount}


def _within(
    way: Mapping[str, Any], distributions: Mapping[str, BaseDistribution], own: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The part of the settings that the space decides; None where it cannot, and the experiment has it otherwise."""
    settings = {}
    for key, value in way.items():
        if key in distributions:
            settings[key] = _clipped(distributions[key], value)
        elif own.get(key) != value:
            return None
    return None if None in settings.values() else settings


def _clipped(distribution: BaseDistribution, value: Any) -> Any:
    """The nearest value of a range; of choices the value itself or None."""
    if isinstance(distribution, CategoricalDistribution):
        return value if contains(distribution, value) else None
    if isinstance(distribution, IntDistribution):
        return min(max(round(value), distribution.low), distribution.high)
    assert isinstance(distribution, FloatDistribution)
    return min(max(value, distribution.low), distribution.high)
