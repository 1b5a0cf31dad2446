"""Whether probabilities of models that saw rare rows sampled up come true, and whether bands hold what they promise.

    python benchmarks/calibration.py [--sets davidson clinc150] [--splits 200]

Models are linear heads on 150 dimensions of TF-IDF, trained on rows of which those of the minority classes come again
until each class has the size of the largest, or half or a quarter of it (`training.oversampling`), at four strengths: a
stand-in for fine-tuned models that takes seconds. A split draws validation rows with 20 or 120 of the rarest class, the
other classes in proportion, with replacement from all rows that did not train; the best of the heads by F1 of the
rarest class on these rows is calibrated on them, as an export is. Truth is what all rows say that did not train.

First table, expected calibration error of each class, means over the splits: of the model, rescaled, as the
cross-fitted validation rows tell it, and the model's mean probability over the class's true share. Second: recalls that
were wanted of `--abstain`, what is reached on all rows, in how many splits the told 90 % interval holds it, how many
rows go to a person.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from honest_pools import READERS, Classes, Raw, Values, _unique
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from rarecall.analysis.calibration.abstention import band
from rarecall.analysis.calibration.changes import on_fitted_rows, on_fresh_rows
from rarecall.analysis.calibration.rescaling import fit
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.text.table import Column, render_columns
from rarecall.trainables.imbalance.sampling import oversample

RARE_ROWS, WANTED = (20, 120), (0.8, 0.9, 0.95)
RATIOS, STRENGTHS = (1.0, 0.5, 0.25), (0.01, 0.1, 1.0, 10.0)
TRAINING = 4000


@dataclass(frozen=True)
class Heads:
    """Rows that did not train: true_class [n], and probabilities [heads, n, classes]."""

    labels: LabelSpace
    true_class: Classes
    probabilities: Values

    def predictions(self, head: int, rows: Classes) -> Predictions:
        told = self.probabilities[head, rows]
        return Predictions(np.arange(len(rows)), self.true_class[rows], told.argmax(axis=1), told)


def heads_of(raw: Raw, seed: int = 0) -> Heads:
    """All heads on one division of a set, at the shares that its classes have."""
    kept = _unique(raw.texts, np.random.default_rng(seed))
    texts, classes = [raw.texts[row] for row in kept], raw.classes[kept]
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit(texts[:TRAINING])
    found = words.transform(texts)
    features = TruncatedSVD(150, random_state=seed).fit(found[:TRAINING]).transform(found)
    features /= features[:TRAINING].std(axis=0)
    own, minority = classes[:TRAINING], range(1, len(raw.names))
    told = []
    for ratio in RATIOS:
        rows = oversample(own, list(minority), ratio, seed, 0)
        for strength in STRENGTHS:
            head = LogisticRegression(C=strength, max_iter=300).fit(features[rows], own[rows])
            told.append(head.predict_proba(features[TRAINING:]))
    return Heads(LabelSpace(raw.names, raw.names[1:]), classes[TRAINING:], np.array(told))


def replayed(heads: Heads, rare_rows: int, seed: int) -> tuple[list[list[float]], list[list[float]]]:
    """One split: figures of each class (see `calibration_table`), and of each recall that is wanted."""
    random, rare = np.random.default_rng([seed, rare_rows]), len(heads.labels.classes) - 1
    share = rare_rows / (heads.true_class == rare).sum()
    groups = [np.flatnonzero(heads.true_class == one) for one in range(rare + 1)]
    rows = np.concatenate([random.choice(group, max(2, round(share * len(group)))) for group in groups])
    best = max(range(len(heads.probabilities)), key=lambda head: _f1(heads.predictions(head, rows), rare))
    validation = heads.predictions(best, rows)
    everything = heads.predictions(best, np.arange(len(heads.true_class)))
    rescaling = fit(validation)
    fresh, fitted = on_fresh_rows(everything, rescaling, heads.labels), on_fitted_rows(validation, heads.labels)
    assert everything.probabilities is not None
    ratio = everything.probabilities.mean(axis=0) / [len(group) / len(heads.true_class) for group in groups]
    by_class = [
        [fresh[name].before, fresh[name].after, fitted[name].after, ratio[index]]
        for index, name in enumerate(heads.labels.classes)
    ]
    return by_class, [_reached(validation, everything, wanted, rare) for wanted in WANTED]


def _f1(predictions: Predictions, rare: int) -> float:
    assert predictions.true_class is not None
    named, truth = predictions.predicted_class == rare, predictions.true_class == rare
    return 2 * float((named & truth).sum()) / max(1.0, float(named.sum() + truth.sum()))


def _reached(validation: Predictions, everything: Predictions, wanted: float, rare: int) -> list[float]:
    """Recall that is reached, whether the told interval holds it, share of rows for a person, recall of the names."""
    scores = [one.probabilities[:, rare] for one in (validation, everything) if one.probabilities is not None]
    of = band(0, wanted, scores[0][validation.true_class == rare])
    truth, named = everything.true_class == rare, everything.predicted_class == rare
    held = (scores[1] >= of.least) & ~named
    reached = float((scores[1] >= of.least)[truth].mean())
    return [reached, float(of.interval.holds(reached)), float(held.mean()), float(named[truth].mean())]


def lines(name: str, splits: int) -> Iterator[tuple[list[tuple[str, ...]], list[tuple[str, ...]]]]:
    """Rows of both tables for one set and number of rare rows."""
    heads = heads_of(READERS[name]())
    for rare_rows in RARE_ROWS:
        found = [replayed(heads, rare_rows, seed) for seed in range(splits)]
        classes = np.array([one for one, _ in found]).mean(axis=0)
        wanted = np.array([one for _, one in found])
        places = [0, len(classes) - 1] if len(classes) > 5 else range(len(classes))
        texts = [f"{wanted[:, i, 0].mean():.3f}|{wanted[:, i, 0].std():.3f}".split("|") for i in range(len(WANTED))]
        shares = [[f"{100 * value:.1f} %" for value in wanted[:, i, 1:].mean(axis=0)] for i in range(len(WANTED))]
        yield (
            [
                (name, str(rare_rows), heads.labels.classes[i], *(f"{value:.3f}" for value in classes[i]))
                for i in places
            ],
            [(name, str(rare_rows), f"{WANTED[i]:g}", *texts[i], *shares[i]) for i in range(len(WANTED))],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choices = [name for name in READERS if name != "emobank"]
    parser.add_argument("--sets", nargs="+", choices=choices, default=choices)
    parser.add_argument("--splits", type=int, default=200)
    options = parser.parse_args()
    tables: tuple[list[tuple[str, ...]], list[tuple[str, ...]]] = ([], [])
    for name in options.sets:
        for found in lines(name, options.splits):
            for table, more in zip(tables, found, strict=True):
                table.extend(more)
    heads = (
        ("set", "rare rows", "class", "before", "after", "cross-fitted", "mean / share"),
        ("set", "rare rows", "wanted", "reached", "spread", "interval holds", "to a person", "named alone"),
    )
    for header, table in zip(heads, tables, strict=True):
        columns = [Column((name,), cells, "<") for name, cells in zip(header, zip(*table, strict=True), strict=True)]
        print("\n".join(render_columns(columns)), end="\n\n")


if __name__ == "__main__":
    main()
