import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from ray.tune.search import Searcher
from scipy.stats import beta

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.runs.run import EndRow, EpochRow, TrialRecord
from rarecall.search.engine.preparation.known_points import KnownPoint
from rarecall.search.engine.searcher import TrialSearcher, TrialSpace
from rarecall.search.experiment.overrides import with_values
from rarecall.trainables.training.request import request_of

DISTRIBUTIONS = {
    "training.learning_rate": FloatDistribution(1e-5, 1e-1, log=True),
    "model.lora.rank": CategoricalDistribution([4, 8, 16]),
}
OWN_SETTINGS = {"training.learning_rate": 2e-4, "model.lora.rank": 8}
GOAL = Goal((parse("recall[common] >= 0.85"), parse("mae[maturity] <= 2.0")), "minority_recall")


def epoch_row(trial, epoch, rare=0.5, common=0.9, mae=1.0, score=None, checkpoint="checkpoints/slot/x"):
    metrics = {"minority_recall": rare, "recall[common]": common, "mae[maturity]": mae, "macro_f1": 0.5}
    metrics |= {"support[common]": 100.0, "support[rare]": 10.0, "rmse[maturity]": math.hypot(mae, mae)}
    score = rare if score is None else score
    return EpochRow(trial, epoch, metrics, None, 0.1, 1.0, 0.0, checkpoint, None, score, 0.0)


def record(trial, epochs, status=None, params=None):
    end = None if status is None else EndRow(trial, status, "", 0.0)
    return TrialRecord(trial, dict(params or {"training.learning_rate": 1e-3, "model.lora.rank": 4}), epochs, end)


def searcher(
    trials=3, earlier=(), goal=GOAL, seed=0, first=OWN_SETTINGS, distributions=DISTRIBUTIONS, journal=None, **more
):
    space = TrialSpace(distributions, lambda params: with_values({"training": {"epochs": 3}}, params), first, **more)
    return TrialSearcher(
        space,
        goal,
        trials,
        seed,
        earlier,
        journal,
    )


def run(subject, ids, endings):
    """Suggest a trial per id, then end each as the records of its ending say."""
    suggestions = {trial_id: asked_of(subject, trial_id) for trial_id in ids}
    ended = []
    for trial_id, (epochs, status) in zip(ids, endings, strict=True):
        name = suggestions[trial_id].trial
        rows = [epoch_row(name, number, **row) for number, row in enumerate(epochs, start=1)]
        ended.append(record(name, rows, status, suggestions[trial_id].params))
        subject.finish(trial_id, ended[-1])
    return ended


def asked_of(subject, trial_id):
    return request_of(subject.suggest(trial_id))


def test_the_first_trial_has_the_settings_of_the_experiment_itself():
    subject = searcher()
    first, second = asked_of(subject, "a"), asked_of(subject, "b")
    assert first.params == OWN_SETTINGS
    assert first.config == {
        "training": {"epochs": 3, "learning_rate": 2e-4},
        "model": {"lora": {"rank": 8}},
    }
    assert (first.trial, second.trial) == ("t0001", "t0002")
    assert first.resume is second.resume is None
    assert second.params != OWN_SETTINGS


KNOWN = (
    KnownPoint("small steps", {"training.learning_rate": 1e-4, "model.lora.rank": 4}),
    KnownPoint("large steps", {"training.learning_rate": 1e-2, "model.lora.rank": 4}),
)


def test_known_points_come_after_the_experiments_own_settings_and_each_trial_says_where_it_comes_from():
    subject = searcher(trials=4, known=KNOWN)
    asked = [asked_of(subject, trial_id) for trial_id in "abcd"]
    assert [one.origin for one in asked] == ["own", "known: small steps", "known: large steps", "sampler"]
    assert [one.params for one in asked[1:3]] == [dict(one.params) for one in KNOWN]


def test_a_resumed_search_tries_the_known_points_that_are_left():
    earlier = [record("t0001", [epoch_row("t0001", 1)], "completed"), record("t0002", [], None, KNOWN[0].params)]
    subject = searcher(trials=4, known=KNOWN, earlier=earlier)
    asked = [asked_of(subject, trial_id) for trial_id in "abc"]
    assert [(one.trial, one.params) for one in asked[:2]] == [
        ("t0002", dict(KNOWN[0].params)),
        ("t0003", dict(KNOWN[1].params)),
    ]
    assert (asked[1].origin, asked[2].origin) == ("known: large steps", "sampler")


