"""Whether the figures of a search's winner hold on fresh rows: measured and expected, on replayed searches.

    python benchmarks/honest_winner.py [--sets davidson clinc150] [--searches 200] [--json FILE]

Each set is one large pool of rows of real data with the stored predictions of 96 small models of 4 epochs
(`honest_pools.py`). A search draws 32 of the models and a validation split with 7, 20, 50 or 120 rows of the rarest
class, the other classes in proportion. It orders trials and epochs as `rarecall leaderboard` does, by criteria on the
rarest recall, macro F1 and MAE: what half of the winners truly reach, minus 10 and 5 points. Rows are drawn with
replacement, so that the truth is the winner's figure on the whole pool, and exact: the rest of a pool would have noise
of its own.

`told`: as measured, as expected, and, for comparison, as other rows, as many, tell of the same winner: what figures can
be worth that nobody chose by, with so few rows. `bias`: told minus true. `error`: root mean square of that. `holds`:
share of 90 % intervals with the truth in them. `met`: how often a criterion is told to be met, `wrong`: share of these
where the truth misses it, `power`: where the truth meets it, how often that is told; over recall and F1 thresholds 20,
10 and 0 points below what half of the winners truly reach. `ceiling`: what `power` would be with the same rows for one
model that nobody chose. `all criteria` is about the joint probability.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import Pool as Processes
from pathlib import Path
from typing import Any

import numpy as np
from honest_pools import EPOCHS, READERS, Classes, Pool, pool_of
from scipy.stats import binom

from rarecall.analysis.criteria.criterion import Criterion, parse
from rarecall.analysis.criteria.judging import rank_keys
from rarecall.analysis.criteria.verdicts import assess, metric_names
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.text.table import Column, render_columns
from rarecall.analysis.uncertainty.expected import REDRAWS, Candidates, Expected, chosen, expected
from rarecall.analysis.uncertainty.intervals import LEVEL, probability_at_least
from rarecall.analysis.uncertainty.redraws import Redraws

RARE_ROWS = (7, 20, 50, 120)
TRIALS = 32
LOWER = (0.2, 0.1, 0.0)
# The last one is no way to tell anything of a search: the same winner on as many other rows, by which nobody chose it.
WAYS = ("measured", "expected", "other rows")
OBJECTIVE = "minority_recall"


@dataclass(frozen=True)
class Setting:
    """A pool with what its searches ask for: the criteria that order trials, and those that are only judged."""

    pool: Pool
    criteria: tuple[Criterion, ...]
    judged: tuple[Criterion, ...]

    @property
    def names(self) -> set[str]:
        return metric_names([*self.criteria, *self.judged]) | {OBJECTIVE, "macro_f1"}


def setting_of(pool: Pool, searches: int = 60) -> Setting:
    """Thresholds from what winners by the objective alone truly reach."""
    lines = [f"recall[{pool.rare}] >= 0", f"f1[{pool.rare}] >= 0", "macro_f1 >= 0", *_mae(pool, 0.0)]
    blank = Setting(pool, (), tuple(parse(line, pool.labels.minority) for line in lines))
    truths = [replayed(blank, 50, seed, corrected=False)["true"] for seed in range(searches)]
    middle = {key: float(np.median([one[key] for one in truths])) for key in truths[0]}
    recall, f1 = f"recall[{pool.rare}]", f"f1[{pool.rare}]"
    asked = [
        f"{recall} >= {max(0.02, middle[recall] - 0.1):.3f}",
        f"macro_f1 >= {max(0.02, middle['macro_f1'] - 0.05):.3f}",
    ]
    asked += _mae(pool, middle.get("mae", 0.0) * 1.05)
    judged = [f"{key} >= {max(0.02, middle[key] - lower):.3f}" for key in (recall, f1) for lower in LOWER]
    judged += _mae(pool, middle.get("mae", 0.0))
    read = [tuple(parse(line, pool.labels.minority) for line in lines) for lines in (asked, judged)]
    return Setting(pool, *read)


def _mae(pool: Pool, threshold: float) -> list[str]:
    return [f"mae <= {threshold:.3f}"] if pool.labels.dimensions else []


def replayed(setting: Setting, rare_rows: int, seed: int, corrected: bool = True) -> dict[str, Any]:
    """One search: the winner's true figures, and what is told of it as measured and as expected."""
    pool, random = setting.pool, np.random.default_rng([seed, rare_rows])
    validation = _drawn(pool, rare_rows, random)
    configurations = random.choice(len(pool.predicted), TRIALS, replace=False)
    pairs = [(int(one), epoch) for one in configurations for epoch in range(EPOCHS)]
    found = [pool.predictions(*pair, validation) for pair in pairs]
    metrics = [evaluate(one, pool.labels, setting.names) for one in found]
    keys = rank_keys(metrics, setting.criteria, OBJECTIVE)
    winner = int(np.lexsort([-column for column in keys.T[::-1]])[0])
    truth = evaluate(pool.predictions(*pairs[winner], np.arange(len(pool.true_class))), pool.labels, setting.names)
    true = {f"{one.metric}[{one.selector}]" if one.selector else one.metric: 0.0 for one in setting.judged}
    true = {key: truth[key] for key in true} | {"macro_f1": truth["macro_f1"]}
    if not corrected:
        return {"true": true}
    figures = _expected(setting, found, metrics, winner)
    told = {}
    fresh = pool.predictions(*pairs[winner], _drawn(pool, rare_rows, random))
    for way, rows, given in zip(WAYS, (found[winner], found[winner], fresh), (None, figures, None), strict=True):
        judged = assess(rows, pool.labels, setting.judged, expected=given).findings
        joint = assess(rows, pool.labels, setting.criteria, expected=given).joint
        told[way] = {
            "findings": [
                (one.verdict.key, one.expected, one.interval.low, one.interval.high, one.probability) for one in judged
            ],
            "joint": joint,
        }
    held = [one.judge(truth).status == "met" for one in setting.judged]
    all_met = all(one.judge(truth).status == "met" for one in setting.criteria)
    return {"true": true, "held": held, "all": all_met, **told}


