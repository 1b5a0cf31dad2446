"""Large pools of real rows with what many small models predict for them, epoch by epoch.

Features are TF-IDF of words and pairs of words, reduced to 150 dimensions on the training rows. A model is a linear
head on a random part of them, trained by Adam with its own learning rate, decay, class weights and share of the
training rows, and decides with an offset of its own. Each set has at most 6,000 rows; texts are never shown.
"""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from raw_data import CLINC, CLINC_DOMAINS, DAVIDSON, EMOBANK, GOEMOTIONS, GOEMOTIONS_LABELS, SMS, raw_bytes
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions

Values = NDArray[np.float64]
Classes = NDArray[np.int64]
MOST_ROWS, CONFIGURATIONS, EPOCHS = 6000, 96, 4
# Rows that train, and of the rarest class.
_TRAINING, _RARE_TRAINING = 1500, 150
# Rows of the rarest class in all: enough for 120 that validate and as many that test.
_RARE = 500
_PASSES, _BATCH = 3, 64
# Of the overall score of emobank: the rarest tier has about 8 % of the rows.
_CUTS = (0.75, 0.92)


@dataclass(frozen=True)
class Pool:
    """Rows that no model was trained on. true_class: [n]. predicted: [configurations, epochs, n] classes.

    true_scores: [n, dimensions], scores: [configurations, epochs, n, dimensions]; None for a task without.
    """

    name: str
    labels: LabelSpace
    true_class: Classes
    predicted: Classes
    true_scores: Values | None = None
    scores: Values | None = None

    @property
    def rare(self) -> str:
        return self.labels.minority[-1]

    def predictions(self, configuration: int, epoch: int, rows: Classes) -> Predictions:
        """Of one epoch of one configuration, for some of the rows."""
        found = Predictions(rows, self.true_class[rows], self.predicted[configuration, epoch, rows])
        if self.true_scores is None or self.scores is None:
            return found
        truth, scores = self.true_scores[rows], self.scores[configuration, epoch, rows]
        overall = {"true_overall": truth.mean(axis=1), "predicted_overall": scores.mean(axis=1)}
        return Predictions(
            found.rows, found.true_class, found.predicted_class, true_scores=truth, predicted_scores=scores, **overall
        )


@dataclass(frozen=True)
class Raw:
    """Texts with classes, by name, the rarest last; scores for tasks that have them."""

    texts: list[str]
    classes: Classes
    names: tuple[str, ...]
    scores: Values | None = None
    dimensions: tuple[str, ...] = ()


def pool_of(name: str, seed: int = 0) -> Pool:
    """Read a set, train every configuration, and predict all rows that did not train."""
    raw, random = READERS[name](), np.random.default_rng(seed)
    kept = _unique(raw.texts, random)
    rare = raw.classes[kept] == len(raw.names) - 1
    kept = np.concatenate([kept[rare][:_RARE], kept[~rare][: MOST_ROWS - _RARE]])
    training = np.zeros(len(kept), dtype=bool)
    first_rest = min(_RARE, int(rare.sum()))
    training[:_RARE_TRAINING] = training[first_rest : first_rest + _TRAINING - _RARE_TRAINING] = True
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    texts = [raw.texts[index] for index in kept]
    words.fit([text for text, trains in zip(texts, training, strict=True) if trains])
    found = words.transform(texts)
    features = TruncatedSVD(150, random_state=seed).fit(found[training]).transform(found)
    features /= features[training].std(axis=0)
    labels = LabelSpace(raw.names, raw.names[1:], raw.dimensions, ordered=bool(raw.dimensions))
    truth = raw.classes[kept]
    scores = None if raw.scores is None else raw.scores[kept]
    told = [_one(features, truth, scores, len(raw.names), training, random) for _ in range(CONFIGURATIONS)]
    return Pool(
        name,
        labels,
        truth[~training],
        np.array([classes for classes, _ in told]),
        None if scores is None else scores[~training],
        None if scores is None else np.array([predicted for _, predicted in told]),
    )


def _one(
    features: Values,
    truth: Classes,
    scores: Values | None,
    classes: int,
    training: NDArray[np.bool_],
    random: np.random.Generator,
) -> tuple[Classes, Values | None]:
    """Predicted classes [epochs, n] and scores [epochs, n, dimensions] of one random configuration."""
    columns = np.flatnonzero(random.random(features.shape[1]) < random.uniform(0.5, 1.0))
    inputs = np.column_stack([features[:, columns], np.ones(len(features))])
    rows = np.flatnonzero(training)
    rows = random.choice(rows, int(len(rows) * random.uniform(0.6, 1.0)), replace=False)
    counts = np.bincount(truth[rows], minlength=classes)
    weights = (counts.max() / np.maximum(counts, 1)) ** random.uniform(0.0, 1.0)
    weights = (weights / (weights[truth[rows]].mean()))[truth[rows]]
    targets = np.eye(classes)[truth] if scores is None else scores
    heads = _train(inputs[rows], targets[rows], weights, random, softmax=scores is None)
    outputs = np.array([inputs[~training] @ head for head in heads])
    if scores is None:
        outputs[..., -1] += random.uniform(-0.5, 1.5)
        return outputs.argmax(axis=-1), None
    # Each tier is given to as many training rows as belong to it, more or less.
    shift = random.uniform(0.7, 2.0)
    shares = [1 - min(0.9, shift * (truth[rows] >= tier).mean()) for tier in range(1, classes)]
    fitted = [(inputs[rows] @ head).mean(axis=1) for head in heads]
    found = [
        np.digitize(line.mean(axis=1), np.quantile(own, shares)) for line, own in zip(outputs, fitted, strict=True)
    ]
    return np.array(found, dtype=np.int64), outputs


