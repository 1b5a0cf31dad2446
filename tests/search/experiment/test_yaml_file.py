"""Files that are made to stop a reader, or that hold what no experiment does, are refused at once."""

import time

import pytest

from rarecall.analysis.errors import InputError
from rarecall.search.experiment.overrides import parse_assignments
from rarecall.search.experiment.yaml_file import parse_yaml, read_yaml, write_yaml

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # 9 aliases of 9 aliases …: 9⁹ values from less than a thousand characters.
        (BOMB, "must hold at most 100,000 values with all aliases written out"),
        ("a: &a [*a]", "must hold at most 100,000 values"),
        ("a: " + "[" * 5000 + "]" * 5000, "values must not nest deeper than 50"),
        ("a: " + "{b: " * 60 + "1" + "}" * 60, "values must not nest deeper than 50"),
        ("[1, 2]: x", "a key must be one word"),
        ("? {a: 1}\n: x", "a key must be one word"),
        ("a: 1\nb: 2\na: 2", "3:1: is not valid YAML: key 'a' stands twice, first in line 1"),
        ("a: !!timestamp 2026-13-45", "month must be in 1..12"),
        ("a: " + "9" * 5000, "Exceeds the limit"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: \x00", "special characters are not allowed"),
        ("a: " + "x" * 2**20, "must hold at most 1,048,576 characters"),
        ("just words", "must hold a mapping of sections, got str"),
        ("", "must hold a mapping of sections, got NoneType"),
        ("a: [1, 2", "is not valid YAML"),
        ("a: &x 1\nb: *y", "undefined alias"),
    ],
)
def test_what_is_no_experiment_is_refused_in_no_time(tmp_path, text, message):
    path = tmp_path / "experiment.yaml"
    path.write_text(text)
    started = time.perf_counter()
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    assert time.perf_counter() - started < 5
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_aliases_as_people_use_them_are_read(tmp_path):
    path = tmp_path / "experiment.yaml"
    path.write_text("common: &common [a, b]\nfirst: *common\nsecond: *common\nrate: 1e-4\n")
    assert read_yaml(path) == {"common": ["a", "b"], "first": ["a", "b"], "second": ["a", "b"], "rate": 1e-4}


@pytest.mark.parametrize("value", ["[[" * 40, "{a: &a [*a]}", "9" * 5000, "!!timestamp 2026-99-99", "? [a]\n: b"])
def test_values_of_the_command_line_are_refused_alike(value):
    with pytest.raises(InputError, match=r"--set training\.epochs: value is not YAML"):
        parse_assignments([f"training.epochs={value}"])


def test_values_are_those_of_yaml_1_2(tmp_path):
    """In YAML 1.1, `no` is a truth value, 12:30 is 750, 010 is 8 and a date is an object."""
    text = "[no, yes, on, true, FALSE, 12:30, 010, 0o10, 0x1f, 1_000, 2026-01-02, 1e-4, .5, 1., ~, null, '1', .inf]"
    expected = ["no", "yes", "on", True, False, "12:30", 10, 8, 31, "1_000", "2026-01-02", 1e-4, 0.5, 1.0]
    assert parse_yaml(text)[:-4] == expected
    assert parse_yaml(text)[-4:] == [None, None, "1", float("inf")]
    texts = ["no", "1e-4", "0o10", "2026-01-02", "010", "12:30", "", "null", "1.", "yes", "~", "<<"]
    write_yaml(tmp_path / "a.yaml", {"names": texts})
    assert read_yaml(tmp_path / "a.yaml") == {"names": texts}