def _expected(
    setting: Setting, found: Sequence[Any], metrics: Sequence[dict[str, float]], winner: int
) -> dict[str, Expected]:
    redraws = Redraws(found[0].strata, REDRAWS)
    drawn = [redraws.values(one, setting.pool.labels, setting.names) for one in found]
    measured = {key: np.array([one[key] for one in metrics]) for key in metrics[0]}
    owner = np.repeat(np.arange(TRIALS), EPOCHS)
    candidates = Candidates(owner, measured, {key: np.column_stack([one[key] for one in drawn]) for key in measured})
    again = chosen(candidates, setting.criteria, OBJECTIVE, 1)
    return expected(candidates, np.array([winner]), again, tuple(measured))[0]


def _drawn(pool: Pool, rare_rows: int, random: np.random.Generator) -> Classes:
    """Rows that validate, drawn with replacement from each class in the same proportion."""
    share = rare_rows / (pool.true_class == pool.true_class.max()).sum()
    groups = [np.flatnonzero(pool.true_class == one) for one in np.unique(pool.true_class)]
    return np.concatenate([random.choice(rows, max(1, round(share * len(rows)))) for rows in groups])


def summary(setting: Setting, rare_rows: int, searches: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One line for each figure and way of telling."""
    names = [one.text.partition(" ")[0] for one in setting.judged]
    for way in WAYS:
        for name in dict.fromkeys(names):
            places = [place for place, other in enumerate(names) if other == name]
            told = np.array([[one[way]["findings"][place][1:] for place in places] for one in searches])
            true = np.array([one["true"][name] for one in searches])
            held = np.array([[one["held"][place] for place in places] for one in searches])
            said = told[:, :, 3] >= LEVEL
            first = told[:, 0]
            yield {
                "set": setting.pool.name,
                "rare rows": rare_rows,
                "figure": name.replace(setting.pool.rare, "rare"),
                "told": way,
                "bias": float(np.mean(first[:, 0] - true)),
                "error": float(np.sqrt(np.mean((first[:, 0] - true) ** 2))),
                "holds": float(np.mean((first[:, 1] <= true) & (true <= first[:, 2]))),
                "met": int(said.sum()),
                "wrong": int((said & ~held).sum()),
                "true": int(held.sum()),
                "right": int((said & held).sum()),
                "ceiling": _ceiling(setting, name, rare_rows, true) if name.startswith("recall") else math.nan,
            }
        joint = np.array([one[way]["joint"] for one in searches])
        every = np.array([one["all"] for one in searches])
        said = joint >= LEVEL
        yield {
            "set": setting.pool.name,
            "rare rows": rare_rows,
            "figure": "all criteria",
            "told": way,
            "bias": float(np.nanmean(joint) - every.mean()),
            "error": float(np.sqrt(np.nanmean((joint - every) ** 2))),
            "holds": math.nan,
            "met": int(said.sum()),
            "wrong": int((said & ~every).sum()),
            "true": int(every.sum()),
            "right": int((said & every).sum()),
            "ceiling": math.nan,
        }


def _ceiling(setting: Setting, name: str, rows: int, true: np.ndarray) -> float:
    """How often one model with the winners' true recalls would be told to meet the thresholds that it meets."""
    hits = np.arange(rows + 1)
    chances = []
    for criterion in setting.judged:
        if criterion.text.startswith(name):
            least = [probability_at_least(hit, rows, criterion.threshold) >= LEVEL for hit in hits]
            chances += [binom.pmf(hits, rows, one)[least].sum() for one in true if one >= criterion.threshold]
    return float(np.mean(chances)) if chances else math.nan


def pooled(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over the sets: the bias without its sign, and the counts together."""
    result = []
    for key in dict.fromkeys((one["figure"], one["rare rows"], one["told"]) for one in lines):
        group = [one for one in lines if (one["figure"], one["rare rows"], one["told"]) == key]
        sums = {name: sum(one[name] for one in group) for name in ("met", "wrong", "true", "right")}
        means = {name: float(np.mean([one[name] for one in group])) for name in ("bias", "error", "holds", "ceiling")}
        worst = max(group, key=lambda one: abs(one["bias"]))["bias"]
        result.append(
            {"set": f"all {len(group)}", "figure": key[0], "rare rows": key[1], "told": key[2], "worst": worst}
            | means
            | sums
        )
    return result


def text(lines: Sequence[dict[str, Any]]) -> str:
    def share(part: int, whole: int) -> str:
        return f"{100 * part / whole:.0f} %" if whole else "-"

    def number(value: float, form: str) -> str:
        return form.format(value) if math.isfinite(value) else "-"

    columns = [
        Column((name,), tuple(str(one[name]) for one in lines), "<") for name in ("set", "figure", "rare rows", "told")
    ]
    columns += [
        Column(("bias",), tuple(number(one["bias"], "{:+.3f}") for one in lines)),
        Column(("worst",), tuple(number(one.get("worst", math.nan), "{:+.3f}") for one in lines)),
        Column(("error",), tuple(number(one["error"], "{:.3f}") for one in lines)),
        Column(("holds",), tuple(number(100 * one["holds"], "{:.0f} %") for one in lines)),
        Column(("met",), tuple(str(one["met"]) for one in lines)),
        Column(("wrong",), tuple(share(one["wrong"], one["met"]) for one in lines)),
        Column(("power",), tuple(share(one["right"], one["true"]) for one in lines)),
        Column(("ceiling",), tuple(number(100 * one["ceiling"], "{:.0f} %") for one in lines)),
    ]
    return "\n".join(render_columns(columns))


def of_setting(task: tuple[str, int, int]) -> list[dict[str, Any]]:
    """All lines of one set with so many rare rows."""
    name, searches, rows = task
    setting = setting_of(pool_of(name))
    found = list(summary(setting, rows, [replayed(setting, rows, 1000 + seed) for seed in range(searches)]))
    print(f"{name}: {rows} rare rows, {searches} searches done", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(READERS), default=list(READERS))
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--rare-rows", nargs="+", type=int, default=RARE_ROWS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write all lines there, those of each setting once it is done")
    options = parser.parse_args()
    tasks = [(name, options.searches, rows) for rows in options.rare_rows for name in options.sets]
    lines: list[dict[str, Any]] = []
    with Processes(min(options.processes, len(tasks))) as processes:
        for found in processes.imap(of_setting, tasks):
            lines += found
            if options.json:
                options.json.write_text(json.dumps(lines, indent=1), encoding="utf-8")
    print(text(lines), text(pooled(lines)), sep="\n\n")


if __name__ == "__main__":
    main()
