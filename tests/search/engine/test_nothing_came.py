"""A search in which no trial finished an epoch ends with its reason, once."""

from types import SimpleNamespace

import pytest

from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.run import EndRow, TrialRecord
from rarecall.search.engine.launch import _check_some_epoch


def run_of(*ends, epochs=()):
    records = {f"t{i}": TrialRecord(f"t{i}", end=end) for i, end in enumerate(ends)}
    for record in records.values():
        record.epochs = list(epochs)
    return SimpleNamespace(trials=records, folder="runs/small")


def failed(reason):
    return EndRow("t", "failed", reason, 0.0)


def test_a_search_of_which_nothing_came_ends_with_its_reason():
    with pytest.raises(RunError) as caught:
        _check_some_epoch(run_of(failed("no room"), failed("no room"), failed("other")))
    told = (
        "runs/small: no trial finished an epoch; 2 of 3 trials: no room (mend that, then start anew with --overwrite)"
    )
    assert str(caught.value) == told


@pytest.mark.parametrize(
    "run",
    [run_of(), run_of(None, failed("x")), run_of(failed("x"), epochs=["an epoch"])],
    ids=["no trial", "one left", "some"],
)
def test_others_go_on(run):
    _check_some_epoch(run)
