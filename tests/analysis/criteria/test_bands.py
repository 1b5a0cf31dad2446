import pytest

from rarecall.analysis.criteria.bands import Band, band_of, read_bands
from rarecall.analysis.predictions.label_space import LabelSpace

LABELS = LabelSpace(("common", "rare"), ("rare",))
PLAIN = {
    "best": {"criteria": ["recall[rare] >= 0.6", "recall[common] >= 0.9"], "next_steps": ["ship it"]},
    "acceptable": {"criteria": ["recall[all] >= 0.4"], "when": None},
    "failure": {"criteria": ["recall[rare] < 0.2", "recall[common] < 0.5"]},
}


@pytest.mark.parametrize(
    ("common", "rare", "name"),
    [
        (0.95, 0.7, "best"),
        (0.85, 0.7, "acceptable"),  # the best takes all of its criteria
        (0.95, 0.3, "between"),
        (0.45, 0.3, "failure"),  # any sign of a failure suffices
        (0.95, 0.1, "failure"),
        (0.45, 0.7, "acceptable"),  # the first band in their order
    ],
)
def test_the_first_band_that_holds(common: float, rare: float, name: str) -> None:
    found = band_of({"recall[common]": common, "recall[rare]": rare}, read_bands(PLAIN, LABELS))
    assert (found.name if found else "between") == name


def test_bands_are_read_with_their_next_steps() -> None:
    best, acceptable, failure = read_bands(PLAIN, LABELS)
    assert (best.next_steps, acceptable.next_steps) == (("ship it",), ())
    assert (best.when, acceptable.when, failure.when) == ("all", "all", "any")
    assert acceptable.criteria[0].minority == ("rare",)
    (strict,) = read_bands({"failure": {"criteria": ["recall[rare] < 0.2"], "when": "all"}}, LABELS)
    assert strict.when == "all"


def test_what_was_not_measured_is_in_no_band() -> None:
    assert band_of({}, read_bands(PLAIN, LABELS)) is None
    assert isinstance(read_bands(PLAIN, LABELS)[0], Band)
