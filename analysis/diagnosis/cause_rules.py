"""Rules about what went wrong in the training of one trial."""

import math

from rarecall.analysis.diagnosis.advice import (
    MOST_WEIGHT,
    capped_weights,
    lower_rank,
    more_epochs,
    rounded,
    stronger_weights,
)
from rarecall.analysis.diagnosis.observations import (
    diverged,
    falls,
    imbalance,
    jumps,
    low_recalls,
    mitigated,
    nothing_learnt,
    overfitting,
    recall_lines,
    weights,
)
from rarecall.analysis.diagnosis.rules import Case, Observed, rule
from rarecall.analysis.settings import ADAPTER, DECAY, DROPOUT, EPOCHS, PATIENCE, RANK, RATE, RATIO
from rarecall.analysis.text.wording import value_text

# Where the default search range ends for adapters, and what whole models are seldom trained above.
USUAL_RATE = {"lora": 5e-3, "none": 1e-3}


@rule(
    "weights_too_large",
    "Class weights are too large: a few rows drive the training",
    "retina grades: weights above 10 make training unstable, cap them; content moderation: raw 100× weights do",
    figure="minority_precision",
)
def weights_too_large(case: Case) -> Observed | None:
    """A class or label weighs more than 10."""
    large = {name: weight for name, weight in weights(case).items() if weight > MOST_WEIGHT}
    if not large:
        return None
    evidence = [f"weight of {name}: {weight:g}, more than {MOST_WEIGHT:g}" for name, weight in large.items()]
    for name in large:
        precision = case.metric(f"precision[{name}]")
        if math.isfinite(precision):
            evidence.append(f"precision of {name}: {value_text('precision', precision)}")
    return Observed(tuple(evidence), capped_weights(case))


@rule(
    "learning_rate_too_high",
    "The learning rate is too high: the training is unstable",
    "content moderation: unstable loss, lower the learning rate; technology filter: learning rate too high",
    figure="macro_f1",
)
def learning_rate_too_high(case: Case) -> Observed | None:
    """The loss diverged or jumped, or nothing was learnt at a rate beyond the usual."""
    rate, usual = case.number(RATE), USUAL_RATE.get(str(case.settings.get(ADAPTER)), USUAL_RATE["lora"])
    evidence = [*diverged(case), *jumps(case)]
    if rate > usual:
        evidence += nothing_learnt(case)
    if not evidence:
        return None
    if rate > usual:
        evidence.append(f"learning rate {rate:g}, usually at most {usual:g}")
    return Observed(tuple(evidence), case.change(RATE, rounded(min(rate / 10, usual))))


@rule(
    "no_mitigation",
    "No mitigation against the imbalance is in force",
    "technology filter: oversampling ratio 0.2 and class weights",
    figure="minority_recall",
)
def no_mitigation(case: Case) -> Observed | None:
    """Recall of a minority class is below 30 %, with no sampling, weights or focal loss."""
    recalls = low_recalls(case)
    if not recalls or mitigated(case) or not (case.settings or case.record.mitigation):
        return None
    evidence = [*recall_lines(case, recalls), *imbalance(case), "oversampling, class weights and focal loss are off"]
    return Observed(tuple(evidence), (*case.change(RATIO, 0.2), *stronger_weights(case)))


@rule(
    "overfits",
    "The training rows are learnt by heart",
    "technology filter: train loss far below validation loss; uplifting news: a gap above 30 %, regularise",
    figure="validation_loss",
)
def overfits(case: Case) -> Observed | None:
    """The validation loss rose by a tenth while the training loss fell, or is twice as high without any mitigation."""
    evidence = overfitting(case)
    if not evidence:
        return None
    dropout, decay = case.number(DROPOUT), case.number(DECAY)
    changes = [*case.change(DECAY, rounded(max(0.05, 5 * decay)) if decay < 0.05 else decay)]
    if case.settings.get(ADAPTER) == "lora":
        changes += [
            *case.change(RANK, lower_rank(case.number(RANK))),
            *case.change(DROPOUT, 0.1 if dropout < 0.1 else min(0.3, rounded(2 * dropout))),
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
    still = falls(case)
    if case.record.status == "stopped" or not case.best or not still or case.best is not case.epochs[-1]:
        return None
    if all(one.judge(case.best.metrics).status == "met" for one in case.run.criteria) and case.run.criteria:
        return None
    changes = [*case.change(EPOCHS, more_epochs(case)), *case.change(RATE, rounded(1.5 * case.number(RATE)))]
    if case.settings.get(ADAPTER) == "lora" and case.number(RANK) < 32:
        changes += case.change(RANK, int(2 * case.number(RANK)))
    return Observed((*still, f"the last epoch, {case.best.epoch}, is the best one"), tuple(changes))
