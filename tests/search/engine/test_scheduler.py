from hypothesis import given, settings
from hypothesis import strategies as st
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.runs.run import EndRow, EpochRow, TrialRecord
from rarecall.search.engine.scheduler import EpochHalving
from rarecall.trainables.slot import REPORT, EpochReport
from rarecall.trainables.training.request import TrialRequest, request_of

STOP, CONTINUE = TrialScheduler.STOP, TrialScheduler.CONTINUE
CONTROLLER = None  # which the scheduler does not ask


def begin(scheduler, name, origin=""):
    """A trial as Ray Tune holds it; every session gives it a new id."""
    trial = Trial("Slot", config=TrialRequest(name, {}, {}, origin).tune_config(), stub=True)
    scheduler.on_trial_add(CONTROLLER, trial)
    return trial


def report(scheduler, trial, epoch, score):
    return scheduler.on_trial_result(CONTROLLER, trial, {"epoch": epoch, "score": score})


def first_epochs(scheduler, scores):
    return [report(scheduler, begin(scheduler, f"t{i}"), 1, score) for i, score in enumerate(scores)]


def epoch_row(trial, epoch, score):
    return EpochRow(trial, epoch, {}, None, 0.0, 0.0, 0.0, None, None, score, 0.0)


def test_a_trial_below_the_best_share_is_stopped_with_the_reason():
    scheduler = EpochHalving(max_epochs=9, grace_epochs=1, reduction=3.0)
    # The cut is the 66.7th percentile of what came before: of 0.2 and 0.8 it is 0.2 + 0.667 · 0.6 = 0.6.
    one, two, three, four = (begin(scheduler, name) for name in "abcd")
    assert report(scheduler, one, 1, 0.2) == CONTINUE
    assert report(scheduler, two, 1, 0.8) == CONTINUE
    assert report(scheduler, three, 1, 0.61) == CONTINUE
    assert report(scheduler, four, 1, 0.3) == STOP
    assert scheduler.reasons == {four.trial_id: "not among the best 33% after epoch 1"}


def test_half_go_on_where_that_is_asked_for():
    assert first_epochs(EpochHalving(8, 1, 2.0), [0.0, 1.0, 0.4, 0.5]) == [CONTINUE, CONTINUE, STOP, CONTINUE]


def test_what_others_are_held_against_is_trained_to_its_end():
    scheduler = EpochHalving(max_epochs=4, grace_epochs=1, reduction=3.0, spared=("no mitigation",))
    good, plain = begin(scheduler, "good"), begin(scheduler, "plain", "known: no mitigation")
    assert report(scheduler, good, 1, 0.9) == CONTINUE
    assert [report(scheduler, plain, epoch, 0.1) for epoch in (1, 2, 3)] == [CONTINUE] * 3
    assert scheduler.reasons == {}
    # It stands in the rungs as any other: 0.6 is above the cut between 0.1 and 0.9, 0.633 - and 0.5 is not.
    assert report(scheduler, begin(scheduler, "poor"), 1, 0.5) == STOP


def test_between_the_rungs_nothing_is_stopped():
    scheduler = EpochHalving(max_epochs=9, grace_epochs=1, reduction=3.0)
    good, poor = begin(scheduler, "good"), begin(scheduler, "poor")
    assert [report(scheduler, good, epoch, 0.9) for epoch in (1, 2, 3)] == [CONTINUE] * 3
    # Judged at 1 against 0.9, and not again before 3.
    assert report(scheduler, poor, 1, 0.95) == CONTINUE
    assert report(scheduler, poor, 2, 0.0) == CONTINUE
    assert report(scheduler, poor, 3, 0.0) == STOP
    assert scheduler.reasons[poor.trial_id] == "not among the best 33% after epoch 3"


def test_no_trial_is_stopped_within_its_grace():
    scheduler = EpochHalving(max_epochs=9, grace_epochs=2, reduction=3.0)
    assert set(first_epochs(scheduler, [0.9, 0.8, 0.1, 0.0])) == {CONTINUE}


def test_a_grace_beyond_the_last_epoch_is_the_last_epoch():
    scheduler = EpochHalving(max_epochs=2, grace_epochs=5, reduction=3.0)
    assert set(first_epochs(scheduler, [0.9, 0.1])) == {CONTINUE}


def test_the_last_epoch_ends_a_trial_without_a_reason():
    scheduler = EpochHalving(max_epochs=1, grace_epochs=1, reduction=3.0)
    assert first_epochs(scheduler, [0.9, 0.1]) == [STOP, STOP]
    assert scheduler.reasons == {}


