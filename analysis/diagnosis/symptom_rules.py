"""Rules about what one trial's predictions look like, which may follow from a cause named before."""

import numpy as np

from rarecall.analysis.diagnosis.advice import against_low_recall, gentler, more_ratio, rounded, weaker_weights
from rarecall.analysis.diagnosis.cause_rules import learning_rate_too_high, no_mitigation, overfits, weights_too_large
from rarecall.analysis.diagnosis.observations import first_lines, low_recalls, predicted_by_name, recall_lines
from rarecall.analysis.diagnosis.rules import Case, Observed, rule
from rarecall.analysis.metrics.scores import COLLAPSED
from rarecall.analysis.settings import DATA_PATH, EPOCHS, GAMMA, MAX_TRAIN_ROWS, RATE, RATIO, SCHEME
from rarecall.analysis.text.wording import interval_text, value_text
from rarecall.analysis.uncertainty.intervals import exact

VERY_LOW_RECALL = 0.20
LOW_PRECISION = 0.5
OVER_PREDICTED = 1.5
MOST_ERROR_SHARE = 0.2
FEW_ROWS = 10
FEW_TRAINING_ROWS = 200
FEW_EPOCHS = 3
FOLLOWS = "may follow from what is named above: look again once that is mended"


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
    # Where it is a rare class that is predicted, the mitigations were too strong and not too weak.
    changes = gentler(case) if name in case.labels.minority else against_low_recall(case)
    if _follows(case):
        return Observed((*evidence, FOLLOWS))
    if 0 < total < FEW_TRAINING_ROWS:
        evidence.append(f"{total} training rows")
        changes += case.change(MAX_TRAIN_ROWS, None)
    if case.number(EPOCHS) < FEW_EPOCHS and all(change.key != EPOCHS for change in changes):
        changes += case.change(EPOCHS, 5)
    return Observed((*evidence, f"epochs trained: {len(case.epochs)}"), changes)


@rule(
    "answers_unreadable",
    "Some answers cannot be read",
    "an answer that is no JSON counts as the greatest failure there is, and hides what the model knows",
    figure="unparsable_answers",
)
def answers_unreadable(case: Case) -> Observed | None:
    """A model that writes its scores wrote something else for some validation rows."""
    count, rows = case.metric("unparsable_answers"), sum(case.rows(name) for name in case.labels.classes)
    if not count > 0:
        return None
    evidence = (f"{count:.0f} of {rows} answers on validation rows are not the JSON that was asked for",)
    if _follows(case):
        return Observed((*evidence, FOLLOWS))
    longer = int(case.number(EPOCHS) * 2) if case.number(EPOCHS) < 2 * FEW_EPOCHS else None
    advice = "the column `unreadable` of the trial's predictions.parquet has them: cut short, or in other words?"
    return Observed(evidence, case.change(EPOCHS, longer) if longer else (), (advice,))


@rule(
    "rare_recall_low",
    "Rare classes are missed",
    "technology filter: recall below 30 %, so ratio 0.2 → 0.3, class weights, half the learning rate, epochs 3 → 5",
    figure="minority_recall",
)
def rare_recall_low(case: Case) -> Observed | None:
    """Recall of a minority class is below 30 %, although several classes are predicted."""
    recalls = low_recalls(case)
    if not recalls or case.most_predicted is not None or no_mitigation(case) is not None:
        return None
    if _follows(case):
        return Observed((*recall_lines(case, recalls), FOLLOWS))
    advice = "a recall below 20 % mostly means too few examples: label more rows of "
    few = [name for name, recall in recalls.items() if recall < VERY_LOW_RECALL]
    return Observed(
        tuple(recall_lines(case, recalls)),
        against_low_recall(case),
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
    predicted = predicted_by_name(case)
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
    evidence = first_lines(lines)
    if _follows(case):
        return Observed((*evidence, FOLLOWS))
    gamma = case.number(GAMMA)
    lower = case.change(GAMMA, rounded(max(0.0, gamma - 0.5))) if gamma > 0 else ()
    return Observed(tuple(evidence), (*lower, *weaker_weights(case)))


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
    return Observed((told,), case.change(RATE, rounded(case.number(RATE) / 2)))


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
    return Observed(evidence, (*case.change(SCHEME, "label_density"), *case.change(RATIO, more_ratio(case))))


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
    evidence = first_lines(evidence)
    advice = f"label more rows of {', '.join(few)}, or validate on a larger share (a new run: other rows)"
    share = case.number("data.split.validation")
    wider = case.settings.get(DATA_PATH) is not None and share < 0.2
    changes = case.change("data.split.validation", 0.2) if wider else ()
    return Observed(tuple(evidence), changes, (advice,))


def _follows(case: Case) -> bool:
    """Whether something else has to be mended first: more of a mitigation makes an overfitted trial overfit more."""
    return any(cause(case) is not None for cause in (weights_too_large, learning_rate_too_high, overfits))