LOSSES = {
    "training.loss.name": CategoricalDistribution(["focal", "ldam"]),
    "training.loss.gamma": FloatDistribution(0.0, 3.0),
}
ONLY_FOCAL = {"training.loss.gamma": {"training.loss.name": ("focal",)}}


def test_a_parameter_exists_only_where_its_condition_holds():
    subject = searcher(
        trials=30,
        distributions=LOSSES,
        first={"training.loss.name": "ldam", "training.loss.gamma": 2.0},
        conditions=ONLY_FOCAL,
    )
    asked = [asked_of(subject, str(number)) for number in range(30)]
    assert asked[0].params == {"training.loss.name": "ldam"}
    kinds = {one.params["training.loss.name"]: "training.loss.gamma" in one.params for one in asked}
    assert kinds == {"focal": True, "ldam": False}
    ended = [record(one.trial, [epoch_row(one.trial, 1)], "completed", one.params) for one in asked[:20]]
    for number, one in enumerate(ended):
        subject.finish(str(number), one)
    rebuilt = searcher(trials=21, distributions=LOSSES, earlier=ended, conditions=ONLY_FOCAL)
    assert [trial.params for trial in rebuilt.study.trials] == [one.params for one in ended]
    assert asked_of(rebuilt, "next").trial == "t0021"


def test_a_setting_outside_its_range_is_drawn_instead_and_the_others_are_kept():
    first = asked_of(searcher(first={"training.learning_rate": 0.9, "model.lora.rank": 16}), "a")
    assert first.params["model.lora.rank"] == 16
    assert 1e-5 <= first.params["training.learning_rate"] <= 1e-1


def test_without_a_space_every_trial_is_the_experiment():
    only = asked_of(searcher(distributions={}), "a")
    assert (only.params, only.config) == ({}, {"training": {"epochs": 3}})


def test_the_same_seed_suggests_the_same_trials():
    one, other = searcher(seed=5), searcher(seed=5)
    assert [asked_of(one, i) for i in "abc"] == [asked_of(other, i) for i in "abc"]
    third, again = searcher(seed=6), searcher(seed=5)
    assert asked_of(third, "a") == asked_of(again, "a")  # the experiment's own settings
    assert asked_of(third, "b") != asked_of(again, "b")


def test_it_is_finished_after_as_many_trials_as_were_asked_for():
    subject = searcher(trials=2)
    assert [subject.suggest(i) == Searcher.FINISHED for i in "abcd"] == [False, False, True, True]


def test_criteria_reach_optuna_as_constraints_by_the_epoch_that_counts():
    subject = searcher()
    # Epoch 2 meets one criterion more than epoch 1, so it counts: recall 0.85 − 0.80 short, MAE (3 − 2) / 2 over
    # in epoch 1; 0.05 short and 1.0 − 2.0 met in epoch 2. The unit is half the exact interval of 85 out of 100.
    run(subject, ["a"], [([{"common": 0.80, "mae": 3.0, "rare": 0.9}, {"common": 0.80, "rare": 0.2}], "completed")])
    (trial,) = subject.study.trials
    unit = (beta.ppf(0.95, 86, 15) - beta.ppf(0.05, 85, 16)) / 2
    assert trial.constraints == pytest.approx({"recall[common] >= 0.85": 0.05 / unit, "mae[maturity] <= 2.0": 0.0})
    assert trial.value == pytest.approx(0.2)


def test_a_feasible_trial_goes_before_a_better_one_that_misses_a_criterion():
    subject = searcher()
    run(
        subject,
        ["a", "b"],
        [([{"rare": 0.9, "common": 0.1}], "completed"), ([{"rare": 0.3, "common": 0.9}], "completed")],
    )
    assert subject.study.best_trial.number == 1
    assert [sum(t.constraints.values()) > 0 for t in subject.study.trials] == [True, False]


def test_how_a_trial_ended_is_told_as_complete_pruned_or_failed():
    subject = searcher(trials=4)
    run(
        subject,
        ["a", "b", "c", "d"],
        [
            ([{"rare": 0.1}, {"rare": 0.4}, {"rare": 0.3}], "completed"),
            ([{"rare": 0.2}], "stopped"),
            ([{"rare": 0.2}], "failed"),
            ([], "failed"),
        ],
    )
    complete, pruned, failed, barren = subject.study.trials
    assert [t.state for t in (complete, pruned, failed, barren)] == [
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.FAIL,
        TrialState.FAIL,
    ]
    assert complete.value == pytest.approx(0.4)
    assert complete.intermediate_values == {1: 0.1, 2: 0.4, 3: 0.3}
    assert pruned.intermediate_values == {1: 0.2}
    assert pruned.constraints == {"recall[common] >= 0.85": 0.0, "mae[maturity] <= 2.0": 0.0}
    assert failed.value is barren.value is None


