"""How far a screen on frozen features predicts what the same mitigations give after fine-tuning.

    python benchmarks/curves.py
    python benchmarks/screen.py [--curves runs/curves]

For each set of `curves.py`, the mitigations of every stored configuration are screened as heads on frozen features of
all training rows, and held against the objective of the fine-tuned model on the pool of rows that `curves.py` keeps, at
its best epoch there. Told are Spearman's rank correlations: of the screen's score and of its quality with the
fine-tuned score, and with what is left of it after learning rate and rank (a linear fit to their logarithms and
squares), which no head knows. By parameter: its correlation with heads and with the fine-tuned score, or means.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from curves import ROOT, SETS, Trainer
from scipy.stats import spearmanr

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.criteria.ranking import score
from rarecall.search.engine.preparation.screen.candidates import is_mitigation
from rarecall.trainables.baselines.rows import baseline_rows
from rarecall.trainables.baselines.suite import Encoder
from rarecall.trainables.config import TrainingConfig
from rarecall.trainables.screen.screening import Candidate, screen
from rarecall.trainables.screen.stacked import HeadSettings

# Heads of each configuration, each with a strength of its own; the best of them counts.
STRENGTHS = (0.01, 0.03, 0.1)


def stored(path: Path) -> list[dict[str, Any]]:
    """Configurations that have an epoch."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row for row in rows if row["epochs"]]


def screened(trainer: Trainer, params: Sequence[Mapping[str, Any]]) -> tuple[FloatArray, FloatArray]:
    """Score and quality of each configuration's mitigations, by the best of its heads."""
    loaded, task = trainer.loaded, trainer.data.task
    rows = baseline_rows(loaded.experiment, loaded.folder, trainer.data)
    features = Encoder(loaded.experiment, trainer.base).features(rows, task).vectors[: len(rows.train)]
    tried = [
        Candidate(
            {"number": number},
            HeadSettings(
                TrainingConfig.model_validate(loaded.trial_tree(one)["training"]), 1 / (strength * len(rows.train))
            ),
        )
        for number, one in enumerate(params)
        for strength in STRENGTHS
    ]
    scores, qualities = np.full(len(params), -np.inf), np.full(len(params), -np.inf)
    for one in screen(features, rows.train, task, trainer.goal, tried, most=len(tried)):
        number = one.candidate.params["number"]
        scores[number], qualities[number] = max(scores[number], one.score), max(qualities[number], one.quality)
    return scores, qualities


def without_rate_and_rank(values: FloatArray, params: Sequence[Mapping[str, Any]]) -> FloatArray:
    """What a fit to learning rate and rank does not explain."""
    rate = np.log([one["training.learning_rate"] for one in params])
    rank = np.log([one["model.lora.rank"] for one in params])
    inputs = np.column_stack([np.ones(len(rate)), rate, rate**2, rank, rank**2])
    return np.asarray(values - inputs @ np.linalg.lstsq(inputs, values, rcond=None)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--curves", type=Path, default=ROOT / "runs" / "curves")
    given = parser.parse_args()
    for name in given.sets:
        rows = stored(given.curves / name / "curves.jsonl")
        trainer = Trainer(name, states=False)
        goal = trainer.goal
        tuned = np.array(
            [max(score(epoch["metrics"], goal.criteria, goal.objective) for epoch in row["epochs"]) for row in rows]
        )
        params = [row["params"] for row in rows]
        mitigations = [{key: value for key, value in one.items() if is_mitigation(key)} for one in params]
        scores, qualities = screened(trainer, mitigations)
        left = without_rate_and_rank(tuned, params)
        print(f"{name}: {len(rows)} configurations, fine-tuned {tuned.min():.3f} to {tuned.max():.3f}")
        for told, values in (("score", scores), ("quality", qualities)):
            plain, cleared = (float(spearmanr(values, target).statistic) for target in (tuned, left))
            print(f"  {told:<8} with the fine-tuned score {plain:+.2f}, without learning rate and rank {cleared:+.2f}")
        for key in sorted({key for one in mitigations for key in one}):
            print(f"  {key:<42} {_by_parameter(key, mitigations, qualities, left)}")
        best = int(np.argmax(np.where(np.isfinite(scores), scores, -np.inf)))
        print(f"  the screen's first: fine-tuned {tuned[best]:.3f}; mean of all {tuned.mean():.3f}", flush=True)


def _by_parameter(key: str, params: Sequence[Mapping[str, Any]], heads: FloatArray, tuned: FloatArray) -> str:
    """Rank correlations of a number with both; means by choice of anything else."""
    there = np.array([key in one for one in params])
    values = [one[key] for one in params if key in one]
    if all(isinstance(value, float) for value in values):
        return ", ".join(
            f"{told} {float(spearmanr(values, target[there]).statistic):+.2f}"
            for told, target in (("heads", heads), ("fine-tuned", tuned))
        )
    parts = []
    for choice in sorted(set(map(str, values))):
        mask = np.array([str(one.get(key)) == choice for one in params])
        parts.append(f"{choice}: heads {heads[mask].mean() - heads.mean():+.3f}, fine-tuned {tuned[mask].mean():+.3f}")
    return "; ".join(parts)


if __name__ == "__main__":
    main()
