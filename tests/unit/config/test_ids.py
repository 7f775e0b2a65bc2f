"""Session ids, labels and other names."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.ids import (
    RESERVED_SESSION_IDS,
    check_label_name,
    check_label_value,
    check_phone,
    check_session_id,
    check_token_name,
    looks_like_phone_number,
)

ALPHABET = string.ascii_lowercase + string.digits + "_-"


def accepts(session_id: str) -> bool:
    try:
        check_session_id(session_id)
    except ValueError:
        return False
    return True


@given(st.one_of(st.text(), st.text(ALPHABET, max_size=70), st.text("0123456789-_", max_size=20)))
def test_the_rule_is_what_the_contract_says(session_id: str) -> None:
    digits = sum(character in string.digits for character in session_id)
    like_a_number = digits >= 7 and set(session_id) <= set(string.digits + "-_")
    well_formed = re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", session_id, re.ASCII) is not None
    assert accepts(session_id) == (well_formed and not like_a_number and session_id not in RESERVED_SESSION_IDS)


@given(st.text(string.ascii_lowercase, min_size=1, max_size=30), st.integers(0, 10**15))
def test_a_name_with_a_number_is_a_name(name: str, number: int) -> None:
    assert accepts(f"{name}-{number}")


@pytest.mark.parametrize("session_id", ["support-1", "a", "7", "123456", "24-7-line", "x" * 63, "12_34-56"])
def test_accepts(session_id: str) -> None:
    check_session_id(session_id)


@pytest.mark.parametrize(
    ("session_id", "why"),
    [
        ("1234567", "phone number"),
        ("49-170-1234567", "phone number"),
        ("49_1701234567", "phone number"),
        ("", "1 to 63 characters"),
        ("-a", "begins with"),
        ("Support", "1 to 63 characters"),
        ("a" * 64, "1 to 63 characters"),
        ("a\n", "1 to 63 characters"),
        ("é", "1 to 63 characters"),
        ("٣", "1 to 63 characters"),
        ("bulk", "reserved"),
        ("episodes", "reserved"),
        ("health-summary", "reserved"),
    ],
)
def test_refuses_and_says_why_without_repeating_the_id(session_id: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        check_session_id(session_id)
    if len(session_id) > 3 and session_id != "bulk":
        assert session_id not in str(raised.value)


@given(st.text("0123456789", min_size=7, max_size=15), st.text("-_", max_size=3))
def test_separators_do_not_hide_a_phone_number(number: str, separators: str) -> None:
    assert looks_like_phone_number(separators.join(number))


@pytest.mark.parametrize("name", ["team", "T1", "a_b", "a" * 63])
def test_accepts_label_names(name: str) -> None:
    check_label_name(name)


@pytest.mark.parametrize("name", ["", "1a", "_a", "a-b", "a:b", "a b", "ä", "a" * 64, "a\n"])
def test_refuses_label_names(name: str) -> None:
    with pytest.raises(ValueError, match="label name"):
        check_label_name(name)


@pytest.mark.parametrize("value", ["", "a\nb", "\0", "x" * 129])
def test_refuses_label_values(value: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        check_label_value(value)


def test_accepts_label_values_of_any_language() -> None:
    check_label_value("Käufer & Söhne 東京")


def test_token_names_and_phone_numbers() -> None:
    check_token_name("grafana-1")
    check_phone("15550100001")
    with pytest.raises(ValueError, match="token name"):
        check_token_name("Grafana 1")
    with pytest.raises(ValueError, match="7 to 15 digits") as raised:
        check_phone("+15550100001")
    assert "15550100001" not in str(raised.value)
