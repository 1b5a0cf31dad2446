"""A scheme or a sampler that is registered elsewhere: its own fields are keys of the experiment, checked and used."""

from dataclasses import dataclass

import numpy as np
import pytest
from pydantic import ValidationError

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.trainables.config import TrainingConfig
from rarecall.trainables.imbalance import sampling, schemes
from rarecall.trainables.training.mitigation import epoch_rows, mitigation

SPACE = LabelSpace(("common", "rare"), ("rare",))
CLASSES = np.array([0] * 8 + [1] * 2)


@pytest.fixture(autouse=True)
def own(monkeypatch):
    """A scheme `floor` with a number of rows of its own, and a sampler `leave_out`, for one test."""
    monkeypatch.setattr(schemes, "_schemes", {**schemes._schemes})
    monkeypatch.setattr(sampling, "_samplers", {**sampling._samplers})

    @schemes.register("floor")
    @dataclass(frozen=True)
    class Floor:
        rows: float = 1.0
        strength: float = 0.5

        def __post_init__(self):
            if self.rows <= 0:
                raise ValueError(f"the floor must be above 0, got {self.rows!r}")

        def __call__(self, counts):
            return (counts.max() / np.maximum(counts, self.rows)) ** self.strength

    @sampling.register("leave_out")
    @dataclass(frozen=True)
    class LeaveOut:
        share: float = 0.0

        def __post_init__(self):
            if not 0 <= self.share < 1:
                raise ValueError(f"the share must be from 0 to below 1, got {self.share!r}")

        def draw(self, classes, minority, seed, epoch):
            kept = [np.flatnonzero(classes == name) for name in np.unique(classes)]
            return np.concatenate([rows[: round(len(rows) * (1 - self.share))] for rows in kept])

        def expected(self, counts, minority):
            return counts * (1 - self.share)


def training(**settings):
    return TrainingConfig.model_validate(settings)


def weights(**section):
    return mitigation(CLASSES, SPACE, training(class_weights={"scheme": "floor", **section})).weights.tolist()


def test_a_scheme_gets_its_own_parameters():
    assert weights() == [1.0, 2.0]  # √(8 / 2), by the scheme's own default of a strength
    assert weights(strength=1.0) == [1.0, 4.0]
    assert weights(strength=1.0, rows=4) == [1.0, 2.0]  # 8 / 4


def test_what_a_scheme_reads_is_written_out_and_survives_being_written():
    written = training(class_weights={"scheme": "floor", "rows": 3}).model_dump(mode="json")
    assert (written["class_weights"]["rows"], written["class_weights"]["strength"]) == (3, 0.5)
    assert training(**written).class_weights.parameters == {"rows": 3, "strength": 0.5}


def test_a_sampler_gets_a_section_of_its_own_fields():
    half = training(leave_out={"share": 0.5})
    assert mitigation(CLASSES, SPACE, half).sampled.tolist() == [4.0, 1.0]
    assert np.bincount(CLASSES[epoch_rows(CLASSES, SPACE, half, 1)]).tolist() == [4, 1]
    assert training().model_dump()["leave_out"] == {"share": 0.0}


@pytest.mark.parametrize(
    ("settings", "where", "message"),
    [
        ({"class_weights": {"scheme": "floor", "row": 3}}, ("class_weights", "row"), "did you mean 'rows'?"),
        ({"class_weights": {"scheme": "power", "rows": 3}}, ("class_weights", "rows"), "must be one of ['strength']"),
        ({"class_weights": {"scheme": "floor", "rows": 0}}, ("class_weights", "rows"), "must be above 0, got 0"),
        ({"class_weights": {"scheme": "flor"}}, ("class_weights", "scheme"), "did you mean 'floor'?"),
        ({"class_weights": {"strength": 2}}, ("class_weights", "strength"), "must be from 0 to 1, got 2"),
        ({"leave_out": {"shar": 0.5}}, ("leave_out", "shar"), "did you mean 'share'?"),
        ({"leave_out": {"share": 1}}, ("leave_out", "share"), "below 1, got 1"),
        ({"leave_out": 0.5}, ("leave_out",), "must be a section with keys of its own, got 0.5"),
        ({"leaveout": {"share": 0.5}}, ("leaveout",), "Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_told_at_its_key(settings, where, message):
    with pytest.raises(ValidationError) as told:
        training(**settings, epochs=0)
    found = {error["loc"]: error["msg"] for error in told.value.errors()}
    assert message in found[where]
    assert ("epochs",) in found, "all faults come together"


def test_only_dataclasses_with_defaults_are_registered():
    for register, kind in ((schemes.register, "weighting scheme"), (sampling.register, "sampler")):
        with pytest.raises(TypeError, match=f"a {kind} must be a frozen dataclass"):
            register("plain")(object)
