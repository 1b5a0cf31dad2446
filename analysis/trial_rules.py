"""The rules about one trial. Those that tell a cause stand before those that tell what follows from it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.intervals import exact
from analysis.signs import Case, Change, Observed, rule
from analysis.wording import interval_text, value_text

MOST_WEIGHT = 10.0
# Where the default search range ends for adapters, and what whole models are seldom trained above.
USUAL_RATE = {"lora": 5e-3, "none": 1e-3}
# Losses of an epoch may go up by this factor without meaning anything, with sampled rows and few of them.
JUMP = 1.25
# Below that share of the first epoch's loss, a jump is one of rows that are learnt by heart.
SMALL = 0.2
OVERFITTED, GAP = 1.1, 2.0
STILL_FALLING = 0.05
LOW_RECALL, VERY_LOW_RECALL, LOW_PRECISION, OVER_PREDICTED = 0.30, 0.20, 0.5, 1.5
MOST_ERROR_SHARE = 0.2
COLLAPSED = 0.25
FEW_ROWS = 10
FEW_TRAINING_ROWS, FEW_EPOCHS = 200, 3
# Of many classes, those whose figures are told.
SHOWN = 5
FOLLOWS = "may follow from what is named above: look again once that is mended"

RATIO, STRENGTH, SCHEME = (
    "training.oversampling.ratio",
    "training.class_weights.strength",
    "training.class_weights.scheme",
)
CAP, VALUES = "training.class_weights.cap", "training.class_weights.values"
DRAWN, GAMMA = "training.weighted_sampling.strength", "training.loss.gamma"
RATE, EPOCHS, DECAY, PATIENCE = (
    "training.learning_rate",
    "training.epochs",
    "training.weight_decay",
    "training.early_stopping",
)
RANK, DROPOUT, ADAPTER = "model.lora.rank", "model.lora.dropout", "model.adapter"


@rule(
    "weights_too_large",
    "Class weights are too large: a few rows drive the training",
    "retina grades: weights above 10 make training unstable, cap them; content moderation: raw 100× weights do",
    figure="minority_precision",
)
def weights_too_large(case: Case) -> Observed | None:
    """A class or label weighs more than 10."""
    large = {name: weight for name, weight in _weights(case).items() if weight > MOST_WEIGHT}
    if not large:
        return None
    evidence = [f"weight of {name}: {weight:g}, more than {MOST_WEIGHT:g}" for name, weight in large.items()]
    for name in large:
        precision = case.metric(f"precision[{name}]")
        if math.isfinite(precision):
            evidence.append(f"precision of {name}: {value_text('precision', precision)}")
    return Observed(tuple(evidence), _capped_weights(case))


@rule(
    "learning_rate_too_high",
    "The learning rate is too high: the training is unstable",
    "content moderation: unstable loss, lower the learning rate; technology filter: learning rate too high",
    figure="macro_f1",
)
def learning_rate_too_high(case: Case) -> Observed | None:
    """The loss diverged or jumped, or nothing was learnt at a rate beyond the usual."""
    rate, usual = case.number(RATE), USUAL_RATE.get(str(case.settings.get(ADAPTER)), USUAL_RATE["lora"])
    evidence = [*_diverged(case), *_jumps(case)]
    if rate > usual:
        evidence += _nothing_learnt(case)
    if not evidence:
        return None
    if rate > usual:
        evidence.append(f"learning rate {rate:g}, usually at most {usual:g}")
    return Observed(tuple(evidence), case.change(RATE, _rounded(min(rate / 10, usual))))


@rule(
    "no_mitigation",
    "No remedy against the imbalance is in force",
    "technology filter: oversampling ratio 0.2 and class weights",
    figure="minority_recall",
)
def no_mitigation(case: Case) -> Observed | None:
    """Recall of a minority class is below 30 %, with no sampling, weights or focal loss."""
    recalls = _low_recalls(case)
    if not recalls or _mitigated(case) or not (case.settings or case.record.mitigation):
        return None
    evidence = [*_recall_lines(case, recalls), *_imbalance(case), "oversampling, class weights and focal loss are off"]
    return Observed(tuple(evidence), (*case.change(RATIO, 0.2), *_stronger_weights(case)))


@rule(
    "overfits",
    "The training rows are learnt by heart",
    "technology filter: train loss far below validation loss; uplifting news: a gap above 30 %, regularise",
    figure="validation_loss",
)
def overfits(case: Case) -> Observed | None:
    """The validation loss rose by a tenth while the training loss fell, or is twice as high with no remedy in force."""
    evidence = _overfitting(case)
    if not evidence:
        return None
    dropout, decay = case.number(DROPOUT), case.number(DECAY)
    changes = [*case.change(DECAY, _rounded(max(0.05, 5 * decay)) if decay < 0.05 else decay)]
    if case.settings.get(ADAPTER) == "lora":
        changes += [
            *case.change(RANK, _lower_rank(case.number(RANK))),
            *case.change(DROPOUT, 0.1 if dropout < 0.1 else min(0.3, _rounded(2 * dropout))),
        ]
    if case.settings.get(PATIENCE) is None:
        changes += case.change(PATIENCE, 2)
    return Observed(tuple(evidence), tuple(changes))


@rule(
    "underfits",
    "The training ended before it was done",
    "technology filter: underfits, so rank 16 → 32, learning rate 2e-4 → 3e-4, more epochs",
    figure="validation_loss",
)
def underfits(case: Case) -> Observed | None:
    """The last epoch is the best, the losses still fell in it, and a criterion is not met."""
    falls = _falls(case)
    if case.record.status == "stopped" or not case.best or not falls or case.best is not case.epochs[-1]:
        return None
    if all(one.judge(case.best.metrics).status == "met" for one in case.run.criteria) and case.run.criteria:
        return None
    changes = [*case.change(EPOCHS, _more_epochs(case)), *case.change(RATE, _rounded(1.5 * case.number(RATE)))]
    if case.settings.get(ADAPTER) == "lora" and case.number(RANK) < 32:
        changes += case.change(RANK, int(2 * case.number(RANK)))
    return Observed((*falls, f"the last epoch, {case.best.epoch}, is the best one"), tuple(changes))


@rule(
    "one_class_only",
    "It predicts one class only",
    "Japanese toxicity: 50 rows and one epoch gave a model that predicts one class only",
    figure="minority_recall",
)
def one_class_only(case: Case) -> Observed | None:
    """All validation rows have the same prediction."""
    name = case.most_predicted
    if name is None:
        return None
    evidence = [f"every validation row is predicted {name}" if name else "no label is predicted for any row"]
    total = sum(case.train_rows().values())
    # Where it is a rare class that is predicted, the remedies were too strong and not too weak.
    changes = _gentler(case) if name in case.labels.minority else _against_low_recall(case)
    if _follows(case):
        return Observed((*evidence, FOLLOWS))
    if 0 < total < FEW_TRAINING_ROWS:
        evidence.append(f"{total} training rows")
        changes += case.change("data.max_train_rows", None)
    if case.number(EPOCHS) < FEW_EPOCHS and all(change.key != EPOCHS for change in changes):
        changes += case.change(EPOCHS, 5)
    return Observed((*evidence, f"epochs trained: {len(case.epochs)}"), changes)


@rule(
    "rare_recall_low",
    "Rare classes are missed",
    "technology filter: recall below 30 %, so ratio 0.2 → 0.3, class weights, half the learning rate, epochs 3 → 5",
    figure="minority_recall",
)
def rare_recall_low(case: Case) -> Observed | None:
    """Recall of a minority class is below 30 %, although several classes are predicted."""
    recalls = _low_recalls(case)
    if not recalls or case.most_predicted is not None or no_mitigation(case) is not None:
        return None
    if _follows(case):
        return Observed((*_recall_lines(case, recalls), FOLLOWS))
    advice = "a recall below 20 % mostly means too few examples: label more rows of "
    few = [name for name, recall in recalls.items() if recall < VERY_LOW_RECALL]
    return Observed(
        tuple(_recall_lines(case, recalls)),
        _against_low_recall(case),
        (advice + ", ".join(few),) if few else (),
    )


@rule(
    "rare_over_predicted",
    "Rare classes are predicted too often",
    "content moderation: precision below 0.5, so γ 2.0 → 1.5 or weights 10 → 7",
    figure="minority_precision",
)
def rare_over_predicted(case: Case) -> Observed | None:
    """Precision of a minority class is below one half, and it is predicted 1.5 times as often as it comes."""
    predicted = _predicted_by_name(case)
    found = {
        name: precision
        for name, precision in case.by_class("precision").items()
        if precision < LOW_PRECISION and predicted.get(name, 0) > OVER_PREDICTED * case.rows(name)
    }
    if not found:
        return None
    lines = [
        f"precision of {name}: {value_text('precision', precision)}, predicted {predicted[name]} times for "
        f"{case.rows(name)} rows"
        for name, precision in found.items()
    ]
    evidence = _first(lines)
    if _follows(case):
        return Observed((*evidence, FOLLOWS))
    gamma = case.number(GAMMA)
    lower = case.change(GAMMA, _rounded(max(0.0, gamma - 0.5))) if gamma > 0 else ()
    return Observed(tuple(evidence), (*lower, *_weaker_weights(case)))


@rule(
    "catastrophic_failures",
    "Rows of the lowest kind are predicted at the top",
    "technology filter: catastrophic failures mean that the learning rate is too high",
    figure="catastrophic_failures",
)
def catastrophic_failures(case: Case) -> Observed | None:
    """The catastrophic rule of the task fired."""
    count, catastrophic = case.metric("catastrophic_failures"), case.labels.catastrophic
    if not count > 0 or catastrophic is None:
        return None
    told = f"{count:.0f} rows below {catastrophic.true_below:g} predicted above {catastrophic.predicted_above:g}"
    return Observed((told,), case.change(RATE, _rounded(case.number(RATE) / 2)))


@rule(
    "scores_far_off",
    "Scores are far off",
    "technology filter: a dimension with MAE above 2.0, are the labels consistent?",
    figure="mae",
)
def scores_far_off(case: Case) -> Observed | None:
    """MAE of a dimension is above a fifth of the range, 2.0 on a scale of 10."""
    low, high = case.settings.get("task.range") or (0.0, 10.0)
    most = MOST_ERROR_SHARE * (high - low)
    far = {name: error for name in case.labels.dimensions if (error := case.metric(f"mae[{name}]")) > most}
    if not far:
        return None
    evidence = tuple(f"MAE of {name}: {error:.2f}, more than {most:g}" for name, error in far.items())
    advice = "have 20 rows scored twice: where two people differ as much, no model can do better"
    return Observed(evidence, advice=(advice,))


@rule(
    "range_collapsed",
    "Predicted scores keep to the middle",
    "technology filter: never predicts above 6.0",
    figure="minority_recall",
)
def range_collapsed(case: Case) -> Observed | None:
    """Overall scores are predicted with less than a quarter of the true spread."""
    told = case.predictions
    if told is None or told.predicted_overall is None or told.true_overall is None:
        return None
    true, predicted = float(np.std(told.true_overall)), float(np.std(told.predicted_overall))
    if true == 0 or predicted >= COLLAPSED * true:
        return None
    ends = f"{told.predicted_overall.min():.1f} to {told.predicted_overall.max():.1f}"
    truth = f"{told.true_overall.min():.1f} to {told.true_overall.max():.1f}"
    evidence = (f"overall scores predicted from {ends}, true from {truth}", f"spread {predicted:.2f} of {true:.2f}")
    return Observed(evidence, (*case.change(SCHEME, "label_density"), *case.change(RATIO, _more_ratio(case))))


@rule(
    "too_few_rare_rows",
    "There are too few rare rows to know",
    "technology filter: 3 validation rows of the rarest tier, whose recall can only be 0, 33, 67 or 100 %",
)
def too_few_rare_rows(case: Case) -> Observed | None:
    """A minority class has fewer than 10 validation rows."""
    few = {name: case.rows(name) for name in case.labels.minority if 0 < case.rows(name) < FEW_ROWS}
    if not few:
        return None
    evidence = []
    for name, rows in few.items():
        recall = case.metric(f"recall[{name}]")
        ends = interval_text("recall", exact(round(recall * rows), rows))
        evidence.append(f"{name}: {rows} validation rows; recall {value_text('recall', recall)}, true value in {ends}")
    evidence = _first(evidence)
    advice = f"label more rows of {', '.join(few)}, or validate on a larger share (a new run: other rows)"
    share = case.number("data.split.validation")
    wider = case.settings.get("data.path") is not None and share < 0.2
    changes = case.change("data.split.validation", 0.2) if wider else ()
    return Observed(tuple(evidence), changes, (advice,))


def _follows(case: Case) -> bool:
    """Whether something else has to be mended first: more of a remedy makes an overfitted trial overfit more."""
    return any(cause(case) is not None for cause in (weights_too_large, learning_rate_too_high, overfits))


def _weights(case: Case) -> dict[str, float]:
    """The weights that were in force, as the ledger has them, otherwise those set by name."""
    told = {name: float(amounts["weight"]) for name, amounts in case.record.mitigation.items() if "weight" in amounts}
    return told or {name: float(weight) for name, weight in (case.settings.get(VALUES) or {}).items()}


def _capped_weights(case: Case) -> tuple[Change, ...]:
    values: Mapping[str, float] = case.settings.get(VALUES) or {}
    capped = {name: min(float(weight), _most_weight(case, name)) for name, weight in values.items()}
    cap = case.number(CAP)
    return (
        *(case.change(VALUES, capped) if capped != dict(values) else ()),
        *(case.change(CAP, MOST_WEIGHT) if cap > MOST_WEIGHT else ()),
    )


def _most_weight(case: Case, name: str) -> float:
    """10, or less where that evens out the classes: the rows of the largest one in an epoch for each of this one."""
    sampled = {one: amounts.get("sampled", 0.0) for one, amounts in case.record.mitigation.items()}
    if case.labels.multilabel or not sampled.get(name):
        return MOST_WEIGHT
    return min(MOST_WEIGHT, _rounded(max(sampled.values()) / sampled[name]))


def _mitigated(case: Case) -> bool:
    amounts = case.record.mitigation.values()
    changed = any(one.get("weight", 1) != 1 or one.get("sampled") != one.get("rows") for one in amounts)
    in_force = any(case.number(key) > 0 for key in (RATIO, DRAWN, GAMMA))
    weighted = bool(case.settings.get(VALUES)) or case.number(STRENGTH) > 0
    scheme = case.settings.get(SCHEME, "power")
    return changed or in_force or weighted or scheme not in ("power", "none")


def _low_recalls(case: Case) -> dict[str, float]:
    return {name: recall for name, recall in case.by_class("recall").items() if recall < LOW_RECALL}


def _recall_lines(case: Case, recalls: Mapping[str, float]) -> list[str]:
    worst_first = sorted(recalls.items(), key=lambda pair: pair[1])
    lines = [
        f"recall of {name}: {value_text('recall', recall)}, {round(recall * case.rows(name))} of {case.rows(name)} rows"
        for name, recall in worst_first
    ]
    return _first(lines)


def _first(lines: list[str]) -> list[str]:
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"and {len(lines) - SHOWN} more classes"]


def _imbalance(case: Case) -> list[str]:
    counts = {name: rows for name, rows in case.train_rows().items() if rows}
    if not counts:
        return []
    largest, smallest = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    return [f"{counts[largest] / counts[smallest]:.0f} training rows of {largest} for each of {smallest}"]


def _against_low_recall(case: Case) -> tuple[Change, ...]:
    """Ratio and weights up; where they were in force, and losses had stopped falling, half the rate and more epochs."""
    if case.labels.multilabel and min(case.by_class("recall").values(), default=1.0) == 0:
        return (*case.change(GAMMA, max(3.0, case.number(GAMMA))), *_stronger_weights(case))
    changes = [*case.change(RATIO, _more_ratio(case)), *_stronger_weights(case)]
    if _mitigated(case) and not _falls(case):
        changes += case.change(RATE, _rounded(case.number(RATE) / 2))
        changes += case.change(EPOCHS, _more_epochs(case))
    return tuple(changes)


def _gentler(case: Case) -> tuple[Change, ...]:
    """Weaker weights, less oversampling, half the learning rate, more epochs."""
    slower = case.change(RATE, _rounded(case.number(RATE) / 2))
    changes = (*_weaker_weights(case), *_less_ratio(case), *slower, *case.change(EPOCHS, _more_epochs(case)))
    return tuple({change.key: change for change in changes}.values())


def _more_ratio(case: Case) -> float:
    ratio = case.number(RATIO)
    return 0.2 if not ratio > 0 else min(1.0, _rounded(ratio + 0.1))


def _stronger_weights(case: Case) -> tuple[Change, ...]:
    """A step up for weights that a strength decides; those by name or by a stronger scheme stay."""
    if case.settings.get(SCHEME) == "none":
        return (*case.change(SCHEME, "power"), *case.change(STRENGTH, 0.5))
    if case.settings.get(SCHEME) != "power" or case.settings.get(VALUES):
        return ()
    strength = case.number(STRENGTH)
    return case.change(STRENGTH, 0.5 if strength < 0.5 else min(1.0, _rounded(strength + 0.25)))


def _weaker_weights(case: Case) -> tuple[Change, ...]:
    """Seven tenths of the weights: of those by name, of the strength, or of the cap where a scheme has none."""
    values = case.settings.get(VALUES)
    if values:
        return case.change(VALUES, {name: max(1.0, _rounded(0.7 * weight)) for name, weight in values.items()})
    if case.settings.get(SCHEME) == "power":
        strength = case.number(STRENGTH)
        return case.change(STRENGTH, _rounded(0.7 * strength)) if strength > 0 else _less_ratio(case)
    return case.change(CAP, max(1.0, _rounded(0.7 * case.number(CAP))))


def _less_ratio(case: Case) -> tuple[Change, ...]:
    ratio = case.number(RATIO)
    return case.change(RATIO, _rounded(ratio / 2)) if ratio > 0 else ()


def _predicted_by_name(case: Case) -> dict[str, int]:
    counts = case.predicted
    return {} if counts is None else dict(zip(case.labels.classes, counts.tolist(), strict=True))


def _diverged(case: Case) -> list[str]:
    end = case.record.end
    failed = end is not None and end.status == "failed" and "finite" in end.reason
    return [f"the trial ended because {end.reason}"] if end and failed else []


def _jumps(case: Case) -> list[str]:
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


def _nothing_learnt(case: Case) -> list[str]:
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


def _overfitting(case: Case) -> list[str]:
    """The validation loss rises while the training loss falls, or one is far below the other."""
    rows = [row for row in case.epochs if math.isfinite(row.validation_loss)]
    if not rows:
        return _overfitting_by_objective(case)
    lowest, last = min(rows, key=lambda row: row.validation_loss), rows[-1]
    told = f"training loss {last.train_loss:.3g} in epoch {last.epoch}"
    if last.validation_loss > OVERFITTED * lowest.validation_loss and last.train_loss < lowest.train_loss:
        rise = f"from {lowest.validation_loss:.3g} in epoch {lowest.epoch} to {last.validation_loss:.3g}"
        return [f"validation loss rose {rise}", f"training loss fell from {lowest.train_loss:.3g}; {told}"]
    if not _mitigated(case) and 0 < GAP * last.train_loss < last.validation_loss:
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


def _falls(case: Case) -> list[str]:
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


def _lower_rank(rank: float) -> Any:
    """8, as the technology filter has it; half of a rank that is no higher."""
    return 8 if rank > 8 else max(2, int(rank // 2))


def _more_epochs(case: Case) -> Any:
    """3 → 5, and likewise for other numbers."""
    return math.ceil(case.number(EPOCHS) * 5 / 3) if case.number(EPOCHS) > 0 else 5


def _rounded(value: float) -> float:
    """Three digits, so that a file with it reads well."""
    return float(f"{value:.3g}")
