"""A few inputs for each surface in every run of the tests; `make fuzz` tries many more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.running import tried
from tests.fuzz.surfaces import SURFACES

INPUTS = 12


@pytest.mark.parametrize("surface", SURFACES)
def test_good_inputs_are_used(surface, tmp_path):
    """Otherwise nothing was tried but the refusal."""
    for number, seed in enumerate(SURFACES[surface].seeds):
        if surface == "exported folders" and seed.startswith(b"{"):
            continue  # its metrics are no experiment
        folder = tmp_path / str(number)
        folder.mkdir()
        SURFACES[surface].run(SURFACES[surface].pack(seed), folder)


@pytest.mark.parametrize("surface", SURFACES)
def test_any_input_is_used_or_told(surface, tmp_path_factory):
    @settings(max_examples=INPUTS, deadline=None, database=None)
    @given(st.integers(0, 2**32))
    def try_one(seed):
        assert tried(surface, [seed], tmp_path_factory.mktemp("fuzz")).failures == []

    try_one()
