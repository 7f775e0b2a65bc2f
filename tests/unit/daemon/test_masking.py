import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.masking import mask_number, mask_text

numbers = st.text("0123456789", min_size=7, max_size=20)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("15550100189", "1555•••89"),
        ("to 15550100189@s.whatsapp.net", "to 1555•••89@s.whatsapp.net"),
        ("15550100189:12@s.whatsapp.net", "1555•••89:12@s.whatsapp.net"),
        ("120363025246125486@g.us", "1203•••86@g.us"),
        ("+1 (555) 010-0189 called", "+1555•••89 called"),
        ("5550100", "•••00"),
        ("555010", "555010"),
        ("/api/sessions/support-1", "/api/sessions/support-1"),
        ("at 12:30:45.123, code 401", "at 12:30:45.123, code 401"),
    ],
)
def test_examples(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@given(st.text(), numbers, st.text())
def test_no_number_survives_whatever_stands_around_it(before: str, number: str, after: str) -> None:
    masked = mask_text(before + number + after)
    assert re.search("[0-9]{7}", masked, re.ASCII) is None
    assert number not in masked


@given(numbers)
def test_at_least_five_digits_are_hidden_and_the_length_does_not_show(number: str) -> None:
    masked = mask_number(number)
    assert sum(character.isdigit() for character in masked) <= len(number) - 5
    assert len(mask_number("1" * 11)) == len(mask_number("1" * 15))


@given(st.text(st.sampled_from("0123456789+-() .@a")))
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask_text(text)
    assert mask_text(once) == once


@given(st.text(st.characters(blacklist_categories=["Nd"])))
def test_text_without_digits_stays(text: str) -> None:
    assert mask_text(text) == text
