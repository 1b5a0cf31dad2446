"""All baselines of an experiment, one after another, each as soon as it is fitted."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np

from rarecall.analysis.criteria.goal import Goal
from rarecall.trainables.baselines.fitting import FittedBaseline, Judging, Recipe, fit_baseline
from rarecall.trainables.baselines.inputs import Tfidf, Vectors, needs_characters, pixel_vectors
from rarecall.trainables.baselines.kinds import KINDS, for_baselines
from rarecall.trainables.baselines.majority import NAME as MAJORITY
from rarecall.trainables.baselines.majority import majority
from rarecall.trainables.baselines.rows import BaselineRows
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.encoding import EncodedSplit, encode
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.models.bases import BaseModel
from rarecall.trainables.models.classifier import load_classifier, load_processor
from rarecall.trainables.models.frozen.features import (
    Features,
    TooSlowError,
    features_file,
    frozen_features,
    store_features,
    stored_features,
)
from rarecall.trainables.tasks import Task, switched, writes_answers
from rarecall.trainables.training.optimisation import frozen_precision, own_device

TFIDF, PIXELS = "baseline-tfidf", "baseline-pixels"
FEATURES, WEIGHTED = "baseline-features", "baseline-features-weighted"
# Of classes and labels, and of scores: `C`, and 1 / alpha.
TFIDF_STRENGTHS = {"scores": (0.3, 1.0, 3.0), "others": (1.0, 10.0)}
PIXEL_STRENGTHS = {"scores": (1e-5, 1e-4, 1e-3), "others": (1e-4, 1e-3, 1e-2)}
FEATURE_STRENGTHS = {"scores": (1e-3, 1e-2, 1e-1), "others": (3e-3, 3e-2, 0.3)}
# Seconds that one split's features may take.
MOST_SECONDS = 900.0


@dataclass(frozen=True)
class Skipped:
    """A baseline that there is not, and why."""

    name: str
    why: str


def baselines(
    trial: TrialConfig,
    rows: BaselineRows,
    task: Task,
    base: BaseModel,
    goal: Goal,
    known: Collection[str] = (),
) -> Iterator[FittedBaseline | Skipped]:
    """Fit the majority, a linear model on words or pixels, and linear heads on frozen features.

    task: of the trials. All are fitted to all training rows and judged on the rows that trials are judged on; their
    decision rules are chosen as for a trial that fits one. known: names of those that are not wanted.
    """
    chosen = switched(task, trial.training.decision_rule.keywords)
    linear = for_baselines(chosen, rows.validation)
    if linear is None:
        yield Skipped("baselines", f"a linear model cannot do a task of kind {task.kind}")
        return
    rule = trial.training.decision_rule
    judging = Judging(linear, goal, rule.folds, trial.training.seed)
    if MAJORITY not in known:
        yield majority(rows, judging)
    for recipe in _recipes(trial, rows, linear, base, known):
        yield recipe if isinstance(recipe, Skipped) else _attempt(recipe, rows, judging)


def _attempt(recipe: Recipe, rows: BaselineRows, judging: Judging) -> FittedBaseline | Skipped:
    """The baseline, or why there is none: no search ends for the want of it."""
    try:
        return fit_baseline(recipe, rows, judging)
    except (ValueError, FloatingPointError, np.linalg.LinAlgError) as error:
        return Skipped(recipe.name, str(error))


def _recipes(
    trial: TrialConfig, rows: BaselineRows, task: Task, base: BaseModel, known: Collection[str]
) -> Iterator[Recipe | Skipped]:
    kind = "scores" if KINDS[task.target] in ("scores", "two_stage") else "others"
    encoder = Encoder(trial, base)
    if trial.data.image is None and TFIDF not in known:
        yield _words(rows, kind)
    if trial.data.image is not None and PIXELS not in known:
        yield _pixels(rows, kind, encoder)
    if {FEATURES, WEIGHTED} <= set(known):
        return
    if why := obstacle(trial, task):
        yield Skipped(FEATURES, why)
        return
    try:
        source = encoder.features(rows, task)
    except (TooSlowError, ValueError) as error:
        yield Skipped(FEATURES, str(error))
        return
    yield from (recipe for recipe in _heads(source, kind) if recipe.name not in known)


def obstacle(trial: TrialConfig, task: Task) -> str:
    """Why there are no frozen features; empty where there are."""
    if writes_answers(task):
        return "a model that writes has no head whose input could be read"
    return "the base model is quantized" if trial.model.quantization != "none" else ""


def _words(rows: BaselineRows, kind: str) -> Recipe:
    texts = (*rows.train.texts, *rows.validation.texts)
    characters = needs_characters(rows.train.texts)
    title = f"linear model on TF-IDF of {'characters' if characters else 'words'}"
    return Recipe(TFIDF, title, Tfidf(texts, characters), TFIDF_STRENGTHS[kind], balanced=True)


def _pixels(rows: BaselineRows, kind: str, encoder: "Encoder") -> Recipe:
    parts = [encoder.pixels(part) for part in (rows.train, rows.validation)]
    source = Vectors(np.concatenate(parts), encoder.pixels)
    return Recipe(PIXELS, "linear model on pixels", source, PIXEL_STRENGTHS[kind], balanced=True)


def _heads(source: Vectors, kind: str) -> tuple[Recipe, Recipe]:
    title, strengths = "linear head on frozen features", FEATURE_STRENGTHS[kind]
    return (
        Recipe(FEATURES, title, source, strengths, balanced=False),
        Recipe(WEIGHTED, f"{title}, balanced weights", source, strengths, balanced=True),
    )


class Encoder:
    """Rows as the base model takes them, and what its head reads of them."""

    def __init__(self, trial: TrialConfig, base: BaseModel) -> None:
        self._trial, self._base, self._processor = trial, base, load_processor(base)

    def pixels(self, examples: Examples) -> Features:
        """Pixels [n, features] of images, as the base model's processor gives them."""
        images = self._encoded(examples).images
        assert images is not None
        return pixel_vectors(images)

    def features(self, rows: BaselineRows, task: Task) -> Vectors:
        """Frozen features of training and validation rows, and of others when they are asked for."""
        run = FeaturePass(self._trial, self._base, self._encoded, task, self._pad_id)
        return Vectors(np.concatenate([run(rows.train), run(rows.validation)]), run, of_base=True)

    @property
    def _pad_id(self) -> int:
        return 0 if self._trial.data.image is not None else int(self._processor.pad_token_id)

    def _encoded(self, examples: Examples) -> EncodedSplit:
        return encode(self._processor, examples, self._trial.model.max_length)


class FeaturePass:
    """Gives frozen features: those on disk, or those of a pass through the base model, which is loaded for it alone."""

    def __init__(
        self,
        trial: TrialConfig,
        base: BaseModel,
        encoded: Callable[[Examples], EncodedSplit],
        task: Task,
        pad_id: int,
    ) -> None:
        self._base, self._encoded, self._names, self._pad_id = base, encoded, task.output_names, pad_id
        self._device = own_device()
        self._dtype = frozen_precision(trial.training.precision, self._device)

    def __call__(self, examples: Examples) -> Features:
        split = self._encoded(examples)
        path = features_file(self._base, split, self._dtype)
        kept = stored_features(path)
        if kept is not None and len(kept) == len(split):
            return kept
        model = load_classifier(self._base, self._names, self._pad_id).to(self._device)
        found = frozen_features(model, split, self._pad_id, self._dtype, MOST_SECONDS)
        store_features(path, found)
        return found
