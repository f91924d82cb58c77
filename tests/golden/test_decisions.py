"""Who is cut and who is not, in tables that a person can read: what decides today must say what is written."""

import pytest

from golden.decision_tables import FOLDER, SPLITS, TABLES, written


@pytest.mark.parametrize("name", [*TABLES, *SPLITS])
def test_a_table_of_decisions_says_what_is_decided(name: str) -> None:
    assert (FOLDER / f"{name}.md").read_text(encoding="utf-8") == written(name)


def test_no_table_is_forgotten() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*TABLES, *SPLITS}
