"""What the constraint penalty does to labels that imply or exclude one another: GoEmotions with and without it.

    python benchmarks/prepare_data.py goemotions
    python benchmarks/constraint_penalty.py [--penalties 0 0.5] [--seeds 0 1 2]

The settings of `experiments/goemotions.yaml`, each label decided by its own probability of one half, and implied labels
not set afterwards, so that the violations are the model's. On the test split.
"""

import argparse
import os
import sys

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

from one_training import test_metrics
from seed_table import seed_table

EXPERIMENT = "goemotions"
SHOWN = ("constraint_violations", "macro_f1[primary]", "macro_f1[secondary]", "minority_recall")
AS_THE_MODEL_SAYS = {"training.decision_rule.fit": False, "task.enforce_implications": False}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--penalties", type=float, nargs="+", default=[0.0, 0.5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in options.seeds:
        for penalty in options.penalties:
            settings = {**AS_THE_MODEL_SAYS, "training.loss.penalty": penalty, "training.seed": seed}
            found = test_metrics(EXPERIMENT, settings)
            rows.setdefault(f"{penalty:g}", []).append(found)
            told = "  ".join(f"{key} {found[key]:.3f}" for key in SHOWN)
            print(f"penalty {penalty:g}, seed {seed}: {told}", file=sys.stderr, flush=True)
    print("\n".join(seed_table("penalty", rows, SHOWN)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
