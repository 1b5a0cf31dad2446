import math

import pytest

from rarecall.losses import LabelFacts


def test_what_fits_together_is_taken():
    facts = LabelFacts((5.0, 0.0, 1.0), (1.0, 2.0, 3.0), implications=((2, 0), (1, 0)), exclusions=((1, 2),))
    assert facts.implications == ((2, 0), (1, 0))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"counts": ()}, r"counts must be finite and at least 0, one per label, got \(\)"),
        ({"counts": (1.0, -1.0)}, r"counts must be .* got \(1.0, -1.0\)"),
        ({"counts": (math.nan,)}, r"counts must be .* got \(nan,\)"),
        ({"counts": (1.0, 1.0), "weights": (1.0,)}, r"weights must be one for each of 2 labels, got \(1.0,\)"),
        ({"counts": (1.0, 1.0), "weights": (1.0, 0.0)}, r"weights must be finite and above 0, got \(1.0, 0.0\)"),
        ({"counts": (1.0, 1.0), "implications": ((0, 2),)}, r"implications must be pairs .* 0 to 1, got \(0, 2\)"),
        ({"counts": (1.0, 1.0), "exclusions": ((1, 1),)}, r"exclusions must be pairs of two different .* got \(1, 1\)"),
    ],
)
def test_what_does_not_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        LabelFacts(**given)
