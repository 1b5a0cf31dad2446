"""The rules about a whole search, on ledgers made by hand."""

from rarecall.analysis.diagnosis import Case, Change
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking.standings import standings
from tests.analysis.diagnosis.cases import CLASSES, SETTINGS, evidence, metrics_of, warnings


def run_case(folder, space=()):
    run = read_ledger(folder)
    first = standings(run)[0]
    return Case(run, first.record, first.best, SETTINGS, dict(space), of_run=True)


def searched(rows, recalls, **params):
    """A completed trial for each recall of `rarest`, in tenths of 10 rows; params: a value for each trial."""
    yield rows.run(CLASSES, ())
    for number, hits in enumerate(recalls):
        metrics, counts = metrics_of([[90, 6, 4], [8, 10, 2], [10 - hits, 0, hits]])
        told = {key.replace("__", "."): values[number] for key, values in params.items()}
        yield rows.trial(f"t{number}", **told)
        yield rows.epoch(f"t{number}", 1, metrics, confusion=counts, validation_loss=None)
        yield rows.end(f"t{number}")


def test_a_winner_between_three_rows_may_be_luck(write_ledger, rows):
    written = [rows.run(CLASSES, ())]
    for number, hits in enumerate([3, 2, 2, 1]):
        metrics, counts = metrics_of([[90, 6, 4], [8, 10, 2], [3 - hits, 0, hits]])
        written += [rows.trial(f"t{number}"), rows.epoch(f"t{number}", 1, metrics, confusion=counts)]
    case = run_case(write_ledger(*written))
    told = evidence(case, "winner_by_luck")
    assert "3 validation rows of rarest; winner 3 of 3, next trial 2 of 3" in told
    # 1 - (1 - 1/8)^4 = 0.414
    assert "one of 4 would reach 3 of 3 with probability 0.41" in told
    assert "winner_by_luck" not in warnings(Case(case.run, case.record, case.best, SETTINGS))


def test_best_learning_rates_at_the_end_widen_the_range(write_ledger, rows):
    rates = [9.5e-3, 9.0e-3, 1e-3, 2e-3, 3e-3, 1e-3, 2e-3, 4e-3]
    written = searched(rows, [9, 8, 1, 2, 3, 1, 2, 4], training__learning_rate=rates)
    key = "training.learning_rate"
    case = run_case(write_ledger(*written), {key: {"low": 1e-4, "high": 1e-2, "log": True}})
    (change,) = warnings(case)["learning_rate_at_edge"].observed.changes
    assert change == Change(
        f"space.{key}", {"low": 1e-4, "high": 1e-2, "log": True}, {"low": 1e-4, "high": 0.03, "log": True}
    )
    assert "of the 2 best trials: 0.0095, 0.009; searched 0.0001 to 0.01" in evidence(case, "learning_rate_at_edge")
    wide = run_case(case.run.folder, {key: {"low": 1e-4, "high": 1.0, "log": True}})
    assert "learning_rate_at_edge" not in warnings(wide)


def test_best_ranks_at_the_end_add_a_choice(write_ledger, rows):
    written = searched(rows, [9, 8, 1, 2, 3, 1, 2, 4], model__lora__rank=[16, 16, 8, 8, 4, 4, 8, 8])
    case = run_case(write_ledger(*written), {"model.lora.rank": {"choices": [4, 8, 16]}})
    (change,) = warnings(case)["rank_at_edge"].observed.changes
    assert change.after == {"choices": [4, 8, 16, 32]}


def test_a_mitigation_without_effect_leaves_the_space(write_ledger, rows):
    ratios = [0.1, 0.9, 0.2, 0.8] * 4
    gammas = [0.1 * number for number in range(16)]
    recalls = [number // 2 for number in range(16)]
    params = {"training__oversampling__ratio": ratios, "training__loss__gamma": gammas}
    space = {key.replace("__", "."): {"low": 0.0, "high": 3.0} for key in params}
    case = run_case(write_ledger(*searched(rows, recalls, **params)), space)
    observed = warnings(case)["mitigation_without_effect"].observed
    (line,) = observed.evidence  # gamma goes with the recall, the ratio does not
    assert line.startswith("training.oversampling.ratio: rank correlation with minority recall")
    assert observed.changes == (
        Change("space.training.oversampling.ratio", space["training.oversampling.ratio"], None),
    )
