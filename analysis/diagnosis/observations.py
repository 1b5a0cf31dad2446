"""What can be seen in a trial: the figures that rules tell as their evidence."""

import math
from collections.abc import Mapping

from rarecall.analysis.diagnosis.rules import Case
from rarecall.analysis.settings import GAMMA, RATIO, SAMPLING_STRENGTH, SCHEME, STRENGTH, VALUES
from rarecall.analysis.text.wording import value_text

# Losses of an epoch may go up by this factor without meaning anything, with sampled rows and few of them.
JUMP = 1.25
# Below that share of the first epoch's loss, a jump is one of rows that are learnt by heart.
SMALL = 0.2
OVERFITTED = 1.1
GAP = 2.0
STILL_FALLING = 0.05
LOW_RECALL = 0.30
# Of many classes, those whose figures are told.
SHOWN = 5


def weights(case: Case) -> dict[str, float]:
    """The weights that were in force, as the ledger has them, otherwise those set by name."""
    told = {name: float(amounts["weight"]) for name, amounts in case.record.mitigation.items() if "weight" in amounts}
    return told or {name: float(weight) for name, weight in (case.settings.get(VALUES) or {}).items()}


def mitigated(case: Case) -> bool:
    """Whether any mitigation was in force, by what the ledger tells or by the settings."""
    amounts = case.record.mitigation.values()
    changed = any(one.get("weight", 1) != 1 or one.get("sampled") != one.get("rows") for one in amounts)
    in_force = any(case.number(key) > 0 for key in (RATIO, SAMPLING_STRENGTH, GAMMA))
    weighted = bool(case.settings.get(VALUES)) or case.number(STRENGTH) > 0
    scheme = case.settings.get(SCHEME, "power")
    return changed or in_force or weighted or scheme not in ("power", "none")


def low_recalls(case: Case) -> dict[str, float]:
    """Minority classes with a recall below 30 %, with it."""
    return {name: recall for name, recall in case.by_class("recall").items() if recall < LOW_RECALL}


def recall_lines(case: Case, recalls: Mapping[str, float]) -> list[str]:
    """A line for each of these classes, the worst first."""
    worst_first = sorted(recalls.items(), key=lambda pair: pair[1])
    lines = [
        f"recall of {name}: {value_text('recall', recall)}, {round(recall * case.rows(name))} of {case.rows(name)} rows"
        for name, recall in worst_first
    ]
    return first_lines(lines)


def first_lines(lines: list[str]) -> list[str]:
    """The first lines, and how many are left."""
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"and {len(lines) - SHOWN} more classes"]


def imbalance(case: Case) -> list[str]:
    """How many rows of the largest class there are for each of the smallest."""
    counts = {name: rows for name, rows in case.train_rows().items() if rows}
    if not counts:
        return []
    largest, smallest = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    return [f"{counts[largest] / counts[smallest]:.0f} training rows of {largest} for each of {smallest}"]


def predicted_by_name(case: Case) -> dict[str, int]:
    """How often each class is predicted."""
    counts = case.predicted
    return {} if counts is None else dict(zip(case.labels.classes, counts.tolist(), strict=True))


def diverged(case: Case) -> list[str]:
    """That the trial ended because its loss was no number."""
    end = case.record.end
    failed = end is not None and end.status == "failed" and "finite" in end.reason
    return [f"the trial ended because {end.reason}"] if end and failed else []


def jumps(case: Case) -> list[str]:
    """The largest rise of the training loss from one epoch to the next."""
    rises = [
        (after.train_loss / before.train_loss, before, after)
        for before, after in zip(case.epochs, case.epochs[1:], strict=False)
        if after.train_loss > JUMP * before.train_loss > 0 and after.train_loss > SMALL * case.epochs[0].train_loss
    ]
    if not rises:
        return []
    _, before, after = max(rises, key=lambda rise: rise[0])
    return [f"training loss rose from {before.train_loss:.3g} to {after.train_loss:.3g} in epoch {after.epoch}"]


def _learns_nothing(case: Case) -> bool:
    losses = [row.train_loss for row in case.epochs if math.isfinite(row.train_loss)]
    return len(losses) >= 2 and losses[-1] > 0.9 * losses[0]


def nothing_learnt(case: Case) -> list[str]:
    """No better than without a look at the rows, or a training loss that stayed where it was."""
    told, found, blind = [], case.metric("macro_f1"), _blind_f1(case)
    if found <= blind:
        told.append(
            f"macro F1 {value_text('macro_f1', found)}; the largest class for every row gives "
            f"{value_text('macro_f1', blind)}"
        )
    if case.most_predicted == "":
        told.append("no label is predicted for any row")
    if _learns_nothing(case):
        first, last = case.epochs[0], case.epochs[-1]
        told.append(f"training loss {first.train_loss:.3g} in epoch 1, {last.train_loss:.3g} in epoch {last.epoch}")
    return told


def _blind_f1(case: Case) -> float:
    """Macro F1 of the largest class for every row: 2p / (1 + p) for that class, 0 for the others; NaN for labels."""
    rows = [case.rows(name) for name in case.labels.classes if case.rows(name) > 0]
    if case.labels.multilabel or not rows:
        return math.nan
    return 2 * max(rows) / (sum(rows) + max(rows)) / len(rows)


def overfitting(case: Case) -> list[str]:
    """The validation loss rises while the training loss falls, or one is far below the other."""
    rows = [row for row in case.epochs if math.isfinite(row.validation_loss)]
    if not rows:
        return _overfitting_by_objective(case)
    lowest, last = min(rows, key=lambda row: row.validation_loss), rows[-1]
    told = f"training loss {last.train_loss:.3g} in epoch {last.epoch}"
    if last.validation_loss > OVERFITTED * lowest.validation_loss and last.train_loss < lowest.train_loss:
        rise = f"from {lowest.validation_loss:.3g} in epoch {lowest.epoch} to {last.validation_loss:.3g}"
        return [f"validation loss rose {rise}", f"training loss fell from {lowest.train_loss:.3g}; {told}"]
    if not mitigated(case) and 0 < GAP * last.train_loss < last.validation_loss:
        return [f"{told}, validation loss {last.validation_loss:.3g}"]
    return []


def _overfitting_by_objective(case: Case) -> list[str]:
    """For ledgers without a validation loss: the best epoch is early, and the objective fell since."""
    last = case.epochs[-1] if case.epochs else None
    if last is None or case.best is None or case.best.epoch >= last.epoch:
        return []
    before, after = (row.metrics.get("macro_f1", math.nan) for row in (case.best, last))
    if not (after <= before - 0.05 and last.train_loss < 0.8 * case.best.train_loss):
        return []
    fall = f"{value_text('macro_f1', before)} in epoch {case.best.epoch} to {value_text('macro_f1', after)}"
    return [
        f"macro F1 fell from {fall}",
        f"training loss fell from {case.best.train_loss:.3g} to {last.train_loss:.3g} meanwhile",
    ]


def falls(case: Case) -> list[str]:
    """Losses that still fell in the last epoch, by more than 5 %; both, where there is a validation loss."""
    if len(case.epochs) < 2:
        return []
    before, last = case.epochs[-2:]
    losses = {"training loss": (before.train_loss, last.train_loss)}
    if math.isfinite(last.validation_loss):
        losses["validation loss"] = (before.validation_loss, last.validation_loss)
    if not all(later < (1 - STILL_FALLING) * earlier for earlier, later in losses.values()):
        return []
    return [f"{name} still fell in epoch {last.epoch}, {one:.3g} to {two:.3g}" for name, (one, two) in losses.items()]