def test_new_trials_are_measured_against_those_of_earlier_sessions():
    scheduler = EpochHalving(max_epochs=9, grace_epochs=1, reduction=3.0)
    scheduler.remember(
        [
            TrialRecord("a", {}, [epoch_row("a", 1, 0.2)], EndRow("a", "completed", "", 0.0)),
            TrialRecord("b", {}, [epoch_row("b", 1, 0.8)], EndRow("b", "stopped", "", 0.0)),
        ]
    )
    assert scheduler.reasons == {}
    assert report(scheduler, begin(scheduler, "c"), 1, 0.3) == STOP


def test_a_trial_that_goes_on_is_not_judged_again_where_it_was_judged():
    """Its epoch 2 must not be held against the others' epoch 1, where its own epoch 1 had passed."""
    scheduler = EpochHalving(max_epochs=9, grace_epochs=1, reduction=3.0)
    records = [TrialRecord(name, {}, [epoch_row(name, 1, score)], None) for name, score in [("a", 0.2), ("b", 0.8)]]
    scheduler.remember(records)
    resumed = begin(scheduler, "b")
    assert report(scheduler, resumed, 2, 0.0) == CONTINUE
    # The cut for a third one is still that of 0.2 and 0.8, see above; with 0.0 beside them it would be 0.4.
    assert report(scheduler, begin(scheduler, "c"), 1, 0.55) == STOP


SCORES = st.integers(0, 100).map(lambda value: value / 100)


@settings(max_examples=200)
@given(
    curves=st.lists(st.lists(SCORES, min_size=5, max_size=5), min_size=2, max_size=8),
    order=st.randoms(use_true_random=False),
    interrupted_after=st.integers(0, 30),
    reduction=st.sampled_from([1.5, 2.0, 3.0]),
)
def test_an_interruption_changes_no_decision(curves, order, interrupted_after, reduction):
    """Epochs of all trials in any interleaving, told to one scheduler, and to two of which the second remembers."""
    turns = [number for number, curve in enumerate(curves) for _ in curve]
    order.shuffle(turns)
    assert decisions(curves, turns, reduction, len(turns)) == decisions(curves, turns, reduction, interrupted_after)


def decisions(curves, turns, reduction, interrupted_after):
    made = []
    scheduler, trials = EpochHalving(5, 1, reduction), {}
    records = {number: TrialRecord(f"t{number}") for number in range(len(curves))}
    for turn, number in enumerate(turns):
        if turn == interrupted_after:
            scheduler, trials = EpochHalving(5, 1, reduction), {}
            scheduler.remember([record for record in records.values() if record.epochs])
        record = records[number]
        if record.end is not None:
            continue
        if number not in trials:
            trials[number] = begin(scheduler, record.trial)
        epoch = len(record.epochs) + 1
        score = curves[number][epoch - 1]
        record.epochs.append(epoch_row(record.trial, epoch, score))
        action = report(scheduler, trials[number], epoch, score)
        made.append((number, epoch, action, scheduler.reasons.get(trials[number].trial_id)))
        if action == STOP:
            record.end = EndRow(record.trial, "stopped", "", 0.0)
            scheduler.on_trial_complete(CONTROLLER, trials[number], {"epoch": epoch, "score": score})
    return made


def test_ray_takes_a_trial_that_it_retries_for_the_same_one():
    scheduler = EpochHalving(max_epochs=9, grace_epochs=1, reduction=3.0)
    trial = begin(scheduler, "a")
    assert report(scheduler, trial, 1, 0.5) == CONTINUE
    scheduler.on_trial_error(CONTROLLER, trial)
    scheduler.on_trial_add(CONTROLLER, trial)
    assert report(scheduler, trial, 2, 0.1) == CONTINUE
    scheduler.on_trial_remove(CONTROLLER, trial)


def test_an_end_that_ray_tells_once_more_changes_nothing():
    """A trial whose patience is over ends with its result; a failed one with epoch 0, which is no rung."""
    scheduler = EpochHalving(max_epochs=9, grace_epochs=1, reduction=3.0)
    first_epochs(scheduler, [0.2, 0.8])
    for name, epoch, score in [("patient", 1, 0.5), ("failed", 0, -1e6)]:
        scheduler.on_trial_complete(CONTROLLER, begin(scheduler, name), {"epoch": epoch, "score": score, "done": True})
    # The cut of 0.2, 0.5 and 0.8 is 0.5 + 0.333 · 0.3 = 0.6; with −1e6 beside them it would be 0.5.
    assert report(scheduler, begin(scheduler, "next"), 1, 0.59) == STOP


def named(scheduler, trial, epoch, confusion):
    return seen(scheduler, trial, epoch, {}, confusion, 0.5)