def _train(
    inputs: Values, targets: Values, weights: Values, random: np.random.Generator, softmax: bool
) -> list[Values]:
    """The head [features, outputs] after each epoch: Adam on cross-entropy or squared error."""
    rate, decay = 10 ** random.uniform(-3.0, -1.5), 10 ** random.uniform(-4.0, -1.5)
    head = np.zeros((inputs.shape[1], targets.shape[1]))
    head[-1] = 0.0 if softmax else targets.mean(axis=0)
    first, second, step, heads = np.zeros_like(head), np.zeros_like(head), 0, []
    for _ in range(EPOCHS):
        for _ in range(_PASSES):
            order = random.permutation(len(inputs))
            for batch in np.array_split(order, max(1, len(order) // _BATCH)):
                step += 1
                output = inputs[batch] @ head
                error = (_softmax(output) if softmax else output) - targets[batch]
                slope = inputs[batch].T @ (error * weights[batch, None]) / len(batch) + decay * head
                first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2
                head = head - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
        heads.append(head)
    return heads


def _softmax(output: Values) -> Values:
    exponentials = np.exp(output - output.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def _unique(texts: list[str], random: np.random.Generator) -> Classes:
    """Rows in random order, of equal texts the first."""
    first = list({text: index for index, text in reversed(list(enumerate(texts)))}.values())
    return random.permutation(np.array(first))


def _davidson() -> Raw:
    rows = list(csv.DictReader(io.StringIO(raw_bytes(DAVIDSON).decode("utf-8"))))
    order = {"1": 0, "2": 1, "0": 2}  # offensive, neither, hate
    classes = np.array([order[row["class"]] for row in rows])
    return Raw([row["tweet"] for row in rows], classes, ("offensive", "neither", "hate"))


def _sms() -> Raw:
    lines = [line.split("\t", 1) for line in raw_bytes(SMS).decode("utf-8").splitlines() if "\t" in line]
    return Raw([text for _, text in lines], np.array([int(kind == "spam") for kind, _ in lines]), ("ham", "spam"))


def _clinc() -> Raw:
    splits, domains = json.loads(raw_bytes(CLINC)), json.loads(raw_bytes(CLINC_DOMAINS))
    domain = {intent: name for name, intents in domains.items() for intent in intents}
    names = (*sorted(domains), "out_of_scope")
    rows = [(text, domain.get(intent, names[-1])) for part in splits.values() for text, intent in part]
    return Raw([text for text, _ in rows], np.array([names.index(name) for _, name in rows]), names)


def _goemotions() -> Raw:
    """Comments with one of five labels and no other."""
    names = raw_bytes(GOEMOTIONS_LABELS).decode("utf-8").split()
    wanted = {"neutral": 0, "gratitude": 1, "amusement": 2, "sadness": 3, "fear": 4}
    texts, classes = [], []
    for file in GOEMOTIONS.values():
        for line in raw_bytes(file).decode("utf-8").splitlines():
            text, labels, *_ = line.split("\t")
            if "," not in labels and names[int(labels)] in wanted:
                texts.append(text)
                classes.append(wanted[names[int(labels)]])
    return Raw(texts, np.array(classes), tuple(wanted))


def _emobank() -> Raw:
    """Tiers of the mean of valence and arousal, cut by quantiles."""
    rows = list(csv.DictReader(io.StringIO(raw_bytes(EMOBANK).decode("utf-8"))))
    rows = [row for row in rows if row["text"].strip()]
    scores = np.array([[(float(row[key]) - 1) / 4 * 10 for key in ("V", "A")] for row in rows])
    overall = scores.mean(axis=1)
    classes = np.digitize(overall, np.quantile(overall, _CUTS)).astype(np.int64)
    return Raw([row["text"] for row in rows], classes, ("calm", "stirred", "excited"), scores, ("valence", "arousal"))


READERS: dict[str, Callable[[], Raw]] = {
    "davidson": _davidson,
    "goemotions": _goemotions,
    "clinc150": _clinc,
    "sms_spam": _sms,
    "emobank": _emobank,
}
