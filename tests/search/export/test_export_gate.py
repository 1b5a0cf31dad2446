"""The gate of an export: what the rows say of each criterion decides, before any model is loaded."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import yaml

from rarecall.analysis.criteria.verdicts import Assessment
from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.baseline import BaselineRow
from rarecall.search.experiment.schema import load_experiment
from rarecall.search.export.card.metadata import metadata_block
from rarecall.search.export.card.sections import (
    baselines_section,
    criteria_section,
    data_section,
    limits_section,
    rule_section,
)
from rarecall.search.export.exported_model import Exported
from rarecall.search.export.gate import measured_text, pass_gate, with_status
from rarecall.trainables.models.classifier import ParameterCounts
from tests.small_run import make_run

CRITERIA = ("recall[common] >= 0.9", "recall[rare] >= 0.4", "recall[common] >= 0.7", "accuracy >= 0.95")


def test_what_is_missed_is_named_with_its_value_and_the_way_on(tmp_path):
    run, row = make_run(tmp_path, CRITERIA)
    with pytest.raises(RunError) as refused:
        pass_gate(run, row, force=False)
    told = str(refused.value).splitlines()
    assert told[0] == f"{tmp_path}: trial t0001 (epoch 2) misses 2 of its 4 criteria, so it is not exported"
    # Clopper and Pearson at 90 %: scipy.stats.binomtest(80, 100).proportion_ci(0.9) is 0.723 to 0.863.
    assert told[1] == "  recall[common] >= 0.9: got 80.0 % (100 rows, 90 % interval 72–86 %)"
    # 81 of 103 is 0.7864; binomtest(81, 103) gives 0.709 to 0.851.
    assert told[2] == "  accuracy >= 0.95: got 78.6 % (103 rows, 90 % interval 71–85 %)"
    assert all(way in told[3] for way in ("--force", "--trial ID", "change the criteria"))
    assert len(told) == 4


def test_what_too_few_rows_leave_open_passes(tmp_path):
    run, row = make_run(tmp_path, ["recall[rare] >= 0.4", "recall[common] >= 0.7"])
    assessment = pass_gate(run, row, force=False)
    (open_one,) = with_status(assessment, "undecided")
    # 1 of 3: binomtest(1, 3).proportion_ci(0.9) is 0.017 to 0.865.
    assert measured_text(open_one, assessment.level) == "33.3 % (3 rows, 90 % interval 2–86 %)"
    assert [finding.status for finding in assessment.findings] == ["undecided", "met"]


def test_force_lets_pass_and_still_tells(tmp_path):
    run, row = make_run(tmp_path, CRITERIA)
    assessment = pass_gate(run, row, force=True)
    assert [finding.status for finding in assessment.findings] == ["missed", "undecided", "met", "missed"]


def test_without_criteria_nothing_is_refused(tmp_path):
    assert pass_gate(*make_run(tmp_path, []), force=False).findings == ()


def test_predictions_that_cannot_be_read_are_no_pass(tmp_path):
    run, row = make_run(tmp_path, CRITERIA)
    (tmp_path / "predictions.parquet").write_bytes(b"no table")
    with pytest.raises(RunError, match="without them nothing can be exported"):
        pass_gate(run, row, force=True)


def test_the_card_tells_what_was_missed_and_what_is_open(tmp_path):
    run, row = make_run(tmp_path, CRITERIA)
    told = criteria_section(pass_gate(run, row, force=True))
    assert told.startswith(
        "**Exported with `--force`, although it misses: `recall[common] >= 0.9`, `accuracy >= 0.95`.**\n"
    )
    assert "| undecided | `recall[rare] >= 0.4` | 33.3 % | 33.3 % | 3 | 2–86 % |" in told
    assert told.endswith("Undecided, as there are too few rows to tell: `recall[rare] >= 0.4`.")


def test_the_card_tells_of_data_rule_and_limits(tmp_path):
    run, row = make_run(tmp_path, [])
    data = data_section(run)
    assert "| class | train rows | validation rows |" in data
    assert "| rare (minority) | 31 | 3 |" in data
    assert "`abc`" in data
    assert "Classes with fewer than 20 rows to measure them by: rare (3)." in limits_section(run, "model", False, 48)
    own, chosen = SimpleNamespace(epoch=row), SimpleNamespace(epoch=SimpleNamespace(rule=(0.0, 1.25)))
    assert rule_section({"offsets": [0.0, 1.25]}, own) == "The task's own; no value was chosen on data."
    assert "`offsets` 0, 1.25" in rule_section({"classes": ["common", "rare"], "offsets": [0.0, 1.25]}, chosen)


def test_the_card_has_the_baselines_of_its_run(tmp_path):
    run, row = make_run(tmp_path, CRITERIA)
    exported = SimpleNamespace(trial=run.trials["t0001"], epoch=row)
    assert baselines_section(exported, run) == ""
    weak = {**dict.fromkeys(row.metrics, 0.0), "recall[common]": 1.0}
    baseline = BaselineRow(
        "baseline-majority", "the largest class for every row", weak, None, row.predictions, 9, 1.0, 0.0
    )
    section = baselines_section(exported, replace(run, baselines={"baseline-majority": baseline}))
    assert "| on validation rows | minority_recall | recall[common] | recall[rare] |" in section
    assert "| this model | 33.3 % | 80.0 % | 33.3 % |" in section
    assert "| the largest class for every row | 0.0 % | 100.0 % | 0.0 % |" in section
    # The same predictions on both sides: nothing is sure.
    assert "The winner is not surely better than the best baseline, baseline-majority" in section


@pytest.mark.parametrize(
    ("base", "adapter", "known"),
    [
        ("minilm", True, ("sentence-transformers/all-MiniLM-L6-v2", "adapter")),
        ("FacebookAI/roberta-base", False, ("FacebookAI/roberta-base", "finetune")),
        ("tiny-bert", True, (None, None)),
    ],
)
def test_the_hub_can_read_the_metadata(tmp_path, base, adapter, known):
    from huggingface_hub import ModelCard  # noqa: PLC0415

    run, row = make_run(tmp_path, [])
    tree = {"name": "made", "data": {"path": "rows.jsonl", "label": "label"}, "model": {"base": base}}
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump({**tree, "task": {"kind": "multiclass"}}))
    if adapter:
        (tmp_path / "adapter_config.json").write_text(json.dumps({}))
    metrics = dict(row.metrics)
    made = Exported(tmp_path, run.trials["t0001"], row, metrics, Assessment((), 1.0, 0.9), ParameterCounts(1, 2))
    block = metadata_block(made, load_experiment(tmp_path / "experiment.yaml"))
    data = ModelCard(f"{block}\n# made\n").data
    assert (data.base_model, getattr(data, "base_model_relation", None)) == known
    assert data.library_name == ("peft" if adapter else "transformers")
    assert (data.pipeline_tag, data.license) == ("text-classification", None)
    told = {result.metric_type: result.metric_value for result in data.eval_results}
    # 1 of 3; 81 of 103; F1 of common 160/182 = .8791, of rare 2/24 = .0833, their mean .4812.
    assert told == {"recall": 0.333333, "accuracy": 0.786408, "f1": pytest.approx(0.4812, abs=1e-4)}
    assert {result.dataset_split for result in data.eval_results} == {"validation"}
