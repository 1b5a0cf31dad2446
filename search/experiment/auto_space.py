"""`space: auto`: the search space from the label profile of the training split, with a reason for every key."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.settings import (
    CAP,
    GAMMA,
    LOSS_NAME,
    RANK,
    RATE,
    RATIO,
    SAMPLING_STRENGTH,
    SCHEME,
    STRENGTH,
    TAU,
)
from rarecall.search.experiment.overrides import with_values
from rarecall.search.experiment.schema import Experiment, LoadedExperiment
from rarecall.search.experiment.space import ChoicesConfig, RangeConfig, SpaceEntry
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.imbalance.label_density import BINS, KERNEL_RADIUS

MARGIN = "training.loss.max_margin"
# Below this ratio of the largest class to the rarest one, what evens out classes has nothing to do.
BALANCED = 1.5
# Weights beyond have made training unstable; two of the systems in docs/systems.md stop at 10.
LARGEST_CAP = 30.0
FACTOR = 5.0

# A key, its entry or None where it stays as the experiment has it, and why.
Line = tuple[str, SpaceEntry | None, str]


@dataclass(frozen=True)
class DerivedSpace:
    """Entries by key, None where a key stays as the experiment has it, and the reason of each."""

    entries: Mapping[str, SpaceEntry | None]
    reasons: Mapping[str, str]


def derive_space(experiment: Experiment, train: Labelled, labels: LabelSpace) -> DerivedSpace:
    """What is worth searching for these labels, around the experiment's own settings; its own entries are not in it.

    Mitigations that cannot matter are left out, and so is one of two that only repeat each other: weighted sampling
    beside oversampling, a cap beside the strength of a single rare class, class weights beside adjusted logits.
    Oversampling and class weights do not repeat each other, since weights follow the counts after sampling.
    """
    profile = _Profile(train, labels)
    lines = [
        *_sampling(experiment, profile),
        *_weights(experiment, profile, train),
        *_losses(experiment, profile),
        *_model(experiment),
    ]
    lines = [line for line in lines if line[0] not in experiment.space]
    return DerivedSpace({key: entry for key, entry, _ in lines}, {key: reason for key, _, reason in lines})


def with_space(loaded: LoadedExperiment, derived: DerivedSpace) -> LoadedExperiment:
    """The experiment with the derived space written out, and its own entries over it."""
    space = {**dict.fromkeys(loaded.experiment.full_space()), **derived.entries, **loaded.experiment.space}
    written = {key: entry and entry.model_dump(mode="json", exclude_defaults=True) for key, entry in space.items()}
    tree = {**loaded.tree, "space": written}
    ratio, own = derived.entries.get(RATIO), loaded.experiment.training.oversampling.ratio
    if isinstance(ratio, RangeConfig) and space[RATIO] == ratio and own < ratio.low:
        # The same epochs, but within the range, so that the first trial can be the experiment itself.
        tree = with_values(tree, {RATIO: ratio.low})
    return LoadedExperiment(Experiment.model_validate(tree), tree, loaded.folder)


def space_lines(loaded: LoadedExperiment, reasons: Mapping[str, str]) -> Iterator[str]:
    """One line for each key of a space that was written out: what is searched, and why."""
    for key, searched, why in space_parts(loaded, reasons):
        yield f"space  {key:<38} {searched:<28} {why}"


def space_parts(loaded: LoadedExperiment, reasons: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The same as key, what is searched, and why."""
    space, own = loaded.experiment.full_space(), loaded.experiment.own_settings([*reasons])
    for key in dict.fromkeys([*reasons, *space]):
        entry = space.get(key)
        searched = _shown(entry) if entry else f"stays {own.get(key)}"
        yield key, searched, reasons.get(key, "as the experiment says")


def _shown(entry: SpaceEntry) -> str:
    if isinstance(entry, ChoicesConfig):
        return "one of " + ", ".join(map(str, entry.choices))
    return f"{entry.low:g} to {entry.high:g}" + (", log" if entry.log else "")


class _Profile:
    """How rare the rare classes are.

    present: rows of the rarest minority class for each one of the largest class, as samplers see them. heaviest: the
    largest weight that the inverse frequency gives. rare: minority classes with rows.
    """

    def __init__(self, train: Labelled, labels: LabelSpace) -> None:
        counts = np.bincount(train.classes, minlength=len(labels.classes))
        rows = {name: int(counts[labels.classes.index(name)]) for name in labels.minority}
        self.rare = {name: count for name, count in rows.items() if count > 0}
        self.name = min(self.rare, key=lambda name: self.rare[name], default="")
        self.largest = int(counts.max())
        self.present = self.rare[self.name] / self.largest if self.rare else 1.0
        self.heaviest = 1 / self.present if train.labels is None else _heaviest(train.labels, labels)

    @property
    def balanced(self) -> bool:
        return 1 / self.present < BALANCED

    @property
    def counted(self) -> str:
        if not self.rare:
            return "no minority class has rows"
        return f"{self.name} has {self.rare[self.name]:,} rows, the largest class {self.largest:,}"


def _heaviest(truth: BoolArray, labels: LabelSpace) -> float:
    """n_neg / n_pos of the rarest minority label that has rows."""
    positive = truth.sum(axis=0)[[labels.classes.index(name) for name in labels.minority]]
    rows = positive[positive > 0]
    return float((len(truth) - rows.min()) / rows.min()) if rows.size else 1.0


