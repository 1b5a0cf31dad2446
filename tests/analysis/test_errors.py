import pickle

import pytest

from rarecall.analysis.errors import Fault, InputError, RarecallError, RunError


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("data.csv:7", "must have a text"), "data.csv:7: must have a text"),
        (Fault("model.lora.rank", "must be at least 1", "0"), "model.lora.rank: must be at least 1, got 0"),
        (
            Fault("modle", "unknown key", "'modle'", "did you mean 'model'?"),
            "modle: unknown key, got 'modle' (did you mean 'model'?)",
        ),
    ],
)
def test_a_fault_tells_place_rule_value_and_remedy(fault: Fault, text: str) -> None:
    assert str(fault) == text


def test_an_input_error_lists_all_its_faults() -> None:
    error = InputError("experiment.yaml", [Fault("a", "must be a number", "'x'"), Fault("b", "unknown key")])
    assert str(error).splitlines() == [
        "experiment.yaml: 2 faults",
        "  a: must be a number, got 'x'",
        "  b: unknown key",
    ]
    assert (error.source, len(error.faults)) == ("experiment.yaml", 2)


@pytest.mark.parametrize("error", [InputError("x", []), RunError("y")])
def test_what_a_user_causes_ends_with_exit_code_2(error: RarecallError) -> None:
    assert error.exit_code == 2


def test_an_input_error_of_another_process_arrives_whole() -> None:
    error = InputError("experiment.yaml", [Fault("a", "must be a number", "'x'")])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.faults) == (str(error), error.faults)