def seen(scheduler, trial, epoch, metrics, confusion, score):
    name = request_of(trial.config).trial
    row = EpochRow(name, epoch, metrics, confusion, 0.0, 0.0, 0.0, None, None, score, 0.0)
    result = {"epoch": epoch, "score": score, REPORT: EpochReport(row)}
    return scheduler.on_trial_result(CONTROLLER, trial, result)


def test_a_trial_that_names_one_class_only_is_given_up():
    scheduler = EpochHalving(max_epochs=6, grace_epochs=6, reduction=3.0)
    majority, both = [[9, 0], [1, 0]], [[8, 1], [1, 0]]
    stubborn, late = begin(scheduler, "stubborn"), begin(scheduler, "late")
    assert [named(scheduler, stubborn, epoch, majority) for epoch in (1, 2)] == [CONTINUE, STOP]
    assert scheduler.reasons == {stubborn.trial_id: "one class named for every row in 2 epochs in a row"}
    told = [named(scheduler, late, epoch, confusion) for epoch, confusion in enumerate((majority, both, majority), 1)]
    assert told == [CONTINUE] * 3


def test_patience_grows_with_the_epochs_and_survives_a_restart():
    scheduler = EpochHalving(max_epochs=12, grace_epochs=12, reduction=3.0)  # a third are 4
    rows = [EpochRow("t1", epoch, {}, [[9, 0], [1, 0]], 0.0, 0.0, 0.0, None, None, 0.5, 0.0) for epoch in (1, 2, 3)]
    scheduler.remember([TrialRecord("t1", {}, rows)])
    assert named(scheduler, begin(scheduler, "t1"), 4, [[9, 0], [1, 0]]) == STOP


FAR_AWAY = {"recall[rare]": 0.2, "support[rare]": 100.0}  # 0.3 short of one half, a margin is 0.086
HALF = parse("recall[rare] >= 0.5")
OUT_OF_REACH = "recall[rare] >= 0.5 is out of reach: 0.2 in epoch 4, 3.5 margins short and no nearer for 3 epochs"


def measured(scheduler, trial, epoch, metrics, score):
    return seen(scheduler, trial, epoch, metrics, [[8, 1], [1, 0]], score)


def test_a_trial_that_cannot_meet_a_criterion_is_given_up_unless_it_is_the_best():
    scheduler = EpochHalving(max_epochs=6, grace_epochs=6, reduction=3.0, criteria=[HALF])
    best, other = begin(scheduler, "best"), begin(scheduler, "other")
    assert [measured(scheduler, best, epoch, FAR_AWAY, 0.5) for epoch in range(1, 6)] == [CONTINUE] * 5
    assert [measured(scheduler, other, epoch, FAR_AWAY, 0.4) for epoch in range(1, 5)] == [CONTINUE] * 3 + [STOP]
    assert scheduler.reasons == {other.trial_id: OUT_OF_REACH}


def test_a_collapsed_range_ends_a_trial_unless_it_is_the_best():
    scheduler = EpochHalving(max_epochs=6, grace_epochs=6, reduction=3.0)
    measured(scheduler, begin(scheduler, "best"), 1, {"score_spread": 0.9}, 0.5)
    trial = begin(scheduler, "flat")
    assert [measured(scheduler, trial, epoch, {"score_spread": 0.1}, 0.4) for epoch in (1, 2)] == [CONTINUE] * 2
    assert measured(scheduler, trial, 3, {"score_spread": 0.1}, 0.4) == STOP
    told = "overall scores predicted with 0.1 of the true spread, no wider for 3 epochs"
    assert scheduler.reasons == {trial.trial_id: told}


def test_a_restart_and_an_epoch_trained_twice_change_no_reason():
    scheduler = EpochHalving(max_epochs=6, grace_epochs=6, reduction=3.0, criteria=[HALF])

    def row(trial, epoch, score):
        return EpochRow(trial, epoch, FAR_AWAY, None, 0.0, 0.0, 0.0, None, None, score, 0.0)

    best = TrialRecord("best", {}, [row("best", 1, 0.5)], EndRow("best", "completed", "", 0.0))
    scheduler.remember([best, TrialRecord("other", {}, [row("other", epoch, 0.4) for epoch in (1, 2)])])
    resumed = begin(scheduler, "other")
    told = [measured(scheduler, resumed, epoch, FAR_AWAY, 0.4) for epoch in (3, 3, 4)]
    assert told == [CONTINUE, CONTINUE, STOP]
    assert scheduler.reasons == {resumed.trial_id: OUT_OF_REACH}