@pytest.mark.parametrize("objective", ["minority_recall", "mae[maturity]"])
def test_an_objective_that_is_undefined_is_told_finite_and_as_no_better_than_any_other(objective):
    subject = searcher(goal=Goal((), objective))
    undefined = {"rare": math.nan, "mae": math.nan, "score": 0.0}
    run(subject, ["a", "b"], [([undefined], "completed"), ([{"rare": 0.01, "mae": 9.9}], "completed")])
    unknown, poor = subject.study.trials
    assert math.isfinite(unknown.value)
    assert unknown.value < poor.value


def test_an_objective_that_should_be_small_is_told_negated():
    subject = searcher(goal=Goal((), "mae[maturity]"))
    run(subject, ["a"], [([{"mae": 1.5}], "completed")])
    assert subject.study.trials[0].value == -1.5
    assert subject.study.direction == optuna.study.StudyDirection.MAXIMIZE


def test_a_study_rebuilt_from_the_ledger_is_the_one_that_was_left():
    subject = searcher(trials=4)
    ended = run(
        subject,
        ["a", "b", "c", "d"],
        [
            ([{"rare": 0.1}, {"rare": 0.4, "common": 0.7}], "completed"),
            ([{"rare": 0.2}], "stopped"),
            ([{"rare": 0.2}], "failed"),
            ([{"rare": math.nan, "score": 0.0}], "completed"),
        ],
    )
    rebuilt = searcher(trials=4, earlier=ended)
    for live, again in zip(subject.study.trials, rebuilt.study.trials, strict=True):
        assert (again.state, again.params, again.distributions) == (live.state, live.params, live.distributions)
        assert (again.intermediate_values, again.constraints) == (live.intermediate_values, live.constraints)
        if live.state == TrialState.COMPLETE:
            assert again.value == live.value
    assert rebuilt.study.best_trial.number == subject.study.best_trial.number
    assert rebuilt.suggest("e") == Searcher.FINISHED


def test_a_resumed_search_neither_repeats_its_names_nor_its_suggestions():
    subject = searcher(trials=4)
    ended = run(subject, ["a", "b"], [([{}], "completed"), ([{}], "completed")])
    third = asked_of(searcher(trials=4, earlier=ended), "c")
    assert third.trial == "t0003"
    assert third.params not in [one.params for one in ended]


def test_unfinished_trials_go_on_before_anything_new_starts():
    done = record("t0001", [epoch_row("t0001", 1)], "completed")
    halfway = record("t0002", [epoch_row("t0002", 1), epoch_row("t0002", 2, checkpoint="checkpoints/slot/t0002-2")])
    begun = record("t0003", [], params={"training.learning_rate": 5e-3, "model.lora.rank": 16})
    subject = searcher(trials=4, earlier=[done, halfway, begun])
    first, second, third = (asked_of(subject, trial_id) for trial_id in "abc")
    assert (first.trial, first.params) == ("t0002", halfway.params)
    assert first.resume.epoch == 2
    assert first.resume.checkpoint == "checkpoints/slot/t0002-2"
    assert (second.trial, second.params, second.resume) == ("t0003", begun.params, None)
    assert second.config["model"]["lora"]["rank"] == 16
    assert third.trial == "t0004"
    assert subject.suggest("d") == Searcher.FINISHED
    halfway.epochs.append(epoch_row("t0002", 3))
    halfway.end = EndRow("t0002", "completed", "", 0.0)
    subject.finish("a", halfway)
    state = {trial.number: trial.state for trial in subject.study.trials}
    assert list(state.values()) == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.RUNNING, TrialState.RUNNING]
    assert subject.study.trials[1].intermediate_values.keys() == {1, 2, 3}


def test_parameters_that_the_space_no_longer_holds_are_left_out_of_the_study():
    former = [{"training.learning_rate": 0.5, "model.lora.rank": 8}, {"training.warmup": 0.1, "model.lora.rank": 64}]
    subject = searcher(trials=3, earlier=[record("a", [epoch_row("a", 1)], "completed", params) for params in former])
    assert [trial.params for trial in subject.study.trials] == [{"model.lora.rank": 8}, {}]
    assert asked_of(subject, "c").trial == "t0003"


def test_a_trial_that_ray_gave_up_is_failed_and_may_be_finished_afterwards():
    """Ray Tune tells its searcher before its callbacks that a trial has failed for good."""
    subject = searcher()
    name = asked_of(subject, "a").trial
    subject.on_trial_complete("a", error=True)
    subject.finish("a", record(name, [epoch_row(name, 1)], "failed"))
    assert [trial.state for trial in subject.study.trials] == [TrialState.FAIL]


