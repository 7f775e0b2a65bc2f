"""The page about causes is what the tables say."""

from pathlib import Path

from actors.recovery.causes_page import page


def test_the_page_about_causes_is_up_to_date() -> None:
    committed = Path(__file__).parents[3] / "docs" / "causes.md"
    assert committed.read_text(encoding="utf-8") == page()
