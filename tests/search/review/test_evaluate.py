"""`rarecall evaluate`, `compare` and `leaderboard --rank-by` as a user types them."""

import json
import math
from pathlib import Path

import pytest
from sklearn.metrics import f1_score

from rarecall.analysis.errors import InputError
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.outside_file import Gate
from rarecall.search.review.criteria import read_criteria
from rarecall.search.review.evaluate import meaning
from tests.command_line import invoked

TRUE = ["common"] * 40 + ["rare"] * 5
THEIRS = ["common"] * 38 + ["rare"] * 2 + ["rare"] * 3 + ["common"] * 2
OURS = ["common"] * 40 + ["rare"] * 1 + ["common"] * 4


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.csv"
    path.write_text("true,predicted\n" + "".join(f"{a},{b}\n" for a, b in zip(TRUE, THEIRS, strict=True)))
    return path


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "ours.jsonl"
    path.write_text("".join(json.dumps({"true": a, "predicted": b}) + "\n" for a, b in zip(TRUE, OURS, strict=True)))
    return path


def test_evaluate_a_table_of_somebody_else(theirs: Path) -> None:
    output = invoked("evaluate", theirs, "--criteria", "recall[rare] >= 0.4", "--criteria", "accuracy >= 0.5").output
    lines = output.splitlines()
    assert any(line.startswith("common    40  95.0 %   85–99 %  95.0 %   85–99 %  95.0 %") for line in lines)
    assert any(line.startswith("rare       5  60.0 %   19–92 %  60.0 %   19–92 %") for line in lines)
    assert "  undecided  recall[rare] >= 0.4    60.0 %     5  19–92 %    0.82" in lines
    assert "  met        accuracy >= 0.5        91.1 %    45  81–97 %   >0.99" in lines
    assert ["common", "38", "2"] in [line.split() for line in lines]
    assert max(map(len, lines[1:])) <= 80


def test_evaluate_as_json(theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "criteria.txt").write_text("# what we promised\nrecall[minority] >= 0.4\n\nprecision[rare] >= 0.9\n")
    found = json.loads(invoked("evaluate", theirs, "--criteria", tmp_path / "criteria.txt", "--json").output)
    assert (found["rows"], found["classes"], found["minority"]) == (45, ["common", "rare"], ["rare"])
    assert found["metrics"]["macro_f1"] == pytest.approx(f1_score(TRUE, THEIRS, average="macro"))
    assert found["confusion"] == [[38, 2], [2, 3]]
    assert [one["criterion"] for one in found["assessment"]["findings"]] == [
        "recall[minority] >= 0.4",
        "precision[rare] >= 0.9",
    ]
    low, high = found["intervals"]["macro_f1"]
    assert low < found["metrics"]["macro_f1"] < high


def test_evaluate_scores_with_tiers(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    rows = [{"true": {"x": n % 10}, "predicted": {"x": n % 10 + 0.5}} for n in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = json.loads(
        invoked("evaluate", path, "--tiers", "low=0,high=5", "--criteria", "mae[*] <= 0.6", "--json").output
    )
    assert found["metrics"]["mae[x]"] == pytest.approx(0.5)
    assert found["confusion"] == [[15, 0], [0, 15]]
    assert found["assessment"]["findings"][0]["status"] == "met"


def test_compare_two_files(theirs: Path, ours: Path) -> None:
    lines = invoked("compare", theirs, ours).output.splitlines()
    assert lines[2] == "45 rows, the same in both"
    # Right in the first only: 2 rare rows; in the second only: 2 common rows.
    assert "Right in A only: 2 rows, in B only: 2. McNemar's exact test: p = 1." in lines
    assert "  rare, lost by B: rows 41, 42" in lines
    assert "recall[rare]" in "".join(lines)
    assert next(line.split()[1:6] for line in lines if line.startswith("recall[rare]")) == [
        "60.0",
        "%",
        "20.0",
        "%",
        "-40.0",
    ]
    (found,) = json.loads(invoked("compare", theirs, ours, "--json").output)
    assert found["flips"] == [{"name": "rare", "lost": [41, 42], "gained": []}]


def test_what_cannot_be_used_is_told(theirs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be at least two, got 1"):
        invoked("compare", theirs)
    with pytest.raises(InputError, match=r"nowhere: must be a run, a trial of a run or a file of predictions"):
        invoked("evaluate", tmp_path / "nowhere")
    with pytest.raises(
        InputError, match=r"recall\[odd\] >= 0.4|the class of recall must be one of common, rare or \*, got 'odd'"
    ):
        invoked("evaluate", theirs, "--criteria", "recall[odd] >= 0.4")
    with pytest.raises(InputError, match=r"must hold ledger.jsonl or predictions.parquet, got neither"):
        invoked("evaluate", tmp_path)


def test_options_are_read() -> None:
    found = meaning("b, c", None, "low=0, mid=4.5", "x=.5,y=.5")
    assert found.minority == ("b", "c")
    assert found.tiers == {"low": 0.0, "mid": 4.5}
    assert found.weights == {"x": 0.5, "y": 0.5}
    with pytest.raises(InputError, match=r"--tiers: must read NAME=NUMBER,…, got 'low'"):
        meaning(None, None, "low", None)
    with pytest.raises(InputError, match="--tiers: must ascend"):
        meaning(None, None, "low=4,high=2", None)
    with pytest.raises(InputError, match="the threshold of accuracy is a share") as error:
        read_criteria(["accuracy >= 88", "recal[a] > 0"], LabelSpace(("a", "b"), ("b",)))
    assert len(error.value.faults) == 2
    assert math.isfinite(read_criteria(["recall[all] > 0"], LabelSpace(("a", "b"), ("b",)))[0].threshold)


def test_an_experiment_given_for_its_criteria_says_how_scores_are_cut(tmp_path):
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(
        "task:\n  kind: tiered_scores\n  dimensions: {x: {weight: 3}, y: {}}\n  tiers: {low: 0, high: 5}\n"
        "  gatekeeper: {dimension: y, cut: 2, max_tier: low}\ncriteria: ['recall[high] >= 0.5']\n"
    )
    found = meaning(None, None, None, None, criteria=[str(experiment)])
    assert (found.tiers, found.weights) == ({"low": 0.0, "high": 5.0}, {"x": 3.0, "y": 1.0})
    assert found.gatekeeper == Gate("y", 2.0, "low")
    own = meaning(None, None, "a=0,b=1", "x=1", gatekeeper="x<3=a", criteria=[str(experiment)])
    assert (own.tiers, own.weights, own.gatekeeper) == ({"a": 0.0, "b": 1.0}, {"x": 1.0}, Gate("x", 3.0, "a"))
    with pytest.raises(InputError, match="must read DIMENSION<CUT=TIER"):
        meaning(None, None, None, None, gatekeeper="x=3")