def _sampling(experiment: Experiment, profile: _Profile) -> Iterator[Line]:
    training = experiment.training
    by_draw = training.weighted_sampling.strength > 0 and training.oversampling.ratio == 0
    if profile.balanced:
        yield RATIO, None, f"{profile.counted}: nothing to even out"
    elif by_draw:
        yield (
            SAMPLING_STRENGTH,
            RangeConfig(low=0.0, high=1.0),
            "the experiment draws rows by weight; 1: all classes equally often",
        )
        yield RATIO, None, "repeats weighted sampling"
    else:
        low = _rounded_down(profile.present)
        reason = f"{profile.counted}: from {low:g}, which is there now, up to balance"
        yield RATIO, RangeConfig(low=low, high=1.0, log=True), reason
        yield SAMPLING_STRENGTH, None, "repeats oversampling"


def _weights(experiment: Experiment, profile: _Profile, train: Labelled) -> Iterator[Line]:
    section = experiment.training.class_weights
    if profile.balanced and profile.heaviest < BALANCED:
        yield STRENGTH, None, f"{profile.counted}: all weights would be 1"
        return
    yield from _cap(experiment, profile)
    if section.scheme != "power":
        yield STRENGTH, None, f"the scheme {section.scheme} has none"
        return
    if experiment.loss_target == "scores":
        yield _scheme(train.scores)
    high, reason = 1.0, f"up to the inverse frequency, {profile.heaviest:.3g} for the rarest"
    if len(profile.rare) == 1 and profile.heaviest > section.cap > 1:
        high = round(math.log(section.cap) / math.log(profile.heaviest), 3)
        reason = f"beyond {high:g} the only rare class is above the cap of {section.cap:g}"
    when = {LOSS_NAME: ("focal",)} if _chooses_loss(experiment, profile) and section.strength == 0 else {}
    reason += "; without adjusted logits, which do the same" if when else ""
    yield STRENGTH, RangeConfig(low=0.0, high=high, when=when), reason


def _cap(experiment: Experiment, profile: _Profile) -> Iterator[Line]:
    section = experiment.training.class_weights
    if profile.heaviest <= section.cap:
        yield CAP, None, f"no weight is above {profile.heaviest:.3g}, so {section.cap:g} never cuts"
    elif len(profile.rare) == 1:
        yield CAP, None, "of a single rare class, the strength says the same"
    else:
        high = max(section.cap, min(LARGEST_CAP, round(profile.heaviest, 1)))
        reason = f"the inverse frequency goes up to {profile.heaviest:.3g}; large weights make training unstable"
        yield CAP, RangeConfig(low=min(2.0, section.cap), high=high, log=True), reason


def _scheme(scores: FloatArray | None) -> Line:
    """Label density where scores are near enough to each other for its kernel to reach from one to the next."""
    steps = [] if scores is None else [_bins_between(column) for column in scores.T]
    if not steps or max(steps) > KERNEL_RADIUS:
        far = f"{max(steps):.3g}" if steps else "no"
        return SCHEME, None, f"label_density smooths over {KERNEL_RADIUS} bins, and scores are {far} bins apart"
    choices = ChoicesConfig(choices=("power", "label_density"))
    return (
        SCHEME,
        choices,
        f"scores are {max(steps):.3g} of {BINS} bins apart, near enough to smooth their density",
    )


def _bins_between(column: FloatArray) -> float:
    """The usual distance between neighbouring scores of one dimension, in bins of label density."""
    values = np.unique(column)
    return float(np.median(np.diff(values)) / ((values[-1] - values[0]) / BINS)) if len(values) > 1 else math.inf


def _chooses_loss(experiment: Experiment, profile: _Profile) -> bool:
    """Whether losses are searched: where the experiment names none, in its training or in its space."""
    open_to_all = experiment.training.loss.name is None and LOSS_NAME not in experiment.space
    return experiment.loss_target == "classes" and open_to_all and not profile.balanced


def _losses(experiment: Experiment, profile: _Profile) -> Iterator[Line]:
    known = experiment.loss_parameters
    chosen = _chooses_loss(experiment, profile)
    if chosen:
        choices = ChoicesConfig(choices=("focal", "logit_adjusted"))
        yield LOSS_NAME, choices, "classes are rare; name `ldam` in the experiment to search its margin instead"
    if "gamma" in known:
        high = 2.0 if experiment.loss_target == "scores" else 3.0
        yield GAMMA, RangeConfig(low=0.0, high=high), "0 is no focus; beyond, little is learned from easy rows"
    if chosen or "tau" in known:
        yield TAU, RangeConfig(low=0.25, high=1.5), "1 is the adjustment of Menon et al. 2021, by the sampled counts"
    if "max_margin" in known:
        yield MARGIN, RangeConfig(low=0.1, high=1.0), "Cao et al. 2019 use 0.5"


def _model(experiment: Experiment) -> Iterator[Line]:
    rate, rank = experiment.training.learning_rate, experiment.model.lora.rank
    low, high = (float(f"{bound:.3g}") for bound in (rate / FACTOR, rate * FACTOR))
    yield (
        RATE,
        RangeConfig(low=low, high=high, log=True),
        f"{rate:g}, the experiment's own, within a factor of {FACTOR:g}",
    )
    if experiment.model.adapter == "lora":
        choices = tuple(dict.fromkeys((max(1, rank // 2), rank, 2 * rank)))
        yield RANK, ChoicesConfig(choices=choices), f"{rank}, the experiment's own, its half and its double"


def _rounded_down(share: float) -> float:
    """To two digits, and never above: 26 / 1519 = 0.01712 becomes 0.017."""
    unit: float = 10.0 ** (math.floor(math.log10(share)) - 1)
    return round(math.floor(share / unit) * unit, 12)
