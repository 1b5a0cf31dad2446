import pytest

from rarecall.analysis.errors import InputError
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.models import quantization


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("model", "quantization", "4bit"), ("model", "quantization", "8bit"), ("training", "optimizer", "adamw_8bit")],
)
def test_what_is_not_installed_is_told_with_the_remedy(monkeypatch, section, key, value):
    monkeypatch.setattr(quantization, "PACKAGES", ("no_such_package",))
    data = {"data": {"path": "rows.jsonl", "label": "label"}, "task": {"kind": "multiclass"}}
    rule = rf"{section}.{key}: {value} needs no_such_package, got not installed .*pip install 'rarecall\[quantized\]'"
    with pytest.raises(InputError, match=rule):
        quantization.check_installed(TrialConfig.model_validate({**data, section: {key: value}}))
    quantization.check_installed(TrialConfig.model_validate(data))
