"""Names from a data file are no markup in a model card."""

from dataclasses import replace

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.search.export.card.sections import calibration_section

LABELS = LabelSpace(("<script>x", "calm"), ("<script>x",))


def test_the_table_of_calibration():
    errors = {name: {"before": 0.1, "after": 0.05} for name in LABELS.classes}
    told = calibration_section({"validation": errors, "test": None}, LABELS)
    assert "&lt;script&gt;x" in told
    assert "<script>" not in told
    assert calibration_section(None, replace(LABELS)) == ""
