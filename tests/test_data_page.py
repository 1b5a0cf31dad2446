"""docs/data.md says what reading really gives."""

from tests.data_table import PAGE, page


def test_the_table_is_what_reading_gives():
    written = PAGE.read_text(encoding="utf-8")
    assert page(written) == written, "run: python -m tests.data_table"