TWO = {"reach": FloatDistribution(0.0, 1.0), "waste": FloatDistribution(0.0, 1.0)}
RECALL_AND_MAE = Goal((), "minority_recall", "mae[maturity]")


def test_with_two_objectives_the_search_comes_to_their_front_and_stays_all_along_it():
    """More reach is more recall and more error; waste costs both, so the front is where it is one half."""
    subject = searcher(trials=80, goal=RECALL_AND_MAE, distributions=TWO, first={"reach": 0.5, "waste": 0.0})
    asked = []
    for number in range(80):
        params = asked_of(subject, str(number)).params
        reach, waste = params["reach"], abs(params["waste"] - 0.5)
        row = {"rare": 0.5 + 0.4 * reach - 0.5 * waste, "mae": 1.0 + reach + 2 * waste}
        name, status = f"t{number}", "stopped" if number % 4 == 3 else "completed"
        subject.finish(str(number), record(name, [epoch_row(name, 1, **row)], status, params))
        asked.append((reach, waste))
    reached, wasted = zip(*asked[40:], strict=True)
    # At random the distance from one half is 0.25 on average, and its mean of 40 has a deviation of 0.023.
    assert sum(wasted) / 40 < 0.25 - 4 * 0.023
    assert min(reached) < 0.2 < 0.8 < max(reached)


def test_two_objectives_are_told_as_big_is_better_and_a_stopped_trial_has_none():
    subject = searcher(trials=4, goal=Goal(GOAL.criteria, "minority_recall", "mae[maturity]"))
    endings = [
        ([{"rare": 0.6, "mae": 1.9}], "completed"),
        ([{"rare": 0.5, "mae": 1.2}, {"rare": 0.4, "mae": 1.1}], "completed"),
        ([{"rare": 0.9, "mae": 0.5}], "stopped"),
        ([{"rare": 0.7, "mae": 1.0, "common": 0.5}], "completed"),
    ]
    ended = run(subject, "abcd", endings)
    trials = subject.study.trials
    # The second one's best epoch by the criteria, which both meet, and the first objective is its first.
    assert [trial.values for trial in trials] == [[0.6, -1.9], [0.5, -1.2], None, [0.7, -1.0]]
    assert [trial.state for trial in trials[1:3]] == [TrialState.COMPLETE, TrialState.PRUNED]
    # The fourth beats both others, but it is not feasible.
    assert [trial.number for trial in subject.study.best_trials] == [0, 1]
    rebuilt = searcher(trials=4, goal=Goal(GOAL.criteria, "minority_recall", "mae[maturity]"), earlier=ended)
    told = [(trial.values, trial.state, trial.params, trial.constraints) for trial in trials]
    assert [(one.values, one.state, one.params, one.constraints) for one in rebuilt.study.trials] == told
    assert [trial.number for trial in rebuilt.study.best_trials] == [0, 1]


def test_seconds_as_second_objective_are_those_of_all_epochs():
    subject = searcher(goal=Goal((), "minority_recall", "seconds"))
    run(subject, ["a"], [([{"rare": 0.4}, {"rare": 0.5}, {"rare": 0.3}], "completed")])
    assert subject.study.trials[0].values == [0.5, -3.0]  # an epoch of the helper takes a second


def test_a_second_objective_that_is_undefined_is_told_finite_and_worst(tmp_path):
    subject = searcher(goal=RECALL_AND_MAE, journal=tmp_path / "optuna.journal")
    run(subject, ["a", "b"], [([{"mae": math.nan}], "completed"), ([{"mae": 9.9}], "completed")])
    undefined, poor = (trial.values[1] for trial in subject.study.trials)
    assert math.isfinite(undefined)
    assert undefined < poor


def test_the_study_can_be_opened_while_the_search_runs_and_is_made_anew_on_resume(tmp_path):
    journal = tmp_path / "optuna.journal"
    subject = searcher(journal=journal)
    ended = run(subject, ["a", "b"], [([{"rare": 0.4}], "completed"), ([{"rare": 0.1}, {"rare": 0.2}], "stopped")])

    def opened():
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
        return [
            (trial.state, trial.params) for trial in optuna.load_study(study_name="rarecall", storage=storage).trials
        ]

    told = [(TrialState.COMPLETE, ended[0].params), (TrialState.PRUNED, ended[1].params)]
    assert opened() == told
    searcher(journal=journal, earlier=ended)
    assert opened() == told
